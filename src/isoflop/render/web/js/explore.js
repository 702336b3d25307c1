// The answer that moves: a budget (or the law's inputs) on sliders; figures and pictures follow at once.
import { formatByInterval, formatQuantity, general, parseQuantity } from "./numbers.js";
import { smooth, valueAt } from "./paths.js";
import { whole } from "./ranges.js";
import { scatter } from "./scatter.js";
import { bandAlong, plansOf, response } from "./surface.js";

const REACH = 3; // decades beyond the runs that a slider goes
const SIZES = 49; // points of a curve along one input

const flops = (value) => general(value, 3).replace("e+", "e");

/** What the figures say of an interval: value, and its ends, in the digits that it supports. */
export function told(each, quantity) {
  const write = quantity ? (value) => formatQuantity(value) : (value) => formatByInterval(value, each.low, each.high);
  return { value: write(each.value), ends: Number.isFinite(each.low) ? `${write(each.low)} – ${write(each.high)}` : "" };
}

/** A number inside a sentence, as Python's isoflop.answers.wording writes it: about 10B (90% CI 3B–90B). */
export function phrase(each, { level, quantity = false, unit = "", promise = "CI" }) {
  const known = Number.isFinite(each.low) && Number.isFinite(each.high);
  const ratio = !quantity || !known ? 1 : each.low > 0 ? each.high / each.low : Infinity;
  // One digit where the ends are a factor of 4 apart, or two where the first is a 1: 1.43M as 1M is off by 43 %.
  const digits = (value) => (ratio > 4 ? (value.toExponential(1).startsWith("1") ? 2 : 1) : ratio > 1.1 ? 2 : 3);
  const bare = (value) => (Math.abs(value) < 1e5 ? general(value, 4) : general(value, 3));
  const write = quantity ? (value) => formatQuantity(value, digits(value)) : known ? (value) => formatByInterval(value, each.low, each.high) : bare;
  const value = write(each.value) + (unit && !quantity ? ` ${unit}` : "");
  if (!known) return value;
  const ends = [write(each.low), write(each.high)];
  const joined = ends.some((end) => end.startsWith("-")) ? ends.join(" to ") : ends.join("–");
  return `${ratio > 1.5 ? "about " : ""}${value} (${general(100 * level)}% ${promise} ${joined})`;
}

/** Bring the answer in `root` to life. Returns {move(budget)} for tests and for the page. */
export function explore(root, data, law, runs) {
  const panel = root.querySelector("[data-explore]");
  if (!panel) return null;
  panel.querySelector("[data-levers]").hidden = false;
  return data.budget === null ? exploreInputs(root, panel, data, law) : exploreBudget(root, panel, data, law, runs);
}

function figure(panel, name, each, quantity) {
  const place = panel.querySelector(`[data-figure="${name}"]`);
  if (!place) return;
  const said = told(each, quantity);
  place.querySelector("dd").textContent = said.value;
  place.querySelector(".ends").textContent = said.ends;
}

/** How sure the answer is, in the words of the report. */
function sureness(law, data, answer) {
  const [loss, n] = [told(answer.newRun), told(answer.n, true)];
  const ends = (text) => text.split(" – ");
  const range = (each) => (each.ends ? ends(each.ends).join(" to ") : each.value);
  return (
    `${general(100 * law.level)} % prediction interval of one run there, model error included: ${range(loss)}; of the best size: ${range(n)}. ` +
    `Near-optimal range (loss within ${general(100 * data.within)} %): ${formatQuantity(answer.band[0])} to ${formatQuantity(answer.band[1])} parameters.`
  );
}

/** A slider over log10 of a quantity, with a text field that takes 70B or 1e24. */
function lever(element, { low, high, value, write, onMove }) {
  const slider = element.querySelector("input[type=range]");
  const field = element.querySelector("input[type=text]");
  const place = (number) => Math.log10(number);
  slider.min = place(low);
  slider.max = place(high);
  slider.step = (place(high) - place(low)) / 600;
  const show = (number, moved) => {
    if (moved !== slider) slider.value = String(place(number));
    if (moved !== field) field.value = write(number);
    slider.setAttribute("aria-valuetext", write(number));
  };
  slider.addEventListener("input", () => {
    const number = Number((10 ** slider.value).toPrecision(3));
    show(number, slider);
    onMove(number);
  });
  field.addEventListener("input", () => {
    const number = parseQuantity(field.value);
    const good = number > 0 && Number.isFinite(number);
    field.setAttribute("aria-invalid", String(!good));
    element.querySelector(".slip").textContent = good ? "" : "write a number such as 1e24 or 70B";
    if (good) {
      show(number, field);
      onMove(number);
    }
  });
  show(value);
  return show;
}

const NO_POINTS = { x: [], y: [], shade: [], state: new Uint8Array(0) };

/** The picture of a law along one of its inputs: a line with its band, read where the pointer is. @param {HTMLElement} element */
function pit(element, { name, write, axes }) {
  /** @type {{x: number[], y: number[], low: number[], high: number[]} | null} */
  let path = null;
  const made = scatter(element, {
    height: 300,
    describeAt: (x) => {
      const [y, low, high] = path ? [path.y, path.low, path.high].map((list) => valueAt(path.x, list, x)) : [null, null, null];
      if (y === null) return null;
      const said = told({ value: 10 ** y, low: 10 ** low, high: 10 ** high });
      return { y, text: `${name} = ${write(10 ** x)}\n${said.value}${said.ends ? `\n${said.ends}` : ""}` };
    },
  });
  return {
    /** @param {{x: ArrayLike<number>, value: ArrayLike<number>, low: ArrayLike<number>, high: ArrayLike<number>}} curve in log10 */
    draw({ x, value, low, high }, { rules, bars, view }) {
      const [line, bottom, top] = [value, low, high].map((list) => smooth(x, list));
      path = { x: line.x, y: line.y, low: bottom.y, high: top.y };
      made.set({ axes, points: NO_POINTS, lines: [{ ...path, color: "text" }], rules, bars, view: { x: view, y: whole([...line.y, ...bottom.y, ...top.y]) } }, made.zoomed());
    },
    close: () => made.picture.close(),
    path: () => (path ? [path.x, path.y] : []),
  };
}

function exploreBudget(root, panel, data, law, runs) {
  const plans = plansOf(data);
  const unit = data.law.unit ? `${data.law.response} (${data.law.unit})` : data.law.response;
  const valley = pit(panel.querySelector("[data-chart=valley]"), {
    name: "N", write: formatQuantity,
    axes: { x: { label: "parameters N", log: true, reading: "quantity" }, y: { label: unit, log: true, reading: "plain" } },
  });
  const lead = root.querySelector("[data-lead]");
  const state = { frame: 0, answer: null };

  const move = (budget) => {
    const answer = (state.answer = plans.at(budget));
    figure(panel, "n", answer.n, true);
    figure(panel, "d", answer.d, true);
    figure(panel, "ratio", answer.ratio, true);
    figure(panel, "loss", answer.newRun);
    figure(panel, "curve", answer.loss);
    const { level } = law;
    lead.textContent = answer.inside
      ? `Train ${phrase(answer.n, { level, quantity: true })} parameters on ${phrase(answer.d, { level, quantity: true })} tokens; expected loss ${phrase(answer.loss, { level, unit: data.law.unit })}.`
      : `At ${flops(budget)} training FLOPs this law has no compute-optimal size: its ${data.law.response} falls all the way.`;
    root.querySelector("[data-sure]").textContent = sureness(law, data, answer);
    const beyond = Math.log10(budget / runs.largestCompute);
    panel.querySelector("[data-reach]").textContent =
      beyond > 0.05 ? `${general(beyond, 2)} decades beyond the largest run: model error was learned from forecasts up to ${general(data.along.farthest, 2)} decades beyond theirs.` : "Within the compute of the runs.";
    cancelAnimationFrame(state.frame);
    state.frame = requestAnimationFrame(() => draw(answer));
  };

  const draw = (answer) => {
    const [low, high] = [answer.band[0], answer.band[1]];
    const curve = plans.valley(answer.budget);
    const logs = (list) => Array.from(list, Math.log10);
    const [value, bottom, top] = [logs(curve.value), logs(curve.low), logs(curve.high)];
    const bar = (from, to, tall) => ({ from: Math.log10(from), to: Math.log10(to), tall });
    valley.draw({ x: curve.x, value, low: bottom, high: top }, {
      view: [curve.x[0], curve.x[curve.x.length - 1]],
      bars: answer.inside ? [bar(low, high, true), bar(answer.n.low, answer.n.high, false)] : [],
      rules: answer.inside ? [Math.log10(answer.n.value)] : [],
    });
    runs.mark?.(answer.budget);
  };

  const budget = panel.querySelector("[data-lever=budget]");
  const show = lever(budget, { low: plans.low, high: plans.high, value: data.budget, write: flops, onMove: move });
  move(data.budget);
  return { move: (value) => { show(value); move(value); return state.answer; }, answer: () => state.answer, path: valley.path };
}

/** A law of other inputs: one slider for each; the picture follows the input that was moved last. */
function exploreInputs(root, panel, data, law) {
  const at = { ...data.at };
  const unit = data.law.unit ? `${data.law.response} (${data.law.unit})` : data.law.response;
  let shown = null;
  let along = "";
  const lead = root.querySelector("[data-lead]");
  const move = (name) => {
    const answer = response(law, data, at);
    figure(panel, "loss", answer.newRun);
    figure(panel, "curve", answer.curve);
    const where = data.law.inputs.map((each) => `${each} = ${formatQuantity(at[each])}`).join(", ");
    lead.textContent = `Expected ${data.law.response} at ${where}: ${phrase(answer.newRun, { level: law.level, unit: data.law.unit, promise: "PI" })}${data.losses ? "" : ", if the law holds"}.`;
    draw(name);
    return answer;
  };
  const draw = (name) => {
    if (name !== along) {
      shown?.close();
      along = name;
      panel.querySelector("[data-chart=valley]").replaceChildren();
      shown = pit(panel.querySelector("[data-chart=valley]"), {
        name, write: name === "C" ? flops : formatQuantity,
        axes: { x: { label: name, log: true, reading: name === "C" ? "power" : "quantity" }, y: { label: unit, log: true, reading: "plain" } },
      });
    }
    const [low, high] = reachOf(data, name);
    const place = law.inputs.indexOf(name);
    const many = Array.from({ length: SIZES }, (_, i) => low * (high / low) ** (i / (SIZES - 1)));
    const band = bandAlong(law, data, SIZES, (i, x) => {
      law.inputs.forEach((each, position) => { x[position] = at[each]; });
      x[place] = many[i];
    });
    const logs = (list) => list.map(Math.log10);
    const [value, bottom, top] = [logs(band.value), logs(band.low), logs(band.high)];
    shown.draw({ x: logs(many), value, low: bottom, high: top }, {
      view: logs([low, high]),
      bars: [{ from: Math.log10(Math.max(low, data.ranges[name][0])), to: Math.log10(data.ranges[name][1]), tall: true }],
      rules: [Math.log10(at[name])],
    });
  };
  for (const name of data.law.inputs) {
    const [low, high] = reachOf(data, name);
    lever(panel.querySelector(`[data-lever="${CSS.escape(name)}"]`), {
      low, high, value: at[name], write: name === "C" ? flops : formatQuantity, onMove: (value) => { at[name] = value; move(name); },
    });
  }
  move(data.law.inputs[0]);
  return { move: (values) => { Object.assign(at, values); return move(data.law.inputs[0]); } };
}

function reachOf(data, name) {
  const [low, high] = data.ranges[name];
  return [low > 0 ? low / 10 : high / 1e4, Math.max(high, data.at[name]) * 10 ** REACH];
}
