"""Two fits side by side: what tells them apart is named, and every doubt says whose it is."""

from isoflop import bootstrap, fit, law
from isoflop.questions.base.two_fits import compare
from isoflop.render.notebook import answer_of

TRUTH = {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.366}


def test_what_differs_is_named_and_what_does_not_too(known_runs):
    first, second = (
        bootstrap(fit(law("chinchilla"), known_runs(0.002, truth=TRUTH | {"E": floor})), draws=100)
        for floor in (1.8, 2.2)
    )
    found = compare(first, second, budget=1e23)
    said, _, alike = answer_of(found).headline.partition("; not in ")
    assert said.startswith("The two differ at the 90% level in E") and "loss" in said
    assert "alpha" in alike and "beta" in alike
    assert {each.name for each in found.rows if each.differs} == {"E", "loss"}


def test_a_fit_does_not_differ_from_itself_and_its_doubts_are_said_once(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01, sizes=3, durations=3)), draws=50)
    answer = answer_of(compare(ensemble, ensemble))
    assert answer.headline == "The two do not differ at the 90% level."
    assert set(answer.findings) == {*ensemble.findings, *ensemble.estimate.findings} and ensemble.findings


def test_doubts_of_one_fit_say_whose_they_are(known_runs):
    few = bootstrap(fit(law("chinchilla"), known_runs(0.01, sizes=3, durations=3)), draws=50)
    many = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=400)
    words = [each.message.partition(": ")[0] for each in answer_of(compare(many, few)).findings]
    assert "second" in words
