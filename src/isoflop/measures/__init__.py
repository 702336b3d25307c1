"""Measures of samples: entropies, information, geometry, spectra; and the calibration that stands before them."""

from isoflop.measures.attention import AttentionEntropy, attention_entropy, gaussian_scale, log_scale
from isoflop.measures.calibrated_geometry import calibrated_dimension, calibrated_spectrum
from isoflop.measures.calibrated_kernels import (
    calibrated_conditional_information,
    calibrated_diffusion_entropy,
    half_median_distance,
)
from isoflop.measures.calibration import (
    Calibrated,
    Trial,
    calibrated_information,
    calibrated_label_information,
)
from isoflop.measures.compression import principal_components
from isoflop.measures.conditional import MixtureBounds, conditional_information, mixture_information
from isoflop.measures.contrastive import autoencoded, infonce_information
from isoflop.measures.diffusion import (
    DiffusionEntropy,
    diffusion_entropy,
    diffusion_label_information,
    gaussian_diffusion_entropy,
    input_clusters,
    unit_norm,
)
from isoflop.measures.dimension import (
    Dimension,
    intrinsic_dimension,
    maximum_likelihood_dimension,
    two_nearest_neighbors,
)
from isoflop.measures.information import (
    kozachenko_leonenko_entropy,
    kozachenko_leonenko_information,
    kraskov_information,
    label_information,
)
from isoflop.measures.overlap import RowOverlap, row_overlap
from isoflop.measures.rivals import (
    binned_entropy,
    binned_information,
    binned_label_information,
    gaussian_information,
)
from isoflop.measures.semantic import (
    FidelityPoint,
    Mixture,
    MixtureStep,
    SemanticInformation,
    confirmation,
    fit_mixture,
    optimal_truth,
    rate_fidelity,
    semantic_information,
)
from isoflop.measures.spectrum import SpectrumExponent, principal_variances, spectrum_exponent

__all__ = [
    "AttentionEntropy",
    "Calibrated",
    "DiffusionEntropy",
    "Dimension",
    "FidelityPoint",
    "Mixture",
    "MixtureBounds",
    "MixtureStep",
    "RowOverlap",
    "SemanticInformation",
    "SpectrumExponent",
    "Trial",
    "attention_entropy",
    "autoencoded",
    "binned_entropy",
    "binned_information",
    "binned_label_information",
    "calibrated_conditional_information",
    "calibrated_diffusion_entropy",
    "calibrated_dimension",
    "calibrated_information",
    "calibrated_label_information",
    "calibrated_spectrum",
    "conditional_information",
    "confirmation",
    "diffusion_entropy",
    "diffusion_label_information",
    "fit_mixture",
    "gaussian_diffusion_entropy",
    "gaussian_information",
    "gaussian_scale",
    "half_median_distance",
    "infonce_information",
    "input_clusters",
    "intrinsic_dimension",
    "kozachenko_leonenko_entropy",
    "kozachenko_leonenko_information",
    "kraskov_information",
    "label_information",
    "log_scale",
    "maximum_likelihood_dimension",
    "mixture_information",
    "optimal_truth",
    "principal_components",
    "principal_variances",
    "rate_fidelity",
    "row_overlap",
    "semantic_information",
    "spectrum_exponent",
    "two_nearest_neighbors",
    "unit_norm",
]
