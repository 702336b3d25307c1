"""Which runs to train next: candidates, what is believed of them, and the batch that tells most for its cost."""

from isoflop.planning.design.belief import Belief, Moments, believe, moments
from isoflop.planning.design.candidates import Candidates, candidate_grid, candidates_of
from isoflop.planning.design.choose import Chosen, choose
from isoflop.planning.design.design import RunDesign, design
from isoflop.planning.design.target import Target, target_of

__all__ = [
    "Belief",
    "Candidates",
    "Chosen",
    "Moments",
    "RunDesign",
    "Target",
    "believe",
    "candidate_grid",
    "candidates_of",
    "choose",
    "design",
    "moments",
    "target_of",
]
