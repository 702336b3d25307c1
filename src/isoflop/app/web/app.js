// The local page: what is asked goes to the server, what comes back is shown; nothing is computed here but the answer's
// own figures, by the same modules that a report carries.
import { chart, rangeOf } from "./chart.js";
import { enliven } from "./report.js";
import { describeRun, runsOf, tableOfRuns } from "./runs.js";

const MOST_UPLOAD = 200e6;
const byId = (id) => document.getElementById(id);
const page = { session: null, state: null, table: null, runs: null, shown: "", drawn: false, dropped: new Set(), answer: null };
window.isoflop = page;

/** Ask the server; a refusal becomes an Error with its sentence and its place. */
async function ask(path, { method = "GET", json, body } = {}) {
  let response;
  try {
    response = await fetch(path, { method, body: json === undefined ? body : JSON.stringify(json), headers: method === "GET" ? {} : { "x-isoflop": "1" } });
  } catch {
    throw Object.assign(new Error("the page's server does not answer; start it again with isoflop app"), { away: true });
  }
  const text = await response.text();
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    said = { says: text };
  }
  if (!response.ok) throw Object.assign(new Error(said.says || `the server answered ${response.status}`), { at: said.at, status: response.status });
  return said;
}

function slip(error) {
  const place = byId("slip");
  place.textContent = error ? error.message : "";
  place.hidden = !error;
}

/** Run something that may be refused, and say so at the top where it is. */
async function attempt(action) {
  try {
    slip(null);
    return await action();
  } catch (error) {
    slip(error);
    byId("slip").scrollIntoView({ block: "nearest" });
    return null;
  }
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  return made;
}

function options(select, list, value) {
  select.replaceChildren(...list.map((each) => element("option", each.text ?? each, { value: each.value ?? each })));
  if (value !== undefined) select.value = value;
}

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
    } catch (error) {
      if (!error.away && error.status !== 503) return slip(error);
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
  byId("title").textContent = state.source;
  document.title = `${state.source} · isoflop`;
  if (JSON.stringify(before?.reading) !== JSON.stringify(state.reading)) loadTable();
  else if (JSON.stringify(before?.dropped) !== JSON.stringify(state.dropped)) showDropped();
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
  byId("read-derive").value = Object.entries(reading.derive ?? {}).map(([name, formula]) => `${name} = ${formula}`).join("; ");
  for (const name of REDUCTIONS) byId(`read-${name}`).value = reading[name] ?? "";
  page.runs = table.runs && runsOf(table.runs);
  drawRuns();
  showDropped();
  checkLaw();
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
  byId("rows").hidden = !page.runs;
  byId("rows-table").replaceChildren();
  const runs = page.runs;
  if (!runs) return;
  const logs = (list) => Array.from(list, Math.log10);
  const sizes = logs(runs.numbers.N ?? runs.compute);
  const [small, large] = rangeOf(sizes);
  const [x, y] = [logs(runs.compute), logs(runs.loss)];
  let at = -1;
  runsChart = chart(place, {
    axes: { x: { label: runs.numbers.C ? "training compute C (FLOPs)" : "the table's largest input", reading: "power" }, y: { label: runs.response, reading: "plain" } },
    describe: (i) => describeRun(runs, i) + (page.dropped.has(runs.row[i]) ? "\nleft out" : ""),
    onRun: (i) => {
      at = i;
      byId("runs-chosen").textContent = describeRun(runs, i).replaceAll("\n", " · ");
    },
    height: 320,
  });
  const faint = new Uint8Array(runs.count);
  runsChart.set({ points: { x, y, shade: sizes.map((size) => Math.min(1, Math.max(0, (size - small) / (large - small)))), faint }, xRange: rangeOf(x), yRange: rangeOf(y) });
  page.paintDropped = () => {
    runs.row.forEach((row, i) => { faint[i] = page.dropped.has(row); });
    runsChart.repaint();
  };
  const toggle = () => at >= 0 && drop(runs.row[at], !page.dropped.has(runs.row[at]));
  place.addEventListener("click", toggle);
  place.addEventListener("keydown", (event) => event.key === "Enter" && toggle());
  byId("runs-drawn").textContent = runs.step > 1 ? `Every ${runs.step}th of ${runs.total.toLocaleString("en")} rows is drawn; all of them are fitted.` : "";
  fillRows();
}

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

const setDropped = (rows) => attempt(async () => take(await ask(`/api/s/${page.session}/dropped`, { method: "POST", json: { rows } })));

function showDropped() {
  const count = page.dropped.size;
  byId("dropped-row").hidden = !count;
  byId("dropped-says").textContent = `${count} ${count === 1 ? "row is" : "rows are"} left out of the next fit.`;
  page.paintDropped?.();
  for (const box of byId("rows-table").querySelectorAll("input")) {
    box.checked = !page.dropped.has(Number(box.getAttribute("aria-label").replace("use row ", "")));
  }
}
byId("all-in").addEventListener("click", () => setDropped([]));

const readAgain = (change) =>
  attempt(async () => take(await ask(`/api/s/${page.session}/reading`, { method: "POST", json: { ...page.state.reading, ...change } })));
byId("where-form").addEventListener("submit", (event) => {
  event.preventDefault();
  readAgain({ where: byId("where").value });
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

const RESTRICTIONS = ["fixed", "tied", "domains"];
const restrictions = () => Object.fromEntries(RESTRICTIONS.map((name) => [name, byId(name).value]));

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

const request = (kind, more = {}) =>
  attempt(() =>
    ask(`/api/s/${page.session}/tasks`, {
      method: "POST",
      json: { kind, law: byId("law").value, ...restrictions(), objective: byId("objective").value, draws: Number(byId("draws").value), resample_by: byId("resample-by").value.trim(), options: { budget: byId("budget-asked").value, inference_tokens: byId("served").value }, ...more },
    }),
  );
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

// ---- any other question of the registry, by a form made from its options

async function fillMenu() {
  page.questions = await ask("/api/questions");
  const list = page.questions.map((each) => ({ value: each.name, text: `${each.name}: ${each.summary}` }));
  options(byId("question"), list, list[0]?.value);
  showForm();
}

function showForm() {
  const chosen = page.questions.find((each) => each.name === byId("question").value);
  byId("question-options").replaceChildren(...(chosen?.options ?? []).map(control));
}

/** The control of one option: a tick for a flag, a list for a choice, a line of text for everything else. */
function control(option) {
  const id = `option-${option.name}`;
  const row = element("div");
  const label = element("label", option.name.replaceAll("_", " "), { for: id, title: option.help });
  let field;
  if (option.form === "flag") field = element("input", undefined, { type: "checkbox", id });
  else if (option.form === "choice") field = element("select", undefined, { id });
  else field = element("input", undefined, { type: "text", id, placeholder: option.default === null || typeof option.default === "object" ? option.placeholder : String(option.default), autocomplete: "off", spellcheck: "false" });
  if (option.form === "flag") field.checked = option.default === true;
  if (option.form === "choice") options(field, option.values.map((value) => ({ value, text: value })), option.default);
  field.dataset.option = option.name;
  field.dataset.form = option.form;
  row.append(label, field, element("p", option.help, { class: "quiet" }));
  return row;
}

function chosenOptions() {
  const fields = [...byId("question-options").querySelectorAll("[data-option]")];
  const value = (field) => {
    if (field.dataset.form === "flag") return field.checked;
    if (field.dataset.form === "pairs") return field.value.split(";").map((each) => each.trim()).filter(Boolean);
    return field.value.trim();
  };
  return Object.fromEntries(fields.map((field) => [field.dataset.option, value(field)]));
}
byId("question").addEventListener("change", showForm);
byId("question-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = await request(byId("question").value, { options: chosenOptions() });
  if (asked) page.wanted = asked.id;
});

// ---- results

const NAMES = { fit: "Fit", plan: "Plan", rank: "Ranking of laws", backtest: "Backtest", compare: "Comparison" };
const nameOf = (kind) => NAMES[kind] ?? kind[0].toUpperCase() + kind.slice(1);

function title(task) {
  const left = task.dropped ? ` without ${task.dropped} ${task.dropped === 1 ? "row" : "rows"}` : "";
  const where = task.where ? ` where ${task.where}` : "";
  const said = (list, sign) => Object.entries(list ?? {}).map(([name, value]) => `${name} ${sign} ${value}`);
  const restricted = [...said(task.fixed, "="), ...said(task.tied, "="), ...said(task.domains, "in")].join(", ");
  const held = restricted ? ` with ${restricted}` : "";
  if (task.kind === "rank") return `${NAMES.rank}${where}${left}`;
  if (task.kind === "compare" && task.of?.length) return `${NAMES.compare} of ${task.of.join(" and ")}`;
  if (task.kind === "compare") return `${NAMES.compare} by ${task.options?.by || "family"}${where}${left}`;
  return `${nameOf(task.kind)}: ${task.law ?? page.state.source}${held}${task.kind === "plan" && task.options?.budget ? ` at ${task.options.budget} FLOPs` : ""}${where}${left}`;
}

const readable = (task) => task.state === "done";

function showResults() {
  const tasks = page.state.tasks;
  byId("no-results").hidden = tasks.length > 0;
  listResults(tasks);
  const fits = tasks.filter((task) => task.state === "done" && (task.kind === "fit" || task.kind === "plan"));
  byId("compare-form").hidden = fits.length < 2;
  if (fits.length > 1 && byId("compare-a").options.length !== fits.length) {
    const list = fits.map((task) => ({ value: task.id, text: `${task.id} ${title(task)}` }));
    options(byId("compare-a"), list, fits[fits.length - 2].id);
    options(byId("compare-b"), list, fits[fits.length - 1].id);
  }
  const wanted = tasks.find((task) => task.id === page.wanted && readable(task));
  const last = tasks.filter((task) => task.state === "done").at(-1);
  if (wanted) {
    page.wanted = "";
    show(wanted);
  } else if (!page.shown && last && !page.wanted) show(last);
  const shown = tasks.find((task) => task.id === page.shown);
  if (shown?.drawn && !page.drawn) drawPictures();
}

/** The list with as little change as it takes, so that a button under the finger or the focus stays where it is. */
function listResults(tasks) {
  const list = byId("results");
  const old = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const items = tasks.map((task) => {
    const { share, doing, ...lasting } = task;
    const key = JSON.stringify([lasting, task.id === page.shown, readable(task), page.session]);
    const item = old.get(key) ?? resultItem(task);
    item.dataset.key = key;
    const bar = item.querySelector("progress");
    if (bar) {
      bar.value = share;
      item.querySelector(".doing").textContent = doing;
    }
    return item;
  });
  items.reverse();
  if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
    const focused = document.activeElement?.getAttribute("aria-label");
    list.replaceChildren(...items);
    if (focused) list.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }
}

function resultItem(task) {
  const item = element("li", undefined, { class: task.id === page.shown ? "shown" : undefined });
  const words = element("div");
  words.append(element("strong", `${task.id} ${title(task)}`));
  const says = { waiting: "waits for its turn", running: task.doing, failed: task.says, stopped: task.says, done: task.says }[task.state];
  words.append(element("p", says, { class: task.state === "failed" ? "slip" : "quiet doing", role: task.state === "failed" ? "alert" : undefined }));
  const tools = element("div", undefined, { class: "tools" });
  const at = `/s/${page.session}/${task.id}`;
  if (task.state === "waiting" || task.state === "running") {
    tools.append(element("button", "Stop", { type: "button", "aria-label": `stop ${task.id}`, onclick: () => attempt(() => ask(`/api${at.replace(/\/[^/]*$/, "")}/tasks/${task.id}`, { method: "DELETE" })) }));
  }
  if (readable(task)) tools.append(element("button", "Show", { type: "button", "aria-label": `show ${task.id}`, onclick: () => show(task) }));
  if (task.state === "done" && (task.kind === "fit" || task.kind === "plan")) {
    tools.append(element("a", "Fit", { href: `${at}/fit.json`, download: true, "aria-label": `fit of ${task.id}` }), element("a", "Study", { href: `${at}/study.toml`, download: true, "aria-label": `study of ${task.id}` }));
    if (task.drawn) tools.append(element("a", "Report", { href: `${at}/report.html`, download: true, "aria-label": `report of ${task.id}` }));
    else tools.append(element("span", task.undrawn || "Report is being drawn …", { class: "quiet" }));
  }
  item.append(words, tools);
  if (task.state === "running") item.append(element("progress", undefined, { max: 1, value: task.share, "aria-label": `${task.id}, ${task.doing}` }));
  return item;
}

async function show(task) {
  const at = `/s/${page.session}/${task.id}`;
  page.shown = task.id;
  page.drawn = task.drawn;
  await attempt(async () => {
    const html = await (await fetch(`${at}/answer.html`)).text();
    const holder = document.createElement("template");
    holder.innerHTML = html; // made by the server from templates that escape every value
    if (!task.drawn) holder.content.querySelectorAll("img.drawn").forEach(putOff);
    const place = byId("shown");
    page.answer = null;
    if (task.kind === "fit" || task.kind === "plan") {
      const [data, code] = await Promise.all([fetch(`${at}/data.json`).then((each) => each.json()), import(`${at}/law.js`)]);
      place.replaceChildren(holder.content);
      page.answer = enliven(place, data, code.law);
      planning(place, task, data);
    } else place.replaceChildren(holder.content);
    showResults();
    const heading = place.querySelector("h2");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    place.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  });
}

/** A picture that is not drawn yet is asked for when it is. */
function putOff(image) {
  image.dataset.later = image.getAttribute("src");
  image.removeAttribute("src");
}

function drawPictures() {
  page.drawn = true;
  for (const image of byId("shown").querySelectorAll("[data-later]")) {
    image.src = image.dataset.later;
    image.removeAttribute("data-later");
  }
}

/** A button that makes the budget under the slider the plan of a result of its own. */
function planning(place, task, data) {
  if (data.budget === null) return;
  const row = element("div", undefined, { class: "planning" });
  const button = element("button", "Plan this budget", { type: "button", class: "main" });
  button.addEventListener("click", async () => {
    const budget = place.querySelector("[data-lever=budget] input[type=text]").value;
    const asked = await request("plan", { of: task.id, options: { budget } });
    if (asked) page.wanted = asked.id;
  });
  row.append(button);
  place.querySelector("[data-levers]").append(row);
}

byId("compare-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const budget = page.answer?.lever?.answer?.()?.budget;
  const asked = await request("compare", { of: [byId("compare-a").value, byId("compare-b").value], options: { budget: budget ? String(budget) : "" } });
  if (asked) page.wanted = asked.id;
});

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
attempt(fillMenu);
