// Undo and redo of what was done to the runs: how they are read, which rows are left out.
import { attempt, byId, page } from "./page.js";

let past = [];
let future = [];
let going = false;

const partsOf = (state) => ({ reading: state.reading, dropped: state.dropped });

/** A state follows another; one that undo or redo brings back is no new deed. */
export function rememberState(before, after) {
  if (before && !going && JSON.stringify(partsOf(before)) !== JSON.stringify(partsOf(after))) {
    past.push(partsOf(before));
    future = [];
  }
  showButtons();
}

export function forgetStates() {
  past = [];
  future = [];
  showButtons();
}

async function go(from, onto) {
  if (going || !from.length) return;
  going = true;
  const here = partsOf(page.state);
  const there = from.at(-1);
  await attempt(async () => {
    await page.restore(there);
    from.pop();
    onto.push(here);
  });
  going = false;
  showButtons();
}

const undo = () => go(past, future);
const redo = () => go(future, past);

function showButtons() {
  byId("undo").disabled = !past.length;
  byId("redo").disabled = !future.length;
}

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
