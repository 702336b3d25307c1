// The answer, in sight while runs change: its sentence, its evidence, figures under a slider, and the previous answer.
import { phrase, told } from "./explore.js";
import { leverOf } from "./lever.js";
import { formatQuantity, general } from "./numbers.js";
import { all, byId, element, page, tell, when } from "./page.js";
import { lawOf, plansOf, response } from "./surface.js";
import { alongInput, optimumNow, valley } from "./valley.js";

const flops = (value) => general(value, 3).replace("e+", "e");
let state = null; // {budget} or {at, along}: what the levers say

/** Show a fit or a plan: `data` and `code` as a report carries them, `answer` as its JSON. */
export function showAnswer(task, data, code, answer) {
  if (page.fit && page.fit.task !== task.id && page.fit.data.law.response === data.law.response) page.previous = page.fit;
  const law = lawOf(data, code);
  page.fit = { task: task.id, data, law };
  page.fitted = fittedOf(law);
  byId("answer-none").hidden = true;
  byId("answer-body").hidden = false;
  byId("work").classList.add("answered");
  byId("answer-equation").textContent = answer.equation ?? "";
  showEvidence(answer);
  data.budget === null ? startInputs() : startBudget();
  tell("fit");
}

/** Put another fit behind the answer, at the budget that is shown. */
export function showBehind(task, data, code) {
  page.previous = { task: task.id, data, law: lawOf(data, code) };
  if (page.fit?.data.budget) move(state.budget);
}

/** Forget what is shown, as another session is opened. */
export function forgetAnswer() {
  Object.assign(page, { fit: null, fitted: null, previous: null, live: null });
  byId("answer-none").hidden = false;
  byId("answer-body").hidden = true;
  byId("work").classList.remove("answered");
}

/** The law at every row of the table; null where an input is no column of it. */
function fittedOf(law) {
  const columns = law.inputs.map((name) => page.runs?.numbers[name]);
  if (!page.runs || columns.some((each) => !each)) return null;
  const x = new Float64Array(columns.length);
  return Float64Array.from(page.runs.row, (_, i) => {
    columns.forEach((list, place) => { x[place] = list[i]; });
    return law.code.value(law.fit, 0, x);
  });
}

// ---- how far to trust it

function showEvidence(answer) {
  const place = byId("answer-trust");
  const rows = answer.evidence?.rows ?? [];
  place.hidden = !rows.length;
  const said = rows.map((row) => row.N?.value).filter(Number.isFinite);
  const best = answer.quantities?.N;
  const factor = (ratio) => general(ratio, 2);
  const parts = [];
  if (best?.low > 0) parts.push(`N* is known within a factor of ${factor(Math.sqrt(best.high / best.low))}`);
  if (said.length > 1) parts.push(`methods differ by ${factor(Math.max(...said) / Math.min(...said))}×`);
  const heading = element("h3", "How far to trust it: ");
  heading.append(element("strong", parts.join("; ") || "see the evidence"));
  const table = element("table");
  for (const row of rows) {
    const line = table.insertRow();
    const interval = row.N && { value: row.N.value, low: row.N.low ?? NaN, high: row.N.high ?? NaN };
    line.append(element("th", row.source, { scope: "row" }));
    const write = interval ? told(interval, true) : { value: "", ends: "" };
    if (row.result && !interval) line.append(element("td", row.result.replace(/ \(--[\w-]+\)/g, ""), { colspan: 2 })); // the page has fields, no options
    else {
      line.append(element("td", interval && Number.isFinite(interval.low) ? write.value : interval ? formatQuantity(interval.value, 2) : "", { class: "number" }));
      line.append(element("td", write.ends || row.result, { class: "ends" }));
    }
  }
  place.replaceChildren(heading, table);
}

// ---- a budget

function startBudget() {
  const { data } = page.fit;
  const plans = plansOf(data);
  const lever = leverOf("budget", "Training budget in FLOPs", { low: plans.low, high: plans.high, value: data.budget, write: flops, onMove: move, onStop: () => valley.center() });
  byId("answer-levers").replaceChildren(lever.element);
  state = { budget: data.budget, set: lever.set };
  byId("answer-lead").setAttribute("aria-live", "off");
  valley.center();
  move(data.budget);
}

function move(budget) {
  const { data, law } = page.fit;
  const answer = plansOf(data).at(budget);
  state.budget = budget;
  state.answer = answer;
  const { level } = law;
  byId("answer-title").textContent = `Answer at ${flops(budget)} FLOPs`;
  byId("answer-lead").textContent = answer.inside
    ? `Train ${phrase(answer.n, { level, quantity: true })} parameters on ${short(phrase(answer.d, { level, quantity: true }))} tokens; expected loss ${short(phrase(answer.loss, { level, unit: data.law.unit }))}.`
    : `At ${flops(budget)} training FLOPs this law has no compute-optimal size: its ${data.law.response} falls all the way.`;
  figures([
    ["loss", "loss, prediction interval", told(answer.newRun)],
    ["ratio", "tokens per parameter", told(answer.ratio, true)],
  ]);
  const beyond = Math.log10(budget / page.runs.largestCompute);
  byId("answer-reach").textContent = beyond > 0.05 ? `${general(10 ** beyond, 2)}× the compute of the largest run (${general(beyond, 2)} decades beyond).` : "Within the compute of the runs.";
  valley.draw({ budget, answer, fit: page.fit, previous: page.previous, now: moved() && page.live.params ? live() : null });
  sayNow();
}

/** The level is said once in a sentence. */
const short = (text) => text.replace(/\(\d+(\.\d+)?% CI /, "(");

function figures(list) {
  const place = byId("answer-figures");
  if (place.children.length !== list.length) {
    place.replaceChildren(...list.map(([name, title]) => {
      const box = element("div", undefined, { "data-figure": name });
      box.append(element("dt", title), element("dd"), element("dd", "", { class: "ends" }));
      return box;
    }));
  }
  list.forEach(([, , { value, ends }], i) => {
    const box = /** @type {HTMLElement} */ (place.children[i]);
    const [dt, dd, range] = all("dt, dd", box);
    dt.textContent = list[i][1];
    box.dataset.figure = list[i][0];
    dd.textContent = value;
    dd.hidden = !value;
    range.textContent = ends;
  });
}

// ---- the runs changed since: the same law fitted to them at once, without intervals

const live = () => page.fit.data.law.params.map((name) => page.live.params[name]);

/** Whether the runs that are used are no longer those of the fit that is shown. */
const moved = () => page.live && page.state.tasks.find((each) => each.id === page.fit.task)?.same === false;

function sayNow() {
  const place = byId("answer-now");
  const changed = page.fit && moved() && page.live.params;
  place.hidden = !changed;
  byId("answer-none").hidden = Boolean(page.fit);
  if (!changed) return;
  const said = `The runs have changed: ${page.live.rows.toLocaleString("en")} are used now. `;
  place.replaceChildren(said + (page.fit.data.budget === null ? "" : `${nowSaid()} `), element("button", "Fit again", { type: "button", class: "main", onclick: () => byId("fit").click() }));
}

/** N* by the law's own fit and by the minima, before and now: point estimates. */
function nowSaid() {
  const { budget } = state;
  const size = (each) => (each ? formatQuantity(each, 3) : "none");
  const [before, after] = [optimumNow(page.fit, page.fit.law.fit, budget), optimumNow(page.fit, live(), budget)];
  const parts = [`parametric fit ${size(before?.n)} → ${size(after?.n)}`];
  const minima = page.live.line && minimaAt(page.live.line, budget);
  if (minima) parts.push(`IsoFLOP minima ${size(minima)}`);
  return `N* at this budget: ${parts.join("; ")} (no intervals).`;
}

/** exp(v + a·(log C − center)) */
const minimaAt = ({ value, exponent, center }, budget) => Math.exp(value + exponent * (Math.log(budget) - center));

when("table", () => { if (page.fit) page.fitted = fittedOf(page.fit.law); });
when("live", () => { if (page.fit && state) redraw(); });
when("dropped", sayNowSoon);
function sayNowSoon() { if (page.fit) sayNow(); }
const redraw = () => (page.fit.data.budget === null ? moveInput(state.along) : move(state.budget));

// ---- other inputs than a budget

function startInputs() {
  const { data } = page.fit;
  state = { at: { ...data.at }, along: data.law.inputs[0], set: () => {} };
  byId("answer-levers").replaceChildren(...data.law.inputs.map((name) => {
    const [low, high] = data.ranges[name];
    const ends = { low: low > 0 ? low / 10 : high / 1e4, high: Math.max(high, data.at[name]) * 1e3 };
    return leverOf(name, name, { ...ends, value: data.at[name], write: name === "C" ? flops : formatQuantity, onMove: (value) => { state.at[name] = value; moveInput(name); } }).element;
  }));
  moveInput(state.along);
}

function moveInput(name) {
  const { data, law } = page.fit;
  state.along = name;
  const answer = response(law, data, state.at);
  const where = data.law.inputs.map((each) => `${each} = ${formatQuantity(state.at[each])}`).join(", ");
  byId("answer-title").textContent = "Answer";
  byId("answer-lead").textContent = `Expected ${data.law.response} at ${where}: ${phrase(answer.newRun, { level: law.level, unit: data.law.unit, promise: "PI" })}${data.losses ? "" : ", if the law holds"}.`;
  figures([["loss", `${data.law.response}, prediction interval`, told(answer.newRun)], ["curve", `${data.law.response}, mean`, told(answer.curve)]]);
  byId("answer-reach").textContent = "";
  valley.drawAlong(alongInput(page.fit, name, state.at));
  sayNow();
}

/** What the levers say now, for a plan, a comparison and tests. */
page.answerNow = () => (page.fit ? state : null);
