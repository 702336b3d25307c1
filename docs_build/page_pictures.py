"""The pictures of the page in the documentation: ``python -m docs_build.page_pictures TABLE`` draws them anew.

TABLE is Epoch's digitized table of Chinchilla's runs. It starts the server and Debian's Chromium on this machine, fits
the law with and without the runs that lie off it, and writes ``docs/page.png`` (light), ``docs/page_dark.png`` and
``docs/page_phone.png``.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
COLORS = 256  # of a picture's palette: a third of the bytes, and no difference to the eye
COMMAND = [sys.executable, "-c", "from isoflop.cli import main; main()", "app", "--no-browser", "--port", "0"]
LOOKS: dict[str, dict[str, Any]] = {
    "page": {"viewport": {"width": 1440, "height": 900}},
    "page_dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "page_phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}


def fitted(tab: Page) -> None:
    """Fit with all runs, and again without those that lie off the surface."""
    odd = tab.locator(".finding:has-text('lie off the surface') >> text=/^Leave out/")
    odd.wait_for(timeout=120_000)
    tab.fill("#law", "chinchilla")
    for turn in ("r1", "r2"):
        tab.click("#fit")
        tab.wait_for_function("turn => window.isoflop.fit?.task === turn", arg=turn, timeout=180_000)
        if turn == "r1":
            odd.click()
            tab.wait_for_selector("#answer-now:not([hidden])")


def main() -> None:
    """Draw every picture of LOOKS."""
    table = Path(sys.argv[1])
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    folder = Path(tempfile.mkdtemp())
    command = [*COMMAND, "--state", str(folder), str(table)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        address = re.findall(r"http://\S+", server.stdout.readline())[0]
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for number, (name, looks) in enumerate(LOOKS.items()):
            context = browser.new_context(**looks)
            tab = context.new_page()
            tab.goto(address)
            if not number:
                fitted(tab)
            tab.wait_for_function("() => window.isoflop?.fit && window.isoflop.live && window.isoflop.chart.content()")
            tab.wait_for_selector("#doubting:empty", state="attached", timeout=120_000)
            for pane in ("left", "right"):
                tab.evaluate(f"() => {{ document.querySelector('.pane.{pane}').scrollTop = 0 }}")
            tab.wait_for_timeout(500)
            picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
            picture.quantize(COLORS, kmeans=4).save(DOCS / f"{name}.png", optimize=True)
            context.close()
        browser.close()
        server.terminate()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
