// The rows as a table that draws only what is in sight: sorted by a click on a header, filtered by a line of text.

const ROW = 28; // pixels
const SPARE = 8; // rows drawn above and below what is in sight

/**
 * `source`: {count, columns: [{name, title, number}], cell(name, i), value(name, i), used(i), selected(i), toggle(i, on),
 * choose(i, more), read(i)}. Returns {order, sort, filter, repaint, reveal}. @param {HTMLElement} element
 */
export function grid(element, source) {
  let by = { name: "row", down: false };
  let test = null;
  let order = new Uint32Array(0);
  let here = -1; // the place in the order at which the keys are
  const box = Object.assign(document.createElement("div"), { className: "grid-box", tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "table of runs; arrow keys walk, space selects, Enter takes a row out or in");
  const table = document.createElement("table");
  table.className = "grid-table";
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  const [above, below] = [document.createElement("div"), document.createElement("div")];
  box.append(above, table, below);
  element.replaceChildren(box);

  const first = document.createElement("th");
  first.scope = "col";
  first.textContent = "in";
  head.append(first);
  const heads = new Map();
  for (const { name, title, number } of source.columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (number) cell.className = "number";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title;
    button.addEventListener("click", () => sort(name, by.name === name && !by.down));
    cell.append(button);
    head.append(cell);
    heads.set(name, cell);
  }

  function arrange() {
    const all = Uint32Array.from({ length: source.count }, (_, i) => i);
    order = test ? all.filter(test) : all;
    const { name, down } = by;
    const sign = down ? -1 : 1;
    const text = source.columns.find((each) => each.name === name)?.number === false;
    if (text) order.sort((a, b) => sign * source.cell(name, a).localeCompare(source.cell(name, b)) || a - b);
    else {
      const keys = Float64Array.from({ length: source.count }, (_, i) => source.value(name, i));
      const last = (value) => (Number.isNaN(value) ? Infinity : sign * value); // empty cells at the end, either way
      order.sort((a, b) => { const [p, q] = [last(keys[a]), last(keys[b])]; return p < q ? -1 : p > q ? 1 : a - b; });
    }
    for (const [each, cell] of heads) cell.setAttribute("aria-sort", each !== name ? "none" : down ? "descending" : "ascending");
    table.setAttribute("aria-rowcount", String(order.length + 1));
    paint();
  }

  function sort(name, down) {
    by = { name, down };
    box.scrollTop = 0;
    arrange();
  }

  function paint() {
    const from = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
    const to = Math.min(order.length, from + Math.ceil((box.clientHeight || 300) / ROW) + 2 * SPARE);
    above.style.height = `${from * ROW}px`;
    below.style.height = `${(order.length - to) * ROW}px`;
    const rows = [];
    for (let at = from; at < to; at++) rows.push(rowOf(order[at], at));
    body.replaceChildren(...rows);
  }

  function rowOf(i, at) {
    const row = document.createElement("tr");
    row.dataset.i = String(i);
    row.setAttribute("aria-rowindex", String(at + 2));
    row.className = `${source.used(i) ? "" : "out"} ${source.selected(i) ? "chosen-row" : ""} ${at === here ? "here" : ""}`.trim();
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.tabIndex = -1; // the table is walked by arrow keys
    tick.checked = source.used(i);
    tick.setAttribute("aria-label", `use row ${source.cell("row", i)}`);
    tick.addEventListener("change", () => source.toggle(i, tick.checked));
    row.insertCell().append(tick);
    for (const { name, number } of source.columns) {
      const cell = row.insertCell();
      cell.textContent = source.cell(name, i);
      if (number) cell.className = "number";
    }
    row.addEventListener("click", (event) => { if (event.target !== tick) source.choose(i, event.shiftKey || event.ctrlKey || event.metaKey); });
    return row;
  }

  box.addEventListener("scroll", paint);
  box.addEventListener("keydown", (event) => {
    if (event.target !== box) return;
    const last = order.length - 1;
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + 10, PageUp: here - 10, Home: 0, End: last }[event.key];
    if (to !== undefined && last >= 0) {
      here = Math.min(last, Math.max(0, to));
      source.read(order[here]);
      self.reveal(order[here]);
    } else if (event.key === " " && here >= 0) source.choose(order[here], true);
    else if (event.key === "Enter" && here >= 0) source.toggle(order[here], !source.used(order[here]));
    else return;
    event.preventDefault();
  });
  box.addEventListener("blur", () => { here = -1; paint(); });
  const self = {
    order: () => order,
    sort,
    filter(next) { test = next; box.scrollTop = 0; arrange(); return order.length; },
    repaint: paint,
    rearrange: arrange,
    reveal(i) {
      const at = order.indexOf(i);
      if (at < 0) return;
      const top = at * ROW;
      if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 2 * ROW) box.scrollTop = Math.max(0, top - box.clientHeight / 2);
      paint();
    },
  };
  arrange();
  new ResizeObserver(paint).observe(box);
  return self;
}
