// The loss over sizes along a budget, its optimum and interval, and other answers as ghosts behind it.
import { drawAxes, frameOf } from "./frame.js";
import { formatQuantity, general } from "./numbers.js";
import { byId, page } from "./page.js";
import { smooth } from "./paths.js";
import { picture } from "./picture.js";
import { saveLinks } from "./save.js";
import { bandAlong, plansOf } from "./surface.js";

const PAD = { left: 54, right: 10, top: 12, bottom: 42 };
const SPAN = Math.log10(30); // decades shown on both sides of the optimum
const EDGE = 0.15; // of the frame, inside which the optimum may move before the frame follows
const POINTS = 181;

/** @typedef {{x: number[], y: number[], low?: number[], high?: number[], color: string, width: number, dash?: number[]}} Curve */

let content = null;
let middle = null;

/** The loss of a fit over log10 N at a budget, from its parameters alone. */
function curveOf({ data, law }, params, budget, from, to) {
  const [per, nPower, dPower] = data.along.flops;
  const at = new Float64Array(2);
  const place = [law.inputs.indexOf("N"), law.inputs.indexOf("D")];
  const values = Float64Array.from(params);
  const curve = { x: [], y: [] };
  for (let i = 0; i < POINTS; i++) {
    const x = from + ((to - from) * i) / (POINTS - 1);
    const n = 10 ** x;
    at[place[0]] = n;
    at[place[1]] = (budget / (per * n ** nPower)) ** (1 / dPower);
    curve.x.push(x);
    curve.y.push(law.code.value(values, 0, at));
  }
  return curve;
}

/** Where a law with these parameters has its least loss at a budget: {n, loss}, or null where it falls all the way. */
export function optimumNow(fit, params, budget) {
  const { x, y } = curveOf(fit, params, budget, 3, 16);
  const i = y.indexOf(Math.min(...y));
  if (i <= 0 || i >= y.length - 1) return null;
  const bend = y[i - 1] - 2 * y[i] + y[i + 1];
  const shift = (0.5 * (y[i - 1] - y[i + 1])) / bend;
  return { n: 10 ** (x[i] + shift * (x[1] - x[0])), loss: y[i] - 0.25 * (y[i - 1] - y[i + 1]) * shift };
}

const shown = picture(byId("answer-valley"), { height: 230, draw });

function draw(pen, { width, height, ink }) {
  if (!content) return;
  const { axes, curves, marks, view } = content;
  const frame = frameOf({ width, height, view, pad: PAD });
  drawAxes(pen, frame, axes, ink);
  pen.within(frame.left, frame.top, frame.wide, frame.high, () => {
    for (const [from, to, color, alpha, tall] of marks.bars ?? []) {
      const [left, right] = [frame.px(from), frame.px(to)];
      const top = frame.top + frame.high - (tall ? frame.high : 5);
      pen.area([left, right, right, left], [top, top, frame.top + frame.high, frame.top + frame.high], { fill: ink[color], alpha });
    }
    for (const curve of curves) {
      const x = curve.x.map(frame.px);
      if (curve.low) pen.area([...x, ...x.toReversed()], [...curve.low.map(frame.py), ...curve.high.map(frame.py).reverse()], { fill: ink.band });
      pen.line(x, curve.y.map(frame.py), { color: ink[curve.color], width: curve.width, dash: curve.dash });
    }
    for (const [x, y, color] of marks.dots ?? []) pen.dot(frame.px(x), frame.py(y), 5, { fill: ink[color], color: ink.paper, width: 1.5 });
  });
}

function rangeOf(lists) {
  const finite = lists.flat().filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const margin = 0.06 * (high - low) || 0.05;
  return [low - margin, high + margin];
}

export const valley = {
  picture: shown,
  /** Let the frame follow the optimum at the next drawing. */
  center() { middle = null; if (content?.again) content.again(); },
  draw({ budget, answer, fit, previous, now }) {
    const plans = plansOf(fit.data);
    const best = Math.log10(answer.inside ? answer.n.value : 1e9);
    if (middle === null || Math.abs(best - middle) > SPAN * (1 - EDGE)) middle = best;
    const [from, to] = [middle - 0.8 * SPAN, middle + 0.8 * SPAN];
    const found = plans.valley(budget);
    const path = smooth(found.x, Array.from(found.value));
    const [low, high] = [found.low, found.high].map((list) => smooth(found.x, Array.from(list)).y);
    /** @type {Curve[]} */
    const curves = [{ ...path, low, high, color: "text", width: 1.8 }];
    const dots = answer.inside ? [[best, answer.loss.value, "accent"]] : [];
    const names = [`${fit.task}: line with its ${100 * fit.data.level}% band`];
    if (previous?.data.along) {
      const then = plansOf(previous.data);
      const before = then.valley(budget);
      curves.unshift({ ...smooth(before.x, Array.from(before.value)), color: "muted", width: 1.6, dash: [6, 4] });
      const there = then.at(budget);
      if (there.inside) dots.unshift([Math.log10(there.n.value), there.loss.value, "muted"]);
      names.push(`${previous.task}, another answer: dashed`);
    }
    if (now) {
      curves.push({ ...curveOf(fit, now, budget, from, to), color: "accent", width: 1.6, dash: [2, 3] });
      const there = optimumNow(fit, now, budget);
      if (there) dots.push([Math.log10(there.n), there.loss, "accent"]);
      names.push("the runs now: dotted");
    }
    const inside = (curve) => curve.y.filter((_, i) => curve.x[i] >= from && curve.x[i] <= to);
    const near = inside({ x: path.x, y: low }).concat(inside({ x: path.x, y: high }));
    const bars = answer.inside ? [[Math.log10(answer.band[0]), Math.log10(answer.band[1]), "accent", 0.12, true], [Math.log10(answer.n.low), Math.log10(answer.n.high), "accent", 0.9, false]] : [];
    const unit = fit.data.law.unit ? `${fit.data.law.response} (${fit.data.law.unit})` : fit.data.law.response;
    content = {
      axes: { x: { label: "parameters N", log: true, reading: "quantity" }, y: { label: unit, log: false, reading: "plain" } },
      curves, marks: { bars, dots },
      view: { x: [from, to], y: rangeOf([near, ...curves.map(inside)]) },
      again: () => this.draw({ budget, answer, fit, previous, now }),
    };
    byId("answer-caption").textContent = `Loss along this budget. ${names.join("; ")}. Bar: interval of N*; shaded: ${answer.inside ? `loss within ${general(100 * fit.data.within)}% of the least, ${formatQuantity(answer.band[0])} to ${formatQuantity(answer.band[1])}` : "none"}.`;
    byId("answer-valley").setAttribute("aria-label", `Loss against model size along the budget, least at ${(10 ** best).toPrecision(2)} parameters`);
    shown.ask();
  },
  drawAlong(next) {
    content = next;
    byId("answer-caption").textContent = `${next.axes.y.label[0].toUpperCase()}${next.axes.y.label.slice(1)} along ${next.axes.x.label}, with its band; shaded: where the runs are.`;
    shown.ask();
  },
};

/** A law's response along one of its inputs, the others as they stand. */
export function alongInput({ data, law }, name, at) {
  const [low, high] = data.ranges[name];
  const [from, to] = [Math.log10(low > 0 ? low / 10 : high / 1e4), Math.log10(Math.max(high, data.at[name]) * 1e3)];
  const place = law.inputs.indexOf(name);
  const count = 61;
  const x = Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
  const band = bandAlong(law, data, count, (i, into) => {
    law.inputs.forEach((each, position) => { into[position] = at[each]; });
    into[place] = 10 ** x[i];
  });
  const unit = data.law.unit ? `${data.law.response} (${data.law.unit})` : data.law.response;
  const here = Math.log10(at[name]);
  const [y, lower, upper] = [band.value, band.low, band.high].map((list) => Array.from(list));
  return {
    axes: { x: { label: name, log: true, reading: name === "C" ? "power" : "quantity" }, y: { label: unit, log: false, reading: "plain" } },
    curves: [{ x, y, low: lower, high: upper, color: "text", width: 1.8 }],
    marks: { bars: [[Math.log10(low > 0 ? low : high / 1e4), Math.log10(high), "accent", 0.1, true]], dots: [[here, y.reduce((best, each, i) => (Math.abs(x[i] - here) < Math.abs(x[best[0]] - here) ? [i, each] : best), [0, y[0]])[1], "accent"]] },
    view: { x: [from, to], y: rangeOf([y, lower, upper]) },
  };
}

/** The curves as CSV. */
function csv() {
  const rows = content.curves.flatMap((curve, k) => curve.x.map((x, i) => [k + 1, 10 ** x, curve.y[i], curve.low?.[i] ?? "", curve.high?.[i] ?? ""].join(",")));
  return `curve,${content.axes.x.label.replace(/^parameters /, "")},value,low,high\n${rows.join("\n")}\n`;
}
saveLinks(byId("valley-saves"), { picture: shown, csv, name: "valley" });
page.valley = () => content;
