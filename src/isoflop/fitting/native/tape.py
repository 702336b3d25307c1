"""A program as the structures of ``tape.h``, and the two calls of ``kernel.c``."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import POINTER, Structure, byref, c_double, c_int32, c_int64, c_long, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.layout import Bound, Layout, Ref, Root, Step
from isoflop.fitting.native import library
from isoflop.fitting.objective import OUTER, Objective, StudentT
from isoflop.fitting.program import Program
from isoflop.laws.gamma import digamma, lgamma

if TYPE_CHECKING:
    from isoflop.fitting.kernel import Kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# in the order of the enumerations of arithmetic.h, tape.h and objective.h
_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    *(np.add, np.multiply, np.minimum, np.maximum, np.power, np.greater_equal),
    *(np.log, np.exp, np.log1p, np.expm1, np.absolute, np.sign, np.reciprocal, np.sqrt, np.square),
    *(lgamma, digamma),
)
_OPERATIONS = {function: position for position, function in enumerate(_FUNCTIONS)}
_ROOT, _SUM = len(_OPERATIONS), len(_OPERATIONS) + 1
_NOWHERE, _EACH, _NUMBER, _DATA, _TILE = -1, 0, 1, 2, 3
_OBJECTIVES = ("huber", "squares", "student-t")


class _Reference(Structure):
    _fields_: ClassVar = [("place", c_int32), ("slot", c_int32)]


class _Step(Structure):
    _fields_: ClassVar = [
        *(("operation", c_int32), ("first", _Reference), ("second", _Reference)),
        *(("out", c_int32), ("child", c_int32)),
    ]


class _Tape(Structure):
    pass


_COUNTS = ("n_coordinates", "n_each", "n_tile", "n_once", "n_steps", "n_outputs", "n_roots")
_Tape._fields_ = [
    *((each, c_int32) for each in _COUNTS),
    *(("once", POINTER(_Step)), ("steps", POINTER(_Step)), ("outputs", POINTER(_Reference)), ("numbers", c_void_p)),
    *(("roots", POINTER(POINTER(_Tape))), ("sums", POINTER(_Tape))),
]


class _Domain(Structure):
    _fields_: ClassVar = [("n", c_long), ("n_slots", ctypes.c_int), ("columns", POINTER(c_void_p))]


class _Table(Structure):
    _fields_: ClassVar = [
        *(("rows", _Domain), ("pairs", _Domain), ("offsets", c_void_p), ("targets", c_void_p)),
        *(("each_target", c_int32), ("n_free", c_int32), ("pair_width", c_int64)),
    ]


class _Objective(Structure):
    _fields_: ClassVar = [
        *(("kind", c_int32), ("fits_scale", c_int32)),
        *(("df", c_double), ("constant", c_double), ("outer", c_double)),
    ]


class Settings(Structure):
    """When a descent ends, how far its steps go, which coordinates stay (bit i for the i-th), and where it begins."""

    _fields_: ClassVar = [
        *((each, c_double) for each in ("tolerance", "longest", "limit", "nearly")),
        *(("max_steps", c_int32), ("quiet", c_int32), ("held", c_uint64), ("near", c_int32)),
    ]


class Tape:
    """A kernel's program and table in memory that C reads; what it points to lives as long as it does."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._kept: list[Any] = []
        program = kernel.full_program
        self._tape = self._program(program)
        self._rows = self._domain(program, kernel.n_rows)
        pairs, offsets = program.pairs, kernel.offsets
        self._pairs = _Domain() if pairs is None or offsets is None else self._domain(pairs, int(offsets[-1]))
        self._offsets = None if offsets is None else self._array(offsets, np.int64)
        self._widest = 0 if offsets is None or not len(offsets) else int(np.diff(offsets).max(initial=0))

    # -- layout ------------------------------------------------------------------------------------------------------

    def _program(self, program: Program) -> _Tape:
        layout = program.layout
        once = (_Step * max(1, len(layout.each)))(*(self._step(step, program) for step in layout.each))
        steps = (_Step * max(1, len(layout.tile)))(*(self._step(step, program) for step in layout.tile))
        outputs = (_Reference * len(layout.outputs))(*(_reference(ref, program) for ref in layout.outputs))
        numbers = np.array([float(each) if each.ndim == 0 else np.nan for each in program.data.constants] or [0.0])
        children = [self._program(each) for each in program.roots]
        pointers = (POINTER(_Tape) * max(1, len(children)))(*(ctypes.pointer(each) for each in children))
        sums = None if program.pairs is None else self._program(program.pairs)
        self._kept += [once, steps, outputs, numbers, children, pointers, sums]
        counts = (len(layout.order), layout.n_each, layout.n_tile, len(layout.each), len(layout.tile))
        tape = _Tape(*counts, len(outputs), len(children), once, steps, outputs, numbers.ctypes.data, pointers, None)
        if sums is not None:
            tape.sums = ctypes.pointer(sums)
        return tape

    def _step(self, step: Step | Bound, program: Program) -> _Step:
        sources = [_reference(ref, program) for ref in step.sources]
        sources += [_Reference(_NOWHERE, 0)] * (2 - len(sources))
        if isinstance(step, Step):
            return _Step(_OPERATIONS[step.function], *sources, step.out.slot, 0)
        kind = _ROOT if isinstance(step.operation, Root) else _SUM
        return _Step(kind, *sources, step.out.slot, step.operation.position)

    def _domain(self, program: Program, n: int) -> _Domain:
        used = _data_slots(program.layout)
        columns = (c_void_p * max(1, len(program.data.constants)))()
        for slot, values in enumerate(program.data.constants):
            if values.ndim and slot in used:
                columns[slot] = self._array(np.broadcast_to(values, (n,)), np.float64)
        self._kept.append(columns)
        return _Domain(n, len(program.data.constants), columns)

    def _array(self, values: NDArray[Any], kind: type[Any]) -> int:
        held = np.ascontiguousarray(values, dtype=kind)
        self._kept.append(held)
        return held.ctypes.data

    def _table(self, targets: Floats) -> _Table:
        each = targets.ndim == 2
        return _Table(
            *(self._rows, self._pairs, self._offsets, targets.ctypes.data),
            *(int(each), self.kernel.n_free, self._widest),
        )

    # -- calls -------------------------------------------------------------------------------------------------------

    def descend(
        self,
        target: Floats,
        weights: Floats | None,
        objective: Objective,
        theta: Floats,
        scale: Floats,
        settings: Settings,
        *,
        index: Ints | None = None,
        ranges: Ints | None = None,
    ) -> tuple[Floats, Floats, Floats, Ints, NDArray[np.bool_]]:
        """Theta, scale, value, steps and whether it converged, for every start; see ``isoflop_descend``.

        index: (problems,), the row of weights, and of targets, of each problem; its own where none is given.
        ranges: (problems, 2), the rows of the table that each problem has, or None for all.
        """
        count = len(theta)
        index = np.ascontiguousarray(np.arange(count) if index is None else index, dtype=np.int64)
        ranges = None if ranges is None else np.ascontiguousarray(ranges, dtype=np.int64)
        target = np.ascontiguousarray(target, dtype=np.float64)
        weights = None if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
        theta, scale = np.array(theta, dtype=np.float64, order="C"), np.array(scale, dtype=np.float64)
        value, steps = np.empty(count), np.empty(count, dtype=np.int64)
        converged = np.empty(count, dtype=np.bool_)
        table, chosen = self._table(target), _objective(objective)
        _call(
            *("isoflop_descend", byref(self._tape), byref(table), byref(chosen), byref(settings), c_int64(count)),
            *(_place(each) for each in (index, ranges, weights)),
            *(c_void_p(each.ctypes.data) for each in (theta, scale, value, steps, converged)),
        )
        return theta, scale, value, steps, converged

    def measure(
        self,
        target: Floats,
        weights: Floats | None,
        objective: Objective,
        theta: Floats,
        scale: Floats,
        index: Ints,
        newton: NDArray[np.bool_],
        *,
        ranges: Ints | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """The objective (problems,), its gradient (problems, k) and curvature (problems, k, k); see :meth:`descend`."""
        ranges = None if ranges is None else np.ascontiguousarray(ranges, dtype=np.int64)
        count, k = len(theta), self.kernel.n_free + objective.n_extra
        target, theta, scale, index, newton = (
            np.ascontiguousarray(each, dtype=kind)
            for each, kind in ((target, float), (theta, float), (scale, float), (index, np.int64), (newton, np.bool_))
        )
        weights = None if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
        value, slope, curvature = np.empty(count), np.empty((count, k)), np.empty((count, k, k))
        table, chosen = self._table(target), _objective(objective)
        _call(
            *("isoflop_measure", byref(self._tape), byref(table), byref(chosen), c_int64(count)),
            *(_place(each) for each in (index, ranges, weights)),
            *(c_void_p(each.ctypes.data) for each in (theta, scale, newton, value, slope, curvature)),
        )
        return value, slope, curvature

    def evaluate(self, theta: Floats) -> tuple[Floats, Floats]:
        """Value (problems, rows) and Jacobian (problems, free coordinates, rows)."""
        count, rows = len(theta), self.kernel.n_rows
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        value, jacobian = np.empty((count, rows)), np.empty((count, self.kernel.n_free, rows))
        table = self._table(np.zeros(rows))
        places = (c_void_p(each.ctypes.data) for each in (theta, value, jacobian))
        _call("isoflop_evaluate", byref(self._tape), byref(table), c_int64(count), *places)
        return value, jacobian


class TapeCell:
    """The tape of a kernel, made when it is first asked for; another process makes its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tape: Tape | None = None

    def of(self, kernel: Kernel) -> Tape:
        """The tape of that kernel."""
        with self.lock:
            if self.tape is None:
                self.tape = Tape(kernel)
        return self.tape

    def __reduce__(self) -> tuple[type[TapeCell], tuple[()]]:
        return TapeCell, ()


def _objective(objective: Objective) -> _Objective:
    df, constant = (objective.df, objective.constant) if isinstance(objective, StudentT) else (0.0, 0.0)
    return _Objective(_OBJECTIVES.index(objective.native or ""), int(objective.fits_scale), df, constant, OUTER)


def _place(values: NDArray[Any] | None) -> c_void_p | None:
    """Where an array lies, or NULL."""
    return None if values is None else c_void_p(values.ctypes.data)


def _call(name: str, *arguments: object) -> None:
    loaded = library()
    assert loaded is not None
    if getattr(loaded, name)(*arguments):
        raise MemoryError(f"{name} of the compiled engine found no memory")


def _reference(ref: Ref, program: Program) -> _Reference:
    if ref.kind == "data":
        return _Reference(_NUMBER if program.data.constants[ref.slot].ndim == 0 else _DATA, ref.slot)
    return _Reference(_EACH if ref.kind == "each" else _TILE, ref.slot)


def _data_slots(layout: Layout) -> set[int]:
    """The slots of data that a layout and its roots read."""
    used = {ref.slot for step in (*layout.each, *layout.tile) for ref in step.sources if ref.kind == "data"}
    used |= {ref.slot for ref in layout.outputs if ref.kind == "data"}
    return used.union(*map(_data_slots, layout.roots))
