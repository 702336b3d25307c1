// The law over its draws: the best size for a budget C = 6ND, in every draw, as isoflop.planning finds it in Python.
import { interval, quantile, unpack } from "./numbers.js";

export const TRAIN = 6; // FLOPs a parameter and token in training
const GRID = 160; // the same grid as in Python: log N from 0 to log(C/6) in 160 steps
const COARSE = 4; // every 4th of its points finds the valley, its neighbours the lowest point

/** The law with its fit and draws, unpacked: `code` is the object that Python wrote from the formula. */
export function lawOf(data, code) {
  const fit = unpack(data.fit);
  const draws = unpack(data.draws);
  const width = fit.length;
  return { code, fit, draws, width, count: width ? draws.length / width : 0, inputs: data.law.inputs, level: data.level };
}

/** Where the loss of the parameters p[k…] is least along N·D = exp(logTotal): log N, the loss, and whether inside. */
export function optimum(law, p, k, logTotal, out) {
  const x = out.x;
  const [first, second] = law.inputs[0] === "N" ? [0, 1] : [1, 0];
  const lossAt = (logN) => {
    x[first] = Math.exp(logN);
    x[second] = Math.exp(logTotal) / x[first];
    const loss = law.code.value(p, k, x);
    return Number.isFinite(loss) ? loss : Infinity;
  };
  const slopeAt = (logN) => {
    x[first] = Math.exp(logN);
    x[second] = Math.exp(logTotal) / x[first];
    law.code.slopes(p, k, x, out.slopes);
    return x[first] * out.slopes[1 + first] - x[second] * out.slopes[1 + second];
  };
  const step = logTotal / GRID;
  let best = 0;
  let least = Infinity;
  const look = (place) => {
    const loss = lossAt(place * step);
    if (loss < least) { least = loss; best = place; }
  };
  for (let place = 0; place <= GRID; place += COARSE) look(place);
  const near = best;
  for (let place = Math.max(0, near - COARSE + 1); place <= Math.min(GRID, near + COARSE - 1); place++) look(place);
  out.inside = best > 0 && best < GRID;
  out.logN = root(slopeAt, Math.max(0, best - 1) * step, Math.min(GRID, best + 1) * step);
  out.loss = lossAt(out.logN);
}

/** Where an increasing function is zero between low and high: false position, kept quick by Illinois' halving. */
function root(f, low, high) {
  let below = f(low);
  let above = f(high);
  if (!(below < 0 && above > 0)) return bisect(f, low, high);
  let side = 0;
  for (let round = 0; round < 60; round++) {
    const at = (low * above - high * below) / (above - below);
    const value = f(at);
    if (value > 0) {
      if (at >= high) return at;
      high = at;
      above = value;
      if (side === 1) below /= 2;
      side = 1;
    } else {
      if (value === 0 || at <= low) return at;
      low = at;
      below = value;
      if (side === -1) above /= 2;
      side = -1;
    }
    if (high - low < 1e-15 * Math.abs(high)) break;
  }
  return (low + high) / 2;
}

function bisect(f, low, high) {
  for (let round = 0; round < 60; round++) {
    const at = (low + high) / 2;
    if (f(at) > 0) high = at;
    else low = at;
  }
  return (low + high) / 2;
}

/** Room for the results of `optimum`. */
function room(law) {
  return { x: new Float64Array(law.inputs.length), slopes: new Float64Array(law.inputs.length + 1) };
}

/** The plan for a budget: N, D, D/N and the curve's loss with their intervals, the loss of a new run, the flat band. */
export function plan(law, data, budget) {
  const logTotal = Math.log(budget / TRAIN);
  const out = room(law);
  optimum(law, law.fit, 0, logTotal, out);
  const here = { logN: out.logN, loss: out.loss, inside: out.inside };
  const many = { n: [], d: [], ratio: [], loss: [] };
  for (let draw = 0; draw < law.count; draw++) {
    optimum(law, law.draws, draw * law.width, logTotal, out);
    if (!out.inside) continue;
    const n = Math.exp(out.logN);
    const d = Math.exp(logTotal) / n;
    many.n.push(n);
    many.d.push(d);
    many.ratio.push(d / n);
    many.loss.push(out.loss);
  }
  const n = Math.exp(here.logN);
  const d = Math.exp(logTotal) / n;
  const told = (value, values) => interval(value, Float64Array.from(values), law.level);
  return {
    budget,
    inside: here.inside,
    lost: law.count - many.n.length,
    n: told(n, many.n),
    d: told(d, many.d),
    ratio: told(d / n, many.ratio),
    loss: told(here.loss, many.loss),
    newRun: response(law, data, { N: n, D: d }).newRun,
    band: flatBand(law, here, logTotal, data.within),
  };
}

/** The response at given inputs, the curve's and that of one new run, with their intervals. */
export function response(law, data, at) {
  const x = Float64Array.from(law.inputs, (name) => at[name]);
  const value = law.code.value(law.fit, 0, x);
  const curve = new Float64Array(law.count);
  for (let draw = 0; draw < law.count; draw++) curve[draw] = law.code.value(law.draws, draw * law.width, x);
  data.around ??= unpack(data.scatter);
  const measured = curve.map((each, draw) => (data.log ? each * data.around[draw] : each + data.around[draw]));
  return { curve: interval(value, curve, law.level), newRun: interval(value, measured, law.level) };
}

/** Both ends of the sizes whose loss at the fit is within a share of the best. */
function flatBand(law, here, logTotal, within) {
  const x = new Float64Array(2);
  const [first, second] = law.inputs[0] === "N" ? [0, 1] : [1, 0];
  const goal = here.loss * (1 + within);
  const lossAt = (logN) => {
    x[first] = Math.exp(logN);
    x[second] = Math.exp(logTotal - logN);
    return law.code.value(law.fit, 0, x);
  };
  return [-1, 1].map((side) => {
    let step = 0.1;
    while (lossAt(here.logN + side * step) < goal && step < 50) step *= 2;
    let inner = here.logN;
    let outer = here.logN + side * step;
    for (let round = 0; round < 60; round++) {
      const middle = (inner + outer) / 2;
      if (lossAt(middle) < goal) inner = middle;
      else outer = middle;
    }
    return Math.exp((inner + outer) / 2);
  });
}

/** The curve's value and interval at each of many inputs: arrays value, low, high. `inputsAt(i, x)` fills the inputs. */
export function bandAlong(law, count, inputsAt) {
  const x = new Float64Array(law.inputs.length);
  const spread = new Float64Array(law.count);
  const band = { value: [], low: [], high: [] };
  for (let place = 0; place < count; place++) {
    inputsAt(place, x);
    band.value.push(law.code.value(law.fit, 0, x));
    for (let draw = 0; draw < law.count; draw++) spread[draw] = law.code.value(law.draws, draw * law.width, x);
    const ascending = spread.filter(Number.isFinite).sort();
    band.low.push(quantile(ascending, (1 - law.level) / 2));
    band.high.push(quantile(ascending, (1 + law.level) / 2));
  }
  return band;
}

/** The loss along a budget, from a size to another: x (log10 N) and the band. */
export function valley(law, budget, lowN, highN, count) {
  const at = Float64Array.from({ length: count }, (_, i) => lowN * (highN / lowN) ** (i / (count - 1)));
  const [first, second] = law.inputs[0] === "N" ? [0, 1] : [1, 0];
  const band = bandAlong(law, count, (place, x) => {
    x[first] = at[place];
    x[second] = budget / TRAIN / at[place];
  });
  return { x: Array.from(at, Math.log10), ...band };
}
