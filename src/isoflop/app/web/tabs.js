// The views of the middle pane, and menus that close when something else is pressed.
import { all, byId, one } from "./page.js";

const tabs = all("[role=tab]");

/** Show a view by its name: runs, report, questions, results or history. */
export function openView(name, { focus = false } = {}) {
  for (const tab of tabs) {
    const on = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !on;
    if (on && focus) tab.focus();
  }
}
for (const tab of tabs) {
  tab.addEventListener("click", () => openView(tab.id.slice(4)));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    openView(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length].id.slice(4), { focus: true });
  });
}

const menus = () => /** @type {HTMLDetailsElement[]} */ (all("details.menu[open], .read details[open]"));
document.addEventListener("click", (event) => {
  for (const menu of menus()) if (!(event.target instanceof Node && menu.contains(event.target))) menu.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    one("summary", menu)?.focus();
  }
});
