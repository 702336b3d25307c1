// Numbers as Python's isoflop.units writes and reads them, quantiles as numpy's, and packed arrays.

/** @type {[number, string][]} */
const SCALES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];
const SUFFIXES = { k: 1e3, K: 1e3, m: 1e6, M: 1e6, b: 1e9, B: 1e9, G: 1e9, T: 1e12 };
const QUANTITY = /^\s*([+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKmMBbGT]?)\s*$/;

/** `value` in `digits` significant digits, as C's %g writes it. */
export function general(value, digits = 6) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
  if (value === 0) return "0";
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < digits) return bare(value.toFixed(Math.max(0, digits - 1 - exponent)));
  return scientific(bare(mantissa), exponent);
}

function scientific(mantissa, exponent) {
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** 7.23e10 as 72.3B; below a thousand plain, above 1e15 scientific. */
export function formatQuantity(value, digits = 3) {
  if (!Number.isFinite(value) || value === 0) return general(value);
  const size = Math.abs(Number(value.toPrecision(digits))); // as it will be printed: 999.95M is 1B
  for (const [scale, suffix] of SCALES) {
    if (scale <= size && size < 1e15) {
      const shown = value / scale;
      return (size < scale * 10 ** digits ? general(shown, digits) : shown.toFixed(0)) + suffix;
    }
  }
  return 10 ** digits <= size && size < 1e3 ? value.toFixed(0) : general(value, digits);
}

/** 70e9, 70B, 1.4T or 1,000 as a number; NaN for what is no such number. */
export function parseQuantity(text) {
  const found = QUANTITY.exec(text);
  return found ? Number(found[1].replace(/[,_]/g, "")) * (SUFFIXES[found[2]] ?? 1) : NaN;
}

const MOST_DIGITS = 6; // that are read, however narrow the interval

/** `value` with no digit that its interval does not support: two significant digits of its half-width. */
export function formatByInterval(value, low, high) {
  if (!Number.isFinite(value)) return "";
  const half = Math.abs(high - low) / 2;
  if (!Number.isFinite(half) || half <= 0) return general(value, 6);
  const place = Math.floor(Math.log10(half));
  const rounded = (number, power) => (Math.round(number / 10 ** power) * 10 ** power).toFixed(0);
  if (low > 0 && high / low > 3) {
    const wide = value >= 99.5 && value < 1e5;
    return wide ? rounded(value, Math.floor(Math.log10(value)) - 1) : general(value, 2);
  }
  if (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)) {
    const digits = Math.min(8, Math.max(0, Math.floor(Math.log10(Math.abs(value))) - place + 1));
    const [mantissa, power] = value.toExponential(digits).split("e");
    return scientific(mantissa, Number(power));
  }
  if (half >= 10) return rounded(value, place - 1);
  const decimals = Math.max(0, 1 - place);
  const most = MOST_DIGITS - 1 - (value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value))));
  return decimals <= most ? value.toFixed(decimals) : general(value, MOST_DIGITS);
}

/** The quantile of ascending numbers, straight between neighbors. */
export function quantile(ascending, share) {
  if (!ascending.length) return NaN;
  const place = share * (ascending.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (place - below) * (ascending[above] - ascending[below]);
}

/** A value with the central `level` of the finite numbers among `many`. */
export function interval(value, many, level) {
  const finite = many.filter(Number.isFinite).sort();
  return { value, low: quantile(finite, (1 - level) / 2), high: quantile(finite, (1 + level) / 2) };
}

/** Float64Array from base64 of little-endian float64. */
export function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** 1e21 as 10²¹, 2e21 as 2·10²¹. */
export function powerOfTen(value) {
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const mantissa = general(value / 10 ** exponent, 3);
  const ten = `10${[...String(exponent)].map((letter) => SUPERSCRIPT[letter]).join("")}`;
  return mantissa === "1" ? ten : `${mantissa}·${ten}`;
}
