"""mkdocs' hooks: pages that the package tells of itself are made when the site is built."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from mkdocs.structure.files import File, Files

from docs_build.blocks import has_code, with_output
from docs_build.pages import every_page

_pages: dict[str, str] = {}


def on_config(config: Any) -> Any:  # noqa: ANN401
    """Entries of the navigation that end in ``/*`` become the pages of that folder, its index first."""
    _pages.update(every_page())
    written = [each.relative_to(config.docs_dir).as_posix() for each in Path(config.docs_dir).rglob("*.md")]

    def filled(entry: Any) -> Any:  # noqa: ANN401
        if isinstance(entry, dict):
            return {title: filled(below) for title, below in entry.items()}
        if isinstance(entry, list):
            return [filled(each) for each in entry]
        if not entry.endswith("/*"):
            return entry
        inside = [each for each in (*_pages, *sorted(written)) if each.startswith(entry[:-1])]
        return sorted(inside, key=lambda each: not each.endswith("/index.md"))

    config.nav = filled(config.nav)
    return config


def on_files(files: Files, config: Any) -> Files:  # noqa: ANN401 - mkdocs' own configuration
    """Add the generated pages."""
    for path, content in _pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:  # noqa: ANN401 - mkdocs' page
    """Run the code of the pages that are written by hand, and show what it prints."""
    return with_output(markdown) if page.file.generated_by is None and has_code(markdown) else markdown


def on_page_content(html: str, **_: Any) -> str:  # noqa: ANN401
    """Roles of docstrings, as ``:func:`isoflop.fit```, become code."""
    return re.sub(r":(?:func|class|mod|meth|data|attr|exc):<code>~?([^<]*)</code>", r"<code>\1</code>", html)
