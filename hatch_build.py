"""Builds the compiled engine where there is a C compiler; without one the package is pure Python and works the same.

Run by pip through hatchling, for wheels and for editable installs. By itself it builds in place: python hatch_build.py
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by itself, where hatchling need not be installed
    BuildHookInterface = object

FOLDER = Path(__file__).parent / "src" / "isoflop" / "fitting" / "native"
LIBRARY = "_kernel.so"
# What NumPy does with NaN and infinity is kept: no -ffast-math, and no fused multiply-add that another machine lacks.
FLAGS = (
    *("-std=c11", "-O3", "-fPIC", "-shared", "-ffp-contract=off"),
    *("-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"),
)


def compiler() -> list[str] | None:
    """The C compiler: that of the environment variable CC, else cc, gcc or clang; None without one."""
    asked = shlex.split(os.environ.get("CC", ""))
    names = [asked] if asked else [["cc"], ["gcc"], ["clang"]]
    return next((each for each in names if shutil.which(each[0])), None)


def build(folder: Path = FOLDER) -> Path | None:
    """The library, compiled from the sources in ``folder`` beside them; None, with the reason said, where it fails."""
    if os.name == "nt":
        return None
    found, library = compiler(), folder / LIBRARY
    library.unlink(missing_ok=True)  # an old one must not stand in for sources that do not compile
    if found is None:
        print("isoflop: no C compiler; fits will run on NumPy", file=sys.stderr)
        return None
    ran = subprocess.run(
        [*found, *FLAGS, "-o", LIBRARY, "kernel.c", "-lm"], cwd=folder, capture_output=True, text=True, check=False
    )
    if ran.returncode or not library.exists():
        library.unlink(missing_ok=True)
        print(f"isoflop: the engine did not compile; fits will run on NumPy\n{ran.stderr}", file=sys.stderr)
        return None
    return library


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc, valid-type]
    """hatchling's hook: the library is part of the wheel, which then is of this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel contains."""
        if self.target_name != "wheel":
            return
        library = build()
        if library is None:
            return
        build_data["pure_python"] = False
        build_data["artifacts"].append(library.relative_to(Path(self.root)).as_posix())
        # nothing in it depends on Python's version: it is called through ctypes
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


if __name__ == "__main__":
    sys.exit(0 if build() else 1)
