"""Text on standard input, as ``bible -l0 'gen1:1-rev22:21'`` prints it (Debian's bible-kjv), to one file a chapter.

A folder of files lets the task hold out whole chapters. The King James Version is in the public domain outside the
United Kingdom.

    bible -l0 'gen1:1-rev22:21' | python examples/sweeps/chapters.py kjv
"""

import re
import sys
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
heading = re.compile(r"^(?=[A-Z1-3][A-Za-z0-9 ]+ \d+$)", re.MULTILINE)
for chapter in heading.split(sys.stdin.read()):
    name, _, verses = chapter.partition("\n")
    if verses.strip():
        text = re.sub(r"^ +\d+ ", "", verses, flags=re.MULTILINE).strip()  # verses without their numbers
        (folder / f"{name.strip().lower().replace(' ', '-')}.txt").write_text(text + "\n", encoding="utf-8")
