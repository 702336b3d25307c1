"""The pictures of a report in the documentation: ``python -m docs_build.report_pictures TABLE`` draws them anew.

TABLE is Epoch's digitized table of Chinchilla's runs. It writes a report by the product's own command, opens it in
Debian's Chromium, and writes ``docs/report.png`` (the answer), ``docs/report_fit.png`` (a section in the dark),
``docs/report_phone.png`` and ``docs/report_printed.png`` (all pages as they are printed, by ``pdftoppm``).
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
COLORS = 256  # of a picture's palette: a third of the bytes, and no difference to the eye
REPORT = [sys.executable, "-c", "from isoflop.cli import main; main()", "report"]
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "report": ("", {"viewport": {"width": 1280, "height": 900}}),
    "report_fit": ("#fit", {"viewport": {"width": 1280, "height": 1400}, "color_scheme": "dark"}),
    "report_phone": ("", {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
}
PRINTED_DPI = 42
GAP = 6  # pixels between printed pages


def printed(path: Path) -> Image.Image:
    """The pages of a PDF beside each other."""
    subprocess.run(["pdftoppm", "-r", str(PRINTED_DPI), "-png", str(path), str(path.with_suffix(""))], check=True)
    pages = [Image.open(each).convert("RGB") for each in sorted(path.parent.glob(f"{path.stem}-*.png"))]
    width, height = pages[0].size
    sheet = Image.new("RGB", (len(pages) * (width + GAP) - GAP, height), "#888888")
    for place, page in enumerate(pages):
        sheet.paste(page, (place * (width + GAP), 0))
    return sheet


def save(picture: Image.Image, name: str) -> None:
    """A small PNG in the documentation."""
    picture.quantize(COLORS).save(DOCS / f"{name}.png", optimize=True)


def main() -> None:
    """Draw every picture of LOOKS, and the printed pages."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    folder = Path(tempfile.mkdtemp())
    report = folder / "report.html"
    subprocess.run(
        [*REPORT, sys.argv[1], "--law", "chinchilla", "-o", str(report)], check=True, stdout=subprocess.DEVNULL
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for name, (section, looks) in LOOKS.items():
            context = browser.new_context(**looks)
            tab = context.new_page()
            tab.goto(report.as_uri() + section)
            tab.wait_for_function("() => window.isoflop && window.isoflop.lever")
            tab.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager' })")
            tab.wait_for_timeout(800)
            save(Image.open(io.BytesIO(tab.screenshot())).convert("RGB"), name)
            context.close()
        tab = browser.new_page()
        tab.goto(report.as_uri())
        tab.wait_for_function("() => window.isoflop && window.isoflop.lever")
        tab.wait_for_timeout(800)
        tab.pdf(path=folder / "printed.pdf", format="A4", prefer_css_page_size=True)
        save(printed(folder / "printed.pdf"), "report_printed")
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
