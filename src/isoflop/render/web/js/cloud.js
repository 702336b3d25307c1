// Points: circles where they are few, a raster of our own where they are many, so that 100,000 of them can be moved.

const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const FEW = 3000;
const SHADES = 256;
export const IN = 0;
export const OUT = 1;
export const SELECTED = 2;

/** The color of a share of the way from the least value to the largest, as three numbers. @param {number} share @param {boolean} dark */
function rgb(share, dark) {
  const place = (dark ? 0.18 + 0.82 * share : 0.88 * share) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[below].map((from, i) => Math.round(from + (place - below) * (VIRIDIS[below + 1][i] - from)));
}
/** @param {number} share @param {boolean} dark */
export const colorOf = (share, dark) => `rgb(${rgb(Math.min(1, Math.max(0, share || 0)), dark).join(",")})`;

/** @param {string} color */
const numbersOf = (color) => {
  const hex = /^#(..)(..)(..)$/.exec(color);
  return hex ? hex.slice(1).map((each) => parseInt(each, 16)) : [128, 128, 128];
};
/** @param {number[]} color */
const pixel = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/** How large a point is drawn. */
export const radiusOf = (count) => Math.min(4.4, Math.max(1, 75 / Math.sqrt(count)));

/**
 * Draw points; those left out are faint, those selected stand out. `points`: {x, y, shade, state}, places of the frame.
 * `buffer` is kept between calls: {canvas, context, image, words}.
 */
export function drawCloud(pen, frame, points, ink, buffer) {
  if (points.x.length > FEW) raster(pen, frame, points, ink, buffer);
  else circles(pen, frame, points, ink);
}

function circles(pen, frame, { x, y, shade, state }, ink) {
  const radius = radiusOf(x.length);
  for (const turn of [OUT, IN, SELECTED]) {
    for (let i = 0; i < x.length; i++) {
      if (state[i] !== turn) continue;
      const [at, over] = [frame.px(x[i]), frame.py(y[i])];
      if (!(frame.holds(at, over))) continue;
      if (turn === OUT) pen.dot(at, over, radius - 0.5, { color: ink.muted, fill: ink.paper, alpha: 0.75, width: 1 });
      else if (turn === SELECTED) pen.dot(at, over, radius + 1.2, { color: ink.text, width: 2, fill: colorOf(shade[i], ink.dark) });
      else pen.dot(at, over, radius, { fill: colorOf(shade[i], ink.dark), color: ink.paper, width: 0.7 });
    }
  }
}

/** Every point as a small square in a buffer of pixels that is drawn at once. */
function raster(pen, frame, { x, y, shade, state }, ink, buffer) {
  const ratio = devicePixelRatio;
  const [wide, high] = [Math.max(1, Math.round(frame.wide * ratio)), Math.max(1, Math.round(frame.high * ratio))];
  if (buffer.canvas?.width !== wide || buffer.canvas.height !== high) {
    buffer.canvas = Object.assign(document.createElement("canvas"), { width: wide, height: high });
    buffer.context = buffer.canvas.getContext("2d");
    buffer.image = buffer.context.createImageData(wide, high);
    buffer.words = new Uint32Array(buffer.image.data.buffer);
  }
  const { words } = buffer;
  words.fill(0);
  const paper = numbersOf(ink.paper);
  const table = new Uint32Array(SHADES);
  for (let i = 0; i < SHADES; i++) table[i] = pixel(rgb(i / (SHADES - 1), ink.dark));
  const faint = pixel(numbersOf(ink.muted).map((each, i) => Math.round(0.25 * each + 0.75 * paper[i])));
  const strong = pixel(numbersOf(ink.accent));
  const reach = Math.max(1, Math.round(radiusOf(x.length) * ratio));
  const [fromX, fromY, xs, ys] = [frame.view.x[0], frame.view.y[0], frame.xs * ratio, frame.ys * ratio];
  const present = [false, false, false];
  for (let i = 0; i < state.length; i++) present[state[i]] = true;
  for (const turn of [OUT, IN, SELECTED]) {
    if (!present[turn]) continue;
    for (let i = 0; i < x.length; i++) {
      if (state[i] !== turn) continue;
      const left = ((x[i] - fromX) * xs) | 0;
      const top = high - (((y[i] - fromY) * ys) | 0);
      if (!(left >= reach && left < wide - reach && top >= reach && top < high - reach)) continue;
      const color = turn === OUT ? faint : turn === SELECTED ? strong : table[(shade[i] * (SHADES - 1)) | 0];
      for (let row = top - reach; row <= top + reach; row++) {
        const start = row * wide + left - reach;
        for (let at = start; at <= start + 2 * reach; at++) words[at] = color;
      }
    }
  }
  buffer.context.putImageData(buffer.image, 0, 0);
  pen.image(buffer.canvas, frame.left, frame.top, frame.wide, frame.high);
}
