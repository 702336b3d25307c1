"""Groups of runs compared by their laws: gap, best, crossing and multiplier along one quantity, with intervals."""

from isoflop.planning.comparison.compare import Comparison, compare_groups
from isoflop.planning.comparison.crossing import Crossing
from isoflop.planning.comparison.equality import Equality
from isoflop.planning.comparison.gap import Gap, Scale
from isoflop.planning.comparison.groups import Group, groups_by, groups_of
from isoflop.planning.comparison.multiplier import Multiplier
from isoflop.planning.comparison.parameters import ParameterDifference

__all__ = [
    "Comparison",
    "Crossing",
    "Equality",
    "Gap",
    "Group",
    "Multiplier",
    "ParameterDifference",
    "Scale",
    "compare_groups",
    "groups_by",
    "groups_of",
]
