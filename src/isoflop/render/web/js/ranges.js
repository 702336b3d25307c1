// Ranges of axes and colors.

/** A margin around the finite values, and around what else is to be in sight. */
export function whole(values, more = []) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of [values, more]) {
    for (const value of list) {
      if (value < low) low = value;
      if (value > high && value < Infinity) high = value;
    }
  }
  if (!(low <= high)) return [0, 1];
  const margin = 0.05 * (high - low) || 0.1;
  return [low - margin, high + margin];
}

const FEW = 0.03; // share of the runs that may stand above the frame
const FAR = 0.35; // of the others' range: how much they have to lie off

/** A range without the few values far above the others, which would press all of them together. */
export function robustRange(values, more = []) {
  const finite = Float64Array.from(values).filter(Number.isFinite).sort();
  const last = finite.length - 1;
  if (last < 30) return whole(values, more);
  const keep = finite[Math.max(0, Math.floor(last * (1 - FEW)))];
  const [low, high] = [finite[0], finite[last]];
  return high - keep > FAR * (keep - low) ? whole([low, keep], more) : whole([low, high], more);
}

/** Shares between the least and the largest value, for colors. */
export function shadesOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high && value < Infinity) high = value;
  }
  const span = high - low || 1;
  return { low, high, shade: Float32Array.from(values, (each) => (Number.isFinite(each) ? (each - low) / span : 0)) };
}
