// A picture in an element: a canvas as wide as the element, drawn again when it, the colors or the content change.
import { inkOf } from "./frame.js";
import { canvasPen, svgPen } from "./pen.js";

const all = new Set();

/**
 * `draw(pen, {width, height, ink})` draws the whole. Returns {ask, now, svg, png, size, canvas, close}: `ask` draws at
 * the next frame, `now` at once. @param {HTMLElement} element
 */
export function picture(element, { height, draw }) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  canvas.setAttribute("aria-hidden", "true");
  element.prepend(canvas);
  let due = 0;
  const size = () => ({ width: Math.max(200, element.clientWidth), height: typeof height === "function" ? height() : height });
  const self = {
    canvas, size,
    ask() { if (!due) due = requestAnimationFrame(self.now); },
    now() {
      cancelAnimationFrame(due);
      due = 0;
      const { width, height: high } = size();
      const [wide, tall] = [width, high].map((each) => Math.round(each * devicePixelRatio));
      if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
      Object.assign(canvas.style, { width: `${width}px`, height: `${high}px` });
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      context.clearRect(0, 0, width, high);
      draw(canvasPen(context), { width, height: high, ink: inkOf(element) });
    },
    svg() {
      const { width, height: high } = size();
      const ink = inkOf(element);
      const pen = svgPen(context, { width, height: high, paper: ink.paper });
      draw(pen, { width, height: high, ink });
      return pen.done();
    },
    /** A blob of the picture at twice its size. */
    png() {
      const { width, height: high } = size();
      const large = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * high });
      const paint = large.getContext("2d");
      const ink = inkOf(element);
      paint.scale(2, 2);
      paint.fillStyle = ink.paper;
      paint.fillRect(0, 0, width, high);
      draw(canvasPen(paint), { width, height: high, ink });
      return new Promise((resolve) => large.toBlob(resolve, "image/png"));
    },
    close() {
      all.delete(self);
      watch.disconnect();
      cancelAnimationFrame(due);
      canvas.remove();
    },
  };
  const watch = new ResizeObserver(() => self.ask());
  watch.observe(element);
  all.add(self);
  return self;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all.forEach((each) => each.ask()));

/** Printed paper is white. @param {boolean} printing */
const paper = (printing) => {
  document.documentElement.classList.toggle("printing", printing);
  all.forEach((each) => each.now());
};
addEventListener("beforeprint", () => paper(true));
addEventListener("afterprint", () => paper(false));
