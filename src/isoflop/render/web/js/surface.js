// What Python found at many budgets, or at many values of one input, read between them; and the law over its draws.
import { interval, quantile, unpack } from "./numbers.js";

/** The law with its fit and, where the page computes intervals itself, its draws: `code` is what Python wrote from the formula. */
export function lawOf(data, code) {
  const fit = unpack(data.fit);
  const draws = data.draws ? unpack(data.draws) : new Float64Array(0);
  const width = fit.length;
  const known = Boolean(data.along ?? data.losses) || draws.length > 0;
  return { code, fit, draws, width, count: width ? draws.length / width : 0, known, inputs: data.law.inputs, level: data.level };
}

/** A function that reads a row of numbers between evenly spaced places: a cubic through four neighbors, in logarithms where all are positive. */
function between(row) {
  const positive = row.every((each) => !(each <= 0));
  const y = positive ? Float64Array.from(row, Math.log) : row;
  const last = y.length - 1;
  return (place) => {
    const at = Math.min(Math.max(place, 0), last);
    const k = Math.min(Math.floor(at), last - 1);
    const t = at - k;
    const [b, c] = [y[k], y[k + 1]];
    const a = k > 0 ? y[k - 1] : 2 * b - c;
    const d = k + 1 < last ? y[k + 2] : 2 * c - b;
    const value = b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
    return positive ? Math.exp(value) : value;
  };
}

/** Rows of a packed table of `count` columns, each as a function of the place between them. */
function rowsOf(table, count) {
  const all = unpack(table);
  return Array.from({ length: all.length / count }, (_, row) => between(all.slice(row * count, (row + 1) * count)));
}

/** Plans at any budget, from those that Python found at many: {low, high, at(budget), valley(budget)}. */
export function plansOf(data) {
  return (data.plans ??= readPlans(data.along));
}

function readPlans(along) {
  const budgets = unpack(along.budgets);
  const count = budgets.length;
  const [low, high] = [budgets[0], budgets[count - 1]];
  const place = (budget) => ((count - 1) * Math.log(budget / low)) / Math.log(high / low);
  const [n, loss, prediction, band] = ["n", "loss", "prediction", "band"].map((name) => rowsOf(along[name], count));
  const [per, nPower, dPower] = along.flops;
  const read = (rows, at) => ({ value: rows[0](at), low: rows[1](at), high: rows[2](at) });
  const factors = unpack(along.factors);
  const sizes = factors.length;
  const valley = unpack(along.valley);
  return {
    low, high, budgets,
    at(budget) {
      const where = place(budget);
      const size = read(n, where);
      const falling = (of) => ({ value: of(size.value), low: of(size.high), high: of(size.low) });
      const tokens = (each) => (budget / (per * each ** nPower)) ** (1 / dPower);
      const mean = read(loss, where);
      return {
        budget, inside: Number.isFinite(size.value), n: size, d: falling(tokens), ratio: falling((each) => tokens(each) / each),
        loss: mean, newRun: { value: mean.value, low: prediction[0](where), high: prediction[1](where) },
        band: band.map((end) => end(where)),
      };
    },
    /** The loss over sizes at a budget: x (log10 N) and its interval, straight between the two budgets next to it. */
    valley(budget) {
      const where = Math.min(Math.max(place(budget), 0), count - 1);
      const k = Math.min(Math.floor(where), count - 2);
      const t = where - k;
      const row = (end) => Float64Array.from(factors, (_, i) => {
        const at = (budgetAt) => valley[(end * count + budgetAt) * sizes + i];
        return (1 - t) * at(k) + t * at(k + 1);
      });
      const middle = n[0](where);
      return { x: Array.from(factors, (each) => Math.log10(middle * each)), value: row(0), low: row(1), high: row(2) };
    },
    /** The loss at N* of every budget, all in log10. */
    envelope() {
      const rows = [0, 1, 2].map((row) => Array.from(budgets, (_, i) => Math.log10(loss[row](i))));
      return { x: Array.from(budgets, Math.log10), value: rows[0], low: rows[1], high: rows[2] };
    },
  };
}

/** The response at given inputs, its mean and that of one new run, with their intervals. */
export function response(law, data, at) {
  if (data.losses) {
    const [mean, run] = lossesAt(data, at[law.inputs[0]]);
    return { curve: mean, newRun: run };
  }
  const x = Float64Array.from(law.inputs, (name) => at[name]);
  const value = law.code.value(law.fit, 0, x);
  const curve = new Float64Array(law.count);
  for (let draw = 0; draw < law.count; draw++) curve[draw] = law.code.value(law.draws, draw * law.width, x);
  data.around ??= unpack(data.scatter);
  const share = shareAt(data, at.N);
  const measured = curve.map((each, draw) => moved(each, share * data.around[draw], data.space));
  return { curve: interval(value, curve, law.level), newRun: interval(value, measured, law.level) };
}

/** The scatter at a size in units of that drawn; beyond the runs that of the nearest size. */
function shareAt(data, size) {
  if (!data.by_size || size === undefined) return 1;
  const [slope, middle, low, high] = data.by_size;
  return (Math.min(Math.max(size, low), high) / middle) ** slope;
}

/** A response moved by the scatter of runs, on the scale of the fit's residuals; one without log odds stays. */
function moved(value, by, space) {
  if (space === "raw") return value + by;
  if (space === "log") return value * Math.exp(by);
  return value > 0 && value < 1 ? 1 / (1 + ((1 - value) / value) * Math.exp(-by)) : value;
}

/** Mean and one new run at a value of a law's only input. */
function lossesAt(data, value) {
  const grid = (data.losses.grid ??= unpack(data.losses.at));
  const [low, high] = [grid[0], grid[grid.length - 1]];
  const even = low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const rows = (data.losses.rows ??= rowsOf(data.losses.loss, grid.length));
  const [middle, ...ends] = rows.map((row) => row((grid.length - 1) * even));
  return [
    { value: middle, low: ends[0], high: ends[1] },
    { value: middle, low: ends[2], high: ends[3] },
  ];
}

/** The mean's value and interval at each of many inputs: arrays value, low, high. `inputsAt(i, x)` fills the inputs. */
export function bandAlong(law, data, count, inputsAt) {
  const x = new Float64Array(law.inputs.length);
  const spread = new Float64Array(law.count);
  const band = { value: [], low: [], high: [] };
  for (let place = 0; place < count; place++) {
    inputsAt(place, x);
    if (data.losses) {
      const [mean] = lossesAt(data, x[0]);
      for (const end of ["value", "low", "high"]) band[end].push(mean[end]);
      continue;
    }
    band.value.push(law.code.value(law.fit, 0, x));
    for (let draw = 0; draw < law.count; draw++) spread[draw] = law.code.value(law.draws, draw * law.width, x);
    const ascending = spread.filter(Number.isFinite).sort();
    band.low.push(quantile(ascending, (1 - law.level) / 2));
    band.high.push(quantile(ascending, (1 + law.level) / 2));
  }
  return band;
}
