"""How quick the page is: start, slider, first paint, a long table; and that nothing is computed on the way but here.

``python benchmarks/page.py`` starts the server and Debian's Chromium on this machine and prints one line a measure: the
median of some rounds, with the bound that the page is meant to keep.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from isoflop import Runs, bootstrap, fit, law
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.report import Report
from isoflop.render.html import html

TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
ROUNDS = 7
COMMAND = [sys.executable, "-c", "from isoflop.cli import main; main()", "app", "--no-browser", "--port", "0"]


def runs(count: int, *, checkpoints: int = 1) -> Runs:
    rng = np.random.default_rng(0)
    n = np.repeat(10 ** rng.uniform(7.5, 10, count), checkpoints)
    d = np.repeat(10 ** rng.uniform(9, 11.5, count), checkpoints) * np.tile(
        np.linspace(1 / checkpoints, 1, checkpoints), count
    )
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) * np.exp(rng.normal(0, 0.01, len(n)))
    return Runs.from_columns(
        {"N": n, "D": d, "loss": loss, "run": np.repeat(np.arange(count), checkpoints).astype(str)}
    )


def told(what: str, seconds: list[float], bound: float) -> None:
    middle = statistics.median(seconds)
    print(f"{what:<58} {1e3 * middle:8.1f} ms   (bound {1e3 * bound:,.0f} ms{'' if middle < bound else ': MISSED'})")


def paint(tab) -> float:
    entry = "performance.getEntriesByType('paint').find(each => each.name === 'first-contentful-paint')?.startTime"
    tab.wait_for_function(f"() => {entry}")
    return tab.evaluate(entry) / 1e3


SLIDES = """async (selector) => {
    const slider = document.querySelector(selector);
    const taken = [];
    for (let i = 0; i < 12; i++) {
      const began = performance.now();
      slider.value = Number(slider.min) + (0.3 + 0.05 * i) * (slider.max - slider.min);
      slider.dispatchEvent(new Event("input"));
      const figures = performance.now() - began;
      await new Promise(resolve => requestAnimationFrame(resolve));
      taken.push([figures / 1e3, (performance.now() - began) / 1e3]);
      await new Promise(resolve => setTimeout(resolve, 60));
    }
    return taken;
}"""
FRAMES = """async ([kind, count]) => {
    const { chart } = window.isoflop;
    const turn = () => new Promise(resolve => requestAnimationFrame(resolve));
    const [taken, drawn] = [[], []];
    let last = await turn();
    for (let i = 0; i < count; i++) {
      if (kind === "pan") chart.move(i % 40 < 20 ? 6 : -6, i % 20 < 10 ? 3 : -3);
      else chart.zoom(i % 40 < 20 ? 0.96 : 1 / 0.96);
      const began = performance.now();
      chart.picture.now();
      drawn.push((performance.now() - began) / 1e3);
      const now = await turn();
      taken.push((now - last) / 1e3);
      last = now;
    }
    return [taken, drawn];
}"""
READ = """() => {
    const canvas = window.isoflop.chart.picture.canvas;
    const box = canvas.getBoundingClientRect();
    return Array.from({ length: 20 }, (_, i) => {
      const began = performance.now();
      const at = { clientX: box.x + (box.width * i) / 20, clientY: box.y + box.height / 2, pointerId: 1 };
      canvas.dispatchEvent(new PointerEvent("pointermove", at));
      return (performance.now() - began) / 1e3;
    });
}"""
SELECT = """async () => {
    const { chart } = window.isoflop;
    const { selectPlaces } = await import("/web/selection.js");
    chart.fit();
    const { left, top, wide, high } = chart.frame();
    const taken = [];
    let count = 0;
    for (let i = 0; i < 7; i++) {
      const right = left + wide * (0.6 + 0.01 * i);
      const corners = [[left, top], [right, top], [right, top + high], [left, top + high]];
      const began = performance.now();
      const found = chart.inside(corners.map(([x, y]) => ({ x, y })));
      selectPlaces(found);
      chart.picture.now();
      taken.push((performance.now() - began) / 1e3);
      count = found.length;
    }
    return [taken, count];
}"""


def explored(tab) -> None:
    """The chart of 100,000 rows: frames while it is moved and zoomed, the pointer, a selection of half of them."""
    for kind in ("pan", "zoom"):
        frames, drawn = tab.evaluate(FRAMES, [kind, 90])
        told(f"100,000 rows: a frame while one {kind}s", frames, 1 / 30)
        told(f"100,000 rows: drawing of that frame ({kind})", drawn, 1 / 30)
    told("100,000 rows: pointer to run", tab.evaluate(READ), 0.1)
    taken, count = tab.evaluate(SELECT)
    told(f"selection of {count:,} rows, drawn", taken, 0.1)


def main() -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        sys.exit("no chromium on this machine (Debian: apt-get install chromium)")
    folder = Path(tempfile.mkdtemp())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])

        report = ask(Report(), Context(given=bootstrap(fit(law("chinchilla"), runs(500)), draws=1000)))
        text = html(report)
        (folder / "report.html").write_text(text, encoding="utf-8")
        print(f"{'a report of 500 runs':<58} {len(text) / 1e6:8.2f} MB   (bound 3 MB)")
        first, slides = [], []
        for _ in range(ROUNDS):
            tab = browser.new_page()
            tab.goto((folder / "report.html").as_uri())
            first.append(paint(tab))
            tab.wait_for_function("() => window.isoflop?.lever")
            tab.wait_for_timeout(1500)
            slides += tab.evaluate(SLIDES, "[data-lever=budget] input[type=range]")
            tab.close()
        told("first paint of that report, from disk", first, 1.0)
        told("slider to figures, 1,000 draws", [figures for figures, _ in slides], 0.05)
        told("slider to figures and pictures, a frame included", [pictures for _, pictures in slides], 0.05)

        began = time.perf_counter()
        with subprocess.Popen(
            [*COMMAND, "--state", str(folder / "state")],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1", "ISOFLOP_DATASETS": ""},
        ) as server:  # fmt: skip
            address = re.search(r"http://\S+", server.stdout.readline())[0]
            told("isoflop app: command to address", [time.perf_counter() - began], 2.0)
            opened = []
            for _ in range(ROUNDS):
                tab = browser.new_page()
                tab.goto(address)
                opened.append(paint(tab))
                tab.close()
            told("the page opens, to first paint", opened, 2.0)

            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            tab.goto(address)
            tab.click("[data-example=isoflop-sweep]")
            tab.wait_for_function("() => !document.getElementById('fit').disabled && window.isoflop.live")
            tab.click("#fit")
            tab.wait_for_function("() => window.isoflop.fit")
            tab.wait_for_timeout(3000)
            dragged = tab.evaluate(SLIDES, "#answer [data-lever=budget] input[type=range]")
            told("the page's budget to figures", [figures for figures, _ in dragged], 0.05)
            told("the page's budget to figures and picture, a frame included", [both for _, both in dragged], 0.05)
            tab.close()

            long = runs(100, checkpoints=1000)
            long.to_polars().write_csv(folder / "long.csv")
            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            tab.goto(address)
            tab.wait_for_function("() => window.isoflop")
            began = time.perf_counter()
            tab.set_input_files("#file", folder / "long.csv")
            tab.wait_for_function("() => document.getElementById('runs-drawn').textContent.includes('100,000')")
            told("100,000 checkpoints: upload, read, check, draw", [time.perf_counter() - began], 10.0)
            explored(tab)
            tab.close()
            server.terminate()
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
