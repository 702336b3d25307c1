// What the chart of runs shows, and what is done with the runs inside a box that is drawn on it.
import { rangeOf } from "./chart.js";
import { byId, options, page } from "./page.js";

const LABELS = { C: "training compute C (FLOPs)", N: "parameters N", D: "tokens D", U: "unique tokens U" };
const QUANTITIES = new Set(["N", "D", "U", "N_nonembed", "N_active", "batch", "step", "S"]);
const axisOf = (name) => ({ label: LABELS[name] ?? name.replaceAll("_", " "), reading: name === "C" || name === "lr" ? "power" : QUANTITIES.has(name) ? "quantity" : "plain" });

/** The menus of x, y and color: every column of positive numbers, since both axes are logarithmic. */
export function offerAxes(runs) {
  selectRows([]);
  if (!runs) return;
  const names = Object.keys(runs.numbers).filter((name) => runs.numbers[name].some((each) => each > 0) && !runs.numbers[name].some((each) => each <= 0));
  const first = (...wanted) => wanted.find((name) => names.includes(name)) ?? names[0];
  const usual = { x: first("C", "D", "N"), y: first(runs.response), color: first("N", "C", "D") };
  for (const [which, name] of Object.entries(usual)) {
    const menu = byId(`runs-${which}`);
    options(menu, names, names.includes(menu.value) ? menu.value : name);
  }
}

/** Positions, shades and axes as the menus say; all in log10. */
export function chosenAxes(runs) {
  const [x, y, color] = ["x", "y", "color"].map((which) => byId(`runs-${which}`).value);
  const logs = (name) => Array.from(runs.numbers[name], Math.log10);
  const colors = logs(color);
  const [low, high] = rangeOf(colors);
  const shade = colors.map((each) => (Number.isFinite(each) ? Math.min(1, Math.max(0, (each - low) / (high - low))) : 0));
  const axes = { x: axisOf(x), y: axisOf(y) };
  return { x: logs(x), y: logs(y), shade, axes, says: `${axes.y.label} against ${axes.x.label}, colored by ${axisOf(color).label}.` };
}
for (const which of ["x", "y", "color"]) byId(`runs-${which}`).addEventListener("change", () => page.drawRuns());

// ---- rows inside a box

export const selected = new Set();

export function selectRows(rows, step = 1) {
  selected.clear();
  for (const row of rows) selected.add(row);
  byId("selection").hidden = !rows.length;
  const partly = step > 1 ? `; every ${step}th row is drawn, so select the others by a condition above` : "";
  byId("selection-says").textContent = `${rows.length} ${rows.length === 1 ? "run is" : "runs are"} selected${partly}.`;
  for (const id of ["selection-out", "selection-only", "selection-in"]) byId(id).disabled = step > 1;
  page.paintRuns?.();
}

const done = async (rows) => {
  await page.setDropped(rows);
  selectRows([]);
};
byId("selection-out").addEventListener("click", () => done([...new Set([...page.dropped, ...selected])]));
byId("selection-in").addEventListener("click", () => done([...page.dropped].filter((row) => !selected.has(row))));
byId("selection-only").addEventListener("click", () => done([...page.runs.row].filter((row) => !selected.has(row))));
byId("selection-none").addEventListener("click", () => selectRows([]));
