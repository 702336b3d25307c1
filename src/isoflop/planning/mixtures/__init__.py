"""Mixtures of training data: laws for any number of domains, forecasts of mixtures that were not trained, the best."""

from isoflop.planning.mixtures.forecast import MixtureForecast, forecast_mixture
from isoflop.planning.mixtures.forms import FORMS, Form, MixtureLaw, fit_mixtures
from isoflop.planning.mixtures.plan import MixturePlan, plan_mixture
from isoflop.planning.mixtures.reading import read_mixtures
from isoflop.planning.mixtures.table import MixtureTable, mixture_table
from isoflop.planning.mixtures.validate import FormScore, validate_mixtures

__all__ = [
    "FORMS",
    "Form",
    "FormScore",
    "MixtureForecast",
    "MixtureLaw",
    "MixturePlan",
    "MixtureTable",
    "fit_mixtures",
    "forecast_mixture",
    "mixture_table",
    "plan_mixture",
    "read_mixtures",
    "validate_mixtures",
]
