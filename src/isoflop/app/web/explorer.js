// What the chart of runs shows: axes, color and lines by the menus, runs by their state.
import { colorOf, IN, OUT, SELECTED } from "./cloud.js";
import { canLog, columnOf, csvOfRuns, placesOf, residualOf } from "./columns.js";
import { inkOf } from "./frame.js";
import { robustRange, shadesOf, whole } from "./ranges.js";
import { linesOf, LINES } from "./lines.js";
import { general, powerOfTen, formatQuantity } from "./numbers.js";
import { all, byId, fieldOf, menuOf, options, page, when } from "./page.js";
import { describeRun } from "./runs.js";
import { scatter } from "./scatter.js";
import { saveLinks } from "./save.js";
import { selection, selectPlaces, useRow } from "./selection.js";

const LABELS = { C: "training compute C (FLOPs)", N: "parameters N", D: "tokens D", U: "unique tokens U", residual: "off the law, 100·(L/L̂ − 1)" };
const QUANTITIES = new Set(["N", "D", "U", "N_nonembed", "N_active", "batch", "step", "S"]);
const FAR_OFF = 2; // percent
const FEWEST = 3; // budgets of an IsoFLOP sweep
const USUAL = { x: ["C", "D", "N"], y: [], color: ["N", "C", "D"] };
let wanted = "none"; // the lines that were chosen: they come back with what they are drawn from

export const chart = scatter(byId("runs-chart"), {
  height: () => Math.round(Math.max(320, Math.min(520, innerHeight * 0.5))),
  describe: (i) => describeRun(page.runs, i) + residualLine(i) + (page.dropped.has(page.runs.row[i]) ? "\nleft out" : ""),
  onRead: (i) => {
    page.chosen = page.runs.row[i];
    byId("runs-chosen").textContent = describeRun(page.runs, i).replaceAll("\n", " · ");
  },
  onSelect: selectPlaces,
  onAct: (i) => useRow(i, page.dropped.has(page.runs.row[i])),
});
page.chart = chart;

const residualLine = (i) => (page.fitted ? `\noff the law: ${residualOf(i)}` : "");

/** @returns {import("./frame.js").Axis} */
function axisOf(name) {
  const log = fieldOf("runs-log").checked && canLog(name);
  const unit = name === "loss" ? /\((.+)\)$/.exec(page.table.columns.find((each) => each.name === "loss")?.says ?? "")?.[1] : "";
  return { label: (LABELS[name] ?? name.replaceAll("_", " ")) + (unit ? ` (${unit})` : ""), log, reading: name === "residual" ? "percent" : name === "C" || name === "lr" ? "power" : QUANTITIES.has(name) ? "quantity" : "plain" };
}

/** The menus, for the columns that the table has. */
function offer() {
  const names = [...Object.keys(page.runs.numbers), ...(page.fitted ? ["residual"] : [])];
  for (const [which, usual] of Object.entries({ ...USUAL, y: [page.runs.response] })) {
    const menu = menuOf(`runs-${which}`);
    const before = menu.value;
    options(menu, names.map((name) => ({ value: name, text: name === "residual" ? "off the law" : name })), names.includes(before) ? before : usual.find((name) => names.includes(name)) ?? names[0]);
  }
  const can = Object.entries(LINES).filter(([, line]) => line.here(page));
  options(menuOf("runs-lines"), can.map(([value, { text }]) => ({ value, text })), can.some(([value]) => value === wanted) ? wanted : "none");
}

/** The chart anew; `keep` leaves the view where it is. */
export function draw(keep = false) {
  const { runs } = page;
  const figure = byId("runs-chart").parentElement;
  figure.hidden = !runs;
  if (!runs) return;
  const [x, y, color] = ["x", "y", "color"].map((which) => menuOf(`runs-${which}`).value);
  const axes = { x: axisOf(x), y: axisOf(y) };
  const [px, py] = [placesOf(x, axes.x.log), placesOf(y, axes.y.log)];
  const log = canLog(color);
  const { shade, low, high } = shadesOf(placesOf(color, log));
  const state = new Uint8Array(runs.count);
  const kind = menuOf("runs-lines").value;
  const drawn = LINES[kind]?.fits(x, y) ? linesOf(kind, page, { axes, low, high, color }) : { lines: [], marks: [] };
  const view = { x: whole(px, drawn.reach?.x), y: robustRange(py, drawn.reach?.y) };
  if (!drawn.lines.length && y === "residual") drawn.lines.push({ x: view.x, y: [0, 0], color: "muted", width: 1.2, dash: [5, 4] });
  const label = (name) => (LABELS[name] ?? name.replaceAll("_", " ")).replace(/ \(.*\)$/, "").replace(/,.*/, "");
  const upper = (text) => text[0].toUpperCase() + text.slice(1);
  if (y === "residual") drawn.title = offSaid(columnOf("residual"));
  const says = `${upper(label(y))} against ${label(x)}, colored by ${label(color)}.`;
  byId("runs-axes-say").textContent = says;
  chart.set({ axes, view, points: { x: px, y: py, shade, state }, ...drawn, title: drawn.title ?? says.slice(0, -1), what: runs.curves ? "row" : "run" }, keep);
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
}

// ---- what the others tell

when("table", () => {
  page.chosen = -1;
  if (page.runs) offer();
  draw();
});
when("fit", () => {
  if (!page.runs) return;
  offer();
  const { response } = page.fit.data.runs;
  const other = menuOf("runs-y").value === page.runs.response && response !== page.runs.response && response in page.runs.numbers;
  if (other) menuOf("runs-y").value = response; // what the law predicts
  draw(!other);
});
let first = null;
when("live", () => {
  if (!page.runs) return;
  const usual = page.runs.curves ? "curves" : page.live.minima.length >= FEWEST ? "isoflop" : ""; // of such a table, once a session
  const fresh = first !== page.session && usual;
  if (fresh) wanted = usual;
  first = page.session;
  offer();
  if (!fresh) return draw(true);
  if (usual === "curves") menuOf("runs-x").value = ["D", "step", "C"].find((name) => name in page.runs.numbers) ?? menuOf("runs-x").value;
  chooseLines();
});
when("dropped selection", paintStates);

function chooseLines() {
  wanted = menuOf("runs-lines").value;
  for (const [which, name] of Object.entries(LINES[wanted]?.axes ?? {})) menuOf(`runs-${which}`).value = name;
  draw();
}
byId("runs-lines").addEventListener("change", chooseLines);
for (const which of ["x", "y", "color", "log"]) {
  byId(`runs-${which}`).addEventListener("change", () => {
    if (!LINES[menuOf("runs-lines").value].fits(menuOf("runs-x").value, menuOf("runs-y").value)) wanted = menuOf("runs-lines").value = "none";
    draw();
  });
}
for (const button of all("[data-mode]")) {
  button.addEventListener("click", () => {
    chart.mode = /** @type {import("./gestures.js").Mode} */ (button.dataset.mode);
    for (const each of all("[data-mode]")) each.setAttribute("aria-pressed", String(each === button));
    byId("runs-chart").classList.toggle("moving", chart.mode === "move");
  });
}
byId("zoom-in").addEventListener("click", () => chart.zoom(0.7));
byId("zoom-out").addEventListener("click", () => chart.zoom(1 / 0.7));
byId("zoom-fit").addEventListener("click", () => chart.fit());

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.runs && draw(true));

saveLinks(byId("runs-saves"), { picture: chart.picture, csv: csvOfRuns, name: "runs" });
