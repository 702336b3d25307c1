// Undo and redo of what was done to the runs, and the list of all states: how they were read, which rows were left out.
import { buttonOf, byId, attempt, element, page } from "./page.js";
import { rowsOf } from "./selection.js";

/** @typedef {{reading: any, dropped: number[]}} Parts what undo brings back */
/** @typedef {{parts: Parts, says: string, at: Date}} State */

const MOST = 200; // states that a reload finds again
const LETTERS = 2e6; // that they may take in the tab's storage

/** @type {State[]} */
let states = []; // every state of this branch, in order
let here = -1;
let going = false;

const partsOf = (state) => ({ reading: state.reading, dropped: state.dropped });
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** A state follows another; one that undo or redo brings back is no new deed. */
export function rememberState(after) {
  const parts = partsOf(after);
  if (here < 0) revive(after.id, parts);
  if (!going && (here < 0 || !same(states[here].parts, parts))) {
    states = states.slice(0, here + 1);
    states.push({ parts, says: here < 0 ? "as it was opened" : difference(states[here].parts, parts), at: new Date() });
    here = states.length - 1;
    keep(after.id);
  }
  show();
}

export function forgetStates() {
  states = [];
  here = -1;
  show();
}

// ---- a reload finds them again: the tab keeps them, under the session's name

const keyOf = (session) => `isoflop-states-${session}`;

/** Rows as ranges, 1-6 11: those left out may be many. @param {number[]} rows ascending */
function packed(rows) {
  const parts = [];
  for (let i = 0; i < rows.length; ) {
    let end = i;
    while (rows[end + 1] === rows[end] + 1) end += 1;
    parts.push(end > i ? `${rows[i]}-${rows[end]}` : String(rows[i]));
    i = end + 1;
  }
  return parts.join(" ");
}

/** @param {string} text */
function unpacked(text) {
  return text.split(" ").filter(Boolean).flatMap((part) => {
    const [from, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** The latest states, as many as the storage takes. */
function keep(session) {
  for (let first = Math.max(0, Math.min(here, states.length - MOST)); ; first += Math.ceil((here - first) / 2)) {
    const kept = states.slice(first).map(({ parts, says, at }) => ({ reading: parts.reading, dropped: packed(parts.dropped), says, at: at.getTime() }));
    const text = JSON.stringify({ here: here - first, states: kept });
    try {
      if (text.length < LETTERS) return sessionStorage.setItem(keyOf(session), text);
    } catch {
      return undefined; // full, or closed to the page: the states last as long as the page is open
    }
    if (first >= here) return undefined;
  }
}

/** The states of before a reload, where the session still is at one of them. @param {Parts} now */
function revive(session, now) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(keyOf(session)) ?? "null");
    if (!kept) return;
    const found = kept.states.map(({ reading, dropped, says, at }) => ({ parts: { reading, dropped: unpacked(dropped) }, says, at: new Date(at) }));
    const at = same(found[kept.here]?.parts, now) ? kept.here : found.findLastIndex((each) => same(each.parts, now));
    states = found;
    here = at >= 0 ? at : found.length - 1; // another tab went on: its state follows the last one
  } catch {
    forgetStates(); // of another release, or none of ours
  }
}

// ---- words, buttons, keys

/** What leads from one state to the next, in words. @param {Parts} from @param {Parts} to */
function difference(from, to) {
  const [before, after] = [new Set(from.dropped), new Set(to.dropped)];
  const out = to.dropped.filter((row) => !before.has(row));
  const back = from.dropped.filter((row) => !after.has(row));
  const said = [];
  const few = (rows) => (rows.length > 40 ? `${rows.length.toLocaleString("en")} rows` : rowsOf(rows));
  if (out.length) said.push(`left out ${few(out)}`);
  if (back.length) said.push(`took in ${few(back)}`);
  if (to.reading.where !== from.reading.where) said.push(to.reading.where ? `only rows where ${to.reading.where}` : "all rows again");
  for (const part of Object.keys(to.reading)) if (part !== "where" && !same(to.reading[part], from.reading[part])) said.push(`${part} changed`);
  return said.join("; ") || "changed";
}

/** @param {number} to the place of a state */
async function go(to) {
  if (going || to < 0 || to >= states.length || to === here) return;
  going = true;
  await attempt(async () => {
    await page.restore(states[to].parts);
    here = to;
    keep(page.session);
  });
  going = false;
  show();
}

function show() {
  buttonOf("undo").disabled = here <= 0;
  buttonOf("redo").disabled = here >= states.length - 1;
  byId("states").replaceChildren(...states.map((each, i) => {
    const item = element("li", undefined, i === here ? { "aria-current": "true" } : {});
    item.append(element("time", each.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })), element("span", each.says[0].toUpperCase() + each.says.slice(1)), element("span", `${each.parts.dropped.length} left out`, { class: "quiet" }));
    if (i !== here) item.append(element("button", "Go back to it", { type: "button", "aria-label": `go to state ${i + 1}`, onclick: () => go(i) }));
    return item;
  }));
}

const undo = () => go(here - 1);
const redo = () => go(here + 1);
byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  if (event.target instanceof Element && event.target.matches("input[type=text], input[type=number], textarea, select")) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) redo();
  else undo();
});
