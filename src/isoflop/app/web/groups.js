// Groups of runs: a column and some of its values, or selections that get names; compared, or fitted together.
import { ask, attempt, buttonOf, byId, detailsOf, element, fieldOf, menuOf, options, page } from "./page.js";
import { selectedRows } from "./selection.js";
import { openView } from "./tabs.js";
import { chosenOptions, control, request } from "./tasks.js";

const OWN = new Set(["by", "only", "named", "budget"]); // what this section asks itself, or only saved fits take
const NAMED = " selections"; // no header begins with a space
const chosen = new Map(); // column → the names that are ticked
const named = new Map(); // name → selection
let columns = [];

/** The columns of the table whose values may be groups; asked anew whenever its rows change. */
export async function loadGroups() {
  const session = page.session;
  const said = await ask(`/api/s/${session}/groups`).catch(() => ({ columns: [] }));
  if (session !== page.session) return;
  columns = said.columns;
  byId("groups").hidden = !page.table?.runs;
  const before = menuOf("groups-by").value;
  const list = [...columns.map((each) => ({ value: each.name, text: each.name })), { value: NAMED, text: "selections with names of their own" }];
  options(menuOf("groups-by"), list);
  menuOf("groups-by").value = list.some((each) => each.value === before) ? before : list[0].value;
  showChips();
}

/** The form's options, once the questions of the registry are known. */
export function fillGroups() {
  const question = page.questions.find((each) => each.name === "compare");
  byId("groups-options").replaceChildren(...question.options.filter((each) => !OWN.has(each.name)).map((each) => control(each, "groups")));
}

/** What is offered now: names with their numbers of runs, or their selections. */
function offered() {
  const by = menuOf("groups-by").value;
  if (by === NAMED) return [...named].map(([name, text]) => ({ name, says: text }));
  const column = columns.find((each) => each.name === by);
  return (column?.values ?? []).map((each) => ({ name: each.name, says: `${each.runs} ${each.runs === 1 ? "run" : "runs"}` }));
}

/** The names that are ticked; those of a column that is new are its first two, or all where it has six or fewer. */
function ticked() {
  const by = menuOf("groups-by").value;
  const names = offered().map((each) => each.name);
  if (by === NAMED) return names;
  if (!chosen.has(by)) chosen.set(by, new Set(names.length > 6 ? names.slice(0, 2) : names));
  return names.filter((name) => chosen.get(by).has(name));
}

function showChips() {
  const by = menuOf("groups-by").value;
  const on = new Set(ticked());
  byId("groups-chips").replaceChildren(
    ...offered().map(({ name, says }, place) => {
      const chip = element("span", undefined, { class: "chip" });
      const label = element("label");
      if (by === NAMED) {
        label.append(element("strong", name), element("span", ` ${says}`, { class: "quiet" }));
        chip.append(label, element("button", "×", { type: "button", "aria-label": `remove group ${name}`, onclick: () => { named.delete(name); showChips(); } }));
        return chip;
      }
      const box = element("input", undefined, { type: "checkbox", id: `chip-${place}` });
      box.checked = on.has(name);
      box.addEventListener("change", () => {
        if (box.checked) chosen.get(by).add(name);
        else chosen.get(by).delete(name);
        sum();
      });
      label.append(box, ` ${name} `, element("span", says, { class: "quiet" }));
      chip.append(label);
      return chip;
    }),
  );
  byId("groups-all").hidden = by === NAMED || !offered().length;
  if (by === NAMED) detailsOf("groups-name").open = true;
  sum();
}

function sum() {
  const names = ticked();
  const total = offered().length;
  byId("groups-says").textContent = names.length ? `${names.length} of ${total} ${total === 1 ? "group" : "groups"} chosen.` : menuOf("groups-by").value === NAMED ? "Name two groups or more by the rows that are in them." : "Choose two groups or more.";
  buttonOf("compare-groups").disabled = buttonOf("fit-groups").disabled = !names.length;
}

function tick(all) {
  chosen.set(menuOf("groups-by").value, new Set(all ? offered().map((each) => each.name) : []));
  showChips();
}

/** What the groups are, as options of the question. */
function groupsOf() {
  const by = menuOf("groups-by").value;
  if (by === NAMED) return { named: Object.fromEntries(named) };
  const names = ticked();
  return names.length === offered().length ? { by, only: names.length < 2 ? names : [] } : { by, only: names };
}

// ---- a group of the rows that are selected

byId("selection-group").addEventListener("click", () => {
  fieldOf("groups-where").value = selectionOf(selectedRows().sort((a, b) => a - b));
  menuOf("groups-by").value = NAMED;
  openView("questions");
  showChips();
  detailsOf("groups-name").open = true;
  byId("groups-new").focus();
});

/** `row in [3, 7] or 10 <= row <= 40`: rows as a selection, three and more in a row as a range. */
function selectionOf(rows) {
  const [alone, ranges] = [[], []];
  for (let i = 0; i < rows.length; ) {
    let end = i;
    while (rows[end + 1] === rows[end] + 1) end += 1;
    if (end - i >= 2) ranges.push(`${rows[i]} <= row <= ${rows[end]}`);
    else alone.push(...rows.slice(i, end + 1));
    i = end + 1;
  }
  return [...(alone.length ? [`row in [${alone.join(", ")}]`] : []), ...ranges].join(" or ");
}

byId("groups-add").addEventListener("click", () =>
  attempt(async () => {
    const [name, where] = [fieldOf("groups-new").value.trim(), fieldOf("groups-where").value.trim()];
    const missing = [...(name ? [] : ["a name"]), ...(where ? [] : ["the rows that are in it, as N < 1e9, or by a selection in the chart"])];
    if (missing.length) throw new Error(`a group needs ${missing.join(" and ")}`);
    await ask(`/api/s/${page.session}/groups`, { method: "POST", json: { where } }); // refused while it can still be mended
    named.set(name, where);
    for (const field of ["groups-new", "groups-where"]) fieldOf(field).value = "";
    menuOf("groups-by").value = NAMED;
    showChips();
  }),
);

byId("groups-by").addEventListener("change", showChips);
byId("groups-every").addEventListener("click", () => tick(true));
byId("groups-none").addEventListener("click", () => tick(false));
byId("groups-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = await request("compare", { options: { ...chosenOptions("groups-options"), ...groupsOf() } });
  if (asked) page.wanted = asked.id;
});
byId("fit-groups").addEventListener("click", async () => {
  const asked = await request("groups", { options: { ...groupsOf(), share: fieldOf("groups-share").value.trim(), pool: fieldOf("groups-pool").value.trim() } });
  if (asked) page.wanted = asked.id;
});
