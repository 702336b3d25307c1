"""Plans over any unknowns of any law and any cost: the problem in words, as a smooth program, and its solution."""

from isoflop.planning.program.critical_batch import critical_batch
from isoflop.planning.program.optimized_plan import OptimizedPlan, optimized_plan
from isoflop.planning.program.plan_conditions import PlanWords
from isoflop.planning.program.problem import Problem, plan_problem

__all__ = ["OptimizedPlan", "PlanWords", "Problem", "critical_batch", "optimized_plan", "plan_problem"]
