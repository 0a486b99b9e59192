"""Errors and intervals of fitted parameters: coverage by simulation, clusters, and a profile on a grid."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mssim import Pool
from mssim.results.intervals import mean_interval
from mssim.simulate import AnswerModel
from mssim.simulate.influence import influence
from mssim.simulate.parameter_table import parameter_table
from mssim.simulate.pool_fit import fit_recorded, recorded
from tests.conftest import make_pool
from tests.simulate.test_influence import TRUE


def table(pool, clusters=None, confidence_level=0.95):
    numbers = recorded(pool, None)
    model = fit_recorded(numbers)
    found = parameter_table(numbers, model, influence(numbers, model), clusters, confidence_level)
    return found.set_index(["model", "parameter"])


@pytest.mark.slow
def test_intervals_cover_what_pools_were_drawn_from():
    """Fifty pools: five intervals that cover 90 % or more all cover 30 or more, but once in 50 million times."""
    true = AnswerModel("x", 0.3, 0.8, 1.0, 2.0, no_answer=0.05)
    covered, errors, estimates = [], [], []
    for seed in range(50):
        found = table(true.draw(150, 12, seed=seed))
        covered.append((found["low"] <= list(true.law("x"))) & (found["high"] >= list(true.law("x"))))
        errors.append(found["error"])
        estimates.append(found["estimate"])
    assert (np.sum(covered, axis=0) >= 30).all()
    # Chi-squared with 49 degrees of freedom is outside of this once in 10 million times, if the error is right.
    ratio = np.std(estimates, axis=0, ddof=1) / np.median(errors, axis=0)
    assert ((ratio > 0.5) & (ratio < 1.6)).all()


@pytest.mark.slow
def test_clusters_of_copies_count_once():
    pool = TRUE.draw(60, 8, seed=3)
    frame = pool.to_frame()
    copies = pd.concat([frame.assign(question_id=frame["question_id"] + f"/{c}") for c in range(3)])
    copied = Pool.from_frame(copies)
    labels = copied.questions["question_id"].str.split("/").str[0].to_numpy()
    once, often, naive = table(pool), table(copied, labels), table(copied)
    assert often["estimate"].to_numpy() == pytest.approx(once["estimate"].to_numpy(), abs=2e-3)
    assert often["error"].to_numpy() == pytest.approx(once["error"].to_numpy(), rel=0.03)
    assert often["low"].to_numpy() == pytest.approx(once["low"].to_numpy(), abs=0.02)
    assert often["high"].to_numpy() == pytest.approx(once["high"].to_numpy(), rel=0.03, abs=0.02)
    narrower = once["error"] / naive["error"] / np.sqrt(3 * 179 / 177)
    assert narrower.to_numpy() == pytest.approx(1, abs=0.03)


def test_two_clusters_have_an_upper_limit_of_infinity_without_a_warning():
    answers = np.random.default_rng(0).choice(["a", "b"], size=(12, 2, 8))
    groups = {(m, f"q{q}"): answers[q, i].tolist() for q in range(12) for i, m in enumerate("mn")}
    found = table(make_pool(groups), np.arange(12) % 2, 0.9999)
    assert np.isinf(found["high"]).any()
    assert (found["low"].dropna() >= -1).all()


@pytest.mark.slow
def test_a_share_that_is_estimated_as_zero_has_an_upper_limit():
    """The profile on a grid of sure, a and b, in SciPy's words."""
    pool = AnswerModel("x", 0.0, 2.0, 2.0, 1.0).draw(40, 6, seed=3)
    right = np.array([sum(pool.class_correct[c] for c in codes if c >= 0) for codes in _classes(pool)])
    sure = table(pool).loc[("x", "sure")]
    assert (sure["low"], sure["estimate"]) == (0, pytest.approx(0, abs=2e-4))
    assert np.isnan(sure["error"])
    a, b = np.meshgrid(np.geomspace(0.3, 30, 40), np.geomspace(0.3, 30, 40))
    counts = np.bincount(right, minlength=7)
    chances = stats.betabinom.pmf(np.arange(7)[:, None, None], 6, a, b)

    def profile(sure):
        mixed = (1 - sure) * chances
        mixed[6] += sure
        return np.tensordot(counts, np.log(mixed), 1).max()

    limit = profile(1e-9) - stats.t.ppf(0.975, 39) ** 2 / 2
    grid = np.linspace(0, 0.5, 501)[1:]
    first = next(s for s in grid if profile(s) < limit)
    assert sure["high"] == pytest.approx(first, abs=0.01)


def _classes(pool):
    return [codes + offset for codes, offset in zip(pool.codes[0].astype(int), pool.class_offsets[:-1], strict=True)]


@pytest.mark.slow
def test_shares_without_an_answer_have_the_interval_of_a_mean():
    answers = {("x", f"q{i}"): [*"aabc", None if i % 3 else "d"] for i in range(30)}
    pool = make_pool(answers)
    row = table(pool, confidence_level=0.8).loc[("x", "no_answer")]
    share = np.array([bool(i % 3) / 5 for i in range(30)])
    assert row["estimate"] == pytest.approx(share.mean())
    assert row["error"] == pytest.approx(stats.sem(share))
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(share, confidence_level=0.8))
    never = table(make_pool({("x", f"q{i}"): list("aabc") for i in range(30)})).loc[("x", "no_answer")]
    assert (never["low"], never["error"]) == (0, 0)
    assert never["high"] > 0.05


@pytest.mark.slow
def test_a_ratio_of_uneven_numbers_of_samples_has_the_interval_of_its_logit():
    answers = {("x", f"q{i}"): [*"ab", *[None] * (i % 3), *"ac"[: i % 2]] for i in range(24)}
    row = table(make_pool(answers)).loc[("x", "no_answer")]
    missing, lengths = (np.array([count(a) for a in answers.values()]) for count in (lambda a: a.count(None), len))
    ratio = missing.sum() / lengths.sum()
    error = np.std(missing - ratio * lengths, ddof=1) / np.sqrt(24) / lengths.mean()
    assert (row["estimate"], row["error"]) == pytest.approx((ratio, error))
    half = stats.t.ppf(0.975, 23) * error / ratio / (1 - ratio)
    odds = ratio / (1 - ratio) * np.exp([-half, half])
    assert (row["low"], row["high"]) == pytest.approx(tuple(odds / (1 + odds)))
