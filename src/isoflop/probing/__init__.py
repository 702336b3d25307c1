"""Representations of trained models: read from files and measured behind a calibration."""

from isoflop.probing.probe import Measured, Probed, Representation, probe
from isoflop.probing.read import Activations, read_activations

__all__ = ["Activations", "Measured", "Probed", "Representation", "probe", "read_activations"]
