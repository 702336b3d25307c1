"""Tables of mixtures as people have them, and forecasts of mixtures that were not trained."""

import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.mixtures import forecast_mixture, mixture_table, read_mixtures

WEB = np.array([0.1, 0.25, 0.4, 0.6, 0.75, 0.9])
LOSS = 2 + 0.5 * np.exp(-2 * WEB) + 0.3 * np.exp(-3 * (1 - WEB))


def table(**columns):
    return Runs.from_columns(columns, source="mixtures")


def test_shares_are_found_where_they_add_up_to_one():
    found = read_mixtures(table(N=np.full(6, 1e8), web=WEB, code=1 - WEB, loss=LOSS))
    assert found.domains == ("web", "code") and found.shares[0] == pytest.approx([0.1, 0.9])
    with pytest.raises(DataError, match=r"\('web', 'other', 'score'\) do not add up to 1; name those"):
        read_mixtures(table(web=WEB, other=1 - WEB, score=WEB, loss=LOSS))
    assert read_mixtures(
        table(web=WEB, other=1 - WEB, score=WEB, loss=LOSS), domains=["web", "other"]
    ).shares.shape == (6, 2)


@pytest.mark.parametrize(
    "pattern", ["{:.2f}-{:.2f}", "{:.2f},{:.2f}", "[{:.2f} {:.2f}]", "{:.2f} / {:.2f}", "{:.2f}:{:.2f}"]
)
def test_one_column_may_hold_all_shares(pattern):
    texts = [pattern.format(each, 1 - each) for each in WEB]
    found = read_mixtures(table(mix=texts, loss=LOSS), shares_in="mix", domains=["web", "code"])
    assert found.domains == ("web", "code") and found.shares[:, 0] == pytest.approx(WEB)


@pytest.mark.parametrize("texts", [["0.5-0.5", "half and half"], ["0.5-0.5", "0.2-0.3-0.5"]])
def test_what_holds_no_shares_is_refused(texts):
    with pytest.raises(DataError, match="not the same number of shares in every row"):
        read_mixtures(table(mix=texts, loss=[2.0, 2.1]), shares_in="mix")


def test_a_long_table_has_a_row_a_task():
    mix = [f"{each:.2f}-{1 - each:.2f}" for each in WEB]
    rows = {
        "mix": [*mix, *mix[:-1], mix[0]],
        "task": ["prose"] * 6 + ["code"] * 5 + ["code"],
        "loss": [*LOSS, *(LOSS[:-1] + 1), LOSS[0] + 2],
    }
    found = read_mixtures(table(**rows), shares_in="mix", task_column="task")
    assert found.tasks == ("code", "prose") and len(found) == 5  # the last mixture has no loss on code
    assert found.losses[0] == pytest.approx([LOSS[0] + 1.5, LOSS[0]])  # two of one mixture are averaged
    assert read_mixtures(table(**rows), shares_in="mix", task_column="task", tasks=["prose"]).losses.shape == (6, 1)


def test_a_forecast_holds_the_errors_of_held_out_mixtures():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), 31)
    loss = 2 + np.exp(shares @ [0.1, -0.4, 0.3])
    noisy = loss * np.exp(rng.normal(0, 0.01, 31))
    runs = table(**dict(zip("abc", shares[1:].T, strict=True)), loss=noisy[1:])
    found = forecast_mixture(mixture_table(runs, "abc"), shares[0], form="log-linear", draws=40)
    assert found.loss.low < noisy[0] < found.loss.high and not found.beyond
    assert found.loss.high - found.loss.low > 2 * (found.if_law_holds.high - found.if_law_holds.low)
    assert forecast_mixture(mixture_table(runs, "abc"), [1.0, 0.0, 0.0], form="log-linear", draws=20).beyond


@pytest.mark.parametrize(
    ("shares", "message"), [([0.5, 0.2], "add up to 1, not 0.7"), ([1.0], "2 shares"), ([-0.1, 1.1], "2 shares")]
)
def test_what_is_no_mixture_is_refused(shares, message):
    with pytest.raises(IsoflopError, match=message):
        forecast_mixture(mixture_table(table(web=WEB, code=1 - WEB, loss=LOSS), ["web", "code"]), shares)
