// The runs: a picture to walk through, and their rows as a table in pages.
import { IN } from "./cloud.js";
import { robustRange, shadesOf, whole } from "./ranges.js";
import { scatter } from "./scatter.js";
import { plansOf } from "./surface.js";
import { formatQuantity, general, unpack } from "./numbers.js";

const PAGE = 50;
const COUNTS = new Set(["N", "D", "U", "N_nonembed", "N_active", "batch", "step", "S"]);

/** The runs unpacked: columns of numbers and of text, and what one row says. */
export function runsOf(data) {
  const numbers = Object.fromEntries(Object.entries(data.numbers).map(([name, packed]) => [name, unpack(packed)]));
  const loss = numbers[data.response];
  const compute = numbers.C ?? numbers.D ?? numbers.N ?? loss;
  const texts = data.texts;
  return {
    ...data,
    numbers,
    loss,
    compute,
    count: data.row.length,
    columns: ["row", ...Object.keys(numbers), ...Object.keys(texts)],
    largestCompute: compute.reduce((most, each) => (each > most ? each : most), 0),
    cell: (name, i) => (name === "row" ? String(data.row[i]) : name in numbers ? numberCell(name, numbers[name][i]) : texts[name][i]),
  };
}

function numberCell(name, value) {
  if (!Number.isFinite(value)) return "";
  return COUNTS.has(name) ? formatQuantity(value) : general(value, name === "C" ? 3 : 5);
}

/** The lines that a run says of itself. */
export function describeRun(runs, i) {
  const said = [`row ${runs.row[i]}`];
  for (const name of runs.columns.slice(1)) {
    const cell = runs.cell(name, i);
    if (cell !== "" && said.length < 9) said.push(`${name === "fitted" ? "the law says" : name}: ${cell}`);
  }
  return said.join("\n");
}

const HIGH = 300; // pixels

/** Loss against compute with the envelope, and measured over fitted, in the elements of `root` that ask for them. */
export function pictureRuns(root, data, runs) {
  const logs = (list) => Float64Array.from(list, Math.log10);
  const { shade } = shadesOf(runs.numbers.N ? logs(runs.numbers.N) : logs(runs.compute));
  const state = new Uint8Array(runs.count).fill(IN);
  const unit = data.law.unit ? `${data.law.response} (${data.law.unit})` : data.law.response;
  const list = root.querySelector("[data-chosen]");
  const onRead = (run) => { if (list) list.textContent = describeRun(runs, run).replaceAll("\n", " · "); };
  const describe = (run) => describeRun(runs, run);
  const make = (element) => scatter(element, { height: HIGH, describe, onRead });
  const against = root.querySelector("[data-chart=compute]");
  if (against) {
    /** @type {import("./scatter.js").Content["axes"]} */
    const axes = { x: { label: runs.numbers.C ? "training compute C (FLOPs)" : "D", log: true, reading: runs.numbers.C ? "power" : "quantity" }, y: { label: unit, log: true, reading: "plain" } };
    const points = { x: logs(runs.compute), y: logs(runs.loss), shade, state };
    const curve = data.along ? plansOf(data).envelope() : null;
    const made = make(against);
    /** The runs with the least loss of each budget, and a budget that is asked. */
    runs.mark = (budget) => {
      const asked = budget ? [Math.log10(budget)] : [];
      const x = whole(points.x, asked);
      const near = curve ? curve.value.filter((_, i) => curve.x[i] >= x[0] && curve.x[i] <= x[1]) : [];
      made.set({ axes, points, lines: curve ? [{ x: curve.x, y: curve.value, low: curve.low, high: curve.high, color: "text" }] : [], rules: asked, view: { x, y: robustRange(points.y, near) } }, made.zoomed());
    };
    runs.mark(data.budget);
  }
  const residual = root.querySelector("[data-chart=residual]");
  if (residual && runs.numbers.fitted) {
    const off = Float64Array.from(runs.loss, (loss, i) => Math.log10(loss / runs.numbers.fitted[i]));
    const x = logs(runs.numbers.fitted);
    const across = whole(x);
    make(residual).set({
      axes: { x: { label: `what the law says: ${unit}`, log: true, reading: "plain" }, y: { label: "measured / the law", log: true, reading: "plain" } },
      points: { x, y: off, shade, state }, lines: [{ x: across, y: [0, 0], color: "text" }], view: { x: across, y: whole(off, [0]) },
    });
  }
}

/** The rows in pages of fifty; `pick` adds a first column of boxes: {has(row), toggle(row, on)}. */
export function tableOfRuns(element, runs, pick) {
  let first = 0;
  const table = document.createElement("table");
  const caption = table.createCaption();
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  for (const name of [...(pick ? ["in"] : []), ...runs.columns]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    if (name !== "in" && !(name in runs.texts)) cell.className = "number";
    head.append(cell);
  }
  const show = () => {
    const last = Math.min(first + PAGE, runs.count);
    caption.textContent = `Rows ${first + 1} to ${last} of ${runs.count.toLocaleString("en")}` + (runs.step > 1 ? `; every ${runs.step}th of the table's ${runs.total.toLocaleString("en")} rows is here, all of them were fitted` : "");
    body.replaceChildren();
    for (let i = first; i < last; i++) {
      const row = body.insertRow();
      if (pick) {
        const box = document.createElement("input");
        box.type = "checkbox";
        box.checked = pick.has(runs.row[i]);
        box.setAttribute("aria-label", `use row ${runs.row[i]}`);
        box.addEventListener("change", () => pick.toggle(runs.row[i], box.checked));
        row.insertCell().append(box);
      }
      for (const name of runs.columns) {
        const cell = row.insertCell();
        cell.textContent = runs.cell(name, i);
        if (!(name in runs.texts)) cell.className = "number";
      }
    }
    back.disabled = first === 0;
    on.disabled = last === runs.count;
  };
  const button = (text, by) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", () => { first = Math.max(0, first + by); show(); });
    return made;
  };
  const [back, on] = [button("Earlier rows", -PAGE), button("Later rows", PAGE)];
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "table of runs");
  scroll.append(table);
  const pages = document.createElement("div");
  pages.className = "pages";
  pages.append(back, on);
  element.replaceChildren(scroll, ...(runs.count > PAGE ? [pages] : []));
  show();
}
