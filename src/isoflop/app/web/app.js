// The local page: what is asked goes to the server, what comes back is shown; nothing is computed here but the answer's
// own figures, by the same modules that a report carries.
import { chart, rangeOf } from "./chart.js";
import { fillGroups, loadGroups } from "./groups.js";
import { forgetStates, rememberState } from "./history.js";
import { ask, attempt, byId, element, options, page, slip } from "./page.js";
import { chosenAxes, offerAxes, selected, selectRows } from "./explorer.js";
import { describeRun, runsOf, tableOfRuns } from "./runs.js";
import { fillMenu, request, RESTRICTIONS, restrictions, showResults } from "./tasks.js";

const MOST_UPLOAD = 200e6;

// ---- opening runs

async function begin() {
  const start = await attempt(() => ask("/api/start"));
  if (!start) return;
  options(byId("dataset"), start.datasets);
  byId("laws").replaceChildren(...start.laws.map((law) => element("option", law.formula, { value: law.name })));
  byId("earlier").hidden = !start.sessions.length;
  byId("sessions").replaceChildren(
    ...start.sessions.map((each) => {
      const item = element("li");
      item.append(element("a", each.source, { href: `/s/${each.id}` }), ` · ${each.results} ${each.results === 1 ? "result" : "results"}`);
      return item;
    }),
  );
}

const upload = (file) =>
  attempt(async () => {
    if (file.size > MOST_UPLOAD) throw new Error(`${file.name} has ${Math.round(file.size / 1e6)} MB and the page takes ${MOST_UPLOAD / 1e6}; thin its checkpoints, or use the command line`);
    if (!file.size) throw new Error(`${file.name} is empty; choose a table with one row a run below a line of headers`);
    enter((await ask(`/api/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file })).id);
  });

byId("file").addEventListener("change", (event) => event.target.files[0] && upload(event.target.files[0]));
byId("open-dataset").addEventListener("click", () =>
  attempt(async () => enter((await ask("/api/sessions", { method: "POST", json: { dataset: byId("dataset").value } })).id)),
);
for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  byId("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", over);
    if (kind === "drop" && event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
}

function enter(id) {
  history.pushState(null, "", `/s/${id}`);
  openSession(id);
  byId("main").focus();
}

async function openSession(id) {
  page.session = id;
  Object.assign(page, { state: null, shown: "", answer: null });
  forgetStates();
  byId("shown").replaceChildren();
  const state = await attempt(() => ask(`/api/s/${id}`));
  if (!state) return;
  byId("begin").hidden = true;
  byId("work").hidden = false;
  take(state);
  listen(id);
}

/** Follow the session for as long as the page is open: another tab's doings appear here too. */
async function listen(id) {
  while (page.session === id) {
    try {
      take(await ask(`/api/s/${id}?after=${page.state.version}`));
      byId("away").hidden = true;
    } catch (error) {
      if (!error.away && error.status !== 503) return slip(error);
      byId("away").hidden = false;
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }
}

/** Show a state of the session, and load again what it changes. */
function take(state) {
  if (page.session !== state.id || (page.state && state.version < page.state.version)) return;
  const before = page.state;
  page.state = state;
  page.dropped = new Set(state.dropped);
  rememberState(before, state);
  byId("title").textContent = state.source;
  document.title = `${state.source} · isoflop`;
  if (JSON.stringify(before?.reading) !== JSON.stringify(state.reading)) loadTable();
  else if (JSON.stringify(before?.dropped) !== JSON.stringify(state.dropped)) {
    showDropped();
    loadGroups();
  }
  showResults();
}

// ---- the table of runs

const REDUCTIONS = ["best", "per", "frontier"];

async function loadTable() {
  const table = await attempt(() => ask(`/api/s/${page.session}/table`));
  if (!table) return;
  page.table = table;
  const reading = page.state.reading;
  byId("table-says").textContent = table.says || `${table.count.toLocaleString("en")} runs in ${table.rows.toLocaleString("en")} rows of ${table.source}` + (table.runs ? "" : "; say below which column is the loss");
  byId("table-says").classList.toggle("slip", Boolean(table.says));
  byId("table-doubts").innerHTML = table.findings ?? ""; // made by the server, every name in it escaped
  byId("columns").replaceChildren(...table.columns.map((each) => element("li", each.says)));
  for (const select of document.querySelectorAll("[data-column]")) {
    const name = select.dataset.column;
    const read = table.columns.find((each) => each.name === name);
    options(select, [{ text: read ? `as read: ${read.header || "computed"}` : "as read: none", value: "" }, ...table.headers], reading.columns[name] ?? "");
  }
  byId("reading-form").hidden = page.state.kind !== "file";
  byId("reading").open = Boolean(table.says) || !table.runs;
  byId("read-unit").value = reading.units.loss ?? "";
  byId("read-convention").value = reading.conventions.N ?? "";
  byId("where").value = reading.where;
  byId("where-slip").textContent = "";
  byId("read-derive").value = Object.entries(reading.derive ?? {}).map(([name, formula]) => `${name} = ${formula}`).join("; ");
  for (const name of REDUCTIONS) byId(`read-${name}`).value = reading[name] ?? "";
  page.runs = table.runs && runsOf(table.runs);
  offerAxes(page.runs);
  drawRuns();
  showDropped();
  checkLaw();
  loadGroups();
  doubtMore();
}

/** Doubts from a fitted surface take some seconds; the table does not wait for them. */
async function doubtMore() {
  const table = page.table;
  byId("doubting").textContent = table.runs ? "Comparing the runs with a fitted surface …" : "";
  if (!table.runs) return;
  const said = await ask(`/api/s/${page.session}/doubts`).catch(() => ({}));
  if (page.table !== table) return;
  byId("doubting").textContent = "";
  if (said.findings) byId("table-doubts").innerHTML = said.findings; // made by the server, every name in it escaped
}

let runsChart = null;
function drawRuns() {
  runsChart?.destroy();
  runsChart = null;
  const place = byId("runs-chart").cloneNode(false); // a fresh one, without the old chart's listeners
  byId("runs-chart").replaceWith(place);
  place.parentElement.hidden = !page.runs;
  page.paintRuns = null;
  byId("rows").hidden = !page.runs;
  byId("rows-table").replaceChildren();
  const runs = page.runs;
  if (!runs) return;
  const { x, y, shade, axes, says } = chosenAxes(runs);
  byId("runs-axes-say").textContent = says;
  page.chosen = -1;
  byId("runs-act").hidden = true;
  runsChart = chart(place, {
    axes,
    describe: (i) => describeRun(runs, i) + (page.dropped.has(runs.row[i]) ? "\nleft out" : "") + (page.isPicked(runs.row[i]) ? "\nin the new group" : ""),
    onRun: (i) => {
      page.chosen = runs.row[i];
      byId("runs-chosen").textContent = describeRun(runs, i).replaceAll("\n", " · ");
      nameAct();
    },
    onAct: (i) => act(runs.row[i]),
    onBox: (list) => selectRows(list.map((i) => runs.row[i]), runs.step),
    height: 320,
  });
  const faint = new Uint8Array(runs.count);
  runsChart.set({ points: { x, y, shade, faint }, xRange: rangeOf(x), yRange: rangeOf(y) });
  page.paintRuns = () => {
    const picking = page.picking();
    byId("runs-click").textContent = picking ? "Enter, or a click on a run, puts it into the new group or takes it out of it." : "Enter, or a click on a run, takes it out or in again.";
    runs.row.forEach((row, i) => { faint[i] = page.dropped.has(row) || (picking && !page.isPicked(row)) || (selected.size > 0 && !selected.has(row)); });
    runsChart.repaint();
    nameAct();
  };
  byId("runs-drawn").textContent = runs.step > 1 ? `Every ${runs.step}th of ${runs.total.toLocaleString("en")} rows is drawn; all of them are fitted.` : "";
  fillRows();
}

/** What an act on a run does: into or out of the new group while one is made, else out of the fit or in again. */
const act = (row) => (page.picking() ? page.pick(row) : drop(row, !page.dropped.has(row)));

/** The button that acts on the run that was read last, for fingers and for those who do not see the chart. */
function nameAct() {
  const button = byId("runs-act");
  button.hidden = !(page.chosen > 0);
  if (page.picking()) button.textContent = page.isPicked(page.chosen) ? `Take row ${page.chosen} out of the new group` : `Put row ${page.chosen} into the new group`;
  else button.textContent = page.dropped.has(page.chosen) ? `Take row ${page.chosen} in again` : `Leave row ${page.chosen} out`;
}
byId("runs-act").addEventListener("click", () => act(page.chosen));

function fillRows() {
  if (!byId("rows").open || !page.runs || byId("rows-table").firstChild) return;
  tableOfRuns(byId("rows-table"), page.runs, { has: (row) => !page.dropped.has(row), toggle: (row, on) => drop(row, !on) });
}
byId("rows").addEventListener("toggle", fillRows);

function drop(row, out) {
  if (out) page.dropped.add(row);
  else page.dropped.delete(row);
  return setDropped([...page.dropped]);
}

page.setDropped = (rows) => setDropped(rows);
page.drawRuns = () => drawRuns();
const setDropped = (rows) => attempt(async () => take(await ask(`/api/s/${page.session}/dropped`, { method: "POST", json: { rows } })));

function showDropped() {
  const count = page.dropped.size;
  byId("dropped-row").hidden = !count;
  byId("dropped-says").textContent = `${count} ${count === 1 ? "row is" : "rows are"} left out of the next fit.`;
  page.paintRuns?.();
  for (const box of byId("rows-table").querySelectorAll("input")) {
    box.checked = !page.dropped.has(Number(box.getAttribute("aria-label").replace("use row ", "")));
  }
}
byId("all-in").addEventListener("click", () => setDropped([]));

const read = async (reading) => take(await ask(`/api/s/${page.session}/reading`, { method: "POST", json: reading }));
const readAgain = (change) => attempt(() => read({ ...page.state.reading, ...change }));
byId("where-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("where-slip").textContent = "";
  try {
    await read({ ...page.state.reading, where: byId("where").value });
  } catch (error) {
    byId("where-slip").textContent = error.message; // beside the field; the table and the chart stay as they are
  }
});
byId("reading-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const columns = Object.fromEntries([...document.querySelectorAll("[data-column]")].map((each) => [each.dataset.column, each.value]));
  readAgain({
    columns, units: { loss: byId("read-unit").value }, conventions: { N: byId("read-convention").value }, derive: derived(byId("read-derive").value),
    ...Object.fromEntries(REDUCTIONS.map((name) => [name, byId(`read-${name}`).value])),
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

// what a finding's remedy changes in how the table is read, by its button
document.addEventListener("click", (event) => {
  const remedy = event.target.closest?.("[data-reading]");
  if (!remedy) return;
  const { where, ...named } = JSON.parse(remedy.dataset.reading);
  const before = page.state.reading;
  const change = Object.fromEntries(Object.entries(named).map(([name, value]) => [name, { ...before[name], ...value }]));
  if (where) change.where = before.where ? `(${before.where}) and (${where})` : where;
  readAgain(change);
});

// ---- the law

let typed = 0;
async function checkLaw() {
  const turn = ++typed;
  const field = byId("law");
  const clear = () => {
    byId("law-slip").textContent = "";
    byId("law-caret").hidden = true;
    byId("more-slip").textContent = "";
    field.setAttribute("aria-invalid", "false");
  };
  try {
    const said = await ask("/api/formula", { method: "POST", json: { text: field.value.slice(0, 5000), session: page.session, ...restrictions() } });
    if (said.says) throw Object.assign(new Error(said.says), { at: said.at });
    if (turn !== typed) return;
    clear();
    byId("law-set").innerHTML = said.mathml; // made by the server from parsed symbols, never from text
    const missing = said.inputs.filter((each) => !each.here).map((each) => each.name);
    if (page.table && !page.table.runs) missing.push("loss that is read: choose its column under How the table is read");
    const meaning = (list) => list.map((each) => (each.meaning ? `${each.name}: ${each.meaning}` : each.name)).join(", ");
    byId("law-means").textContent = `Inputs ${meaning(said.inputs)}. Fitted: ${meaning(said.params)}.` + (missing.length ? ` The table has no ${missing.join(", ")}.` : "");
    byId("more-slip").textContent = said.restricted;
    if (said.restricted) byId("more").open = true;
    byId("fit").disabled = byId("backtest").disabled = missing.length > 0 || said.restricted !== "";
  } catch (error) {
    if (turn !== typed) return;
    clear();
    field.setAttribute("aria-invalid", "true");
    byId("law-slip").textContent = error.message;
    byId("law-set").replaceChildren();
    byId("law-means").textContent = "";
    byId("fit").disabled = byId("backtest").disabled = true;
    if (Number.isInteger(error.at)) {
      const lead = field.value.length - field.value.trimStart().length;
      byId("law-caret").textContent = `${" ".repeat(error.at + lead)}^`;
      byId("law-caret").hidden = false;
    }
  }
}
let pause = 0;
for (const name of ["law", ...RESTRICTIONS]) {
  byId(name).addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(checkLaw, 120);
  });
}

byId("law-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = await request("fit");
  if (asked) page.wanted = asked.id;
});
for (const kind of ["backtest", "rank"]) {
  byId(kind).addEventListener("click", async () => {
    const asked = await request(kind, { options: {} });
    if (asked) page.wanted = asked.id;
  });
}

page.restore = async ({ reading, dropped }) => {
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  if (!same(reading, page.state.reading)) await read(reading);
  if (!same(dropped, page.state.dropped)) take(await ask(`/api/s/${page.session}/dropped`, { method: "POST", json: { rows: dropped } }));
};

// ---- start

addEventListener("popstate", arrive);
function arrive() {
  const found = /^\/s\/([0-9a-f]{12})$/.exec(location.pathname);
  if (found) return openSession(found[1]);
  page.session = null;
  byId("begin").hidden = false;
  byId("work").hidden = true;
  byId("title").textContent = "Scaling laws from your runs";
}
begin();
arrive();
attempt(async () => {
  await fillMenu();
  fillGroups();
});
