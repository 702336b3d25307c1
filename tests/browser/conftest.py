"""A browser, the page's server, and reports on disk; tests skip with a reason where there is no Chromium."""

import os
import re
import shutil
import subprocess
import sys
import threading

import pytest

COMMAND = [sys.executable, "-c", "from isoflop.cli import main; main()", "app"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium():
    """The browser, started once; Debian's `chromium`, or the one that CHROMIUM names."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium; or set CHROMIUM)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (the dev extra)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A browser tab that remembers what went wrong in it and what it asked for."""

    def __init__(self, context):
        self.tab = context.new_page()
        self.slips, self.requests = [], []
        self.tab.on("console", lambda said: self.slips.append(said.text) if said.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.slips.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def watched(chromium):
    """A function that opens a tab in a context of its own; all are closed in the end."""
    contexts = []

    def make(**options):
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(120_000)
        return Watched(context)

    yield make
    for context in contexts:
        context.close()


class Served:
    """The page's server as a process of its own, as a user starts it."""

    def __init__(self, state, *options):
        environment = {name: value for name, value in os.environ.items() if name != "ISOFLOP_DATASETS"}
        self.process = subprocess.Popen(
            [*COMMAND, "--no-browser", "--port", "0", "--state", str(state), *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, (line, self.process.stderr.read())
        self.address = found[0]
        self.complaints = []
        self._reader = threading.Thread(target=lambda: self.complaints.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self._reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def served(tmp_path):
    """A function that starts the server on a state folder; all are stopped in the end, and none had to complain."""
    running = []

    def start(*options, state=None):
        running.append(Served(state or tmp_path / "state", *options))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.stop()
        assert each.complaints == []
