"""Debian's Firefox, driven by the protocol that it speaks itself (Marionette): no driver has to be installed."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for a reference to an element
PREFERENCES = {
    "marionette.port": 0,  # a free one, which the profile then names
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.startup.page": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
STARTS = 60.0  # seconds that it may take to begin


class Firefox:
    """A browser without a window, with one tab."""

    def __init__(self, path: str, profile: Path) -> None:
        profile.mkdir()
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items())
        (profile / "user.js").write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [path, "--headless", "--marionette", "--no-remote", "--profile", str(profile), "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._socket = socket.create_connection(("127.0.0.1", self._port(profile / "MarionetteActivePort")))
        self._socket.settimeout(120)
        self._read()
        self._asked = 0
        self.ask("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})
        self.ask("WebDriver:SetTimeouts", script=110_000)

    def _port(self, named: Path) -> int:
        until = time.monotonic() + STARTS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise OSError(f"Firefox ended with {self._process.returncode}")
            if named.is_file() and named.read_text().strip():
                return int(named.read_text())
            time.sleep(0.1)
        self._process.kill()
        raise OSError("Firefox did not begin")

    def _read(self) -> Any:
        size = b""
        while not size.endswith(b":"):
            size += self._socket.recv(1)
        text = b""
        while len(text) < int(size[:-1]):
            text += self._socket.recv(int(size[:-1]) - len(text))
        return json.loads(text)

    def ask(self, command: str, **parameters: Any) -> Any:
        """What a command of WebDriver answers; raises AssertionError with the browser's own words."""
        self._asked += 1
        text = json.dumps([0, self._asked, command, parameters]).encode()
        self._socket.sendall(str(len(text)).encode() + b":" + text)
        _, _, error, answer = self._read()
        assert error is None, f"{command}: {error}"
        return answer.get("value") if isinstance(answer, dict) and "value" in answer else answer

    def go(self, address: str) -> None:
        self.ask("WebDriver:Navigate", url=address)

    def run(self, script: str, *given: Any) -> Any:
        """The value of a JavaScript function's body."""
        return self.ask("WebDriver:ExecuteScript", script=script, args=list(given))

    def wait(self, expression: str, seconds: float = 100.0) -> None:
        """Until an expression is true."""
        until = time.monotonic() + seconds
        while not self.run(f"return Boolean({expression})"):
            assert time.monotonic() < until, f"not true within {seconds} s: {expression}"
            time.sleep(0.1)

    def find(self, selector: str) -> Any:
        return self.ask("WebDriver:FindElement", using="css selector", value=selector)[ELEMENT]

    def click(self, selector: str) -> None:
        self.ask("WebDriver:ElementClick", id=self.find(selector))

    def type(self, selector: str, text: str) -> None:
        """Type into a field; into a field of files their paths."""
        self.ask("WebDriver:ElementSendKeys", id=self.find(selector), text=text)

    def keys(self, *keys: str) -> None:
        """Press keys one after another where the focus is."""
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("WebDriver:PerformActions", actions=[{"type": "key", "id": "keys", "actions": presses}])

    def drag(self, *places: tuple[float, float]) -> None:
        """Press at the first place, move over the others, let go."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 30} for x, y in places]
        pressed = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": pressed}
        self.ask("WebDriver:PerformActions", actions=[mouse])

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def resize(self, width: int, height: int) -> None:
        self.ask("WebDriver:SetWindowRect", width=width, height=height)

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)
