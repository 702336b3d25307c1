// How the table is read: chips that are changed in place, all options in a form, and the selection of rows.
import { all, ask, attempt, byId, detailsOf, element, fieldOf, menuOf, options, page, when } from "./page.js";

const REDUCTIONS = ["best", "per", "frontier"];
const CHIPS = ["N", "D", "C", "loss"];
const UNITS = ["nats/token", "bits/token", "nats/byte", "bits/byte", "perplexity", "error rate"];
const COUNTS = ["total", "non-embedding", "active"];
/** @type {(state: any) => void} */
let take = () => {};

/** `onState(state)` takes the state that a new reading leads to. */
export function startReading(onState) {
  take = onState;
}

export const read = async (reading) => take(await ask(`/api/s/${page.session}/reading`, { method: "POST", json: reading }));
export const readAgain = (change) => attempt(() => read({ ...page.state.reading, ...change }));

/** What a remedy changes, added to how the table is read now. */
export function readSo({ where, ...named }) {
  const before = page.state.reading;
  const change = Object.fromEntries(Object.entries(named).map(([name, value]) => [name, { ...before[name], ...value }]));
  if (where) change.where = before.where ? `(${before.where}) and (${where})` : where;
  return readAgain(change);
}

export function showReading() {
  const { table } = page;
  const { reading } = page.state;
  sayRuns();
  byId("table-says").classList.toggle("slip", Boolean(table.says));
  byId("columns").replaceChildren(...chips());
  for (const select of columnMenus()) {
    const name = select.dataset.column;
    const found = table.columns.find((each) => each.name === name);
    options(select, [{ text: found ? `as read: ${found.header || "computed"}` : "as read: none", value: "" }, ...table.headers], reading.columns[name] ?? "");
  }
  byId("reading").hidden = page.state.kind !== "file";
  if (table.says || !page.runs) detailsOf("reading").open = true;
  menuOf("read-unit").value = reading.units.loss ?? "";
  menuOf("read-convention").value = reading.conventions.N ?? "";
  fieldOf("where").value = reading.where;
  byId("where-slip").textContent = "";
  fieldOf("read-derive").value = Object.entries(reading.derive ?? {}).map(([name, formula]) => `${name} = ${formula}`).join("; ");
  for (const name of REDUCTIONS) fieldOf(`read-${name}`).value = reading[name] ?? "";
}

/** The menus of columns in the form of all options. */
const columnMenus = () => /** @type {HTMLSelectElement[]} */ (all("[data-column]"));

/** How many runs there are, and how many of their rows are used; or why the table cannot be read. */
function sayRuns() {
  const { table } = page;
  if (!table) return;
  const write = (count) => count.toLocaleString("en");
  const several = table.rows !== table.count;
  const all = `${write(table.count)} runs${several ? ` in ${write(table.rows)} rows` : ""}`;
  const out = table.runs?.step === 1 ? page.runs.row.reduce((count, row) => count + Number(page.dropped.has(row)), 0) : page.dropped.size;
  const used = out ? `${write(table.rows - out)} of ${several ? `${write(table.rows)} rows of ${write(table.count)} runs` : all} used` : all;
  byId("table-says").textContent = table.says || used + (page.runs?.response === "loss" ? "" : "; no column is read as the loss");
}
when("dropped", sayRuns);

/** One chip a column: what it was read from; those that leave something to say are marked. */
function chips() {
  const { table } = page;
  const { reading, kind } = page.state;
  const names = [...new Set([...CHIPS.filter((name) => name === "loss" || table.columns.some((each) => each.name === name)), ...table.columns.map((each) => each.name)])].slice(0, 9);
  const unknown = (table.findings ?? []).some((each) => each.code === "params-convention");
  const made = names.map((name) => {
    const found = table.columns.find((each) => each.name === name);
    const text = found ? short(found) : `${name}: choose`;
    if (kind !== "file") return element("span", text, { class: "fixed-chip", title: found?.says });
    const sheet = [field(`column of ${name}`, [{ text: found ? `as read: ${found.header || "computed"}` : "as read: none", value: "" }, ...table.headers], reading.columns[name] ?? "", (value) => readAgain({ columns: { ...reading.columns, [name]: value } }))];
    if (name === "loss") sheet.push(field("unit", [{ text: "as read", value: "" }, ...UNITS], reading.units.loss ?? "", (value) => readAgain({ units: { ...reading.units, loss: value } })));
    return chip(text, found?.says ?? "", !found || !found.header, sheet);
  });
  if (kind === "file" && table.columns.some((each) => each.name === "N")) {
    const stated = reading.conventions.N;
    const sheet = field("N counts", [{ text: "not stated", value: "" }, ...COUNTS], stated ?? "", (value) => readAgain({ conventions: { ...reading.conventions, N: value } }));
    if (unknown || stated) made.push(chip(stated ? `N counts: ${stated}` : "embeddings?", "what N counts", !stated, [sheet]));
  }
  return made;
}

/** `N ← Model Size`, `loss ← loss, nats/token`, `D = C/(6N)`. */
function short({ name, header, says }) {
  const unit = name === "loss" ? /\((.+)\)$/.exec(says)?.[1] : "";
  if (header) return `${name} ← ${header}${unit ? `, ${unit}` : ""}`;
  return says.replace(/\s*\([^()]*\)$/, "");
}

function chip(text, says, ask, sheet) {
  const made = element("details", undefined, { class: ask ? "ask" : undefined });
  const inside = element("div", undefined, { class: "sheet" });
  inside.append(...sheet);
  made.append(element("summary", text, { title: says }), inside);
  return made;
}

function field(text, list, value, act) {
  const label = element("label", text);
  const select = element("select");
  options(select, list, value);
  select.addEventListener("change", () => act(select.value));
  label.append(select);
  return label;
}

byId("where-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("where-slip").textContent = "";
  try {
    await read({ ...page.state.reading, where: fieldOf("where").value });
  } catch (error) {
    byId("where-slip").textContent = error.message; // beside the field; the table and the chart stay as they are
  }
});
byId("reading-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const columns = Object.fromEntries(columnMenus().map((each) => [each.dataset.column, each.value]));
  readAgain({
    columns, units: { loss: menuOf("read-unit").value }, conventions: { N: menuOf("read-convention").value }, derive: derived(fieldOf("read-derive").value),
    ...Object.fromEntries(REDUCTIONS.map((name) => [name, fieldOf(`read-${name}`).value])),
  });
});

/** `D = steps * batch; error = 1 - acc` as names with their formulas; a piece without = is a name alone, which the server refuses. */
function derived(text) {
  const pieces = text.split(";").map((each) => each.trim()).filter(Boolean);
  return Object.fromEntries(pieces.map((each) => {
    const at = each.indexOf("=");
    return at < 0 ? [each, "="] : [each.slice(0, at).trim(), each.slice(at + 1).trim()];
  }));
}

// what a remedy in a result's text changes in how the table is read, by its button
document.addEventListener("click", (event) => {
  const remedy = event.target instanceof Element && /** @type {HTMLElement | null} */ (event.target.closest("[data-reading]"));
  if (remedy) readSo(JSON.parse(remedy.dataset.reading));
});
