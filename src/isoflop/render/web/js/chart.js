// One picture: lines and bands by uPlot, points drawn on the same canvas; both axes in log10, ticks at round numbers.
import { formatQuantity, general, powerOfTen } from "./numbers.js";

const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const NEAR = 24; // pixels within which the pointer takes a run
const STILL = 5; // pixels that a press may move and still be a click
const charts = new Set();

/** Colors of the page at this moment. */
function ink(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of("--muted"), grid: of("--line"), fit: of("--ink"), band: of("--band"), accent: of("--accent"), paper: of("--paper"), dark: of("--dark") === "1" };
}

/** The color of a share of the way from the smallest size to the largest. */
function viridis(share, dark) {
  const place = (dark ? 0.18 + 0.82 * share : 0.88 * share) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const mixed = VIRIDIS[below].map((from, i) => Math.round(from + (place - below) * (VIRIDIS[below + 1][i] - from)));
  return `rgb(${mixed.join(",")})`;
}

/** log10 of round numbers between two log10s. */
export function roundTicks(low, high, most) {
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
  const [from, to] = [10 ** low, 10 ** high];
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to * (1 + 1e-9); tick += step) ticks.push(Math.log10(tick));
  return ticks;
}

const READINGS = { quantity: (value) => formatQuantity(value, 3), power: powerOfTen, plain: (value) => general(value, 3) };

/**
 * A chart in an element. `axes`: {x: {label, reading}, y: {label, reading}}. `onRun(i)`: called when a run is chosen.
 * `onAct(i)`: called when a run is clicked by a mouse, or by Enter; a finger's tap chooses.
 * `onBox(list)`: called with the runs inside a box that a mouse has drawn.
 * Returns {set(picture), size()}: picture = {x, value, low, high, points, marks, xRange, yRange}, all in log10;
 * points = {x, y, shade, faint}.
 */
export function chart(element, { axes, describe, onRun, onAct, onBox, height = 300 }) {
  let picture = { x: [0, 1], value: [null, null], low: [null, null], high: [null, null], xRange: [0, 1], yRange: [0, 1] };
  let chosen = -1;
  let colors = ink(element);
  const axis = (which, side) => ({
    side,
    label: axes[which].label,
    labelSize: 22,
    size: side === 2 ? 34 : 52,
    gap: 4,
    stroke: () => colors.text,
    grid: { stroke: () => colors.grid, width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    splits: (u, _, low, high) => roundTicks(low, high, side === 2 ? Math.max(3, Math.floor(u.width / 90)) : 6),
    values: (_, splits) => splits.map((tick) => READINGS[axes[which].reading](10 ** tick)),
  });
  const line = (dash, width) => ({ stroke: () => colors.fit, width, dash, points: { show: false } });
  const plot = new uPlot(
    {
      width: Math.max(220, element.clientWidth),
      height,
      legend: { show: false },
      cursor: { show: false },
      select: { show: false },
      scales: { x: { time: false, range: () => picture.xRange }, y: { range: () => picture.yRange } },
      axes: [axis("x", 2), axis("y", 3)],
      series: [{}, line(undefined, 1.6), line(undefined, 0), line(undefined, 0)],
      bands: [{ series: [3, 2], fill: () => colors.band }],
      hooks: { drawAxes: [drawMarks, drawPoints] },
    },
    [picture.x, picture.value, picture.low, picture.high],
    element,
  );
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  element.append(tip);

  function drawMarks(u) {
    const { ctx, bbox } = u;
    ctx.save();
    for (const mark of picture.marks ?? []) {
      const [from, to] = [mark.from, mark.to ?? mark.from].map((at) => u.valToPos(at, "x", true));
      ctx.fillStyle = ctx.strokeStyle = colors.accent;
      if (mark.to === undefined) {
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.setLineDash(mark.dash ? [5 * devicePixelRatio, 4 * devicePixelRatio] : []);
        ctx.beginPath();
        ctx.moveTo(from, bbox.top);
        ctx.lineTo(from, bbox.top + bbox.height);
        ctx.stroke();
      } else {
        const left = Math.max(from, bbox.left);
        const right = Math.min(to, bbox.left + bbox.width);
        ctx.globalAlpha = mark.strong ? 0.9 : 0.13;
        const thick = mark.strong ? 4 * devicePixelRatio : bbox.height;
        ctx.fillRect(left, bbox.top + bbox.height - thick, Math.max(1, right - left), thick);
        ctx.globalAlpha = 1;
      }
    }
    ctx.restore();
  }

  function drawPoints(u) {
    const { points } = picture;
    if (!points) return;
    const { ctx, bbox } = u;
    const count = points.x.length;
    const radius = Math.min(4.2, Math.max(1.1, 70 / Math.sqrt(count))) * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const dot = (i, size) => {
      ctx.beginPath();
      ctx.arc(u.valToPos(points.x[i], "x", true), u.valToPos(points.y[i], "y", true), size, 0, 7);
    };
    for (let i = 0; i < count; i++) {
      ctx.globalAlpha = points.faint?.[i] ? 0.18 : 1;
      ctx.fillStyle = viridis(points.shade[i], colors.dark);
      if (count > 3000) {
        const [x, y] = [u.valToPos(points.x[i], "x", true), u.valToPos(points.y[i], "y", true)];
        ctx.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
      } else {
        dot(i, radius);
        ctx.fill();
      }
    }
    ctx.globalAlpha = 1;
    if (chosen >= 0) {
      dot(chosen, radius + 4 * devicePixelRatio);
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.strokeStyle = colors.accent;
      ctx.stroke();
    }
    ctx.restore();
  }

  function choose(run, quiet) {
    if (run === chosen) return;
    chosen = run;
    plot.redraw(false);
    tip.hidden = run < 0;
    if (run < 0) return;
    tip.textContent = describe(run);
    const left = plot.valToPos(picture.points.x[run], "x") + plot.over.offsetLeft;
    const top = plot.valToPos(picture.points.y[run], "y") + plot.over.offsetTop;
    tip.classList.toggle("left", left > element.clientWidth / 2);
    tip.style.left = `${left}px`;
    const half = tip.offsetHeight / 2; // it stands in the middle of its height, and inside the chart
    tip.style.top = `${Math.max(half, Math.min(top, element.clientHeight - half))}px`;
    if (!quiet) onRun?.(run);
  }

  function nearest(left, top) {
    const { points } = picture;
    let best = -1;
    let least = NEAR ** 2;
    for (let i = 0; i < (points?.x.length ?? 0); i++) {
      const far = (plot.valToPos(points.x[i], "x") - left) ** 2 + (plot.valToPos(points.y[i], "y") - top) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }

  if (describe) {
    plot.over.addEventListener("mousemove", (event) => choose(nearest(event.offsetX, event.offsetY)));
    plot.over.addEventListener("mouseleave", () => choose(-1));
    byPointer();
    byKeyboard();
  }

  /** A click on a run acts, a drag draws a box; a press of a finger only chooses, since it may be meant to scroll. */
  function byPointer() {
    let from = null;
    const box = document.createElement("div");
    box.className = "box";
    box.hidden = true;
    plot.over.append(box);
    const still = (event) => Math.hypot(event.clientX - from.x, event.clientY - from.y) < STILL;
    const corners = (event) => {
      const over = plot.over.getBoundingClientRect();
      const within = (value, most) => Math.max(0, Math.min(value, most));
      const [x, y] = [[from.x, event.clientX].map((each) => within(each - over.left, over.width)), [from.y, event.clientY].map((each) => within(each - over.top, over.height))];
      return { left: Math.min(...x), right: Math.max(...x), top: Math.min(...y), bottom: Math.max(...y) };
    };
    plot.over.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY, touch: event.pointerType === "touch", moved: false };
      if (!from.touch && onBox) plot.over.setPointerCapture(event.pointerId);
    });
    plot.over.addEventListener("pointermove", (event) => {
      if (!from || from.touch || (!from.moved && still(event))) return;
      from.moved = true;
      if (!onBox) return;
      const { left, right, top, bottom } = corners(event);
      box.hidden = false;
      Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    });
    plot.over.addEventListener("pointerup", (event) => {
      if (!box.hidden) onBox(inside(corners(event)));
      box.hidden = true;
    });
    plot.over.addEventListener("pointercancel", () => { from = null; box.hidden = true; });
    plot.over.addEventListener("click", (event) => {
      const run = nearest(event.offsetX, event.offsetY);
      choose(run);
      if (run >= 0 && from && !from.touch && !from.moved) onAct?.(run);
      from = null;
    });
  }

  /** The runs between pixels. */
  function inside({ left, right, top, bottom }) {
    const [low, high] = [left, right].map((each) => plot.posToVal(each, "x"));
    const [least, most] = [bottom, top].map((each) => plot.posToVal(each, "y"));
    const { x, y } = picture.points;
    return Array.from(x.keys()).filter((i) => x[i] >= low && x[i] <= high && y[i] >= least && y[i] <= most);
  }

  /** Arrow keys walk through the runs from left to right; the run's row is the value that is read aloud. */
  function byKeyboard() {
    let place = -1;
    element.tabIndex = 0;
    element.setAttribute("role", "slider");
    element.setAttribute("aria-valuenow", 0);
    element.setAttribute("aria-valuetext", "no run chosen; arrow keys walk through the runs");
    element.addEventListener("blur", () => choose(-1));
    element.addEventListener("keydown", (event) => {
      const order = Array.from(picture.points.x.keys()).sort((a, b) => picture.points.x[a] - picture.points.x[b]);
      const last = order.length - 1;
      const to = { ArrowRight: place + 1, ArrowUp: place + 1, ArrowLeft: place - 1, ArrowDown: place - 1, PageDown: place - 10, PageUp: place + 10, Home: 0, End: last }[event.key];
      if (event.key === "Escape") choose(-1);
      if (event.key === "Enter" && chosen >= 0) onAct?.(chosen);
      if (to === undefined || last < 0) return;
      event.preventDefault();
      place = Math.min(last, Math.max(0, to));
      choose(order[place]);
      element.setAttribute("aria-valuemin", 1);
      element.setAttribute("aria-valuemax", last + 1);
      element.setAttribute("aria-valuenow", place + 1);
      element.setAttribute("aria-valuetext", describe(order[place]).replaceAll("\n", ", "));
    });
  }

  const self = {
    set(next) {
      picture = { ...picture, ...next };
      chosen = Math.min(chosen, (picture.points?.x.length ?? 0) - 1);
      plot.setData([picture.x, picture.value, picture.low, picture.high]);
    },
    choose: (run) => choose(run, true),
    repaint() {
      colors = ink(element);
      plot.redraw(false);
    },
    resize() {
      const width = Math.max(220, element.clientWidth);
      if (charts.has(self) && element.isConnected && width !== plot.width) plot.setSize({ width, height });
    },
    destroy: () => {
      charts.delete(self);
      plot.destroy();
    },
  };
  charts.add(self);
  new ResizeObserver(() => self.resize()).observe(element);
  return self;
}

/** A log10 range with a margin around finite numbers. */
export function rangeOf(...lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    }
  }
  if (low > high) return [0, 1];
  const margin = 0.04 * (high - low) || 0.1;
  return [low - margin, high + margin];
}

const repaintAll = () => charts.forEach((each) => each.repaint());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaintAll);
const paper = (printing) => {
  document.documentElement.classList.toggle("printing", printing);
  repaintAll();
};
addEventListener("beforeprint", () => paper(true));
addEventListener("afterprint", () => paper(false));
