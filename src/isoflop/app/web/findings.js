// What to doubt before a fit: one line each, with buttons that act on it.
import { ask, attempt, byId, element, one, page } from "./page.js";
import { readSo } from "./reading.js";
import { rowsOf, selectRows } from "./selection.js";

const MOST = 0.5; // share of the rows that one press may leave out

/** Show the findings; what was kept stands as a line below. */
export function showFindings(list) {
  page.findings = list;
  const kept = new Set(page.state.kept);
  const open = list.filter((each) => !kept.has(each.code));
  const rest = list.filter((each) => kept.has(each.code));
  const place = byId("table-doubts");
  const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest(".finding"))?.dataset.code;
  place.replaceChildren(...open.map(card));
  if (!list.length) place.append(element("p", "No warnings.", { class: "quiet" }));
  if (rest.length) {
    const line = element("p", `Kept: ${rest.map((each) => each.title).join("; ")}. `, { class: "kept-list" });
    line.append(element("button", "Show again", { type: "button", class: "as-link", onclick: () => keep([]) }));
    place.append(line);
  }
  if (focused) one(`[data-code="${CSS.escape(focused)}"] button`, place)?.focus();
}

const keep = (codes) => attempt(() => ask(`/api/s/${page.session}/label`, { method: "POST", json: { kept: codes } }));

function card(finding) {
  const made = element("article", undefined, { class: `finding ${finding.level}`, "data-code": finding.code });
  made.append(element("p", finding.title, { class: "says-title" }));
  const more = element("details");
  more.append(element("summary", finding.rows.length ? `${finding.level} · ${rowsOf(finding.rows)}` : finding.level), element("p", finding.message), element("p", finding.remedy, { class: "quiet" }));
  made.append(more);
  const acts = element("p", undefined, { class: "row" });
  const button = (text, act, main) => acts.append(element("button", text, { type: "button", class: main ? "main" : undefined, onclick: act }));
  if (finding.rows.length) {
    const own = new Set(finding.rows);
    const left = finding.rows.filter((row) => !page.dropped.has(row));
    const some = left.length < finding.rows.length;
    const most = own.size > MOST * (page.runs?.count ?? Infinity); // of nearly all rows no button leaves out
    if (left.length && !most) button(`Leave out ${left.length.toLocaleString("en")}${some ? " more" : ""}`, () => page.setDropped([...page.dropped, ...left]), finding.level !== "note");
    else if (!left.length) button(`Take ${own.size.toLocaleString("en")} in again`, () => page.setDropped([...page.dropped].filter((row) => !own.has(row))));
    button("Show", () => { selectRows(finding.rows); byId("tab-runs").click(); });
  }
  for (const choice of finding.choices) button(sentence(choice.label), () => readSo(choice.reading));
  button(finding.rows.length ? "Keep" : finding.choices.length > 1 ? "Don't know" : "Dismiss", () => keep([...page.state.kept, finding.code]));
  made.append(acts);
  return made;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1);
