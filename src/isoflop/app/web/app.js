// The local page: what is asked goes to the server, what comes back is shown; nothing is computed here but the answer's
// own figures, by the same modules that a report carries.
import { forgetAnswer } from "./answer.js";
import { begin } from "./begin.js";
import "./explorer.js";
import { showFindings } from "./findings.js";
import { checkLaw, offerLaws, showFamilies } from "./formula.js";
import { fillGroups, loadGroups } from "./groups.js";
import { forgetStates, rememberState } from "./history.js";
import { ask, attempt, byId, page, slip, tell, when } from "./page.js";
import { read, showReading, startReading } from "./reading.js";
import "./rows.js";
import { runsOf } from "./runs.js";
import "./share.js";
import { openView } from "./tabs.js";
import { fillMenu, request, showResults } from "./tasks.js";

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function enter(id) {
  history.pushState(null, "", `/s/${id}`);
  openSession(id);
  byId("main").focus();
}

async function openSession(id) {
  page.session = id;
  Object.assign(page, { state: null, shown: "", answer: null });
  forgetStates();
  forgetAnswer();
  byId("shown").replaceChildren();
  byId("no-report").hidden = false;
  const state = await attempt(() => ask(`/api/s/${id}`));
  if (!state) return;
  byId("begin").hidden = true;
  byId("work").hidden = byId("tools").hidden = false;
  openView("runs");
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
  rememberState(state);
  byId("title").textContent = state.name || state.source;
  byId("title").title = state.source;
  document.title = `${state.name || state.source} · isoflop`;
  if (!same(before?.reading, state.reading)) loadTable();
  else {
    if (!same(before?.dropped, state.dropped)) {
      showDropped();
      loadGroups();
      loadLive();
    }
    if (!same(before?.kept, state.kept) || !same(before?.dropped, state.dropped)) showFindings(page.findings ?? []);
  }
  if (page.table) showResults();
}

async function loadTable() {
  const table = await attempt(() => ask(`/api/s/${page.session}/table`));
  if (!table) return;
  page.table = table;
  page.fitted = null;
  page.live = null;
  page.runs = table.runs && runsOf({ ...table.runs, texts: spelled(table.runs.texts) });
  showReading();
  showFindings(table.findings ?? []);
  tell("table");
  showDropped();
  checkLaw();
  showFamilies();
  loadGroups();
  loadLive();
  doubtMore();
  showResults();
}

/** Columns of text from their distinct values. */
const spelled = (texts) => Object.fromEntries(Object.entries(texts).map(([name, { values, codes }]) => [name, codes.map((code) => values[code])]));

/** Doubts from a fitted surface take some seconds; the table does not wait for them. */
async function doubtMore() {
  const { table } = page;
  byId("doubting").textContent = page.runs?.response === "loss" ? "Comparing the runs with a fitted surface …" : "";
  if (page.runs?.response !== "loss") return;
  const said = await ask(`/api/s/${page.session}/doubts`).catch(() => ({}));
  if (page.table !== table) return;
  byId("doubting").textContent = "";
  if (said.findings) showFindings(said.findings);
}

/** IsoFLOP minima, and the shown law fitted to the runs that are used now: at once, without intervals. */
async function loadLive() {
  if (!page.table?.runs) return;
  const { session, table, state } = page;
  const of = page.fit ? `?task=${page.fit.task}` : "";
  const said = await ask(`/api/s/${session}/live${of}`).catch(() => null);
  if (!said || page.table !== table || !same(page.state.dropped, state.dropped)) return;
  page.live = said;
  tell("live");
}

when("fit", loadLive);

function showDropped() {
  const count = page.dropped.size;
  byId("dropped-row").hidden = !count;
  byId("dropped-says").textContent = `${count.toLocaleString("en")} ${count === 1 ? "row is" : "rows are"} left out of the next fit.`;
  tell("dropped");
}
byId("all-in").addEventListener("click", () => page.setDropped([]));

const setDropped = async (rows) => take(await ask(`/api/s/${page.session}/dropped`, { method: "POST", json: { rows } }));
page.setDropped = (rows) => attempt(() => setDropped(rows));
page.restore = async ({ reading, dropped }) => {
  if (!same(reading, page.state.reading)) await read(reading);
  if (!same(dropped, page.state.dropped)) await setDropped(dropped);
};
startReading(take);

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

addEventListener("popstate", arrive);
function arrive() {
  const found = /^\/s\/([0-9a-f]{12})$/.exec(location.pathname);
  if (found) return openSession(found[1]);
  page.session = null;
  byId("begin").hidden = false;
  byId("work").hidden = byId("tools").hidden = true;
  byId("table-says").textContent = "";
  byId("title").textContent = "Scaling laws from your runs";
}
begin(enter).then((start) => {
  if (start) offerLaws(start.laws);
  showFamilies();
});
arrive();
attempt(async () => {
  await fillMenu();
  fillGroups();
});
