"""How long plans over any unknowns take: the optimum at the fit, and that of a thousand draws, of every certified case.

``python -m benchmarks.plans`` prints seconds; the problems are those that the tests certify against brute force.
"""

import time

from tests.planning.program.plan_cases import CASES, ensemble_of

from isoflop.laws import law
from isoflop.planning import PlanWords, plan_problem
from isoflop.planning.program.solve_plan import PlanSolver

DRAWS = 1_000
EFFECTS = {"t_1": -1.9, "t_2": -0.4, "t_3": 0.3, "t_4": -1.1, "t_5": 0.8, "t_6": -0.2}
CAPS = tuple(f"r_{place} <= 0.3" for place in range(1, 8))


def timed(name, made, params, words):
    """One line: unknowns, seconds at the fit, seconds of all draws, share of draws with an optimum."""
    drawn = ensemble_of(made, params, draws=DRAWS)
    problem = plan_problem(made, PlanWords(**words))
    solver = PlanSolver(problem, dict(params), {})
    begin = time.perf_counter()
    fitted = solver.at_fit()
    at_fit = time.perf_counter() - begin
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        there = solver.at_draws(drawn.draws, fitted.begins)
        seconds.append(time.perf_counter() - begin)
    return (
        f"{name:<12} {len(problem.unknowns)} unknowns, {len(solver.combinations):>3} combinations: fit {at_fit:.3f} s, "
        f"{DRAWS:,} draws {min(seconds):.3f} s, optimum in {there.inside.mean():.1%}"
    )


def main():
    """Every certified case, and seven shares under caps."""
    for case in CASES:
        print(timed(case.name, case.law, case.params, case.words), flush=True)
    words = {"over": "shares", "subject_to": CAPS}
    print(timed("7 shares", law("data-mixture-7"), {"c": 1.5, "k": 2.0, **EFFECTS}, words))


if __name__ == "__main__":
    main()
