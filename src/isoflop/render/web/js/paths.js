// Curves through points.

const FINE = 4; // points drawn between two that are known

/**
 * A natural path through points: cubic Hermite with slopes of Catmull and Rom, so that a curve has no corners.
 * @param {ArrayLike<number>} x ascending @param {ArrayLike<number>} y
 */
export function smooth(x, y) {
  const last = x.length - 1;
  /** @type {{x: number[], y: number[]}} */
  const out = { x: [], y: [] };
  /** @param {number} i */
  const slope = (i) => {
    const [a, b] = [Math.max(0, i - 1), Math.min(last, i + 1)];
    return (y[b] - y[a]) / (x[b] - x[a]);
  };
  for (let i = 0; i < last; i++) {
    const step = x[i + 1] - x[i];
    const [m, n] = [slope(i) * step, slope(i + 1) * step];
    for (let k = 0; k < FINE; k++) {
      const t = k / FINE;
      out.x.push(x[i] + t * step);
      out.y.push((2 * t ** 3 - 3 * t ** 2 + 1) * y[i] + (t ** 3 - 2 * t ** 2 + t) * m + (3 * t ** 2 - 2 * t ** 3) * y[i + 1] + (t ** 3 - t ** 2) * n);
    }
  }
  out.x.push(x[last]);
  out.y.push(y[last]);
  return out;
}

/** The value of a path at a place, straight between its points; null outside them. @param {ArrayLike<number>} x ascending @param {ArrayLike<number>} y @param {number} at */
export function valueAt(x, y, at) {
  const last = x.length - 1;
  if (!(at >= x[0] && at <= x[last])) return null;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] <= at) low = middle;
    else high = middle;
  }
  return y[low] + ((at - x[low]) / (x[high] - x[low] || 1)) * (y[high] - y[low]);
}
