// Which rows are selected, and what its buttons do with them; nothing changes the data but these.
import { buttonOf, byId, page, tell, when } from "./page.js";

/** Whether the row at each place is selected. */
export const selection = { mask: new Uint8Array(0), count: 0, first: -1 };

when("table", () => {
  Object.assign(selection, { mask: new Uint8Array(page.runs?.count ?? 0), count: 0, first: -1 });
  show();
});

/** Select places of `page.runs`; `more` keeps what was selected, and a single place that was is taken out. */
export function selectPlaces(places, more = false) {
  const { mask } = selection;
  const toggle = more && places.length === 1 && mask[places[0]];
  if (!more) mask.fill(0);
  for (const i of places) mask[i] = toggle ? 0 : 1;
  let count = 0;
  for (let i = 0; i < mask.length; i++) count += mask[i];
  Object.assign(selection, { count, first: places.length ? places[0] : -1 });
  show();
  tell("selection");
}

/** Select rows by their numbers. */
export function selectRows(rows) {
  const wanted = new Set(rows);
  const places = [];
  page.runs?.row.forEach((row, i) => { if (wanted.has(row)) places.push(i); });
  selectPlaces(places);
}

export const selectedRows = () => (page.runs ? page.runs.row.filter((_, i) => selection.mask[i]) : []);

function show() {
  const { count } = selection;
  byId("selection").hidden = !count;
  if (!count) return;
  const { step } = page.runs;
  const partly = step > 1 ? `; every ${step}th row is shown, so select the others by a condition` : "";
  byId("selection-says").textContent = `${count.toLocaleString("en")} selected${count <= 40 ? ` (${rowsOf(selectedRows())})` : ""}${partly}`;
  for (const id of ["selection-out", "selection-only", "selection-in"]) buttonOf(id).disabled = step > 1;
}

const act = (id, rows) => byId(id).addEventListener("click", async () => {
  await page.setDropped(rows(new Set(selectedRows())));
  selectPlaces([]);
});
act("selection-out", (chosen) => [...new Set([...page.dropped, ...chosen])]);
act("selection-in", (chosen) => [...page.dropped].filter((row) => !chosen.has(row)));
act("selection-only", (chosen) => page.runs.row.filter((row) => !chosen.has(row)));
byId("selection-none").addEventListener("click", () => selectPlaces([]));

/** Use the row at a place, or leave it out. */
export function useRow(i, used) {
  const rows = new Set(page.dropped);
  if (used) rows.delete(page.runs.row[i]);
  else rows.add(page.runs.row[i]);
  return page.setDropped([...rows]);
}

/** rows 1–6, 11 and 12 */
export function rowsOf(rows) {
  const sorted = [...rows].sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === sorted[end] + 1) end += 1;
    parts.push(end - i > 1 ? `${sorted[i]}–${sorted[end]}` : sorted.slice(i, end + 1).join(", "));
    i = end + 1;
  }
  const few = parts.length > 6 ? [...parts.slice(0, 6), "…"] : parts;
  return `${rows.length === 1 ? "row" : "rows"} ${few.join(", ")}`;
}
