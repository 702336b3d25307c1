// The lines that the chart of runs can have: parabolas of IsoFLOP budgets, the least loss of each budget, curves by step.
import { formatByInterval, powerOfTen } from "./numbers.js";
import { menuOf } from "./page.js";
import { plansOf } from "./surface.js";

const AT = 33; // points of a parabola
const LOG10 = Math.log10(Math.E);

/** What a kind of lines needs: whether it is there, which axes it has. */
export const LINES = {
  none: { text: "none", here: () => true, fits: () => true },
  isoflop: { text: "IsoFLOP curves", here: (page) => page.live?.minima.length > 0, fits: (x, y) => x === "N" && y === "loss", axes: { x: "N", y: "loss", color: "C" } },
  envelope: { text: "envelope", here: (page) => Boolean(page.fit?.data.along) && "C" in page.runs.numbers, fits: (x, y) => x === "C" && y === "loss", axes: { x: "C", y: "loss", color: "N" } },
  curves: { text: "curves by run", here: (page) => Boolean(page.runs.curves), fits: () => true },
};

/** Lines, marks, title, and what else must be in sight. `low`, `high`: the ends of the colors. */
export function linesOf(kind, page, { axes, low, high, color }) {
  if (kind === "isoflop") return isoflop(page.live, axes, color === "C" ? (budget) => (Math.log10(budget) - low) / (high - low || 1) : () => undefined);
  if (kind === "envelope") return envelope(page.fit, axes);
  if (kind === "curves") return curves(page, axes);
  return { lines: [], marks: [] };
}

const onto = (axis) => (log10) => (axis.log ? log10 : 10 ** log10);

function isoflop({ minima, exponent }, axes, shade) {
  const [toX, toY] = [onto(axes.x), onto(axes.y)];
  const lines = minima.map((each) => {
    const away = Array.from({ length: AT }, (_, i) => each.from + ((each.to - each.from) * i) / (AT - 1));
    return {
      x: away.map((step) => toX(Math.log10(each.n) + step * LOG10)),
      y: away.map((step) => toY(Math.log10(each.loss) + each.curvature * step * step * LOG10)),
      shade: shade(each.budget), width: 2, label: powerOfTen(Number(each.budget.toPrecision(2))),
    };
  });
  const marks = minima.map((each) => ({ x: toX(Math.log10(each.n)), y: toY(Math.log10(each.loss)) }));
  const write = (value) => formatByInterval(value, exponent.low, exponent.high);
  return { lines, marks, title: `IsoFLOP minima: N* grows as C^{${write(exponent.value)}} [${write(exponent.low)}, ${write(exponent.high)}]` };
}

function envelope(fit, axes) {
  const [toX, toY] = [onto(axes.x), onto(axes.y)];
  const curve = plansOf(fit.data).envelope();
  const keep = [...curve.x.keys()].filter((i) => Number.isFinite(curve.value[i]));
  const of = (list, to) => keep.map((i) => to(list[i]));
  const [y, lower, upper] = [curve.value, curve.low, curve.high].map((list) => of(list, toY));
  return { lines: [{ x: of(curve.x, toX), y, low: lower, high: upper, width: 1.8 }], marks: [], title: `Least loss at each budget by ${fit.data.law.name}, with its ${100 * fit.data.level}% band` };
}

/** Rows of one run joined from left to right. */
function curves(page, axes) {
  const { runs } = page;
  const [xs, ys] = ["x", "y"].map((which) => ({ list: runs.numbers[menuOf(`runs-${which}`).value] ?? runs.loss, log: axes[which].log }));
  const place = ({ list, log }, i) => (log ? Math.log10(list[i]) : list[i]);
  const byRun = new Map();
  runs.curves.forEach((run, i) => { if (!byRun.has(run)) byRun.set(run, []); byRun.get(run).push(i); });
  const lines = [];
  for (const rows of byRun.values()) {
    rows.sort((a, b) => xs.list[a] - xs.list[b]);
    lines.push({ x: rows.map((i) => place(xs, i)), y: rows.map((i) => place(ys, i)), color: "muted", width: 1, alpha: 0.55 });
  }
  return { lines, marks: [] };
}
