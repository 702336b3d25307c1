// What every part of the page uses: its state, its server, its errors, and elements.
/** @param {string} id */
export const byId = (id) => document.getElementById(id);
/** @param {string} id @returns {HTMLInputElement} */
export const fieldOf = (id) => /** @type {HTMLInputElement} */ (byId(id));
/** @param {string} id @returns {HTMLSelectElement} */
export const menuOf = (id) => /** @type {HTMLSelectElement} */ (byId(id));
/** @param {string} id @returns {HTMLButtonElement} */
export const buttonOf = (id) => /** @type {HTMLButtonElement} */ (byId(id));
/** @param {string} id @returns {HTMLDetailsElement} */
export const detailsOf = (id) => /** @type {HTMLDetailsElement} */ (byId(id));
/**
 * What the parts share: the state of the session, its table, its runs, the fit that is shown with the one before it, and
 * what is fitted at once while runs go in and out. Values that come from the server are as it writes them.
 * @typedef {object} Page
 * @property {string | null} session
 * @property {any} state
 * @property {any} table
 * @property {any} runs
 * @property {string} shown the task whose result is shown
 * @property {boolean} drawn whether its pictures are
 * @property {Set<number>} dropped rows
 * @property {any} answer
 * @property {any} [fit]
 * @property {any} [previous]
 * @property {any} [live]
 * @property {Float64Array | null} [fitted]
 * @property {any[]} [findings]
 * @property {any[]} [questions]
 * @property {string} [wanted] the task that is shown when it is done
 * @property {number} [chosen] row
 * @property {any} [chart]
 * @property {any} [grid]
 * @property {(rows: number[]) => Promise<unknown>} [setDropped]
 * @property {(parts: {reading: any, dropped: number[]}) => Promise<void>} [restore]
 * @property {() => any} [answerNow]
 * @property {() => any} [valley]
 */
/** @type {Page} */
export const page = { session: null, state: null, table: null, runs: null, shown: "", drawn: false, dropped: new Set(), answer: null };
/** @type {Window & {isoflop?: Page}} */ (window).isoflop = page;

// ---- what one part tells the others: "table" (runs were read), "dropped", "selection", "fit" (a law is shown), "live"
const news = new EventTarget();
export const tell = (name) => news.dispatchEvent(new Event(name));
export const when = (names, act) => names.split(" ").forEach((name) => news.addEventListener(name, act));

/** What is refused: `away` where no server answers, `at` the place in a formula. */
export class Refusal extends Error {
  /** @param {string} says @param {{away?: boolean, at?: number, status?: number}} [where] */
  constructor(says, { away = false, at, status } = {}) {
    super(says);
    this.away = away;
    this.at = at;
    this.status = status;
  }
}

/**
 * Ask the server; a refusal becomes an Error with its sentence and its place.
 * @param {string} path
 * @param {{method?: string, json?: unknown, body?: BodyInit}} [how]
 * @returns {Promise<any>}
 */
export async function ask(path, { method = "GET", json, body } = {}) {
  let response;
  try {
    response = await fetch(path, { method, body: json === undefined ? body : JSON.stringify(json), headers: method === "GET" ? {} : { "x-isoflop": "1" } });
  } catch {
    throw new Refusal("the page's server does not answer; start it again with isoflop app", { away: true });
  }
  const text = await response.text();
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    said = { says: text };
  }
  if (!response.ok) throw new Refusal(said.says || `the server answered ${response.status}`, { at: said.at, status: response.status });
  return said;
}

export function slip(error) {
  const place = byId("slip");
  place.textContent = error ? error.message : "";
  place.hidden = !error;
}

/** Run something that may be refused, and say so at the top where it is. @template T @param {() => T | Promise<T>} action @returns {Promise<T | null>} */
export async function attempt(action) {
  try {
    slip(null);
    return await action();
  } catch (error) {
    slip(error);
    byId("slip").scrollIntoView({ block: "nearest" });
    return null;
  }
}

/** Elements of a selector. @param {string} selector @param {ParentNode} [within] @returns {HTMLElement[]} */
export const all = (selector, within = document) => [.../** @type {NodeListOf<HTMLElement>} */ (within.querySelectorAll(selector))];
/** The first of them; null without one. @param {string} selector @param {ParentNode} [within] @returns {HTMLElement | null} */
export const one = (selector, within = document) => within.querySelector(selector);

/**
 * An element with a text and attributes; those that begin with `on` are listeners.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} [text] @param {Record<string, any>} [attributes]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  return made;
}

/** @param {HTMLSelectElement} select @param {(string | {text: string, value?: string})[]} list @param {string} [value] */
export function options(select, list, value) {
  select.replaceChildren(...list.map((each) => (typeof each === "string" ? { text: each, value: each } : each)).map(({ text, value: of = text }) => element("option", text, { value: of })));
  if (value !== undefined) select.value = value;
}
