"""Two fits side by side: what tells them apart is named, and every doubt says whose it is."""

from isoflop.report.cards.pair import pair_card

from isoflop import bootstrap, fit, law

TRUTH = {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.366}


def test_what_differs_is_named_and_what_does_not_too(known_runs):
    first, second = (
        bootstrap(fit(law("chinchilla"), known_runs(0.002, truth=TRUTH | {"E": floor})), draws=100)
        for floor in (1.8, 2.2)
    )
    card = pair_card(first, second, budget=1e23, level=0.9)
    said, _, alike = card.answer.partition("; not in ")
    assert said.startswith("First and second differ at 90 % in E") and "loss there" in said
    assert "α" in alike and "β" in alike


def test_a_fit_does_not_differ_from_itself_and_its_doubts_are_said_once(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01, sizes=3, durations=3)), draws=50)
    card = pair_card(ensemble, ensemble, budget=None, level=0.9)
    assert card.answer == "Nothing tells the two apart at 90 %."
    assert card.findings == ensemble.findings != ()


def test_doubts_of_one_fit_say_whose_they_are(known_runs):
    few = bootstrap(fit(law("chinchilla"), known_runs(0.01, sizes=3, durations=3)), draws=50)
    many = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=400)
    words = [each.message.partition(": ")[0] for each in pair_card(many, few, budget=None, level=0.9).findings]
    assert "second" in words
