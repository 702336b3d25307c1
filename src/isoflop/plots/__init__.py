"""One function, one picture: a result in, matplotlib axes out; nothing is shown or saved by itself.

``save(loss_against_compute(ensemble, new_axes()), "picture.svg")`` draws and writes one; on axes of your own, a picture
takes the colors that suit their background.
"""

from isoflop.plots.backtest import coverage_by_law, laws_ranked, predicted_against_actual
from isoflop.plots.canvas import new_axes, render, save
from isoflop.plots.capability import density_by_date, index_by_date
from isoflop.plots.contours import loss_contours
from isoflop.plots.corner import corner
from isoflop.plots.correlations import correlations
from isoflop.plots.curves import training_curves
from isoflop.plots.design import design
from isoflop.plots.draws import parameter_draws
from isoflop.plots.envelope import loss_against_compute
from isoflop.plots.evals import correlations_along_chain, pass_line, score_against_scale
from isoflop.plots.fan import forecast_fan
from isoflop.plots.finish import run_to_its_end
from isoflop.plots.groups import group_curves, group_multipliers
from isoflop.plots.hitchhiker import errors_by_share
from isoflop.plots.influence import removal_paths, runs_left_out
from isoflop.plots.isoflops import isoflop_curves
from isoflop.plots.methods import methods_compared
from isoflop.plots.near_set import mixture_shares, near_optimal_set
from isoflop.plots.onsets import onset_map
from isoflop.plots.panels import fitted_panels
from isoflop.plots.plan import flat_band
from isoflop.plots.profiles import profile_likelihood
from isoflop.plots.rankings import ranking_by_scale
from isoflop.plots.recount import exponents_recounted
from isoflop.plots.repeats import worth_of_repeats
from isoflop.plots.residuals import fit_against_measured, residuals
from isoflop.plots.scores import score_against_loss
from isoflop.plots.selection import pool_errors, pruned_errors, transport_losses
from isoflop.plots.sensitivity import choices_made
from isoflop.plots.shapes import shapes_along
from isoflop.plots.spend import answer_by_spend, batch_by_spend, policies_by_spend
from isoflop.plots.style import AXES
from isoflop.plots.transfer import loss_from_few, loss_to_loss

__all__ = [
    "AXES",
    "answer_by_spend",
    "batch_by_spend",
    "choices_made",
    "corner",
    "correlations",
    "correlations_along_chain",
    "coverage_by_law",
    "density_by_date",
    "design",
    "errors_by_share",
    "exponents_recounted",
    "fit_against_measured",
    "fitted_panels",
    "flat_band",
    "forecast_fan",
    "group_curves",
    "group_multipliers",
    "index_by_date",
    "isoflop_curves",
    "laws_ranked",
    "loss_against_compute",
    "loss_contours",
    "loss_from_few",
    "loss_to_loss",
    "methods_compared",
    "mixture_shares",
    "near_optimal_set",
    "new_axes",
    "onset_map",
    "parameter_draws",
    "pass_line",
    "policies_by_spend",
    "pool_errors",
    "predicted_against_actual",
    "profile_likelihood",
    "pruned_errors",
    "ranking_by_scale",
    "removal_paths",
    "render",
    "residuals",
    "run_to_its_end",
    "runs_left_out",
    "save",
    "score_against_loss",
    "score_against_scale",
    "shapes_along",
    "training_curves",
    "transport_losses",
    "worth_of_repeats",
]
