// A chart to explore: points with lines, zoomed, moved, read and selected by pointer, fingers and keys.
import { colorOf, drawCloud, radiusOf } from "./cloud.js";
import { drawAxes, frameOf, written } from "./frame.js";
import { listenTo } from "./gestures.js";
import { picture } from "./picture.js";

const NEAR = 24; // pixels within which the pointer takes a run
const PAD = { left: 62, right: 18, top: 30, bottom: 46 };
const SIZES = [13.5, 12, 11]; // of a title's letters, the largest that fits
const BARE = 10; // pixels above a frame without a title

/** @typedef {{x: ArrayLike<number>, y: ArrayLike<number>, shade: ArrayLike<number>, state: Uint8Array}} Points places on the axes, shares of the colors, and IN, OUT or SELECTED */
/** @typedef {{x: ArrayLike<number>, y: ArrayLike<number>, low?: ArrayLike<number>, high?: ArrayLike<number>, shade?: number, color?: string, width?: number, dash?: number[], alpha?: number, label?: string}} Line with a band where it has ends */
/** @typedef {{from: number, to: number, tall: boolean}} Bar between two places of x: as high as the frame, or a strip on its floor */
/** @typedef {{x: number[], y: number[]}} View */
/**
 * @typedef {object} Content
 * @property {{x: import("./frame.js").Axis, y: import("./frame.js").Axis}} axes
 * @property {View} view
 * @property {Points} points
 * @property {Line[]} [lines]
 * @property {{x: number, y: number}[]} [marks]
 * @property {Bar[]} [bars]
 * @property {number[]} [rules] places of x with a dashed line
 * @property {string} [title]
 * @property {string} [what] a point's name, as `run`
 * @property {Uint32Array} [order] the points from left to right
 */
/**
 * @typedef {object} Wishes
 * @property {number | (() => number)} height
 * @property {(i: number) => string} [describe] what a point says
 * @property {(x: number) => {y: number, text: string} | null} [describeAt] what the line says at a place of x, where no point is near
 * @property {(i: number) => void} [onRead]
 * @property {(places: number[], more: boolean) => void} [onSelect] without it a box zooms, and a wheel needs Ctrl
 * @property {(i: number) => void} [onAct]
 */

/** A chart in an element. @param {HTMLElement} element @param {Wishes} wishes */
export function scatter(element, { height, describe, describeAt, onRead, onSelect, onAct }) {
  /** @type {Content | null} */
  let content = null;
  /** @type {View} */
  let view = { x: [0, 1], y: [0, 1] };
  let chosen = -1;
  /** @type {{x: number, y: number} | null} */
  let cross = null; // where the line is read
  /** @type {import("./gestures.js").Place[] | null} */
  let outline = null;
  let place = -1;
  const buffer = {};
  const made = picture(element, { height, draw });
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  element.append(tip);
  const back = onSelect ? null : Object.assign(document.createElement("button"), { type: "button", className: "whole", textContent: "Show all", hidden: true });
  if (back) {
    back.addEventListener("click", () => { self.fit(); element.focus(); });
    element.append(back);
  }
  const padOf = () => (content?.title ? PAD : { ...PAD, top: BARE });
  const frame = () => frameOf({ ...made.size(), view, pad: padOf() });

  function draw(pen, { width, height: high, ink }) {
    if (!content) return;
    if (back) back.hidden = !self.zoomed();
    const box = frameOf({ width, height: high, view, pad: padOf() });
    drawAxes(pen, box, content.axes, ink);
    pen.within(box.left, box.top, box.wide, box.high, () => {
      for (const bar of content.bars ?? []) {
        const [left, right] = [box.px(bar.from), Math.max(box.px(bar.to), box.px(bar.from) + 1)];
        const [top, floor] = [bar.tall ? box.top : box.top + box.high - 5, box.top + box.high];
        pen.area([left, right, right, left], [top, top, floor, floor], { fill: ink.accent, alpha: bar.tall ? 0.13 : 0.9 });
      }
      for (const rule of content.rules ?? []) pen.line([box.px(rule), box.px(rule)], [box.top, box.top + box.high], { color: ink.accent, width: 1.5, dash: [5, 4] });
      for (const line of content.lines ?? []) drawLine(pen, box, line, ink);
      drawCloud(pen, box, content.points, ink, buffer);
      for (const mark of content.marks ?? []) triangle(pen, box.px(mark.x), box.py(mark.y), ink);
    });
    drawBeyond(pen, box, ink);
    drawLabels(pen, box, ink);
    if (content.title) {
      const size = SIZES.find((each) => pen.measure(content.title, each, 650) <= width - 16) ?? SIZES.at(-1);
      pen.text(fitted(pen, content.title, width - 16, size, 650), 8, 15, { color: ink.text, size, weight: 650 });
    }
    if (chosen >= 0) pen.dot(box.px(content.points.x[chosen]), box.py(content.points.y[chosen]), radiusOf(content.points.x.length) + 4.5, { color: ink.accent, width: 2 });
    if (cross) pen.dot(box.px(cross.x), box.py(cross.y), 4, { fill: ink.accent, color: ink.paper, width: 1.5 });
    if (outline) {
      const [x, y] = [outline.map((each) => each.x), outline.map((each) => each.y)];
      pen.area(x, y, { fill: ink.hue, alpha: 0.1 });
      pen.line([...x, x[0]], [...y, y[0]], { color: ink.hue, width: 1.2, dash: [5, 4] });
    }
  }

  function drawLine(pen, box, line, ink) {
    const x = Array.from(line.x, box.px);
    const y = Array.from(line.y, box.py);
    if (line.low) pen.area([...x, ...x.toReversed()], [...Array.from(line.low, box.py), ...Array.from(line.high, box.py).reverse()], { fill: ink.band });
    pen.line(x, y, { color: line.shade === undefined ? ink[line.color ?? "text"] : colorOf(line.shade, ink.dark), width: line.width ?? 1.6, dash: line.dash, alpha: line.alpha });
  }

  /** Names of lines at their right ends, none over another. */
  function drawLabels(pen, box, ink) {
    const taken = [];
    for (const line of content.lines ?? []) {
      if (!line.label) continue;
      const [x, y] = [box.px(line.x[line.x.length - 1]) + 5, box.py(line.y[line.y.length - 1])];
      const wide = pen.measure(line.label, 11);
      if (!box.holds(x, y) || x + wide > box.left + box.wide || taken.some((each) => Math.abs(each.y - y) < 13 && x < each.x + each.wide && each.x < x + wide)) continue;
      taken.push({ x, y, wide });
      pen.text(line.label, x, y, { color: ink.text, size: 11, baseline: "middle", halo: ink.paper });
    }
  }

  /** Runs above the whole as arrows at its edge, with their number; what a zoom leaves out is no news. */
  function drawBeyond(pen, box, ink) {
    if (view.y[1] < content.view.y[1]) return;
    const { x, y } = content.points;
    let above = 0;
    let right = box.left;
    for (let i = 0; i < x.length; i++) {
      if (!(y[i] > view.y[1]) || x[i] < view.x[0] || x[i] > view.x[1]) continue;
      above += 1;
      if (above <= 60) triangle(pen, box.px(x[i]), box.top + 5, ink, true);
      right = Math.max(right, box.px(x[i]));
    }
    if (!above) return;
    const what = content.what ?? "run";
    const words = `${above.toLocaleString("en")} ${above === 1 ? what : `${what}s`} above ${written(content.axes.y, view.y[1])}`;
    const wide = pen.measure(words, 11);
    const at = right + 12 + wide < box.left + box.wide ? right + 12 : box.left + box.wide - wide;
    pen.text(words, at, box.top + (at > right + 9 ? 9 : 20), { color: ink.muted, size: 11, halo: ink.paper });
  }

  const triangle = (pen, x, y, ink, open = false) => pen.area([x - 5, x, x + 5, x - 5], [y + 4, y - 5, y + 4, y + 4], open ? { color: ink.text, fill: ink.paper, width: 1.2 } : { fill: ink.accent, color: ink.paper, width: 0.8 });

  function fitted(pen, words, most, size, weight) {
    let cut = words;
    while (cut.length > 8 && pen.measure(cut, size, weight) > most) cut = `${cut.slice(0, -2).replace(/\^\{[^}]*$/, "").trimEnd()}…`; // no half of a power
    return cut;
  }

  function nearest(left, top) {
    const box = frame();
    const { x, y } = content.points;
    let [best, least] = [-1, NEAR ** 2];
    for (let i = 0; i < x.length; i++) {
      const far = (box.px(x[i]) - left) ** 2 + (box.py(y[i]) - top) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  /** Show a point's row, or hide it with -1. @param {number} i */
  function choose(i, told = true) {
    if (i === chosen && !cross) return;
    chosen = i;
    cross = null;
    made.ask();
    tip.hidden = i < 0;
    if (told && i >= 0) onRead?.(i);
    if (i < 0) return;
    const box = frame();
    tell(describe(i), box.px(content.points.x[i]), Math.max(box.top, box.py(content.points.y[i])), box);
  }

  /** What is near a place: a point, or else the line above or below it. @param {number} left @param {number} top */
  function read(left, top) {
    if (!content) return;
    const i = nearest(left, top);
    const box = frame();
    const x = box.vx(left);
    const said = i < 0 && describeAt && box.holds(left, top) ? describeAt(x) : null;
    if (!said) return choose(i);
    chosen = -1;
    cross = { x, y: said.y };
    made.ask();
    tip.hidden = false;
    tell(said.text, box.px(x), box.py(said.y), box);
  }

  /** @param {string} text @param {number} x @param {number} y @param {import("./frame.js").Frame} box */
  function tell(text, x, y, box) {
    tip.textContent = text;
    tip.classList.toggle("left", x > box.width / 2);
    tip.style.left = `${x}px`;
    const half = tip.offsetHeight / 2;
    tip.style.top = `${Math.max(half, Math.min(y, box.height - half))}px`;
  }

  /** Indices of the points inside an outline of pixels. */
  function inside(path) {
    const box = frame();
    const [px, py] = [path.map((each) => box.vx(each.x)), path.map((each) => box.vy(each.y))];
    const [low, high, least, most] = [Math.min(...px), Math.max(...px), Math.min(...py), Math.max(...py)];
    const { x, y } = content.points;
    const found = [];
    for (let i = 0; i < x.length; i++) {
      if (x[i] < low || x[i] > high || y[i] < least || y[i] > most) continue;
      let odd = false;
      for (let j = 0, k = px.length - 1; j < px.length; k = j++) {
        if (py[j] > y[i] !== py[k] > y[i] && x[i] < ((px[k] - px[j]) * (y[i] - py[j])) / (py[k] - py[j]) + px[j]) odd = !odd;
      }
      if (odd) found.push(i);
    }
    return found;
  }

  /** Zoom so that an outline of pixels fills the frame. @param {import("./gestures.js").Place[]} path */
  function zoomInto(path) {
    const box = frame();
    const of = (list, least) => {
      const [low, high] = [Math.min(...list), Math.max(...list)];
      return high - low < least ? null : [low, high];
    };
    const x = of(path.map((each) => box.vx(each.x)), 8 / box.xs);
    const y = of(path.map((each) => box.vy(each.y)), 8 / box.ys);
    view = { x: x ?? view.x, y: y ?? view.y };
    tip.hidden = true;
    made.ask();
  }

  /** @param {number} factor below 1 zooms in @param {number} [left] @param {number} [top] */
  function zoom(factor, left, top) {
    const box = frame();
    const [x, y] = [box.vx(left ?? box.left + box.wide / 2), box.vy(top ?? box.top + box.high / 2)];
    const whole = content.view;
    /** @param {number[]} span @param {number} at @param {number[]} reach */
    const scaled = ([low, high], at, [from, to]) => {
      const span = Math.min(4 * (to - from), Math.max(1e-4 * (to - from), (high - low) * factor));
      const share = (at - low) / (high - low);
      return [at - share * span, at + (1 - share) * span];
    };
    view = { x: scaled(view.x, x, whole.x), y: scaled(view.y, y, whole.y) };
    tip.hidden = true;
    made.ask();
  }

  function move(right, down) {
    const box = frame();
    view = { x: view.x.map((each) => each - right / box.xs), y: view.y.map((each) => each + down / box.ys) };
    tip.hidden = true;
    made.ask();
  }

  const self = {
    picture: made,
    /** @type {import("./gestures.js").Mode} */
    mode: "box",
    /** Whether the view is another than that of the whole. */
    zoomed: () => content !== null && ["x", "y"].some((which) => view[which].some((each, i) => each !== content.view[which][i])),
    chosen: () => chosen,
    view: () => view,
    content: () => content,
    frame,
    /** @param {Content} next */
    set(next, keepView = false) {
      content = next;
      if (!keepView) view = { x: [...next.view.x], y: [...next.view.y] };
      if (chosen >= next.points.x.length) choose(-1);
      made.now();
    },
    ask: made.ask,
    fit() { view = { x: [...content.view.x], y: [...content.view.y] }; made.ask(); },
    zoom, move, choose, inside, nearest,
  };

  listenTo(made.canvas, {
    mode: () => self.mode,
    read,
    leave: () => choose(-1),
    shape: (path) => { outline = path; if (path) choose(-1); made.ask(); },
    click: (x, y, more) => {
      if (!content) return;
      if (!onSelect) return read(x, y);
      const i = nearest(x, y);
      choose(i);
      onSelect(i < 0 ? [] : [i], more);
    },
    twice: () => { if (content && !onSelect) self.fit(); },
    select: (path, more) => { if (onSelect) onSelect(inside(path), more); else zoomInto(path); },
    wheel: (event) => content !== null && (Boolean(onSelect) || event.ctrlKey || event.metaKey),
    move, zoom,
  });
  byKeyboard();
  return self;

  /** Arrow keys walk through the runs from left to right; the run's row is the value that is read aloud. */
  function byKeyboard() {
    element.tabIndex = 0;
    if (describe) {
      element.setAttribute("role", "slider");
      element.setAttribute("aria-valuenow", "0");
      element.setAttribute("aria-valuetext", `no run chosen; arrow keys walk through the runs${onAct ? ", Enter acts" : ""}, plus and minus zoom`);
    }
    element.addEventListener("blur", () => choose(-1));
    element.addEventListener("keydown", (event) => {
      if (!content || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") choose(-1);
      if (event.key === "Enter" && chosen >= 0) onAct?.(chosen);
      if (event.key === "+" || event.key === "=") zoom(0.8);
      if (event.key === "-") zoom(1.25);
      if (event.key === "0") self.fit();
      if (event.key === " " && chosen >= 0) { event.preventDefault(); onSelect?.([chosen], true); }
      const { x } = content.points;
      const last = describe ? x.length - 1 : -1;
      const to = { ArrowRight: place + 1, ArrowUp: place + 1, ArrowLeft: place - 1, ArrowDown: place - 1, PageDown: place - 10, PageUp: place + 10, Home: 0, End: last }[event.key];
      if (to === undefined || last < 0) return;
      event.preventDefault();
      const order = (content.order ??= Uint32Array.from({ length: x.length }, (_, i) => i).sort((a, b) => x[a] - x[b]));
      place = Math.min(last, Math.max(0, to));
      choose(order[place]);
      element.setAttribute("aria-valuemin", "1");
      element.setAttribute("aria-valuemax", String(last + 1));
      element.setAttribute("aria-valuenow", String(place + 1));
      element.setAttribute("aria-valuetext", describe(order[place]).replaceAll("\n", ", "));
    });
  }
}
