"""The best learning rate and batch of a run that was not trained, from sweeps of settings."""

from isoflop.planning.tuning.tune import Setting, Settings, Tuning, tune

__all__ = ["Setting", "Settings", "Tuning", "tune"]
