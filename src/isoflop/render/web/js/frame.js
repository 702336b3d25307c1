// A frame with two axes: where values lie in pixels, and ticks at round numbers; logarithmic axes hold log10.
import { formatQuantity, general, powerOfTen } from "./numbers.js";

/** @typedef {{label: string, log: boolean, reading: "quantity"|"power"|"plain"|"percent"}} Axis */

const READINGS = { quantity: (value) => formatQuantity(value, 3), power: powerOfTen, plain: (value) => general(value, 4), percent: (value) => `${value > 0 ? "+" : ""}${general(value, 3)}%` };

/** A value of an axis as text, from its place there. @param {Axis} axis */
export const written = (axis, place) => READINGS[axis.reading](axis.log ? 10 ** place : place);

/** log10 of round numbers between two log10s. @param {number} low @param {number} high @param {number} most */
function roundTicks(low, high, most) {
  const decades = high - low;
  if (decades > 2.2) {
    const every = Math.ceil(decades / most);
    const first = Math.ceil(low / every) * every;
    return Array.from({ length: Math.max(0, Math.floor((high - first) / every) + 1) }, (_, i) => first + i * every);
  }
  if (decades > 0.9) {
    const ticks = [];
    for (let power = Math.floor(low); power <= high; power++) {
      for (const digit of most > 5 ? [1, 2, 5] : [1, 3]) ticks.push(power + Math.log10(digit));
    }
    return ticks.filter((tick) => tick >= low && tick <= high);
  }
  return evenTicks(10 ** low, 10 ** high, most).map(Math.log10);
}

/** Round numbers on a linear axis. @param {number} low @param {number} high @param {number} most */
function evenTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= 0.8 * rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return ticks;
}

/** @typedef {ReturnType<typeof frameOf>} Frame */
/**
 * Where values lie.
 * @param {{width: number, height: number, view: {x: number[], y: number[]}, pad: {left: number, right: number, top: number, bottom: number}}} of view: in places of the axes
 */
export function frameOf({ width, height, view, pad }) {
  const { left, right, top, bottom } = pad;
  const [wide, high] = [Math.max(1, width - left - right), Math.max(1, height - top - bottom)];
  const [xs, ys] = [wide / (view.x[1] - view.x[0]), high / (view.y[1] - view.y[0])];
  return {
    width, height, view, left, top, wide, high, xs, ys,
    px: (value) => left + (value - view.x[0]) * xs,
    py: (value) => top + high - (value - view.y[0]) * ys,
    vx: (pixel) => view.x[0] + (pixel - left) / xs,
    vy: (pixel) => view.y[0] + (top + high - pixel) / ys,
    holds: (x, y) => x >= left && x <= left + wide && y >= top && y <= top + high,
  };
}

/** Draw grid, ticks and labels. @param {{x: Axis, y: Axis}} axes */
export function drawAxes(pen, frame, axes, ink) {
  const { left, top, wide, high, view } = frame;
  const ticks = (axis, [low, hi], most) => (axis.log ? roundTicks(low, hi, most) : evenTicks(low, hi, most));
  const bottom = top + high;
  let free = -Infinity;
  for (const tick of ticks(axes.x, view.x, Math.max(3, Math.floor(wide / 90)))) {
    const at = frame.px(tick);
    const words = written(axes.x, tick);
    const half = pen.measure(words) / 2;
    if (at - half < free || at < left - 1 || at > left + wide + 1) continue;
    free = at + half + 8;
    pen.line([at, at], [bottom, bottom + 4], { color: ink.line });
    pen.text(words, at, bottom + 17, { color: ink.muted, align: "center" });
  }
  for (const tick of ticks(axes.y, view.y, Math.max(4, Math.floor(high / 45)))) {
    const at = frame.py(tick);
    if (at < top - 1 || at > bottom + 1) continue;
    pen.line([left, left + wide], [at, at], { color: ink.line });
    pen.text(written(axes.y, tick), left - 8, at, { color: ink.muted, align: "right", baseline: "middle" });
  }
  pen.line([left, left, left + wide], [top, bottom, bottom], { color: ink.muted });
  pen.text(axes.x.label, left + wide / 2, bottom + 36, { color: ink.muted, align: "center" });
  pen.text(axes.y.label, 12, top + high / 2, { color: ink.muted, align: "center", baseline: "middle", turned: true });
}

/** Colors of the page at this moment, as an element sees them. */
export function inkOf(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of("--ink"), muted: of("--muted"), line: of("--line"), paper: of("--paper"), sheet: of("--sheet"), band: of("--band"), accent: of("--accent"), hue: of("--hue"), dark: of("--dark") === "1" };
}
