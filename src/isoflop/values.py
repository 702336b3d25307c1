"""``Value``: frozen dataclasses that are equal, hashed, copied and pickled by their content; ``FrozenMapping`` in them.

Arrays and data frames have no truth value of their own comparison, a missing number is unequal to itself, and a
dictionary in a frozen dataclass can still be written to. Every value that a user may hold, copy or send to another
process inherits what is needed from here, so that no class says it again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V", covariant=True)


class FrozenMapping(Mapping[K, V]):
    """A mapping that nobody can write to; equal to any mapping of the same content, hashable, copied and pickled."""

    __slots__ = ("_content",)
    _content: dict[K, V]

    def __init__(self, content: Mapping[K, V] | Sequence[tuple[K, V]] = ()) -> None:
        object.__setattr__(self, "_content", dict(content))

    def __getitem__(self, key: K) -> V:
        return self._content[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __contains__(self, key: object) -> bool:
        return key in self._content

    def __or__(self, other: Mapping[K, V]) -> dict[K, V]:
        return {**self._content, **other}

    def __ror__(self, other: Mapping[K, V]) -> dict[K, V]:
        return {**other, **self._content}

    def __eq__(self, other: object) -> bool:
        return same(self, other) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return content_hash(self)

    def __repr__(self) -> str:
        return repr(self._content)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a frozen mapping cannot be changed; {name!r} was to be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._content,)


class Value:
    """What a frozen dataclass inherits to be a value.

    Equal where all compared fields have the same content: arrays and frames element by element, NaN equal to NaN. The
    hash goes with it. Dictionaries given to it are frozen. Copies and pickles are made anew from its fields, so that
    what it keeps aside to be quick (a field that is not ``init``, a cached property) stays behind.
    """

    def __init_subclass__(cls, **settings: object) -> None:
        super().__init_subclass__(**settings)
        # in the class itself, where @dataclass looks before it writes its own
        cls.__eq__ = Value.__eq__  # type: ignore[method-assign]
        cls.__hash__ = Value.__hash__  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            held = getattr(self, each.name)
            if each.init and isinstance(held, Mapping) and not isinstance(held, FrozenMapping):
                object.__setattr__(self, each.name, FrozenMapping(held))

    def __eq__(self, other: object) -> bool:
        return same(self, other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return content_hash(self)

    def __reduce__(self) -> tuple[Any, ...]:
        held = {each.name: getattr(self, each.name) for each in fields(self) if each.init}  # type: ignore[arg-type]
        return _made, (type(self), held)


def _made(kind: type[Any], held: dict[str, object]) -> object:
    return kind(**held)


def same(one: object, other: object) -> bool:
    """Whether two values have the same content; see :class:`Value`."""
    if one is other:
        return True
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (tuple, list)) and type(one) is type(other):
        assert isinstance(other, (tuple, list))
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is not type(other):
        return bool(one == other) if _plain(one) and _plain(other) else False
    if is_dataclass(one) and not isinstance(one, type):
        return all(same(getattr(one, each), getattr(other, each)) for each in _compared(one))
    if _array(one):
        return _same_arrays(one, other)
    if _frame(one):
        return bool(one.equals(other))  # type: ignore[attr-defined]
    return False if isinstance(one, Value) else bool(one == other)


def content_hash(value: object) -> int:
    """A hash that agrees with :func:`same`; of arrays and frames the shape alone counts."""
    if isinstance(value, float) and value != value:
        return hash("nan")
    if isinstance(value, Mapping):
        return hash(frozenset((key, content_hash(each)) for key, each in value.items()))
    if isinstance(value, (tuple, list)):
        return hash(tuple(content_hash(each) for each in value))
    if _array(value) or _frame(value):
        return hash(value.shape)  # type: ignore[attr-defined]
    if is_dataclass(value) and not isinstance(value, type):
        return hash((type(value).__qualname__, *(content_hash(getattr(value, each)) for each in _compared(value))))
    plain = isinstance(value, Hashable) and not isinstance(value, Value)
    return hash(value) if plain else hash(type(value).__qualname__)


def _compared(value: Any) -> Iterator[str]:  # noqa: ANN401
    return (each.name for each in fields(value) if each.compare)


# NumPy and Polars are not imported here: the command line's help would wait for them
def _array(value: object) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "dtype") and hasattr(value, "shape")


def _frame(value: object) -> bool:
    return type(value).__module__.startswith("polars.") and hasattr(value, "equals")


def _plain(value: object) -> bool:
    return not (_array(value) and bool(getattr(value, "ndim", 0))) and not _frame(value)


def _same_arrays(one: Any, other: Any) -> bool:  # noqa: ANN401
    import numpy as np

    if one.shape != other.shape:
        return False
    if one.dtype == object:
        return all(map(same, one.ravel().tolist(), other.ravel().tolist()))
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc" and other.dtype.kind in "fc"))
