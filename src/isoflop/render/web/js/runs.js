// The runs: a picture to walk through, and their rows as a table in pages.
import { chart, rangeOf } from "./chart.js";
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

/** Loss against compute with the envelope, and measured over fitted, in the elements of `root` that ask for them. */
export function pictureRuns(root, data, law, runs) {
  const logs = (list) => Array.from(list, Math.log10);
  const sizes = runs.numbers.N ? logs(runs.numbers.N) : logs(runs.compute);
  const [small, large] = rangeOf(sizes);
  const shade = sizes.map((size) => Math.min(1, Math.max(0, (size - small) / (large - small))));
  const unit = data.law.unit ? `${data.law.response} (${data.law.unit})` : data.law.response;
  const list = root.querySelector("[data-chosen]");
  const say = (run) => { if (list) list.textContent = describeRun(runs, run).replaceAll("\n", " · "); };
  const describe = (run) => describeRun(runs, run);
  const plain = root.querySelector("[data-chart=compute]");
  const x = logs(runs.compute);
  const y = logs(runs.loss);
  const picture = plain && chart(plain, {
    axes: { x: { label: runs.numbers.C ? "training compute C (FLOPs)" : "D", reading: runs.numbers.C ? "power" : "quantity" }, y: { label: unit, reading: "plain" } },
    describe, onRun: say, height: 300,
  });
  const points = { x, y, shade };
  picture?.set({ points, xRange: rangeOf(x), yRange: rangeOf(y) });
  let marks = [];
  const frame = { x: rangeOf(x), y: rangeOf(y) };
  runs.mark = (budget) => {
    marks = [{ from: Math.log10(budget), dash: true }];
    frame.x = rangeOf(x, [Math.log10(budget)]);
    picture?.set({ marks, xRange: frame.x });
  };
  if (picture && data.along) {
    const curve = plansOf(data).envelope();
    frame.y = rangeOf(y, curve.value.filter((_, i) => curve.x[i] <= frame.x[1]));
    picture.set({ ...curve, yRange: rangeOf(y, curve.value.slice(0, -4)), marks });
  }
  const residual = root.querySelector("[data-chart=residual]");
  if (residual && runs.numbers.fitted) {
    const off = Array.from(runs.loss, (loss, i) => Math.log10(loss / runs.numbers.fitted[i]));
    const fitted = logs(runs.numbers.fitted);
    const across = rangeOf(fitted);
    chart(residual, {
      axes: { x: { label: `what the law says: ${unit}`, reading: "plain" }, y: { label: "measured / the law", reading: "plain" } },
      describe, onRun: say, height: 300,
    }).set({ x: across, value: [0, 0], low: [null, null], high: [null, null], points: { x: fitted, y: off, shade }, xRange: across, yRange: rangeOf(off, [0]) });
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
