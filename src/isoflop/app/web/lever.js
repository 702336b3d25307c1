// A slider over the logarithm of a quantity, with a text field that takes 70B or 1e24.
import { parseQuantity } from "./numbers.js";
import { element } from "./page.js";

const STEPS = 600;

/** @typedef {{low: number, high: number, value: number, write: (value: number) => string, onMove: (value: number) => void, onStop?: () => void}} Lever */
/** Returns {element, set(value)}. `onMove` is called with every value, `onStop` once the slider is let go. @param {string} name @param {string} title @param {Lever} of */
export function leverOf(name, title, { low, high, value, write, onMove, onStop }) {
  const id = `lever-${name}`;
  const box = element("div", undefined, { class: "lever", "data-lever": name });
  const slider = element("input", undefined, { type: "range", id, min: Math.log10(low), max: Math.log10(high), step: Math.log10(high / low) / STEPS });
  const field = element("input", undefined, { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false", "aria-label": `${title}, as a number` });
  const refused = element("span", "", { class: "slip", role: "alert" });
  box.append(element("label", title, { for: id }), slider, field, refused);
  const show = (number, moved) => {
    if (moved !== slider) slider.value = String(Math.log10(number));
    if (moved !== field) field.value = write(number);
    slider.setAttribute("aria-valuetext", write(number));
  };
  slider.addEventListener("input", () => {
    const number = Number((10 ** Number(slider.value)).toPrecision(3));
    show(number, slider);
    onMove(number);
  });
  slider.addEventListener("change", () => onStop?.());
  field.addEventListener("input", () => {
    const number = parseQuantity(field.value);
    const good = number > 0 && Number.isFinite(number);
    field.setAttribute("aria-invalid", String(!good));
    refused.textContent = good ? "" : "write a number such as 1e24 or 70B";
    if (!good) return;
    show(number, field);
    onMove(number);
    onStop?.();
  });
  show(value);
  return { element: box, set: (number) => { show(number); onMove(number); } };
}
