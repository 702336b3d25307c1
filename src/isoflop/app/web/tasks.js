// What is asked of a session and what comes back: the form of any question, the list of results, the one that is shown.
import { showAnswer, showBehind } from "./answer.js";
import { all, ask, attempt, byId, element, fieldOf, menuOf, one, options, page } from "./page.js";
import { enliven } from "./report.js";
import { openView } from "./tabs.js";

export const RESTRICTIONS = ["fixed", "tied", "domains"];
export const restrictions = () => Object.fromEntries(RESTRICTIONS.map((name) => [name, fieldOf(name).value]));

/** Put a task into the queue of the session, with the law and the choices that stand on the page. */
export const request = (kind, more = {}) =>
  attempt(() =>
    ask(`/api/s/${page.session}/tasks`, {
      method: "POST",
      json: { kind, law: fieldOf("law").value, ...restrictions(), objective: menuOf("objective").value, draws: Number(fieldOf("draws").value), resample_by: fieldOf("resample-by").value.trim(), options: { budget: fieldOf("budget-asked").value, inference_tokens: fieldOf("served").value }, ...more },
    }),
  );

// ---- any other question of the registry, by a form made from its options

export async function fillMenu() {
  page.questions = await ask("/api/questions");
  const groups = Map.groupBy(page.questions, (each) => each.group);
  byId("question").replaceChildren(...[...groups].map(([name, list]) => {
    const group = element("optgroup", undefined, { label: GROUPS[name] ?? name });
    group.append(...list.map((each) => element("option", each.name, { value: each.name })));
    return group;
  }));
  menuOf("question").value = page.questions.find((each) => each.group === "Ask")?.name ?? page.questions[0]?.name;
  showForm();
}

const GROUPS = { Read: "Read the runs", Fit: "Fit", Ask: "Predict and plan", Test: "Test", Share: "Share" };

function showForm() {
  const chosen = page.questions.find((each) => each.name === menuOf("question").value);
  byId("question-says").textContent = chosen ? `${chosen.summary}${chosen.takes_law ? ` Asked of the law ${fieldOf("law").value}.` : ""}` : "";
  byId("question-options").replaceChildren(...(chosen?.options ?? []).map((each) => control(each, "option")));
}

/** The control of one option: a tick for a flag, a list for a choice, a line of text for everything else. */
export function control(option, prefix) {
  const id = `${prefix}-${option.name}`;
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

export function chosenOptions(form) {
  const fields = /** @type {HTMLInputElement[]} */ (all("[data-option]", byId(form)));
  const value = (field) => {
    if (field.dataset.form === "flag") return field.checked;
    if (field.dataset.form === "pairs") return field.value.split(/[;,]?\s+(?=[^\s=;,]+\s*=)|;|,(?=[^\s=;,]+\s*=)/).map((each) => each.trim()).filter(Boolean);
    return field.value.trim();
  };
  return Object.fromEntries(fields.map((field) => [field.dataset.option, value(field)]));
}
byId("question").addEventListener("change", showForm);
byId("question-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = await request(menuOf("question").value, { options: chosenOptions("question-options") });
  if (asked) page.wanted = asked.id;
});

// ---- results

const NAMES = { fit: "Fit", plan: "Plan", rank: "Ranking of laws", backtest: "Backtest", compare: "Comparison", groups: "Fit of groups" };
const nameOf = (kind) => NAMES[kind] ?? kind[0].toUpperCase() + kind.slice(1);

function title(task) {
  const left = task.dropped ? ` without ${task.dropped} ${task.dropped === 1 ? "row" : "rows"}` : "";
  const where = task.where ? ` where ${task.where}` : "";
  const said = (list, sign) => Object.entries(list ?? {}).map(([name, value]) => `${name} ${sign} ${value}`);
  const restricted = [...said(task.fixed, "="), ...said(task.tied, "="), ...said(task.domains, "in")].join(", ");
  const held = restricted ? ` with ${restricted}` : "";
  if (task.kind === "rank") return `${NAMES.rank}${where}${left}`;
  if (task.kind === "compare" && task.of?.length) return `${NAMES.compare} of ${task.of.join(" and ")}`;
  const groups = (of) => (Object.keys(of.named ?? {}).length ? `of ${Object.keys(of.named).join(", ")}` : `by ${of.by || "family"}${of.only?.length ? `, ${[of.only].flat().join(", ")}` : ""}`);
  if (task.kind === "compare") return `${NAMES.compare} ${groups(task.options ?? {})}${where}${left}`;
  if (task.kind === "groups") return `${NAMES.groups} ${groups(task.options ?? {})}: ${task.law}${held}${where}${left}`;
  return `${nameOf(task.kind)}: ${task.law ?? page.state.source}${held}${task.kind === "plan" && task.options?.budget ? ` at ${task.options.budget} FLOPs` : ""}${where}${left}`;
}

const readable = (task) => task.state === "done";

export function showResults() {
  const tasks = page.state.tasks;
  byId("no-results").hidden = tasks.length > 0;
  byId("results-count").textContent = tasks.length ? `(${tasks.length})` : "";
  showDoing(tasks);
  listResults(tasks);
  const fits = tasks.filter((task) => task.state === "done" && (task.kind === "fit" || task.kind === "plan"));
  byId("compare-form").hidden = fits.length < 2;
  if (fits.length > 1 && menuOf("compare-a").options.length !== fits.length) {
    const list = fits.map((task) => ({ value: task.id, text: `${task.id} ${title(task)}` }));
    options(menuOf("compare-a"), list, fits[fits.length - 2].id);
    options(menuOf("compare-b"), list, fits[fits.length - 1].id);
  }
  const wanted = tasks.find((task) => task.id === page.wanted && readable(task));
  const last = tasks.filter((task) => task.state === "done").at(-1);
  const refused = tasks.find((task) => task.id === page.wanted && (task.state === "failed" || task.state === "stopped"));
  if (wanted) {
    page.wanted = "";
    show(wanted, wanted.kind === "fit" || wanted.kind === "plan" ? "answer" : "report");
  } else if (refused) {
    page.wanted = "";
    if (refused.state === "failed") openView("results");
  } else if (!page.shown && last && !page.wanted) show(last);
  const shown = tasks.find((task) => task.id === page.shown);
  if (shown?.drawn && !page.drawn) drawPictures();
}

/** What is being worked on, beside the answer that it will replace. */
function showDoing(tasks) {
  const now = tasks.find((task) => task.state === "running") ?? tasks.find((task) => task.state === "waiting");
  byId("answer-doing").hidden = !now;
  if (!now) return;
  byId("answer-doing").querySelector("p").textContent = `${title(now)}: ${now.state === "waiting" ? "waits for its turn" : now.doing || "begins"} …`;
  byId("answer-doing").querySelector("progress").value = now.share;
}

/** The list with as little change as it takes, so that a button under the finger or the focus stays where it is. */
function listResults(tasks) {
  const list = byId("results");
  const old = new Map(/** @type {HTMLElement[]} */ ([...list.children]).map((item) => [item.dataset.key, item]));
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
    if (focused) one(`[aria-label="${CSS.escape(focused)}"]`, list)?.focus();
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
  if (readable(task)) tools.append(element("button", "Show", { type: "button", "aria-label": `show ${task.id}`, onclick: () => show(task, "report") }));
  if (task.state === "done" && (task.kind === "fit" || task.kind === "plan")) {
    tools.append(element("a", "Fit", { href: `${at}/fit.json`, download: true, "aria-label": `fit of ${task.id}` }), element("a", "Study", { href: `${at}/study.toml`, download: true, "aria-label": `study of ${task.id}` }));
    if (task.drawn) tools.append(element("a", "Report", { href: `${at}/report.html`, download: true, "aria-label": `report of ${task.id}` }));
    else tools.append(element("span", task.undrawn || "Report is being drawn …", { class: "quiet" }));
  }
  item.append(words, tools);
  if (task.state === "running") item.append(element("progress", undefined, { max: 1, value: task.share, "aria-label": `${task.id}, ${task.doing}` }));
  return item;
}

/** Bring a result onto the page; `to` is where it is read from: the answer beside the runs, or the whole of it. */
async function show(task, to = "") {
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
    place.classList.toggle("answered-beside", task.kind === "fit" || task.kind === "plan");
    byId("no-report").hidden = true;
    if (task.kind === "fit" || task.kind === "plan") {
      const [{ data, code }, answer] = await Promise.all([fitOf(task.id), ask(`${at}/answer.json`)]);
      place.replaceChildren(holder.content);
      page.answer = enliven(place, data, code);
      showAnswer(task, data, code, answer);
      acts(task, data);
    } else place.replaceChildren(holder.content);
    showResults();
    if (!to) return;
    const inReport = to === "report";
    openView(inReport ? "report" : "runs");
    const heading = inReport ? [...place.querySelectorAll("h2")].find((each) => each.offsetParent) ?? place : byId("answer-title");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    if (inReport || matchMedia("(max-width: 48rem)").matches) heading.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  });
}

/** What the page computes with of a fit: its data and its law. */
async function fitOf(id) {
  const at = `/s/${page.session}/${id}`;
  const [data, code] = await Promise.all([ask(`${at}/data.json`), import(`${at}/law.js`)]);
  return { data, code: code.law };
}

/** A picture that is not drawn yet is asked for when it is. */
function putOff(image) {
  image.dataset.later = image.getAttribute("src");
  image.removeAttribute("src");
}

function drawPictures() {
  page.drawn = true;
  for (const image of /** @type {HTMLImageElement[]} */ (all("[data-later]", byId("shown")))) {
    image.src = image.dataset.later;
    image.removeAttribute("data-later");
  }
}

/** Buttons below the answer: the budget under the slider as a result of its own, and all the evidence. */
function acts(task, data) {
  const plan = async () => {
    const asked = await request("plan", { of: task.id, options: { budget: String(page.answerNow().budget) } });
    if (asked) page.wanted = asked.id;
  };
  byId("answer-acts").replaceChildren(
    ...(data.budget === null ? [] : [element("button", "Plan this budget", { type: "button", class: "main", onclick: plan })]),
    element("button", "All evidence", { type: "button", onclick: () => openView("report") }),
  );
}

byId("compare-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const budget = page.answerNow()?.budget;
  const [one, other] = ["compare-a", "compare-b"].map((id) => page.state.tasks.find((each) => each.id === fieldOf(id).value));
  const asked = await request("compare", { of: [one.id, other.id], options: { budget: budget ? String(budget) : "" } });
  await attempt(async () => { // both on one picture, while their difference is computed
    await show(other);
    const { data, code } = await fitOf(one.id);
    showBehind(one, data, code);
  });
  if (asked) page.wanted = asked.id;
});
