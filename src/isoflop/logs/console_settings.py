"""Settings that a console states before the first step: arguments, counts of parameters and tokens.

Megatron prints its arguments as ``  hidden_size ....... 1024`` (GPT-NeoX with ``....updated`` or ``....default`` behind
the value), nanochat ``Total batch size: 524,288``, llm.c a table ``| num_parameters | 124475904 |``, torchtitan ``size:
8,030,261,248 total parameters``. Assignments in source code that was pasted into the log are no settings: they may be
defaults that the command line changed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from isoflop.logs.settings_text import typed

_MOST: Final = 2_000
_ARGUMENT: Final = re.compile(r"^[^\S\n]{0,8}(?:\d+: )?[^\S\n]{0,8}(?P<key>\w{1,80}) \.{3,80} ?(?P<value>.{1,200})$")
_ORIGIN: Final = re.compile(r"\.{3,80}(?:updated|default)\s{0,8}$")
_COUNT: Final = r"(?P<value>[\d,]+(?:\.\d+)?[KMBT]?)"
_STATED: Final = re.compile(
    rf"^(?:.{{0,120}}>>)?[^\S\n]{{0,8}}(?P<key>[A-Za-z][\w /(),.&-]{{1,80}}?)\s{{0,20}}[:=]\s{{0,4}}{_COUNT}\s{{0,4}}$"
)
_ROW: Final = re.compile(rf"^\|\s{{0,40}}(?P<key>[A-Za-z]\w{{1,60}})\s{{0,60}}\|\s{{0,60}}{_COUNT}\s{{0,60}}\|$")
_COUNTED: Final = re.compile(
    rf"(?P<key>number of parameters|tokens per iteration will be|Total batch size|total desired batch size):? {_COUNT}",
    re.IGNORECASE,
)
_COUNT_FIRST: Final = re.compile(r"(?P<value>\d[\d,]{3,30}) (?P<key>total parameters)\b", re.IGNORECASE)
_RANK: Final = re.compile(
    r"number of parameters on \(tensor, pipeline\) model parallel rank "
    r"\((?P<tensor>\d{1,4}), ?(?P<pipeline>\d{1,4})\): {1,4}(?P<value>\d{1,18})\b"
)
RANKS: Final = "parameters of model parallel ranks"  # the setting that sums them
_BLOCK: Final = re.compile(r"^(?P<key>Parameter counts):\s{0,4}$")
# What only a program's own text holds, at the beginning of a line.
_CODE: Final = re.compile(
    r"(?:import \w[\w.]{0,80}(?: as \w{1,40}|(?:, \w[\w.]{0,80}){1,20})?\s{0,4}(?:#.{0,200})?$"
    r"|from [\w.]{1,80} import |def \w{1,80}\(|class \w{1,80}(?:\([^)]{0,200}\))?:|@[\w.]{1,80}|if __name__)"
)
_RULE: Final = re.compile(r"[=\-#*]{20,}\s{0,4}$")  # modded-nanogpt ends its source with a line of =


class Header:
    """Collects the settings of lines before the first step; ``settings`` holds them."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self._ranks: dict[tuple[int, int], int] = {}
        self._since_rule: list[str] = []  # keys that the present stretch of lines stated
        self._code = False
        self._block = ""

    def take(self, line: str) -> None:
        """One line."""
        if len(self.settings) >= _MOST:
            return
        if _CODE.match(line):
            self._code = True
            for key in self._since_rule:
                self.settings.pop(key, None)
            self._since_rule = []
            return
        if _RULE.match(line):
            self._code, self._since_rule = False, []
            return
        argument = _ARGUMENT.match(line)
        if argument is not None:
            self.settings[argument["key"]] = typed(_ORIGIN.sub("", argument["value"]).replace(",", ""))
            return
        if self._code:
            return
        rank = _RANK.search(line)
        if rank is not None:
            self._rank((int(rank["tensor"]), int(rank["pipeline"])), int(rank["value"]))
            return
        block = _BLOCK.match(line)
        if block is not None:
            self._block = block["key"]
            return
        match = (
            _STATED.match(line) or _ROW.match(line) or _COUNTED.search(line) or _COUNT_FIRST.search(line)
        )  # fmt: skip
        if match is None:
            self._block = ""
            return
        key = match["key"].strip()
        key = f"{self._block}.{key}" if self._block and " " not in key else key
        self.settings[key] = typed(match["value"].replace(",", ""))
        self._since_rule.append(key)

    def _rank(self, rank: tuple[int, int], count: int) -> None:
        """The parameters that one rank of tensor and pipeline parallelism holds; their sum, once none is missing."""
        self._ranks[rank] = count
        tensor, pipeline = (1 + max(each[at] for each in self._ranks) for at in (0, 1))
        self.settings.pop(RANKS, None)
        if len(self._ranks) == tensor * pipeline:
            self.settings[RANKS] = sum(self._ranks.values())
