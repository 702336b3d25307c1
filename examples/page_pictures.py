"""The README's pictures of the report and of the page: ``python examples/page_pictures.py [FOLDER]``.

Fits the runs that ship with the package, opens the report from disk and the page from a server of its own in Debian's
Chromium, and writes report.png and page.png.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from isoflop import bootstrap, datasets, fit, law
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.report import Report
from isoflop.render.html import write_html

COMMAND = [sys.executable, "-c", "from isoflop.cli import main; main()", "app", "--no-browser", "--port", "0"]
LOOKS = {"viewport": {"width": 1000, "height": 960}, "device_scale_factor": 1.5}


def main(folder: Path) -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        sys.exit("no chromium on this machine (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as held, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        report = Path(held) / "report.html"
        write_html(
            ask(Report(), Context(given=bootstrap(fit(law("chinchilla"), datasets.load("python-bytes"))))), report
        )
        tab = browser.new_page(**LOOKS)
        tab.goto(report.as_uri())
        tab.wait_for_timeout(2_000)  # the envelope is drawn a few budgets at a time
        tab.screenshot(path=folder / "report.png")
        with subprocess.Popen(
            [*COMMAND, "--state", held], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        ) as server:
            try:
                tab = browser.new_page(**{**LOOKS, "viewport": {"width": 1000, "height": 1720}})
                tab.goto(re.search(r"http://\S+", server.stdout.readline())[0])
                tab.wait_for_selector("#dataset option", state="attached")
                tab.click("#open-dataset")
                tab.wait_for_selector("#law-set math")
                tab.fill("#law", "E + A/N^alpha + B/D^beta")
                tab.click("#fit")
                tab.wait_for_selector("#results li.shown", timeout=60_000)
                tab.wait_for_function("() => !document.getElementById('doubting').textContent")
                tab.wait_for_timeout(1_000)  # the answer scrolls into view
                tab.evaluate("document.activeElement.blur(); window.scrollTo({ top: 0, behavior: 'instant' })")
                tab.wait_for_timeout(300)
                tab.screenshot(path=folder / "page.png")
            finally:
                server.terminate()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
