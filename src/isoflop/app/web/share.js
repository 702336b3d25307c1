// What of a session is taken elsewhere: the same question as command, Python or study; the report as one file.
import { ask, attempt, byId, detailsOf, element, page } from "./page.js";
import { save } from "./save.js";

/** Copy a text; where the clipboard is closed to the page, the text is shown to be copied by hand. */
async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    save(text, "copied.txt");
    button.textContent = "Saved as a file";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}

const WORDS = { command: "Copy as command", python: "Copy as Python", study: "Copy as study" };

byId("share").addEventListener("toggle", () => detailsOf("share").open && attempt(fill));

async function fill() {
  const sheet = byId("share-sheet");
  const name = element("input", undefined, { type: "text", id: "session-name", maxlength: 100, placeholder: page.state.source });
  name.value = page.state.name;
  name.addEventListener("change", () => attempt(() => ask(`/api/s/${page.session}/label`, { method: "POST", json: { name: name.value } })));
  const label = element("label", "Name of this session");
  label.append(name);
  /** @type {HTMLElement[]} */
  const parts = [label];
  const task = page.state.tasks.find((each) => each.id === page.shown);
  if (task) {
    const texts = await ask(`/api/s/${page.session}/tasks/${task.id}/copies`);
    for (const [kind, words] of Object.entries(WORDS)) {
      if (texts[kind]) parts.push(element("button", words, { type: "button", title: texts[kind], onclick: (event) => copy(texts[kind], event.target) }));
    }
    if (page.fit) {
      const { law, fit } = page.fit.law.code ? { law: page.fit.data.law, fit: page.fit.law.fit } : {};
      parts.push(element("button", "Copy the fitted law", { type: "button", onclick: (event) => copy(law.params.map((each, i) => `${each} = ${fit[i]}`).join("\n") + "\n", event.target) }));
    }
    if (task.kind === "fit" || task.kind === "plan") {
      if (task.drawn) parts.push(element("a", "Report: one HTML file", { href: `/s/${page.session}/${task.id}/report.html`, download: true }));
      else parts.push(element("span", task.undrawn || "The report is being drawn …", { class: "quiet" }));
      parts.push(element("a", "Fit as JSON", { href: `/s/${page.session}/${task.id}/fit.json`, download: true }), element("a", "Study file", { href: `/s/${page.session}/${task.id}/study.toml`, download: true }));
    }
  } else parts.push(element("p", "With a result, its command, Python, study and report are here.", { class: "quiet" }));
  sheet.replaceChildren(...parts);
}
