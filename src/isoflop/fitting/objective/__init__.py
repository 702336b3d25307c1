"""What a fit minimizes: a sum over runs of a function of the residual, on log loss or on raw loss.

One module an objective. A new one is a subclass of :class:`Objective` in a module of its own and its line in
:data:`OBJECTIVES`; the command line, studies, saved fits and sensitivity read them from there.
"""

from __future__ import annotations

from collections.abc import Mapping

from isoflop.errors import FitError
from isoflop.fitting.objective.absolute_loss import Absolute
from isoflop.fitting.objective.base import OUTER, Objective, Parts
from isoflop.fitting.objective.huber_loss import Huber
from isoflop.fitting.objective.space import Space, space_of
from isoflop.fitting.objective.squares_loss import Squares
from isoflop.fitting.objective.student_t_loss import StudentT

__all__ = [
    "OBJECTIVES",
    "OUTER",
    "Absolute",
    "Huber",
    "Objective",
    "Parts",
    "Space",
    "Squares",
    "StudentT",
    "absolute",
    "huber",
    "objective",
    "squares",
    "student_t",
]

OBJECTIVES: Mapping[str, type[Objective]] = {each.word: each for each in (Huber, Absolute, Squares, StudentT)}


def huber(delta: float = 1e-3, *, space: Space = "log") -> Objective:
    """Σ_i ρ(r_i) with ρ(r) = r²/2 for |r| ≤ δ, else δ(|r| − δ/2); no likelihood.

    Parameters
    ----------
    delta :
        δ, the width; 1e-3 is usual.
    space :
        ``log`` for residuals of log loss, ``raw`` for those of the loss, ``logit`` for those of a score's log odds.

    Returns
    -------
    Objective
        For :func:`isoflop.fit`.

    Raises
    ------
    FitError
        A width that is not positive and finite.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.huber(1e-3).name
    'huber:0.001'

    Source: Huber 1964; the width is that of Hoffmann et al. 2022, appendix D.2.
    """
    return Huber.of(delta, space=space)


def absolute(*, space: Space = "log") -> Objective:
    """Σ_i |r_i| (least absolute deviations); no likelihood.

    Parameters
    ----------
    space :
        ``log`` for residuals of log loss, ``raw`` for those of the loss, ``logit`` for those of a score's log odds.

    Returns
    -------
    Objective
        For :func:`isoflop.fit`.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.absolute().name
    'lad'
    """
    return Absolute(space=space)


def squares(*, space: Space = "log") -> Objective:
    """Σ_i r_i²; a likelihood for Gaussian residuals whose scale is fitted.

    Parameters
    ----------
    space :
        ``log`` for residuals of log loss, ``raw`` for those of the loss, ``logit`` for those of a score's log odds.

    Returns
    -------
    Objective
        For :func:`isoflop.fit`.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.squares(space="raw").name
    'raw-lsq'
    """
    return Squares(space=space)


def student_t(df: float = 4.0, *, space: Space = "log") -> Objective:
    """Minus the log-likelihood of Student-t residuals with ``df`` degrees of freedom and a fitted scale.

    Parameters
    ----------
    df :
        Degrees of freedom; 4 is usual.
    space :
        ``log`` for residuals of log loss, ``raw`` for those of the loss, ``logit`` for those of a score's log odds.

    Returns
    -------
    Objective
        For :func:`isoflop.fit`.

    Raises
    ------
    FitError
        Degrees of freedom that are not positive and finite.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.student_t().name
    'student-t'
    """
    return StudentT.of(df, space=space)


def objective(text: str) -> Objective:
    """The objective of a word: ``huber:1e-3``, ``lad``, ``lsq``, ``student-t``, with ``raw-`` or ``logit-`` before it.

    Parameters
    ----------
    text :
        The word, and after a colon the number that it takes.

    Returns
    -------
    Objective
        For :func:`isoflop.fit`.

    Raises
    ------
    FitError
        The word is not known, or the number is none that it takes.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.fitting import objective
    >>> objective("huber:1e-3") == isoflop.huber()
    True
    """
    space, rest = space_of(text)
    word, colon, number = rest.partition(":")
    if word not in OBJECTIVES:
        known = [each.example for each in OBJECTIVES.values()]
        raise FitError(
            f"objective {text!r} is not known; use {', '.join(known[:-1])} or {known[-1]}, or raw- or logit- before "
            "one of them"
        )
    try:
        value = float(number) if colon else None
    except ValueError:
        raise FitError(f"objective {text!r}: {number!r} is no number; write for example huber:1e-3") from None
    return OBJECTIVES[word].of(value, space=space)
