// What the chart of runs shows: axes, color and lines by the menus, runs by their state; and the table beside it.
import { colorOf, IN, OUT, SELECTED } from "./cloud.js";
import { inkOf } from "./frame.js";
import { grid, filterOf } from "./grid.js";
import { robustRange, shadesOf, whole } from "./ranges.js";
import { linesOf, LINES } from "./lines.js";
import { general, parseQuantity, powerOfTen, formatQuantity } from "./numbers.js";
import { byId, options, page, when } from "./page.js";
import { describeRun } from "./runs.js";
import { scatter } from "./scatter.js";
import { saveLinks } from "./save.js";
import { selection, selectPlaces } from "./selection.js";

const LABELS = { C: "training compute C (FLOPs)", N: "parameters N", D: "tokens D", U: "unique tokens U", residual: "off the law, 100·(L/L̂ − 1)" };
const QUANTITIES = new Set(["N", "D", "U", "N_nonembed", "N_active", "batch", "step", "S"]);
const FAR_OFF = 2; // percent
const FEWEST = 3; // budgets of an IsoFLOP sweep
const USUAL = { x: ["C", "D", "N"], y: ["loss"], color: ["N", "C", "D"] };

export const chart = scatter(byId("runs-chart"), {
  height: () => Math.round(Math.max(320, Math.min(520, innerHeight * 0.5))),
  describe: (i) => describeRun(page.runs, i) + residualLine(i) + (page.dropped.has(page.runs.row[i]) ? "\nleft out" : ""),
  onRead: (i) => {
    page.chosen = page.runs.row[i];
    byId("runs-chosen").textContent = describeRun(page.runs, i).replaceAll("\n", " · ");
  },
  onSelect: (places, more) => { selectPlaces(places, more); if (places.length) table?.reveal(places[0]); },
  onAct: (i) => toggle(i, page.dropped.has(page.runs.row[i])),
});
page.chart = chart;

let table = null;
let cache = new Map();

const residualLine = (i) => (page.fitted ? `\noff the law: ${residualOf(i)}` : "");
const residualOf = (i) => { const value = columnOf("residual")[i]; return Number.isFinite(value) ? `${value > 0 ? "+" : ""}${general(value, 2)}%` : ""; };

/** A column of numbers by its name; `residual` is 100·(L/L̂ − 1) of the law that is shown. */
function columnOf(name) {
  if (name !== "residual") return page.runs.numbers[name];
  if (!cache.has("residual")) cache.set("residual", page.fitted ? Float64Array.from(page.runs.loss, (loss, i) => 100 * (loss / page.fitted[i] - 1)) : new Float64Array(page.runs.count).fill(NaN));
  return cache.get("residual");
}

const canLog = (name) => { const key = `log ${name}`; if (!cache.has(key)) cache.set(key, name !== "residual" && columnOf(name).every((each) => !(each <= 0)) && columnOf(name).some((each) => each > 0)); return cache.get(key); };

/** @returns {import("./frame.js").Axis} */
function axisOf(name) {
  const log = byId("runs-log").checked && canLog(name);
  const unit = name === "loss" ? /\((.+)\)$/.exec(page.table.columns.find((each) => each.name === "loss")?.says ?? "")?.[1] : "";
  return { label: (LABELS[name] ?? name.replaceAll("_", " ")) + (unit ? ` (${unit})` : ""), log, reading: name === "residual" ? "percent" : name === "C" || name === "lr" ? "power" : QUANTITIES.has(name) ? "quantity" : "plain" };
}

function placesOf(name, log) {
  const key = `${name} ${log}`;
  if (!cache.has(key)) cache.set(key, log ? Float64Array.from(columnOf(name), Math.log10) : columnOf(name));
  return cache.get(key);
}

/** The menus, for the columns that the table has. */
function offer() {
  const names = [...Object.keys(page.runs.numbers), ...(page.fitted ? ["residual"] : [])];
  for (const [which, usual] of Object.entries(USUAL)) {
    const menu = byId(`runs-${which}`);
    const before = menu.value;
    options(menu, names.map((name) => ({ value: name, text: name === "residual" ? "off the law" : name })), names.includes(before) ? before : usual.find((name) => names.includes(name)) ?? names[0]);
  }
  const before = byId("runs-lines").value;
  const can = Object.entries(LINES).filter(([, line]) => line.here(page));
  options(byId("runs-lines"), can.map(([value, { text }]) => ({ value, text })), can.some(([value]) => value === before) ? before : "none");
}

/** The chart anew; `keep` leaves the view where it is. */
export function draw(keep = false) {
  const { runs } = page;
  const figure = byId("runs-chart").parentElement;
  figure.hidden = !runs;
  if (!runs) return;
  const [x, y, color] = ["x", "y", "color"].map((which) => byId(`runs-${which}`).value);
  const axes = { x: axisOf(x), y: axisOf(y) };
  const [px, py] = [placesOf(x, axes.x.log), placesOf(y, axes.y.log)];
  const log = canLog(color);
  const { shade, low, high } = shadesOf(placesOf(color, log));
  const state = new Uint8Array(runs.count);
  const kind = byId("runs-lines").value;
  const drawn = LINES[kind]?.fits(x, y) ? linesOf(kind, page, { axes, low, high, color }) : { lines: [], marks: [] };
  const view = { x: whole(px, drawn.reach?.x), y: robustRange(py, drawn.reach?.y) };
  if (!drawn.lines.length && y === "residual") drawn.lines.push({ x: view.x, y: [0, 0], color: "muted", width: 1.2, dash: [5, 4] });
  const label = (name) => (LABELS[name] ?? name.replaceAll("_", " ")).replace(/ \(.*\)$/, "").replace(/,.*/, "");
  const upper = (text) => text[0].toUpperCase() + text.slice(1);
  if (y === "residual") drawn.title = offSaid(columnOf("residual"));
  const says = `${upper(label(y))} against ${label(x)}, colored by ${label(color)}.`;
  byId("runs-axes-say").textContent = says;
  chart.set({ axes, view, points: { x: px, y: py, shade, state }, ...drawn, title: drawn.title ?? says.slice(0, -1) }, keep);
  legend(color, log, low, high);
  byId("runs-drawn").textContent = runs.step > 1 ? `Every ${runs.step}th of ${runs.total.toLocaleString("en")} rows is shown; all of them are fitted.` : runs.count > 3000 ? `${runs.count.toLocaleString("en")} rows.` : "";
  paintStates();
}

/** What the residuals show, in one line. */
function offSaid(list) {
  const far = list.reduce((count, each) => count + (Math.abs(each) > FAR_OFF), 0);
  return `${far.toLocaleString("en")} of ${list.length.toLocaleString("en")} runs lie more than ${FAR_OFF}% off the law (${page.fit.task})`;
}

function legend(name, log, low, high) {
  const write = (place) => { const value = log ? 10 ** place : place; return name === "C" ? powerOfTen(Number(value.toPrecision(2))) : QUANTITIES.has(name) ? formatQuantity(value, 2) : general(value, 3); };
  const place = byId("runs-legend");
  place.hidden = !Number.isFinite(low);
  const ramp = Object.assign(document.createElement("span"), { className: "ramp", title: `color: ${name}` });
  const { dark } = inkOf(place);
  ramp.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((share) => colorOf(share, dark)).join(", ")})`;
  place.replaceChildren(write(low), ramp, write(high));
}

/** Runs in, left out, selected; nothing else is computed again. */
function paintStates() {
  const content = chart.content();
  if (!content || !page.runs) return;
  const { state } = content.points;
  const { row } = page.runs;
  for (let i = 0; i < state.length; i++) state[i] = selection.mask[i] ? SELECTED : page.dropped.has(row[i]) ? OUT : IN;
  chart.ask();
  table?.repaint();
}

// ---- the table

function buildTable() {
  const { runs } = page;
  byId("rows-table").replaceChildren();
  table = null;
  if (!runs) return;
  const names = ["row", ...Object.keys(runs.numbers).slice(0, 4), ...(page.fitted ? ["residual"] : []), ...Object.keys(runs.numbers).slice(4), ...Object.keys(runs.texts)];
  const cell = (name, i) => (name === "residual" ? residualOf(i) : runs.cell(name, i));
  const value = (name, i) => (name === "row" ? runs.row[i] : columnOf(name)[i]);
  table = page.grid = grid(byId("rows-table"), {
    count: runs.count,
    columns: names.map((name) => ({ name, title: name === "residual" ? "off the law" : name, number: !(name in runs.texts) })),
    cell, value,
    used: (i) => !page.dropped.has(runs.row[i]),
    selected: (i) => selection.mask[i] === 1,
    toggle,
    read: (i) => chart.choose(i),
    choose: (i, more) => { selectPlaces([i], more); chart.choose(i); },
  });
  filter();
}

function filter() {
  if (!table) return;
  const { runs } = page;
  const numbers = (name) => (name === "row" ? (i) => runs.row[i] : name in runs.numbers ? (i) => runs.numbers[name][i] : null);
  const test = filterOf(byId("rows-filter").value, { columns: runs.columns, numbers, cell: runs.cell, parse: parseQuantity });
  const only = byId("rows-selected").checked;
  const shown = table.filter(only ? (i) => selection.mask[i] === 1 && (!test || test(i)) : test);
  byId("rows-say").textContent = test || only ? `${shown.toLocaleString("en")} of ${runs.count.toLocaleString("en")} rows` : "";
}
byId("rows-filter").addEventListener("input", filter);
byId("rows-filter").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && table) selectPlaces(table.order());
});
byId("rows-selected").addEventListener("change", filter);

function toggle(i, used) {
  const rows = new Set(page.dropped);
  if (used) rows.delete(page.runs.row[i]);
  else rows.add(page.runs.row[i]);
  return page.setDropped([...rows]);
}

// ---- what the others tell

when("table", () => {
  cache = new Map();
  page.chosen = -1;
  if (page.runs) offer();
  draw();
  buildTable();
});
when("fit", () => {
  cache.delete("residual");
  cache.delete("residual false");
  if (!page.runs) return;
  offer();
  draw(true);
  buildTable();
});
let first = null;
when("live", () => {
  if (!page.runs) return;
  offer();
  const usual = page.runs.curves ? "curves" : page.live.minima.length >= FEWEST ? "isoflop" : ""; // of such a table, once a session
  if (first !== page.session && usual) {
    byId("runs-lines").value = usual;
    if (usual === "curves") byId("runs-x").value = ["D", "step", "C"].find((name) => name in page.runs.numbers) ?? byId("runs-x").value;
    chooseLines();
  } else draw(true);
  first = page.session;
});
when("dropped", paintStates);
when("selection", () => { paintStates(); if (byId("rows-selected").checked) filter(); });

function chooseLines() {
  for (const [which, name] of Object.entries(LINES[byId("runs-lines").value].axes ?? {})) byId(`runs-${which}`).value = name;
  draw();
}
byId("runs-lines").addEventListener("change", chooseLines);
for (const which of ["x", "y", "color", "log"]) {
  byId(`runs-${which}`).addEventListener("change", () => {
    if (!LINES[byId("runs-lines").value].fits(byId("runs-x").value, byId("runs-y").value)) byId("runs-lines").value = "none";
    draw();
  });
}
for (const button of document.querySelectorAll("[data-mode]")) {
  button.addEventListener("click", () => {
    chart.mode = button.dataset.mode;
    for (const each of document.querySelectorAll("[data-mode]")) each.setAttribute("aria-pressed", String(each === button));
    byId("runs-chart").classList.toggle("moving", chart.mode === "move");
  });
}
byId("zoom-in").addEventListener("click", () => chart.zoom(0.7));
byId("zoom-out").addEventListener("click", () => chart.zoom(1 / 0.7));
byId("zoom-fit").addEventListener("click", () => chart.fit());

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.runs && draw(true));

/** The points that are drawn, as CSV: every column, and whether the row is left out. */
function csv() {
  const { runs } = page;
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const names = [...Object.keys(runs.numbers), ...(page.fitted ? ["residual"] : []), ...Object.keys(runs.texts)];
  const cell = (name, i) => (name in runs.texts ? quoted(runs.texts[name][i]) : Number.isFinite(columnOf(name)[i]) ? String(columnOf(name)[i]) : "");
  return [["row", ...names.map(quoted), "used"].join(","), ...runs.row.map((row, i) => [row, ...names.map((name) => cell(name, i)), page.dropped.has(row) ? 0 : 1].join(","))].join("\n") + "\n";
}
saveLinks(byId("runs-saves"), { picture: chart.picture, csv, name: "runs" });
