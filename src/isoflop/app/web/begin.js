// The first screen: a table of one's own, dropped anywhere; examples with their pictures; earlier sessions.
import { colorOf } from "./cloud.js";
import { frameOf } from "./frame.js";
import { ask, attempt, byId, element, fieldOf, menuOf, options } from "./page.js";
import { picture } from "./picture.js";
import { shadesOf, whole } from "./ranges.js";

const MOST_UPLOAD = 200e6;
/** @type {(id: string) => void} */
let enter = () => {};

/** Fill the screen; `onSession(id)` opens a session. Returns what the server told. */
export async function begin(onSession) {
  enter = onSession;
  const start = await attempt(() => ask("/api/start"));
  if (!start) return null;
  options(menuOf("dataset"), start.datasets);
  byId("examples-say").textContent = examplesSay(start.examples);
  byId("examples").replaceChildren(...start.examples.map(exampleItem));
  listSessions(start.sessions);
  return start;
}

/** Whether the examples are public tables, and how those come here. @param {{public: boolean}[]} list */
function examplesSay(list) {
  const open = list.filter((each) => each.public).length;
  if (open === list.length) return "Public tables, from this machine's copies.";
  const others = open ? "The others are bundled or simulated" : "These are bundled or simulated";
  return `${others}; public tables come with isoflop datasets --get NAME, or from the folder that ISOFLOP_DATASETS names.`;
}

function exampleItem(each) {
  const item = element("li");
  const button = element("button", undefined, { type: "button", "data-example": each.name, onclick: () => attempt(async () => enter((await ask("/api/examples", { method: "POST", json: { example: each.name } })).id)) });
  const chart = element("span", undefined, { class: "chart" });
  button.append(element("strong", each.title), element("span", each.says, { class: "quiet" }), chart);
  item.append(button);
  const { shade } = shadesOf(each.color);
  picture(chart, {
    height: 120,
    draw(pen, { width, height, ink }) {
      const frame = frameOf({ width, height, view: { x: whole(each.x), y: whole(each.y) }, pad: { left: 2, right: 2, top: 4, bottom: 4 } });
      pen.line([2, 2, width - 2], [4, height - 3, height - 3], { color: ink.line });
      each.x.forEach((x, i) => pen.dot(frame.px(x), frame.py(each.y[i]), 2.4, { fill: colorOf(shade[i], ink.dark) }));
    },
  }).ask();
  return item;
}

function listSessions(sessions) {
  byId("earlier").hidden = !sessions.length;
  byId("sessions").replaceChildren(...sessions.map((each) => {
    const item = element("li");
    const link = element("a", each.name || each.source, { href: `/s/${each.id}` });
    const name = element("input", undefined, { type: "text", maxlength: 100, "aria-label": `name of ${each.name || each.source}`, hidden: true });
    const label = (text) => ask(`/api/s/${each.id}/label`, { method: "POST", json: { name: text } });
    const finish = () => attempt(async () => {
      if (name.hidden) return;
      name.hidden = true;
      link.hidden = false;
      await label(name.value);
      link.textContent = name.value || each.source;
    });
    name.addEventListener("keydown", (event) => event.key === "Enter" && finish());
    name.addEventListener("blur", finish);
    const rename = () => { name.value = each.name; name.hidden = false; link.hidden = true; name.focus(); };
    const remove = (event) => {
      if (event.target.textContent !== "Delete for good") { event.target.textContent = "Delete for good"; return; }
      attempt(async () => {
        await ask(`/api/s/${each.id}`, { method: "DELETE" });
        item.remove();
        byId("earlier").hidden = !byId("sessions").children.length;
      });
    };
    item.append(
      link, name,
      element("span", `${each.name ? `${each.source} · ` : ""}${new Date(1000 * each.changed).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })} · ${each.results} ${each.results === 1 ? "result" : "results"}`, { class: "quiet" }),
      element("span", undefined, { class: "push" }),
      element("button", "Rename", { type: "button", "aria-label": `rename ${each.name || each.source}`, onclick: rename }),
      element("button", "Delete", { type: "button", onclick: remove }),
    );
    return item;
  }));
}

const upload = (file) =>
  attempt(async () => {
    if (file.size > MOST_UPLOAD) throw new Error(`${file.name} has ${Math.round(file.size / 1e6)} MB and the page takes ${MOST_UPLOAD / 1e6}; thin its checkpoints, or use the command line`);
    if (!file.size) throw new Error(`${file.name} is empty; choose a table with one row a run below a line of headers`);
    enter((await ask(`/api/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file })).id);
  });

byId("file").addEventListener("change", () => { const [file] = fieldOf("file").files; if (file) upload(file); });
byId("open-dataset").addEventListener("click", () =>
  attempt(async () => enter((await ask("/api/sessions", { method: "POST", json: { dataset: menuOf("dataset").value } })).id)),
);
for (const kind of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer?.files[0]) upload(event.dataTransfer.files[0]);
  });
}
