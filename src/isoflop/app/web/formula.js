// The law: checked as it is typed, or chosen among those that need the same columns.
import { ask, buttonOf, byId, detailsOf, element, fieldOf, page, Refusal } from "./page.js";
import { RESTRICTIONS, restrictions } from "./tasks.js";

let typed = 0;
let laws = [];

/** The laws that have a name: in the list of suggestions, and by what they need. */
export function offerLaws(list) {
  laws = list;
  byId("laws").replaceChildren(...list.map((law) => element("option", law.formula, { value: law.name })));
}

/** Laws whose columns the table has come first, by their response and their inputs. */
export function showFamilies() {
  const here = new Set([...(page.table?.columns ?? []).map((each) => each.name), ...Object.keys(page.runs?.numbers ?? {})]);
  if (here.has("N") && here.has("D")) here.add("C");
  const families = new Map();
  for (const law of laws) {
    const key = law.response === "loss" ? law.inputs.join(", ") : `${law.inputs.join(", ")}, for ${law.response}`;
    families.set(key, [...(families.get(key) ?? []), law]);
  }
  const fits = (key) => key.split(/, (?:for )?/).every((name) => here.has(name)) && (key.includes(", for ") || here.has("loss"));
  const sorted = [...families].sort(([a], [b]) => fits(b) - fits(a) || (fits(a) ? b.split(", ").length - a.split(", ").length : 0) || families.get(b).length - families.get(a).length);
  const count = sorted.filter(([key]) => fits(key)).reduce((sum, [, list]) => sum + list.length, 0);
  byId("families-says").textContent = `${count} ${count === 1 ? "law fits" : "laws fit"} these columns`;
  byId("families-list").replaceChildren(...sorted.flatMap(([key, list]) => [
    element("h3", `of ${key}${fits(key) ? "" : ": columns are missing"}`),
    ...list.map((law) => {
      const button = element("button", undefined, { type: "button", onclick: () => choose(law.name) });
      button.append(element("span", law.name), element("code", law.formula));
      return button;
    }),
  ]));
}

function choose(name) {
  detailsOf("families").open = false;
  fieldOf("law").value = name;
  byId("law").focus();
  checkLaw();
}

export async function checkLaw() {
  const turn = ++typed;
  const field = fieldOf("law");
  const clear = () => {
    byId("law-slip").textContent = "";
    byId("law-caret").hidden = true;
    byId("more-slip").textContent = "";
    field.setAttribute("aria-invalid", "false");
  };
  try {
    const said = await ask("/api/formula", { method: "POST", json: { text: field.value.slice(0, 5000), session: page.session, ...restrictions() } });
    if (said.says) throw new Refusal(said.says, { at: said.at });
    if (turn !== typed) return;
    clear();
    byId("law-set").innerHTML = said.mathml; // made by the server from parsed symbols, never from text
    const missing = said.inputs.filter((each) => !each.here).map((each) => each.name);
    if (page.table && !said.measured) missing.push(said.response === "loss" ? "loss that is read: choose its column under Read as" : `column ${said.response}, which this law predicts`);
    const meaning = (list) => list.map((each) => (each.meaning ? `${each.name}: ${each.meaning}` : each.name)).join(", ");
    byId("law-means").textContent = `Inputs ${meaning(said.inputs)}. Fitted: ${said.params.map((each) => each.name).join(", ")}.` + (missing.length ? ` The table has no ${missing.join(", ")}.` : "");
    byId("law-means").title = meaning(said.params);
    byId("more-slip").textContent = said.restricted;
    if (said.restricted) detailsOf("more").open = true;
    buttonOf("fit").disabled = buttonOf("backtest").disabled = missing.length > 0 || said.restricted !== "";
  } catch (error) {
    if (turn !== typed) return;
    clear();
    field.setAttribute("aria-invalid", "true");
    byId("law-slip").textContent = error.message;
    byId("law-set").replaceChildren();
    byId("law-means").textContent = "";
    buttonOf("fit").disabled = buttonOf("backtest").disabled = true;
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
