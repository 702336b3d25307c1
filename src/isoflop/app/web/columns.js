// The columns of the table that is shown, as the chart and the rows use them; the residual of the law is one of them.
import { general } from "./numbers.js";
import { page, when } from "./page.js";

/** @type {Map<string, any>} */
const cache = new Map();
when("table", () => cache.clear());
when("fit", () => { for (const name of ["residual", "residual false"]) cache.delete(name); });

/** A column of numbers by its name; `residual` is 100·(L/L̂ − 1) of the law that is shown. */
export function columnOf(name) {
  if (name !== "residual") return page.runs.numbers[name];
  if (!cache.has("residual")) cache.set("residual", residuals());
  return cache.get("residual");
}

function residuals() {
  const { runs, fitted } = page;
  if (!fitted) return new Float64Array(runs.count).fill(NaN);
  const measured = runs.numbers[page.fit.data.runs.response];
  return Float64Array.from(measured, (each, i) => 100 * (each / fitted[i] - 1));
}

/** Whether a column can stand on a logarithmic axis: some values, none at or below zero. */
export function canLog(name) {
  const key = `log ${name}`;
  if (!cache.has(key)) cache.set(key, name !== "residual" && columnOf(name).every((each) => !(each <= 0)) && columnOf(name).some((each) => each > 0));
  return cache.get(key);
}

/** The places of a column's values on an axis. */
export function placesOf(name, log) {
  const key = `${name} ${log}`;
  if (!cache.has(key)) cache.set(key, log ? Float64Array.from(columnOf(name), Math.log10) : columnOf(name));
  return cache.get(key);
}

/** The residual of a row as text: +1.2%. */
export function residualOf(i) {
  const value = columnOf("residual")[i];
  return Number.isFinite(value) ? `${value > 0 ? "+" : ""}${general(value, 2)}%` : "";
}

/** The runs as CSV: every column, and whether the row is used. */
export function csvOfRuns() {
  const { runs } = page;
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const names = [...Object.keys(runs.numbers), ...(page.fitted ? ["residual"] : []), ...Object.keys(runs.texts)];
  const cell = (name, i) => (name in runs.texts ? quoted(runs.texts[name][i]) : Number.isFinite(columnOf(name)[i]) ? String(columnOf(name)[i]) : "");
  return [["row", ...names.map(quoted), "used"].join(","), ...runs.row.map((row, i) => [row, ...names.map((name) => cell(name, i)), page.dropped.has(row) ? 0 : 1].join(","))].join("\n") + "\n";
}
