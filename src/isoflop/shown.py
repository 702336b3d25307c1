"""``Shown``: a result that shows itself as its answer, in a terminal, in a notebook, as a frame and as a picture.

Results live below the questions, so a result knows only that there is a way to show it. ``isoflop/__init__.py``, which
every import of a part of the package passes first, says which: :mod:`isoflop.render.notebook`, loaded when a result is
shown for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Protocol

from isoflop.values import Value

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

_LONGEST = 160  # letters of a repr


class Summary(Protocol):
    """The answer that words a result: printed, shown in a notebook, as plain values, as a frame, as a picture."""

    def to_dict(self) -> dict[str, Any]:
        """Numbers at full precision; the JSON of the product."""

    def to_frame(self, table: str | None = None) -> pl.DataFrame:
        """A table of it, or its named numbers."""

    def plot(self, picture: str | None = None) -> Figure:
        """A picture of it."""


class Display(Protocol):
    """What shows results; None where no question words one."""

    def answer_of(self, result: object) -> Any | None:  # noqa: ANN401
        """The result as an answer."""

    def text(self, result: object) -> str | None:
        """The result as the terminal shows it."""

    def html(self, result: object) -> str | None:
        """The result as an HTML fragment."""

    def figure(self, result: object, picture: str | None) -> Figure:
        """A picture of the result on a figure of its own."""


_loaders: list[Callable[[], Display]] = []


def show_with(load: Callable[[], Display] | None) -> None:
    """Say how results are shown from now on; ``load`` is called when one is. None: by their ``repr``."""
    _loaders[:] = [] if load is None else [load]


class Shown(Value):
    """A result with a text, a summary, frames and pictures of itself; its ``repr`` is one line."""

    def __init_subclass__(cls, **settings: object) -> None:
        super().__init_subclass__(**settings)
        if "__repr__" not in vars(cls):  # in the class itself, where @dataclass looks before it writes its own
            cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        own: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        shown = [each.name for each in own if each.repr]
        told = [f"{name}={_short(getattr(self, name))}" for name in shown]
        line = f"{type(self).__name__}({', '.join(told)})"
        return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 2]}…)"

    def __str__(self) -> str:
        text = _loaders[-1]().text(self) if _loaders else None
        return repr(self) if text is None else text

    def _repr_html_(self) -> str | None:
        return _loaders[-1]().html(self) if _loaders else None

    def summary(self) -> Summary:
        """The result as its answer: ``print`` it, or take ``to_dict()``, ``to_frame()`` and ``plot()`` of it.

        Returns
        -------
        Summary
            The named quantities, tables, pictures and findings.

        Raises
        ------
        TypeError
            There is no answer of this kind of result.
        """
        found: Summary | None = _loaders[-1]().answer_of(self) if _loaders else None
        if found is None:
            raise TypeError(f"no question words a {type(self).__name__}, so it has no summary; read its fields")
        return found

    def to_frame(self, table: str | None = None) -> pl.DataFrame:
        """A table of the answer as a data frame.

        Parameters
        ----------
        table :
            Its name; without one the named quantities, one row each.

        Returns
        -------
        polars.DataFrame
            The table.
        """
        return self.summary().to_frame(table)

    def plot(self, picture: str | None = None) -> Figure:
        """A picture of the answer, on a matplotlib figure of its own.

        Parameters
        ----------
        picture :
            Its name; without one the first picture.

        Returns
        -------
        matplotlib.figure.Figure
            As ``savefig`` takes it.
        """
        return self.summary().plot(picture)


def figure_of(result: object, picture: str | None) -> Figure:
    """A picture of an answer; matplotlib is imported when it is drawn."""
    if not _loaders:
        raise TypeError(f"nothing draws a {type(result).__name__} here; import isoflop")
    return _loaders[-1]().figure(result, picture)


def _short(value: object) -> str:
    """A field in a few letters: numbers by four digits, results by their type, what is long by its length."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:39] + "…")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key}: {_short(each)}" for key, each in value.items())
        return f"{{{inside}}}" if len(inside) <= 60 else f"{len(value)} items"
    if isinstance(value, Sequence):
        few = len(value) <= 3 and not any(map(is_dataclass, value))
        return f"({', '.join(map(_short, value))})" if few else f"{len(value)} items"
    if {"value", "low", "high"} <= set(getattr(value, "__dataclass_fields__", ())):
        return f"{value.value:.4g} ({value.low:.4g} to {value.high:.4g})"  # type: ignore[attr-defined]
    if is_dataclass(value) and len(repr(value)) > 60:
        return f"{type(value).__name__}(…)"
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"{type(value).__name__}{shape}"
