// Files and texts that leave the page: a picture as PNG or SVG, its data as CSV, a text into the clipboard.
import { attempt, element, page } from "./page.js";

/** Save a blob or a text under a name. */
export function save(content, name, type = "text/plain") {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  element("a", "", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const stem = (name) => `${(page.state?.name || page.state?.source || "isoflop").replace(/\.\w+$/, "").replace(/[^\w-]+/g, "-")}-${name}`;

/** PNG, SVG, CSV of a chart, as buttons. */
export function saveLinks(place, { picture, csv, name }) {
  const link = (text, act) => element("button", text, { type: "button", class: "as-link", "aria-label": `${text} of this chart`, onclick: () => attempt(act) });
  place.replaceChildren(
    link("PNG", async () => save(await picture.png(), `${stem(name)}.png`)),
    link("SVG", async () => save(picture.svg(), `${stem(name)}.svg`, "image/svg+xml")),
    link("CSV", async () => save(csv(), `${stem(name)}.csv`, "text/csv")),
  );
}
