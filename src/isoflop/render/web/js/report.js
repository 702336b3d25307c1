// A report comes to life: the same function serves the file on disk and the local page.
import { explore } from "./explore.js";
import { pictureRuns, runsOf, tableOfRuns } from "./runs.js";
import { lawOf } from "./surface.js";

/** Bring the report in `root` to life with its data and the law's code. */
export function enliven(root, data, code) {
  const law = lawOf(data, code);
  const runs = runsOf(data.runs);
  pictureRuns(root, data, runs);
  const lever = explore(root, data, law, runs);
  const table = root.querySelector("[data-table]");
  const open = root.querySelector("details[data-rows]");
  if (table && open) {
    const fill = () => { if (open.open && !table.firstChild) tableOfRuns(table, runs); };
    open.addEventListener("toggle", fill);
    fill();
  }
  return { lever, law, runs, data };
}
