// A filter of rows, read from a line of text: comparisons of columns, or words that a cell holds.

const COMPARED = /^\s*(.+?)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*$/;
const UNFINISHED = /^\s*(.+?)\s*(<=|>=|!=|==|=|<|>)\s*$/;
const QUOTED = /^\s*(["'])(.*)\1\s*$/;

/**
 * What a filter asks of the rows. names: what a column may be called, in lower case, with its own name.
 * @typedef {{names: Map<string, string>, columns: string[], numbers: (name: string) => ((i: number) => number) | null, cell: (name: string, i: number) => string, parse: (text: string) => number}} Rows
 */

/**
 * A test of rows, from comparisons between commas or `and`; anything else is searched in all cells, as is a text in
 * quotes. Null where nothing is asked. Throws an Error that says which name or value cannot be read.
 * @param {string} text
 * @param {Rows} rows
 * @returns {((i: number) => boolean) | null}
 */
export function filterOf(text, rows) {
  const parts = text.split(/\s*,\s*|\s+and\s+/).filter(Boolean);
  if (!parts.length) return null;
  const tests = parts.map((part) => testOf(part, rows));
  return (i) => tests.every((each) => each(i));
}

/** @param {string} part @param {Rows} rows @returns {(i: number) => boolean} */
function testOf(part, { names, columns, numbers, cell, parse }) {
  const quoted = QUOTED.exec(part);
  const found = quoted ? null : COMPARED.exec(part);
  if (!found) {
    if (!quoted && UNFINISHED.test(part)) throw new Error(`“${part.trim()}” has no value yet; write for example N > 1e9`);
    const wanted = (quoted ? quoted[2] : part).toLowerCase();
    return (i) => columns.some((each) => cell(each, i).toLowerCase().includes(wanted));
  }
  const [, given, sign, value] = found;
  const name = names.get(given.toLowerCase());
  if (name === undefined) throw new Error(unknown(given, names));
  const of = numbers(name);
  const bare = value.replace(QUOTED, "$2").toLowerCase();
  if (of) {
    const number = parse(value);
    if (!Number.isFinite(number)) throw new Error(`${name} holds numbers, and “${value}” is none; write for example ${name} ${sign} 1e9`);
    switch (sign) {
      case "<": return (i) => of(i) < number;
      case ">": return (i) => of(i) > number;
      case "<=": return (i) => of(i) <= number;
      case ">=": return (i) => of(i) >= number;
      case "!=": return (i) => of(i) !== number;
      default: return (i) => of(i) === number;
    }
  }
  if (sign === "!=") return (i) => cell(name, i).toLowerCase() !== bare;
  if (sign !== "=" && sign !== "==") throw new Error(`${name} holds words, which are compared by = and != alone; write ${name} = ${value}`);
  return (i) => cell(name, i).toLowerCase() === bare;
}

/** What is said of a name that no column has: the nearest names, else all of them. @param {string} given @param {Map<string, string>} names */
function unknown(given, names) {
  const wanted = given.toLowerCase();
  const most = Math.max(1, Math.floor(wanted.length / 3));
  const near = [...names.keys()]
    .map((each) => ({ each, far: distance(wanted, each) }))
    .filter(({ each, far }) => far <= most || (Math.min(wanted.length, each.length) > 2 && (each.startsWith(wanted) || wanted.startsWith(each))))
    .sort((a, b) => a.far - b.far);
  const called = (each) => { const name = names.get(each); return name.toLowerCase() === each ? name : `${name} (${each})`; };
  const offered = [...new Set(near.map(({ each }) => called(each)))].slice(0, 3);
  const all = [...new Set(names.values())];
  const known = offered.length ? `did you mean ${joined(offered)}?` : `it has ${all.slice(0, 12).join(", ")}${all.length > 12 ? " …" : ""}.`;
  return `the table has no column “${given}”; ${known} A text with =, < or > in it is searched between quotes.`;
}

/** @param {string[]} list */
const joined = (list) => (list.length > 1 ? `${list.slice(0, -1).join(", ")} or ${list.at(-1)}` : list[0]);

/** How many letters are to be put in, left out or exchanged. @param {string} one @param {string} other */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(one[i - 1] !== other[j - 1]));
    row = next;
  }
  return row[other.length];
}
