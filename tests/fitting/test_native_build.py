"""The compiled engine's build: sanitizers over random instruction lists, and wheels with and without a compiler."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from isoflop.fitting import native

ROOT = Path(__file__).parents[2]
SOURCES = Path(native.__file__).parent
COMPILER = next((each for each in ("cc", "gcc", "clang") if shutil.which(each)), None)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")]


@pytest.mark.parametrize("level", ["-O1", "-O3"])
def test_sanitizers_find_nothing_in_random_instruction_lists(tmp_path, level):
    program = tmp_path / "fuzz"
    flags = ["-std=c11", level, "-g", "-fopenmp-simd", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    source = Path(__file__).parent / "native" / "fuzz.c"
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function"]
    built = subprocess.run(
        [COMPILER, *flags, *warnings, f"-I{SOURCES}", "-o", program, source, "-lm"], capture_output=True, text=True
    )
    if "fsanitize" in built.stderr or "libasan" in built.stderr:
        pytest.skip("this compiler has no sanitizers")
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([program, "400"], capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(ran.stdout.split()[0]) > 1200


def test_the_library_says_the_version_that_is_expected():
    assert f"#define ISOFLOP_KERNEL {native._VERSION} " in (SOURCES / "kernel.c").read_text()
    assert {each.name for each in SOURCES.iterdir() if each.suffix in (".c", ".h")} == set(native.SOURCES)


def copied(folder: Path) -> Path:
    """The project's sources, without what was compiled in them."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(("compiler", "pure"), [(None, False), ("no-such-compiler", True), ("false", True)])
def test_a_wheel_is_built_with_and_without_a_compiler(tmp_path, compiler, pure):
    pytest.importorskip("hatchling")
    source = copied(tmp_path / "project")
    environment = {key: value for key, value in os.environ.items() if key != "CC"}
    if compiler is not None:
        environment["CC"] = compiler
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.endswith("py3-none-any.whl") == pure
    assert not pure or "linux" not in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert ("isoflop/fitting/native/_kernel.so" in names) != pure
    assert "isoflop/fitting/native/kernel.c" in names
    # what was built works: the engine that a fit of this wheel runs on
    shutil.unpack_archive(wheel, tmp_path / "installed", format="zip")
    said = subprocess.run(
        [sys.executable, "-c", "from isoflop.fitting.native import engine; print(engine())"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "ISOFLOP_ENGINE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == ("numpy" if pure else "native")
