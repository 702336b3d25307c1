"""Every measure of every representation, each behind its calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.measures.calibrated_geometry import calibrated_dimension, calibrated_overlap, calibrated_spectrum
from isoflop.measures.calibrated_kernels import (
    calibrated_conditional_information,
    calibrated_diffusion_entropy,
    half_median_distance,
)
from isoflop.measures.calibration import (
    TOLERANCE,
    Calibrated,
    Trial,
    calibrated_information,
    calibrated_label_information,
)
from isoflop.measures.diffusion import diffusion_label_information, input_clusters, unit_norm
from isoflop.measures.samples import Floats, Ints, as_labels, as_samples, repeated, varying
from isoflop.probing.read import Activations

LABELS: Final = {
    "dimension": "intrinsic dimension",
    "spectrum": "spectrum exponent",
    "dse": "diffusion spectral entropy",
    "dsmi_labels": "DSMI(Z; Y)",
    "dsmi_inputs": "DSMI(Z; X)",
    "information_labels": "I(Z; Y)",
    "information_inputs": "I(Z; X)",
    "conditional": "I(X; Z | Y)",
    "overlap": "row overlap times m",
}
_FEW = 50


@dataclass(frozen=True)
class Settings:
    """What the measures take: see the options of ``isoflop probe``; None stands for a width by the data.

    weights: whether the arrays are matrices of weights, of which the overlap of rows is measured alone.
    """

    sigma: float | None = None
    time: float = 1.0
    noise: float | None = None
    components: int = 2
    neighbors: int = 5
    estimator: str = "kraskov"
    compression: str = "pca"
    weights: bool = False
    tolerance: float = TOLERANCE
    level: float = 0.9
    seed: int = 0


@dataclass(frozen=True)
class Measured:
    """One measure of one representation.

    name: the key. label: in words. found: the estimate with its trials; None where it could not be computed. refused:
    why it should not be used, or could not be computed; empty where it may be.
    """

    name: str
    label: str
    found: Calibrated | None
    refused: str

    @property
    def value(self) -> float | None:
        """The estimate, None where it is refused."""
        return self.found.value if self.found is not None and not self.refused else None


@dataclass(frozen=True)
class Representation:
    """What was measured of one array of one file."""

    source: str
    checkpoint: str
    array: str
    samples: int
    total: int
    dimensions: int
    varying: int
    measures: tuple[Measured, ...]

    def measured(self, name: str) -> Measured | None:
        """The measure of this name; None where it was not asked for."""
        return next((each for each in self.measures if each.name == name), None)

    @property
    def predicted(self) -> dict[str, tuple[float, float, float]]:
        """Exponents of loss that theories make of the measures, as value, low and high.

        4/d from the intrinsic dimension (piecewise-linear networks, Bahri et al. 2021), and the spectrum's α.
        """
        told: dict[str, tuple[float, float, float]] = {}
        dimension, spectrum = self.measured("dimension"), self.measured("spectrum")
        if dimension is not None and dimension.found is not None and not dimension.refused:
            found = dimension.found
            told["4/d"] = (4 / found.value, 4 / found.high, 4 / found.low)
        if spectrum is not None and spectrum.found is not None and not spectrum.refused:
            told["spectrum"] = (spectrum.found.value, spectrum.found.low, spectrum.found.high)
        return told


@dataclass(frozen=True)
class Probed:
    """The measures of every representation, in order, and the findings about them."""

    representations: tuple[Representation, ...]
    settings: Settings
    findings: tuple[Finding, ...]


def probe(
    activations: Sequence[Activations],
    settings: Settings | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Probed:
    """Measure every array: geometry of all, information where labels or inputs stand beside it.

    Raises DataError for arrays that hold no usable samples: NaN, constant features alone, fewer than 50.
    """
    chosen = settings or Settings()
    found = []
    for each in activations:
        found.append(_measure(each, chosen))
        if progress is not None:
            progress(1)
    findings = [one for each, made in zip(activations, found, strict=True) for one in _findings(each, made)]
    return Probed(tuple(found), chosen, tuple(findings))


def _measure(given: Activations, settings: Settings) -> Representation:
    if settings.weights:
        return _measure_weights(given, settings)
    where = f"{given.array} of {given.source}"
    whole = as_samples(given.points, where, least=_FEW)
    table = varying(whole, where)
    # checked before minutes are spent
    labels = None if given.labels is None else as_labels(given.labels, len(table))
    inputs = None if given.inputs is None else varying(as_samples(given.inputs, "inputs"), "inputs")
    return Representation(
        given.source,
        given.checkpoint,
        given.array,
        len(table),
        given.total,
        whole.shape[1],
        table.shape[1],
        tuple(_measures(unit_norm(table - table.mean(axis=0)), labels, inputs, settings)),
    )


def _measure_weights(given: Activations, settings: Settings) -> Representation:
    where = f"{given.array} of {given.source}"
    table = as_samples(given.points, where)
    overlap = _try(
        "overlap",
        lambda: calibrated_overlap(table, tolerance=settings.tolerance, level=settings.level, seed=settings.seed),
    )
    rows, dimensions = table.shape
    return Representation(
        given.source, given.checkpoint, given.array, rows, given.total, dimensions, dimensions, (overlap,)
    )


def _measures(table: Floats, labels: Ints | None, inputs: Floats | None, settings: Settings) -> Iterator[Measured]:
    tolerance, level, seed = settings.tolerance, settings.level, settings.seed
    width = half_median_distance(table, seed=seed) if repeated(table) < len(table) else 1.0
    sigma, noise = settings.sigma or width, settings.noise or width
    neighbors, components = settings.neighbors, settings.components
    yield _try("dimension", lambda: calibrated_dimension(table, tolerance=tolerance, level=level, seed=seed))
    yield _try("spectrum", lambda: calibrated_spectrum(table, tolerance=tolerance, level=level, seed=seed))

    def entropy() -> Calibrated:
        return calibrated_diffusion_entropy(
            table, sigma=sigma, time=settings.time, tolerance=tolerance, level=level, seed=seed
        )

    dse = _try("dse", entropy)
    yield dse
    if labels is not None:
        yield _try("dsmi_labels", lambda: _dsmi(table, labels, sigma, settings, dse))
        yield _try(
            "information_labels",
            lambda: calibrated_label_information(
                table,
                labels,
                components=components,
                compression=settings.compression,
                neighbors=neighbors,
                tolerance=tolerance,
                level=level,
                seed=seed,
            ),
        )
        yield _try(
            "conditional",
            lambda: calibrated_conditional_information(
                table, labels, noise=noise, tolerance=tolerance, level=level, seed=seed
            ),
        )
    if inputs is not None:
        yield _try(
            "dsmi_inputs", lambda: _dsmi(table, input_clusters(inputs, seed=settings.seed), sigma, settings, dse)
        )
        yield _try(
            "information_inputs",
            lambda: calibrated_information(
                inputs,
                table,
                method=settings.estimator,
                components=components,
                compression=settings.compression,
                neighbors=neighbors,
                tolerance=tolerance,
                level=level,
                seed=seed,
            ),
        )


def _dsmi(table: Floats, classes: Ints, sigma: float, settings: Settings, dse: Measured) -> Calibrated:
    """DSMI beside that of shuffled classes, which share nothing: the trial of truth 0."""
    rng = np.random.default_rng(settings.seed)
    value = diffusion_label_information(table, classes, sigma=sigma, time=settings.time, seed=settings.seed)
    shuffled = [
        diffusion_label_information(
            table, rng.permutation(classes), sigma=sigma, time=settings.time, repeats=2, seed=settings.seed
        )
        for _ in range(3)
    ]
    noise = float(np.mean(shuffled))
    scatter = float(np.std(shuffled, ddof=1))
    refused = ""
    if abs(noise) > settings.tolerance * max(value, 0.25):
        refused = f"shuffled classes give {noise:.2g} bits too"
    elif dse.found is not None and ("neighbor" in dse.refused):
        refused = dse.refused
    return Calibrated(
        "dsmi", value, value - 2 * scatter, value + 2 * scatter, settings.level, "bits",
        (Trial("shuffled classes", 0.0, noise),), settings.tolerance, refused,
    )  # fmt: skip


def _try(name: str, compute: Callable[[], Calibrated]) -> Measured:
    try:
        found = compute()
    except DataError as error:
        return Measured(name, LABELS[name], None, str(error))
    return Measured(name, LABELS[name], found, found.refused)


def _findings(given: Activations, made: Representation) -> Iterator[Finding]:
    where = f"{made.array} of {given.source}"
    if made.varying < made.dimensions:
        yield Finding(
            "constant-features", "note",
            f"{made.dimensions - made.varying:,} of {made.dimensions:,} features of {where} are constant and left out.",
            "Check the layer if units should not be off for every sample.",
        )  # fmt: skip
    if made.samples < made.total:
        yield Finding(
            "activations-sampled", "note", f"{made.samples:,} of {made.total:,} samples of {where} are measured.",
            "Measure more with --samples.",
        )  # fmt: skip
    if made.measured("overlap") is not None:
        return  # rows of a matrix are no samples
    if made.dimensions >= made.samples:
        yield Finding(
            "more-dimensions-than-samples", "warning",
            f"{where} has {made.dimensions:,} dimensions and {made.samples:,} samples.",
            "Record more samples: covariance and spectrum are not determined beyond the samples.",
        )  # fmt: skip
    copies = repeated(as_samples(given.points))
    if copies:
        yield Finding(
            "repeated-samples", "warning" if copies > 0.02 * made.samples else "note",
            f"{copies:,} of {made.samples:,} samples of {where} are copies of another.",
            "Drop copies before recording: distances of 0 mislead every neighbor estimator.",
        )  # fmt: skip
    refused = [each.label for each in made.measures if each.refused]
    if refused:
        yield Finding(
            "measures-refused", "warning",
            f"{len(refused)} of {len(made.measures)} measures of {where} are refused: {', '.join(refused)}.",
            "Record more samples, or change --components, --sigma or --noise; "
            "--tolerance sets the error that is allowed.",
        )  # fmt: skip
