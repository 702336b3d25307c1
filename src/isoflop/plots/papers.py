"""One SVG for light and for dark paper: it follows the reader's color scheme, and is white in print."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

from isoflop.plots.canvas import SIZE, render
from isoflop.plots.style import RAMPS, ramp, shades_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOR: Final = re.compile(r"#[0-9a-f]{6}\b")
_COMMENT: Final = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_PATH: Final = re.compile(r' d="[^"]*"')
_DIGITS: Final = re.compile(r"(\.\d\d)\d+")
_PLACE: Final = re.compile(r'( [xy]="-?\d*\.\d\d)\d+')
_NAME: Final = re.compile(r' id="([^"]+)"')
_NAMED: Final = re.compile(r'(?:href="#|url\(#)([^")]+)')
_STYLE: Final = re.compile(r' style="([^"]*)"')
_OPEN: Final = re.compile(r"<svg\b[^>]*>", re.DOTALL)
_DARK: Final = "@media screen and (prefers-color-scheme: dark)"


def render_for_both(draw: Callable[[Axes], object], *, size: tuple[float, float] = SIZE) -> bytes:
    """A picture as one SVG for both papers, drawn once: every color is a property that a dark scheme sets anew.

    A picture that holds pixels, or a color of which no partner is known, is drawn twice and holds both.
    """
    light = _small(render(draw, format="svg", size=size), "l")
    used = sorted(set(_COLOR.findall(light)))
    partners = _partners()
    if "<image" in light or any(color not in partners for color in used):
        return _either(light, _small(render(draw, format="svg", size=size, dark=True), "d")).encode()
    name = {color: f"--c{place}" for place, color in enumerate(used)}
    day = "".join(f"{name[color]}:{color};" for color in used)
    night = "".join(f"{name[color]}:{partners[color]};" for color in used)
    sheet = f"svg{{{day}}}{_DARK}{{svg{{{night}}}}}"
    return _with_sheet(_COLOR.sub(lambda found: f"var({name[found.group()]})", light), sheet).encode()


@cache
def _partners() -> dict[str, str]:
    """Each color on light paper: the one that stands for it on dark paper."""
    from matplotlib.colors import to_hex

    light, dark = shades_on(dark=False), shades_on(dark=True)
    found: dict[str, str] = {}
    for name in RAMPS:
        each, other = (ramp(name, dark=paper) for paper in (False, True))
        found |= {to_hex(each(place)): to_hex(other(place)) for place in range(each.N)}
    for part in ("paper", "ink", "muted", "faint"):
        found[getattr(light, part)] = getattr(dark, part)
    return found | dict(zip(light.series, dark.series, strict=True))


def _small(picture: bytes, prefix: str) -> str:
    """Without remarks, indentation, idle names and digits below a hundredth of a point; repeated styles as classes.

    prefix: of the short names and classes, so that two pictures in one do not take each other's.
    """
    bare = " ".join(filter(None, map(str.strip, _COMMENT.sub("", picture.decode()).split("\n"))))
    bare = _PATH.sub(lambda found: _DIGITS.sub(r"\1", found.group()), _PLACE.sub(r"\1", bare))
    names = {name: f"{prefix}{place}" for place, name in enumerate(dict.fromkeys(_NAMED.findall(bare)))}
    bare = _NAMED.sub(lambda found: found.group().replace(found[1], names[found[1]]), bare)
    bare = _NAME.sub(lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", bare)
    often = [style for style, count in Counter(_STYLE.findall(bare)).items() if count > 2]
    classes = {style: f"{prefix}s{place}" for place, style in enumerate(often)}
    bare = _STYLE.sub(lambda found: f' class="{classes[found[1]]}"' if found[1] in classes else found.group(), bare)
    return _with_sheet(bare, "".join(f".{name}{{{style}}}" for style, name in classes.items()))


def _with_sheet(picture: str, sheet: str) -> str:
    start = _OPEN.search(picture)
    assert start is not None
    return f"{picture[: start.end()]}<style>{sheet}</style>{picture[start.end() :]}"


def _either(light: str, dark: str) -> str:
    """Both pictures, of which one is shown."""
    start = _OPEN.search(light)
    assert start is not None
    inner = dark[dark.index("<svg") :].replace("<svg", '<svg class="dark"', 1)
    sheet = f"<style>.dark{{display:none}}{_DARK}{{.light{{display:none}}.dark{{display:inline}}}}</style>"
    body = light[start.end() : light.rindex("</svg>")]
    return f'{light[: start.end()]}{sheet}<g class="light">{body}</g>{inner[: inner.rindex("</svg>") + 6]}</svg>'
