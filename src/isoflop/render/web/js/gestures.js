// What a pointer does on a chart: hover reads, a click selects, a drag draws a box or a lasso or moves, a wheel or two
// fingers zoom, a double click shows all. One finger only reads, since it may be meant to scroll.

const STILL = 5; // pixels that a press may move and still be a click

/** @typedef {{x: number, y: number}} Place in pixels of the element */
/** @typedef {"box"|"lasso"|"move"} Mode */
/**
 * What is done with each gesture. `wheel` says whether a turn of the wheel is meant for the chart, not for the page.
 * @typedef {object} Acts
 * @property {() => Mode} mode
 * @property {(x: number, y: number) => void} read
 * @property {(x: number, y: number, more: boolean) => void} click
 * @property {() => void} twice
 * @property {(path: Place[] | null) => void} shape
 * @property {(path: Place[], more: boolean) => void} select
 * @property {(right: number, down: number) => void} move
 * @property {(factor: number, left: number, top: number) => void} zoom
 * @property {() => void} leave
 * @property {(event: WheelEvent) => boolean} wheel
 */

/** @param {HTMLElement} over the element that takes the pointer @param {Acts} act */
export function listenTo(over, act) {
  /** @type {Map<number, Place>} */
  const fingers = new Map();
  /** @type {{touch?: boolean, from: Place, last?: Place, path?: Place[], mode?: Mode, moved: boolean, more?: boolean} | null} */
  let press = null;
  /** @param {MouseEvent} event @returns {Place} */
  const at = (event) => {
    const box = over.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const middle = () => {
    const [one, two] = [...fingers.values()];
    return { x: (one.x + two.x) / 2, y: (one.y + two.y) / 2, apart: Math.hypot(one.x - two.x, one.y - two.y) };
  };
  /** @param {Place[]} path @param {boolean} lasso */
  const outline = (path, lasso) => {
    if (lasso) return path;
    const [from, to] = [path[0], path.at(-1)];
    return [from, { x: to.x, y: from.y }, to, { x: from.x, y: to.y }];
  };

  over.addEventListener("pointerdown", (event) => {
    const here = at(event);
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, here);
      press = fingers.size === 1 ? { touch: true, from: here, moved: false } : null;
      return;
    }
    if (event.button > 1) return;
    if (event.button === 1) event.preventDefault();
    const mode = event.button === 1 ? "move" : act.mode();
    press = { from: here, last: here, path: [here], mode, moved: false, more: event.shiftKey || event.ctrlKey || event.metaKey };
    over.setPointerCapture(event.pointerId);
  });
  over.addEventListener("pointermove", (event) => {
    const here = at(event);
    if (event.pointerType === "touch") {
      if (fingers.size === 2 && fingers.has(event.pointerId)) {
        const before = middle();
        fingers.set(event.pointerId, here);
        const after = middle();
        act.move(after.x - before.x, after.y - before.y);
        act.zoom(before.apart / Math.max(1, after.apart), after.x, after.y);
      } else if (press && Math.hypot(here.x - press.from.x, here.y - press.from.y) > STILL) press.moved = true;
      return;
    }
    if (!press) return act.read(here.x, here.y);
    if (!press.moved && Math.hypot(here.x - press.from.x, here.y - press.from.y) < STILL) return;
    press.moved = true;
    if (press.mode === "move") act.move(here.x - press.last.x, here.y - press.last.y);
    else {
      press.path.push(here);
      act.shape(outline(press.path, press.mode === "lasso"));
    }
    press.last = here;
  });
  over.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    const done = press;
    press = null;
    if (!done) return;
    const here = at(event);
    act.shape(null);
    if (done.touch) {
      if (!done.moved) act.read(here.x, here.y);
    } else if (!done.moved) act.click(here.x, here.y, done.more);
    else if (done.mode !== "move") act.select(outline(done.path, done.mode === "lasso"), done.more);
  });
  over.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    press = null;
    act.shape(null);
  });
  over.addEventListener("dblclick", () => act.twice());
  over.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") act.leave(); });
  over.addEventListener(
    "wheel",
    (event) => {
      if (!act.wheel(event)) return;
      event.preventDefault();
      const here = at(event);
      const lines = event.deltaMode === 1 ? 24 : 1;
      act.zoom(Math.exp(Math.max(-0.4, Math.min(0.4, event.deltaY * lines * 0.002))), here.x, here.y);
    },
    { passive: false },
  );
}
