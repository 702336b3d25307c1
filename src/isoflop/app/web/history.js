// Undo and redo of what was done to the runs, and the list of all states: how they were read, which rows were left out.
import { rowsOf } from "./selection.js";
import { attempt, byId, element, page } from "./page.js";

let states = []; // {parts, says, at}: every state of this branch, in order
let here = -1;
let going = false;

const partsOf = (state) => ({ reading: state.reading, dropped: state.dropped });
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** A state follows another; one that undo or redo brings back is no new deed. */
export function rememberState(before, after) {
  const parts = partsOf(after);
  if (!going && (here < 0 || !same(states[here].parts, parts))) {
    states = states.slice(0, here + 1);
    states.push({ parts, says: here < 0 ? "as it was opened" : difference(states[here].parts, parts), at: new Date() });
    here = states.length - 1;
  }
  show();
}

export function forgetStates() {
  states = [];
  here = -1;
  show();
}

/** What leads from one state to the next, in words. */
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

async function go(to) {
  if (going || to < 0 || to >= states.length || to === here) return;
  going = true;
  await attempt(async () => {
    await page.restore(states[to].parts);
    here = to;
  });
  going = false;
  show();
}

function show() {
  byId("undo").disabled = here <= 0;
  byId("redo").disabled = here >= states.length - 1;
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
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input[type=text], input[type=number], textarea, select")) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) redo();
  else undo();
});
