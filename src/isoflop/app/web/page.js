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
export const page = { session: null, state: null, table: null, runs: null, shown: "", drawn: false, dropped: new Set(), answer: null };
window.isoflop = page;

// ---- what one part tells the others: "table" (runs were read), "dropped", "selection", "fit" (a law is shown), "live"
const news = new EventTarget();
export const tell = (name) => news.dispatchEvent(new Event(name));
export const when = (names, act) => names.split(" ").forEach((name) => news.addEventListener(name, act));

/** Ask the server; a refusal becomes an Error with its sentence and its place. */
export async function ask(path, { method = "GET", json, body } = {}) {
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

export function slip(error) {
  const place = byId("slip");
  place.textContent = error ? error.message : "";
  place.hidden = !error;
}

/** Run something that may be refused, and say so at the top where it is. */
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

export function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  return made;
}

export function options(select, list, value) {
  select.replaceChildren(...list.map((each) => element("option", each.text ?? each, { value: each.value ?? each })));
  if (value !== undefined) select.value = value;
}
