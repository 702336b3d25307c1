// The table of runs: its columns, a filter by a line of text, and what a row does.
import { chart } from "./explorer.js";
import { columnOf, residualOf } from "./columns.js";
import { filterOf } from "./filter.js";
import { grid } from "./grid.js";
import { parseQuantity } from "./numbers.js";
import { byId, fieldOf, page, when } from "./page.js";
import { selection, selectPlaces, useRow } from "./selection.js";

let table = null;
/** @type {((i: number) => boolean) | null} */
let test = null; // the last filter that could be read

const cellOf = (name, i) => (name === "residual" ? residualOf(i) : page.runs.cell(name, i));

function build() {
  const { runs } = page;
  byId("rows-table").replaceChildren();
  table = test = null;
  if (!runs) return;
  const [first, others] = [Object.keys(runs.numbers).slice(0, 4), Object.keys(runs.numbers).slice(4)];
  const names = ["row", ...first, ...(page.fitted ? ["residual"] : []), ...others, ...Object.keys(runs.texts)];
  table = page.grid = grid(byId("rows-table"), {
    count: runs.count,
    columns: names.map((name) => ({ name, title: name === "residual" ? "off the law" : name, number: !(name in runs.texts) })),
    cell: cellOf,
    value: (name, i) => (name === "row" ? runs.row[i] : columnOf(name)[i]),
    used: (i) => !page.dropped.has(runs.row[i]),
    selected: (i) => selection.mask[i] === 1,
    toggle: useRow,
    read: (i) => chart.choose(i),
    choose: (i, more) => { selectPlaces([i], more); chart.choose(i); },
  });
  filter();
}

/** Show the rows that the line of text asks for; one that cannot be read leaves the rows as they are. */
function filter() {
  if (!table) return;
  const { runs } = page;
  const field = fieldOf("rows-filter");
  let refused = "";
  try {
    test = filterOf(field.value, { columns: runs.columns, names: namesOf(runs), numbers: numbersOf, cell: cellOf, parse: parseQuantity });
  } catch (error) {
    refused = error.message;
  }
  byId("rows-slip").textContent = refused;
  field.setAttribute("aria-invalid", String(Boolean(refused)));
  const only = fieldOf("rows-selected").checked;
  const shown = table.filter(only ? (i) => selection.mask[i] === 1 && (!test || test(i)) : test);
  byId("rows-say").textContent = test || only ? `${shown.toLocaleString("en")} of ${runs.count.toLocaleString("en")} rows` : "";
}

/** What a filter may call a column: its name, or the header that it was read from. */
function namesOf(runs) {
  const headers = page.table.columns.filter(({ header, name }) => header && runs.columns.includes(name));
  const off = page.fitted ? [["residual", "residual"], ["off the law", "residual"]] : [];
  const names = new Map(runs.columns.map((name) => [name.toLowerCase(), name]));
  for (const [name, column] of [...headers.map(({ header, name: column }) => [header.toLowerCase(), column]), ...off]) {
    if (!names.has(name)) names.set(name, column);
  }
  return names;
}

function numbersOf(name) {
  if (name === "row") return (i) => page.runs.row[i];
  const column = name === "residual" || name in page.runs.numbers ? columnOf(name) : null;
  return column && ((i) => column[i]);
}

byId("rows-filter").addEventListener("input", filter);
byId("rows-filter").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && table) selectPlaces(table.order());
});
byId("rows-selected").addEventListener("change", filter);

when("table fit", build);
when("dropped", () => table?.repaint());
when("selection", () => {
  if (fieldOf("rows-selected").checked) filter();
  else table?.repaint();
  if (selection.first >= 0) table?.reveal(selection.first);
});
