"""Each quick example shows the property that it claims; what the examples compute by hand is held to exact cases."""

from __future__ import annotations

import importlib
import inspect
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from isoflop import Interval

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

FOLDER = Path(__file__).parents[2] / "examples" / "phenomena"
VERDICTS = ("appears", "appears in part", "does not appear", "undecided")
BIGGEST_PICTURE = 60_000
ONE_STREAM = {"time_series": ["manual_seed(5)"]}  # the series that test every forecaster

Numbers = dict[str, float | Interval]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of the examples' folder by name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


# What each quick study must show. Quick runs are too small for every claim of the full ones; these are the ones that
# hold there too, with room for another machine's arithmetic.
def pruning(n: Numbers) -> bool:
    """Easy examples win where data are scarce, hard ones where they abound; error ∝ 1/D without pruning."""
    return n["scarce"].low > 0 > n["abundant"].high and 0.75 < n["exponent"].value < 1.2


def isoflop_trained(n: Numbers) -> bool:
    """The best size grows with the budget, more slowly than the budget; the fitted floor lies below the entropy."""
    return 0 < n["a by the law"].low < n["a by the law"].high < 1 and n["E"].value < n["entropy"]


def over_training(n: Numbers) -> bool:
    """The law of cheap runs forecasts larger ones within Gadre et al.'s own worst error."""
    return n["mean_error"] < 0.05 and n["reach"] > 2


def superposition(n: Numbers) -> bool:
    """Every feature is kept and the loss falls as 1/width."""
    return n["kept"] > 0.95 and 0.8 < n["exponent, strong, p ∝ 1/i"].value < 1.25


def capacity(n: Numbers) -> bool:
    """More than a bit a parameter, in about the same measure at both sizes."""
    return 1 < n["lowest"] <= n["highest"] < 3 and 0.8 < n["exponent of N"].value < 1.3


def quantised_bits(n: Numbers) -> bool:
    """Rounding adds loss as the square of the step, and two bits are too few."""
    return n["zeta"].low <= 2 <= n["zeta"].high and n["collapse"] > 3 and n["lowest"] >= 3


def uncertainty(n: Numbers) -> bool:
    """Epistemic uncertainty falls with data; in Bayesian linear regression as 1/D."""
    return n["gamma, epistemic"].low > 0 and 0.95 < n["linear"].value < 1.2


def data_filtering(n: Numbers) -> bool:
    """The clean set's advantage at small compute is gone at large."""
    return n["small"].value < 0 < n["large"].low


def grokking(n: Numbers) -> bool:
    """The boundary falls about as log M / M, and generalization comes long after the fit."""
    return 0.6 < n["gamma"].value < 1.5 and 2 < n["kappa"].value < 3.5 and n["delay"] >= 100


def parallel_streams(n: Numbers) -> bool:
    """Counting the streams' own parameters can only lower k."""
    return n["k"].value < n["k_bare"].value


def crossover(n: Numbers) -> bool:
    """The high rate wins on the narrowest network and loses on the widest."""
    return n["narrowest"].high < 0 < n["widest"].low and 500 < n["parameters at the crossing"].value < 15_000


def repeated_data(n: Numbers) -> bool:
    """Four passes gain most of what fresh text gains, sixteen a smaller share."""
    return n["share gained by 4 passes"].value > max(0.8, n["share gained by 16 passes"].value)


def annealing(n: Numbers) -> bool:
    """Decay lowers the loss, and the law misses where a cosine ends unless it has the annealing term."""
    return n["gain"] > 0.01 and n["with"] < n["without"] / 3


def metric_chain(n: Numbers) -> bool:
    """Single items follow compute in log p, and less once their probability is among the options."""
    return (
        n["log_prob"].low > 0.5
        and n["correlation lost among options"].low > 0
        and n["log_prob"].value > n["p_options"].value
    )


def inverse_scaling(n: Numbers) -> bool:
    """The flagged keys are answered worse than by guessing on the way, and well at the end."""
    return n["lowest"] < 0.06 and n["last"] > 0.5 and n["plain"] > 0.9


def repeated_subset(n: Numbers) -> bool:
    """A token seen four times is worth more than one seen hundreds of times."""
    return n["rarely"] > n["often"] + 0.3


def pass_rates(n: Numbers) -> bool:
    """Rates below one in a hundred are measured where a hundred tries of a question mostly see no pass."""
    return n["least, addition"] < 0.01 and n["unseen, addition"] > 0.5 and n["alpha, larger of two"].low > 0


def encoder_decoder(n: Numbers) -> bool:
    """The total alone misses the largest runs by more than the two parts do."""
    return n["error of the total"].value > 1.5 * n["error of the product"].value and n["mostly encoder"].low > 0


def retrieval(n: Numbers) -> bool:
    """The small model with the largest store has a lower loss than the large one without."""
    return n["small with store below large"].low > 0


def capability_order(n: Numbers) -> bool:
    """Other models' early and final scores forecast final ones better than early scores alone."""
    return n["gain of forecasts"].value > 0 and n["next widest"].value > n["narrowest"].value


def transfer(n: Numbers) -> bool:
    """Pretraining on the task's language gains, on another language it costs."""
    return n["gain at 1"].low > 0 > n["gain at 0"].high


def rl_posttraining(n: Numbers) -> bool:
    """The largest policy learns faster than the smallest."""
    return n["largest"].low > n["smallest"].high


def critical_batch(n: Numbers) -> bool:
    """The critical batch is larger at the lower loss."""
    return n["at 0.2"].value > n["at 0.4"].value > 4


def patch_size(n: Numbers) -> bool:
    """Pooling away less information lowers the loss."""
    return n["pooled"].value < 0


def fidelity(n: Numbers) -> bool:
    """No point of R(G) lies below R = G, its slope is s, and EM's identity holds."""
    return n["above"] == 1 and n["dR/dG off s by"] < 0.05 and n["residual"] < 1e-12 and 0.9 < n["efficiency"] < 1


def three_regions(n: Numbers) -> bool:
    """The curve leaves guessing where examples are about as many as dimensions; the floor is near the wrong labels."""
    return 5 < n["examples at leaving guessing"].value < 150 and 0.1 < n["floor"].value < 0.21


def label_information(n: Numbers) -> bool:
    """True labels are learned by the layer, random ones are not; the entropy's direction hangs on the scaling."""
    return n["gain"].value > 0.5 and abs(n["random"].value) < 0.3 and n["raw"].value > 1 > n["scaled"].value


def information_plane(n: Numbers) -> bool:
    """The layer learns the labels; noise in proportion sees compression, noise of one size none as the layer grows."""
    return n["fitting"].value > 0 and n["fall, noise in proportion"].low > 0.3 > n["fall, noise of one size"].value


def generalization_gap(n: Numbers) -> bool:
    """No strong correlation is shown by twelve networks."""
    return n["rank correlation"].low < 0.5


def known_dimension(n: Numbers) -> bool:
    """The exponent is smaller on data of more dimensions, whose number is estimated from the data."""
    close = abs(n["estimated 2"] - 2) < 0.3 and abs(n["estimated 6"] - 6) < 0.8
    return close and n["low"].value > n["high"].value > 0.3


def source_mixtures(n: Numbers) -> bool:
    """Transport foretells the error of mixtures at a small size; the projection is too low, as curves level off."""
    return n["correlation"].low > 0.5 and n["ranks"].value > 0.5 and n["bias"] < 0.01


def attention_entropy(n: Numbers) -> bool:
    """Entropy grows with the context, less with a factor on the logits."""
    plain = n["drift, plain"]
    return plain.low > 0.5 and n["log"].value < plain.value and n["normal"].value < plain.value


def recommendation(n: Numbers) -> bool:
    """Unbiased histories rank far better than raw logs, and the first layer of a curriculum costs at small amounts."""
    return n["histories above raw, %"].low > 100 and n["layered above raw, %"].low > 100 and n["early"].high < 0


def recycling(n: Numbers) -> bool:
    """The rewriter mends tokens, and corrupted documents that nobody rewrites do harm."""
    return n["right"] > 0.75 and n["scarce, with corrupted"].high < 1 and n["ample, with corrupted"].high < 1


def plateau_audit(n: Numbers) -> bool:
    """Classes of size differ on every task; Dunn's test is silent where networks and seeds show a gain."""
    return all(n[f"p, {task}"] < 0.05 for task in ("as they are", "noisy", "moved")) and n["silent"] >= 1


def density(n: Numbers) -> bool:
    """The highest density rises, and the reference recipe scores alike at the effective sizes."""
    return n["ln density a release"].low > 0 and n["off"] < 0.06 and n["inside"] >= 4


def text_to_image(n: Numbers) -> bool:
    """Coverage rises with size and steps, and a law that knows of the bound forecasts it better than a power."""
    close = n["held out, bounded"].value < n["held out, power"].value
    return n["real"] > 0.95 and n["largest, deeper"].value > n["smallest"] + 0.2 and close


def schedule_choice(n: Numbers) -> bool:
    """In so few steps a rate that falls late ends far below cosine, which the law of two curves knows."""
    return n["gain over cosine, multi-power"].value > 0.05 and abs(n["error, multi-power"].value) < 0.15


def time_series(n: Numbers) -> bool:
    """Decoders learn the seen band faster than the shifted one; the exponent hangs on the unit of the series."""
    return n["seen, decoder"].low > 0.01 and n["seen less shifted, decoder"].value > 0


def capacity_rows(n: Numbers) -> bool:
    """Eight bits keep what was stored, four lose some of it, and experts store less a parameter."""
    return n["kept at 8 bits"].low > 0.97 and n["kept at 4 bits"].high < 0.97 and n["experts"].high < 1


def generator_bits(n: Numbers) -> bool:
    """Both generators draw digits that others' lie near to; in few steps the one that removes noise is far ahead."""
    return n["least, removes noise"] < 0.1 and n["first above second, budget 3"].high < 0


def longer_sequences(n: Numbers) -> bool:
    """The best context does not fall with training, and the larger budget buys the longer one."""
    grows = n["best at last"] >= n["best at first"] and n["last plan"].value > n["first plan"].value
    return grows and n["exponent of tokens in context"].high > 0


QUICK = (pruning, superposition, capacity, quantised_bits, fidelity)
SLOW = (
    isoflop_trained,
    over_training,
    uncertainty,
    data_filtering,
    grokking,
    parallel_streams,
    crossover,
    repeated_data,
    annealing,
    critical_batch,
    patch_size,
    metric_chain,
    three_regions,
    label_information,
    information_plane,
    generalization_gap,
    known_dimension,
    source_mixtures,
    attention_entropy,
    inverse_scaling,
    repeated_subset,
    pass_rates,
    encoder_decoder,
    capability_order,
    retrieval,
    transfer,
    rl_posttraining,
    recommendation,
    recycling,
    plateau_audit,
    density,
    text_to_image,
    schedule_choice,
    time_series,
    capacity_rows,
    generator_bits,
    longer_sequences,
)


@pytest.mark.parametrize(
    "holds",
    [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)],
    ids=lambda each: each.__name__,
)
def test_example_shows_its_phenomenon(holds, example, tmp_path):
    outcome = example(holds.__name__).study(True)
    assert holds(dict(outcome.numbers)), outcome.says
    assert outcome.verdict in VERDICTS
    assert outcome.says.endswith(".")
    assert outcome.rows and {len(row) for row in outcome.rows} == {len(outcome.header)}
    path = tmp_path / "picture.png"
    example("_scaffold").save(outcome.figure, path)
    assert 5_000 < path.stat().st_size < BIGGEST_PICTURE


def test_every_example_is_tested_and_in_the_table():
    names = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    assert names == {each.__name__ for each in (*QUICK, *SLOW)}
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"phenomena/{name}.py" in table for name in names)


def test_every_example_takes_a_seed_that_is_zero_unless_told(example):
    for holds in (*QUICK, *SLOW):
        seed = inspect.signature(example(holds.__name__).study).parameters["seed"]
        assert (seed.default, seed.annotation) == (0, "int"), holds.__name__


def test_no_example_draws_from_a_stream_that_is_the_same_for_all_seeds():
    fixed = re.compile(r"(?:manual_seed|default_rng)\((?:\d[\d_]*)?\)|[( ]seed=\d[\d_]*[,)]")
    found = {path.stem: fixed.findall(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
    assert {name: each for name, each in found.items() if each} == ONE_STREAM


@pytest.mark.parametrize("name", ["pruning", "three_regions"])
def test_another_seed_draws_everything_anew(name, example):
    study = example(name).study
    first, second = (dict(study(True, seed).numbers) for seed in (0, 1))
    assert first.keys() == second.keys()
    moved = [key for key in first if first[key] != second[key]]
    assert len(moved) >= 2


def test_the_command_line_prints_the_verdict_and_writes_the_picture(tmp_path):
    done = subprocess.run(
        [sys.executable, str(FOLDER / "pruning.py"), "--quick", "--out", str(tmp_path / "new")],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Pruning hard or easy")
    assert any(line.startswith("Verdict: appears.") for line in lines)
    assert (tmp_path / "new" / "pruning.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "new" / "pruning.json").read_text(encoding="utf-8"))
    assert (written["verdict"], written["quick"], written["seed"]) == ("appears", True, 0)
    value, low, high, level = written["numbers"]["crossing"]
    assert low < value < high and level == 0.9


def test_lanes_trained_side_by_side_equal_lanes_trained_alone(example):
    networks = example("_networks")
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 20, 5, generator=draws), torch.randint(0, 4, (3, 20), generator=draws)
    begin = networks.start((5, 6, 4), 3, seed=1)
    schedule = example("isoflop.lab.schedules").Schedule("cosine")
    rates = (0.01, 0.02, 0.03)
    together = networks.train(begin, lambda step: (x, y), steps=30, rates=rates, schedule=schedule)
    for lane, rate in enumerate(rates):
        one = slice(lane, lane + 1)
        alone = networks.train(
            [each[one] for each in begin],
            lambda step, one=one: (x[one], y[one]),
            steps=30,
            rates=[rate],
            schedule=schedule,
        )
        for left, right in zip(together, alone, strict=True):
            torch.testing.assert_close(left[one], right, rtol=1e-4, atol=1e-5)


def test_lanes_equal_adam_of_pytorch(example):
    networks = example("_networks")
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(32, 5, generator=draws), torch.randn(32, 1, generator=draws)
    begin = networks.start((5, 7, 1), 1, seed=2)
    schedule = example("isoflop.lab.schedules").Schedule("constant", warmup=0.0)
    ours = networks.train(begin, lambda step: (x, y), steps=25, rates=[0.01], schedule=schedule)
    theirs = [each.clone().requires_grad_() for each in begin]
    adam = torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.99), eps=1e-8)
    for _ in range(25):
        hidden = torch.relu(x @ theirs[0][0] + theirs[1][0])
        loss = (hidden @ theirs[2][0] + theirs[3][0] - y).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right.detach(), rtol=1e-4, atol=1e-5)


def test_a_penalty_on_the_weights_is_that_of_pytorch(example):
    networks = example("_networks")
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(32, 5, generator=draws), torch.randn(32, 1, generator=draws)
    begin = networks.start((5, 7, 1), 2, seed=2)
    schedule = example("isoflop.lab.schedules").Schedule("constant", warmup=0.0)
    ours = networks.train(
        begin, lambda step: (x, y), steps=25, rates=[0.01, 0.01], schedule=schedule, decays=[0.0, 0.3]
    )
    plain = networks.train(begin, lambda step: (x, y), steps=25, rates=[0.01, 0.01], schedule=schedule)
    theirs = [each[1:].clone().requires_grad_() for each in begin]
    adam = torch.optim.Adam(
        [{"params": theirs[::2], "weight_decay": 0.3}, {"params": theirs[1::2]}], lr=0.01, betas=(0.9, 0.99), eps=1e-8
    )
    for _ in range(25):
        hidden = torch.relu(x @ theirs[0][0] + theirs[1][0])
        loss = (hidden @ theirs[2][0] + theirs[3][0] - y).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    for left, without, right in zip(ours, plain, theirs, strict=True):
        torch.testing.assert_close(left[1:], right.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(left[:1], without[:1], rtol=1e-4, atol=1e-5)


def test_training_ends_when_the_watch_says_so(example):
    networks = example("_networks")
    seen: list[int] = []

    def watch(step, weights):
        seen.append(step)
        return step == 4

    x, y = torch.randn(8, 3), torch.randn(8, 1)
    schedule = example("isoflop.lab.schedules").Schedule("constant")
    begin = networks.start((3, 4, 1), 2, seed=0)
    networks.train(begin, lambda step: (x, y), steps=50, rates=[0.1, 0.1], schedule=schedule, watch=watch)
    assert seen == [1, 2, 3, 4]
    assert networks.parameters((3, 4, 1)) == sum(each[0].numel() for each in begin)


def test_annealed_area_is_zero_for_a_constant_rate_and_the_closed_form_after_a_drop(example):
    annealing = example("annealing")
    steps = np.array([10, 50, 100])
    warm_up = np.concatenate([np.linspace(0.1, 1, 10), np.ones(90)])
    constant = annealing.Curve("constant", 0, steps, np.ones(3), warm_up)
    area, annealed = constant.areas(0.9)
    np.testing.assert_allclose(area, steps)  # the warm-up counts as the peak
    np.testing.assert_array_equal(annealed, 0)

    # After a drop of ½ before step 61, m_i = ½ λ^(i−61), so that S2 = ½ (1 − λ^n)/(1 − λ) after n steps.
    dropped = np.where(np.arange(100) < 60, 1.0, 0.5)
    area, annealed = annealing.Curve("multistep", 0, steps, np.ones(3), dropped).areas(0.9)
    np.testing.assert_allclose(area, [10, 50, 80])
    np.testing.assert_allclose(annealed, [0, 0, 0.5 * (1 - 0.9**40) / 0.1])


def test_rounding_keeps_to_the_grid(example):
    weights = example("_networks").start((6, 5, 1), 2, seed=0)
    for bits in (2, 3, 4, 8):
        rounded = example("quantised_bits").rounded(weights, bits)
        for before, after in zip(weights[::2], rounded[::2], strict=True):
            largest = before.abs().amax(dim=1, keepdim=True)
            grid = largest / (2 ** (bits - 1) - 1)
            steps = after / grid
            torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)
            assert bool(((after - before).abs() <= grid / 2 * (1 + 1e-5)).all())
            torch.testing.assert_close(after.abs().amax(dim=1, keepdim=True), largest)
        for before, after in zip(weights[1::2], rounded[1::2], strict=True):
            torch.testing.assert_close(before, after)


def test_streams_without_offsets_are_one_stream(example):
    networks, streams = example("_networks"), example("parallel_streams")
    network = networks.start((16, 7, 7, 1), 2, seed=0)
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(9, 16, generator=draws)
    still = [*network, torch.zeros(2, 3, 1, 16), torch.randn(2, 7, 1, generator=draws)]
    torch.testing.assert_close(streams.mixed(still, x), networks.outputs(network, x))
    # With scores of zero the mixture is the mean over offsets.
    offsets = torch.randn(2, 3, 1, 16, generator=draws)
    mean = sum(networks.outputs(network, x + offsets[:, p]) for p in range(3)) / 3
    torch.testing.assert_close(streams.mixed([*network, offsets, torch.zeros(2, 7, 1)], x), mean, rtol=1e-4, atol=1e-5)


def test_chosen_windows_repeat_every_epoch_and_are_those_of_the_text(example):
    repeated = example("repeated_data")
    text = example("isoflop.lab.tasks").python_text(context=repeated.CONTEXT)
    chosen = np.array([5, 17, 2, 40])
    task = repeated.SomeWindows(text, chosen)
    assert task.unique == 4 * repeated.CONTEXT
    length = repeated.CONTEXT
    whole = {text.training[w * length : (w + 1) * length + 1].tobytes() for w in chosen}
    for epoch in range(3):
        inputs, targets = task.batch(0, epoch, 4)
        read = {np.append(row, last[-1]).astype(np.uint8).tobytes() for row, last in zip(inputs, targets, strict=True)}
        assert read == whole
        np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])


def test_patches_keep_every_pixel(example):
    patches = example("patch_size")
    image = torch.arange(64.0)[None]
    for patch in (1, 2, 4, 8):
        cut = patches._cut(image, patch)
        assert cut.shape == (1, (8 // patch) ** 2, patch**2)
        assert sorted(cut.flatten().tolist()) == list(range(64))
    assert patches._cut(image, 4)[0, 1, :5].tolist() == [4, 5, 6, 7, 12]  # the upper right patch, row by row


def test_rewritten_tokens_have_the_posterior_of_all_originals(example):
    recycling = example("recycling")
    language = recycling._language(0)
    seen = torch.tensor([3, 9, 0, 12])
    told_by = torch.eye(16) * (1 - recycling.REPLACED) + recycling.REPLACED / 16
    p = torch.einsum("abc,bcd->abcd", language, language)
    for place, token in enumerate(seen):
        p = p * told_by[token].view([-1 if axis == place else 1 for axis in range(4)])
    p = p / p.sum()
    drawn = recycling.rewrite(language, seen.expand(20_000, -1), torch.Generator().manual_seed(0))
    for place in range(4):
        exact = p.sum(dim=[axis for axis in range(4) if axis != place])
        share = torch.bincount(drawn[:, place], minlength=16) / len(drawn)
        torch.testing.assert_close(share, exact, atol=0.015, rtol=0)
    both = torch.stack([(drawn[:, 1] == a) & (drawn[:, 2] == 0) for a in range(16)]).float().mean(dim=1)
    torch.testing.assert_close(both, p.sum(dim=(0, 3))[:, 0], atol=0.015, rtol=0)


def test_a_causal_transformer_sees_no_later_place_and_lanes_are_their_own(example):
    attention = example("_attention")
    weights = attention.start(5, 16, 3, places=6, layers=2, lanes=2, seed=0)
    x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[:, :, 4] += 1
    for causal in (True, False):
        before, after = (attention.outputs(weights, each, causal=causal) for each in (x, changed))
        assert torch.equal(before[:, :, :4], after[:, :, :4]) == causal
        assert not torch.allclose(before[:, :, 4:], after[:, :, 4:])
        alone = attention.outputs([each[1:] for each in weights], x[1:], causal=causal)
        torch.testing.assert_close(before[1:], alone)
    assert attention.parameters(weights) == sum(each[0].numel() for each in weights)


def test_coverage_is_that_of_its_definition(example):
    covered = example("text_to_image").covered
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [20.0]])
    label = torch.zeros(7, dtype=torch.long)
    for digit in range(1, 10):  # every class needs drawings and more than five images; these have none that count
        real = torch.cat((real, 1_000.0 * digit + 10 * torch.arange(7.0)[:, None]))
        label = torch.cat((label, torch.full((7,), digit)))
    # the fifth neighbors lie 5, 4, 3, 3, 4, 5 and 19 away; a drawing at 2.5 is nearer to all of them
    images, labels = torch.full((10, 1), 2.5), torch.arange(10)
    assert covered(real, label, images, labels) == pytest.approx(7 / 70)
    images[0] = -3.5
    assert covered(real, label, images, labels) == pytest.approx(1 / 70)  # of 0 alone, 3.5 < 5


def test_rates_fall_where_the_schedule_says(example):
    choice = example("schedule_choice")
    rates = choice.Fall(share=0.2, power=2.0).rates(100)
    np.testing.assert_allclose(rates[4:80], 1)  # after a warm-up of 5 steps
    np.testing.assert_allclose(rates[[0, 80, 90]], [0.2, 1.0, 0.25])
    cosine = choice.Fall(kind="cosine").rates(100)
    assert cosine[4] == 1 and abs(cosine[-1]) < 1e-12
    assert choice.Fall(kind="constant").rates(100)[-1] == 1


def test_crossings_are_found_on_a_line_in_log_scale(example):
    # Gaps −1 and +1 at 10 and 1,000: zero at 100.
    assert math.isclose(example("crossover")._measured(np.array([10.0, 1_000.0]), np.array([-1.0, 1.0])), 100)
    assert math.isclose(example("data_filtering")._crossing((10, 1_000), np.array([-1.0, 1.0])), 100)
    assert math.isclose(example("pruning")._crossing((1, 4), np.array([1.0, -1.0])), 2)
    assert math.isnan(example("pruning")._crossing((1, 4), np.array([-1.0, 1.0])))


def test_numbers_are_told_with_the_digits_that_the_interval_supports(example):
    told = example("_scaffold").told
    assert told(Interval(0.54321, 0.5111, 0.5777, 0.9)) == "0.543 [0.511, 0.578]"
    assert told(Interval(1234.6, 1100.2, 1399.9, 0.9)) == "1230 [1100, 1400]"
    assert told(Interval(math.nan, 1, 2, 0.9)) == "not found"
    mean = example("_scaffold").mean_interval([1.0, 2.0, 3.0])
    assert math.isclose(mean.high - mean.value, 2.91999 / math.sqrt(3), rel_tol=1e-4)  # t(2) at 95 %
