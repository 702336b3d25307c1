"""Worlds whose truth is known exactly: each function returns runs and a frozen value with what is true of them.

``runs, truth = zipf()`` is all a test of an estimator needs.
"""

from isoflop.lab.worlds.gaussian_pairs import GaussianPairs, GaussianTruth, draw_gaussian_pairs, gaussian_pairs
from isoflop.lab.worlds.low_rank import QUICK_BUDGETS, LowRankTruth, low_rank, low_rank_population
from isoflop.lab.worlds.low_rank_source import LowRankSource, low_rank_source
from isoflop.lab.worlds.low_rank_students import Student, student_parameters, train_on_population, train_students
from isoflop.lab.worlds.perceptron import PerceptronTruth, largest_margin, perceptron
from isoflop.lab.worlds.random_features import (
    RandomFeaturesTruth,
    random_features,
    random_features_data,
    random_features_loss,
    random_features_width,
)
from isoflop.lab.worlds.zipf import ZipfTruth, zipf, zipf_expected, zipf_loss

__all__ = [
    "QUICK_BUDGETS",
    "GaussianPairs",
    "GaussianTruth",
    "LowRankSource",
    "LowRankTruth",
    "PerceptronTruth",
    "RandomFeaturesTruth",
    "Student",
    "ZipfTruth",
    "draw_gaussian_pairs",
    "gaussian_pairs",
    "largest_margin",
    "low_rank",
    "low_rank_population",
    "low_rank_source",
    "perceptron",
    "random_features",
    "random_features_data",
    "random_features_loss",
    "random_features_width",
    "student_parameters",
    "train_on_population",
    "train_students",
    "zipf",
    "zipf_expected",
    "zipf_loss",
]
