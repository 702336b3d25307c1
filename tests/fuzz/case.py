"""``Case``: the words of one command and the files that it finds; and what is demanded of every command line."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MOST_SECONDS = 20.0  # of processor time, children included
MOST_MEMORY = 1_500_000_000
MOST_WALL = 90.0  # seconds after which a command that waits for something is ended
LONGEST_LINE = 2_200
FOREIGN = re.compile(r"Traceback|Warning|panicked|Exception ignored|Segmentation|core dumped")
UNFINISHED = re.compile(r"\..+\.\d+(\.old)?")  # what a write leaves that did not come to its end


@dataclass(frozen=True)
class Case:
    """words: after ``isoflop``, or ``@name`` of a part of the page with its file. files: path → content."""

    words: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)

    def lay_out(self, folder: Path) -> None:
        """Write the files."""
        for name, content in self.files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def to_json(self) -> str:
        """The case as a text that a person can read where its files are text."""
        files = {}
        for name, content in self.files.items():
            try:
                files[name] = {"text": content.decode("utf-8")}
            except UnicodeDecodeError:
                files[name] = {"base64": base64.b64encode(content).decode()}
        return json.dumps({"words": list(self.words), "files": files}, indent=1) + "\n"


def from_json(text: str) -> Case:
    """The case that :meth:`Case.to_json` wrote."""
    told = json.loads(text)
    files = {
        name: each["text"].encode() if "text" in each else base64.b64decode(each["base64"])
        for name, each in told["files"].items()
    }
    return Case(tuple(told["words"]), files)


@dataclass(frozen=True)
class Outcome:
    """How a command ended. seconds: of processor; memory: the highest, in bytes; left: new files in its folder."""

    code: int
    out: str
    err: str
    seconds: float
    memory: int
    waited: bool
    left: tuple[str, ...]

    def wrong_of(self, words: Sequence[str]) -> str:
        """As :meth:`wrong`, and whether the message repeats more than some 300 characters of one of the words."""
        wrong = self.wrong()
        if wrong:
            return wrong
        pieces = (word[place : place + 301] for word in words for place in range(0, len(word) - 300, 60))
        return "a message repeats a long value" if any(piece in self.err for piece in pieces) else ""

    def wrong(self) -> str:
        """What is wrong with it, worded so that equal faults are equal texts; empty where nothing is."""
        if self.waited:
            return "it waits without end"
        if self.seconds > MOST_SECONDS:
            return f"more than {MOST_SECONDS:g} s of processor time"
        if self.memory > MOST_MEMORY:
            return f"more than {MOST_MEMORY / 1e9:g} GB of memory"
        if self.code == 70:
            found = re.search(r"fault here \((\w+)", self.err)
            return f"a fault: {found[1] if found else '?'}{_where(self.err)}"
        if self.code not in (0, 2):
            return f"exit code {self.code}{_where(self.err)}"
        if FOREIGN.search(self.err):
            return f"standard error holds {FOREIGN.search(self.err)[0]}"
        lines = self.err.strip().split("\n")
        if any(len(line) > LONGEST_LINE for line in lines):
            return "a message that is too long"
        if self.code == 2 and not one_sentence(lines):
            return "bad input that is not told in one sentence"
        if self.code == 2 and self.out.strip() and not lines[0].startswith("failed: "):  # a sweep left its tables
            return "an answer beside an error"
        unfinished = [name for name in self.left if UNFINISHED.fullmatch(Path(name).name)]
        return "a half-written file is left" if unfinished else ""


def one_sentence(lines):
    """Whether it is one error, after the fate of single cells, or with a caret under its place in a formula."""
    lines = [line for line in lines if not line.startswith(("failed: ", "diverged: "))]
    if lines and lines[0].startswith("Usage: "):
        return True
    caret = len(lines) == 3 and set(lines[2]) <= {" ", "^"}
    return bool(lines) and lines[0].startswith("Error: ") and (len(lines) == 1 or caret)


def _where(err: str) -> str:
    """The innermost place of ours in the report that the sentence names."""
    named = re.search(r"a report is in (\S+\.txt)", err)
    if named is None or not Path(named[1]).is_file():
        return ""
    places = re.findall(r'File "[^"]*/isoflop/([^"]+)", line (\d+)', Path(named[1]).read_text())
    return f" at {places[-1][0]}:{places[-1][1]}" if places else ""
