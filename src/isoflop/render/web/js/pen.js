// What pictures are drawn with: a canvas, or the text of an SVG; the same calls, in CSS pixels. `^{…}` in a text is raised.

/** @typedef {{color?: string, fill?: string, width?: number, dash?: number[], alpha?: number}} Stroke */

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

const RAISED = 0.72; // of the size of the text around it
const LIFT = 0.38; // of that size, how much higher it stands

/** A text in pieces, those of `^{…}` raised. @param {string} words @returns {{piece: string, raised: boolean}[]} */
const piecesOf = (words) => words.split(/\^\{([^}]*)\}/).map((piece, i) => ({ piece, raised: i % 2 === 1 })).filter(({ piece }) => piece);

/** A text as it is read aloud: C^{0.5} is C^0.5. @param {string} words */
export const spoken = (words) => words.replace(/\^\{([^}]*)\}/g, "^$1");

/** @typedef {{color: string, size?: number, align?: "left"|"center"|"right", baseline?: "alphabetic"|"middle"|"top"|"bottom", weight?: number, turned?: boolean, halo?: string}} Lettering */

/** A pen on a canvas. @param {CanvasRenderingContext2D} context */
export function canvasPen(context) {
  const styled = ({ color, fill, width = 1, dash = [], alpha = 1 }) => {
    context.globalAlpha = alpha;
    context.setLineDash(dash);
    if (fill) { context.fillStyle = fill; context.fill(); }
    if (color) { context.strokeStyle = color; context.lineWidth = width; context.stroke(); }
    context.globalAlpha = 1;
  };
  const self = {
    /** A line through points; one that is not finite interrupts it. */
    line(x, y, style) {
      context.beginPath();
      let on = false;
      for (let i = 0; i < x.length; i++) {
        if (!Number.isFinite(x[i] + y[i])) { on = false; continue; }
        if (on) context.lineTo(x[i], y[i]);
        else context.moveTo(x[i], y[i]);
        on = true;
      }
      styled({ ...style, fill: undefined });
    },
    area(x, y, style) {
      context.beginPath();
      for (let i = 0; i < x.length; i++) context.lineTo(x[i], y[i]);
      context.closePath();
      styled(style);
    },
    dot(x, y, radius, style) {
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      styled(style);
    },
    /** @param {string} words @param {number} x @param {number} y @param {Lettering} how */
    text(words, x, y, { color, size = 12, align = "left", baseline = "alphabetic", weight = 400, turned = false, halo }) {
      context.save();
      context.translate(x, y);
      if (turned) context.rotate(-Math.PI / 2);
      context.textBaseline = baseline;
      const pieces = piecesOf(words);
      if (pieces.length > 1) context.translate(-{ left: 0, center: 0.5, right: 1 }[align] * self.measure(words, size, weight), 0);
      context.textAlign = pieces.length > 1 ? "left" : align;
      for (const { piece, raised } of pieces) {
        context.font = `${weight} ${raised ? RAISED * size : size}px ${FONT}`;
        const up = raised ? -LIFT * size : 0;
        if (halo) {
          Object.assign(context, { strokeStyle: halo, lineWidth: 3, lineJoin: "round" });
          context.strokeText(piece, 0, up);
        }
        context.fillStyle = color;
        context.fillText(piece, 0, up);
        if (pieces.length > 1) context.translate(context.measureText(piece).width, 0);
      }
      context.restore();
    },
    /** Draw with everything outside a rectangle cut off. */
    within(left, top, width, height, draw) {
      context.save();
      context.beginPath();
      context.rect(left, top, width, height);
      context.clip();
      draw();
      context.restore();
    },
    image(canvas, left, top, width, height) {
      context.imageSmoothingEnabled = false;
      context.drawImage(canvas, left, top, width, height);
    },
    measure(words, size = 12, weight = 400) {
      let wide = 0;
      for (const { piece, raised } of piecesOf(words)) {
        context.font = `${weight} ${raised ? RAISED * size : size}px ${FONT}`;
        wide += context.measureText(piece).width;
      }
      return wide;
    },
  };
  return self;
}

const escaped = (text) => text.replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]);
const short = (number) => String(Math.round(number * 100) / 100);

/** The pieces of a text for an SVG: a raised one goes up, the next comes down again. */
function raisedSvg(words, size) {
  let up = 0;
  return piecesOf(words).map(({ piece, raised }) => {
    const [move, high] = [(raised ? -LIFT * size : 0) - up, raised ? RAISED * size : size];
    up += move;
    return move || raised ? `<tspan dy="${short(move)}" font-size="${short(high)}">${escaped(piece)}</tspan>` : escaped(piece);
  }).join("");
}

/** A pen that writes an SVG; `done()` is its text. @param {CanvasRenderingContext2D} context to measure text with */
export function svgPen(context, { width, height, paper }) {
  const parts = [];
  let clips = 0;
  const ruler = canvasPen(context);
  const style = ({ color, fill, width: thick = 1, dash = [], alpha = 1 }) =>
    `fill="${fill ?? "none"}"${color ? ` stroke="${color}" stroke-width="${short(thick)}" stroke-linejoin="round"` : ""}${dash.length ? ` stroke-dasharray="${dash.join(" ")}"` : ""}${alpha < 1 ? ` opacity="${short(alpha)}"` : ""}`;
  const path = (x, y) => {
    let text = "";
    let on = false;
    for (let i = 0; i < x.length; i++) {
      const here = Number.isFinite(x[i] + y[i]);
      if (here) text += `${on ? "L" : "M"}${short(x[i])} ${short(y[i])}`;
      on = here;
    }
    return text;
  };
  return {
    line: (x, y, how) => parts.push(`<path d="${path(x, y)}" ${style({ ...how, fill: undefined })}/>`),
    area: (x, y, how) => parts.push(`<path d="${path(x, y)}Z" ${style(how)}/>`),
    dot: (x, y, radius, how) => parts.push(`<circle cx="${short(x)}" cy="${short(y)}" r="${short(radius)}" ${style(how)}/>`),
    /** @param {string} words @param {number} x @param {number} y @param {Lettering} how */
    text(words, x, y, { color, size = 12, align = "left", baseline = "alphabetic", weight = 400, turned = false, halo }) {
      const anchor = { left: "start", center: "middle", right: "end" }[align];
      const drop = { alphabetic: 0, middle: 0.35, top: 0.8, bottom: -0.2 }[baseline] * size;
      const at = turned ? `transform="translate(${short(x)} ${short(y)}) rotate(-90)" y="${short(drop)}"` : `x="${short(x)}" y="${short(y + drop)}"`;
      parts.push(`<text ${at} text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${color}"${halo ? ` stroke="${halo}" stroke-width="3" paint-order="stroke"` : ""}>${raisedSvg(words, size)}</text>`);
    },
    within(left, top, wide, high, draw) {
      const name = `clip${(clips += 1)}`;
      parts.push(`<clipPath id="${name}"><rect x="${short(left)}" y="${short(top)}" width="${short(wide)}" height="${short(high)}"/></clipPath><g clip-path="url(#${name})">`);
      draw();
      parts.push("</g>");
    },
    image: (canvas, left, top, wide, high) => parts.push(`<image href="${canvas.toDataURL()}" x="${short(left)}" y="${short(top)}" width="${short(wide)}" height="${short(high)}"/>`),
    measure: ruler.measure,
    done: () => `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family='${FONT}'><rect width="100%" height="100%" fill="${paper}"/>${parts.join("\n")}</svg>\n`,
  };
}
