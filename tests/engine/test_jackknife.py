"""The jackknife of an evaluation: which strategies have one, how it is run, and what it is for."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from mssim import BudgetError, MssimError, SelfConsistency, Strategy, StrategyError, UntilVerified, evaluate
from mssim.engine.sample_groups import without_group
from mssim.results.jackknife import these_interval
from mssim.rules.plan import Expected
from tests.conftest import Backwards, make_pool
from tests.engine.test_evaluate import random_pool

MIXED = ["sc:x", "ms:x+y", "oracle:x+y"]
QUICK = {"n_replays": 40, "jackknife": True}


def test_it_is_computed_only_if_asked_for_and_changes_nothing_else():
    pool = random_pool(6, 8)
    plain, made = (evaluate(pool, MIXED, [2, 6], n_replays=40, jackknife=asked) for asked in (False, True))
    assert plain.jackknife is None
    assert made.jackknife.variance.shape == made.accuracy.shape
    assert np.array_equal(plain.accuracy, made.accuracy)
    assert plain.provenance == made.provenance


def test_the_same_bits_for_any_executor_and_with_a_checkpoint(tmp_path):
    pool = random_pool(6, 8)
    one = evaluate(pool, MIXED, [2, 6], **QUICK)
    for options in ({"executor": Backwards()}, {"checkpoint": tmp_path / "run.ckpt"}):
        again = evaluate(pool, MIXED, [2, 6], **QUICK, **options)
        assert np.array_equal(one.jackknife.variance, again.jackknife.variance)


def test_progress_counts_all_work_once():
    calls = []
    evaluate(random_pool(6, 8), MIXED, [2, 6], **QUICK, progress=lambda *call: calls.append(call))
    assert calls[-1][0] == calls[-1][1]
    assert len({total for _, total in calls}) == 1
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_the_share_is_the_largest_over_models_and_questions():
    answers = {("x", "p"): ["a"] * 8, ("x", "q"): ["a"] * 4, ("y", "p"): ["a"] * 16, ("y", "q"): ["b"] * 16}
    made = evaluate(make_pool(answers), ["sc:x", "sc:y", "mix:x+y", "random:x+y"], [2, 4], jackknife=True)
    assert made.jackknife.share.tolist() == [[0.5, 1], [0.125, 0.25], [0.25, 0.5], [0.5, 1]]
    beyond = evaluate(make_pool(answers), "sc:x", 9, jackknife=True, replacement=True)
    assert beyond.jackknife.share.tolist() == [[1]]


@pytest.mark.parametrize(
    ("strategy", "budget", "smaller"),
    [("sc:x", 8, None), ("oracle:x+y", 7, None), ("mix:x+y,sizes=8/8", 16, "mix:x+y,sizes=6/6")],
)
def test_groups_are_left_out_where_a_run_draws_nearly_all_samples(strategy, budget, smaller):
    """Eight samples, so four groups of two; six of eight samples remain."""
    pool = random_pool(5, 8)
    made = evaluate(pool, strategy, [2, budget], method="exact", jackknife=True)
    parts = [without_group(pool, group, np.full(5, 4)) for group in range(4)]
    fitted = (smaller, budget) if smaller else (strategy, 6)
    found = np.array([evaluate(part, *fitted, method="exact").accuracy[0, 0] for part in parts])
    assert made.jackknife.variance[0, 1] == pytest.approx(3 / 4 * ((found - found.mean(axis=0)) ** 2).sum(axis=0))
    assert made.jackknife.variance[0, 1].max() > 0


def test_with_replacement_single_samples_are_left_out_at_every_budget():
    pool = random_pool(5, 8)
    made = evaluate(pool, "sc:x", [2, 30], method="exact", jackknife=True, replacement=True)
    alone = evaluate(pool, "sc:x", [30], method="exact", jackknife=True, replacement=True)
    assert np.array_equal(made.jackknife.variance[0, 1], alone.jackknife.variance[0, 0])
    assert len(np.unique(made.jackknife.variance[0])) > 5


def test_questions_that_share_a_budget_have_no_jackknife():
    with pytest.raises(StrategyError, match="alloc:x: jackknife is not available where questions depend on each other"):
        evaluate(random_pool(6, 8), ["sc:x", "alloc:x"], 2, jackknife=True)


def test_one_sample_cannot_be_left_out():
    pool = make_pool({("x", "p"): ["a"] * 2, ("x", "q"): ["a"], ("y", "p"): ["a"], ("y", "q"): ["a"]})
    with pytest.raises(
        BudgetError, match=r"question 'q' has 1 of model 'x'\. Use pool\.select\(models=\['x'\], min_samples=2\)"
    ):
        evaluate(pool, "sc:x", 1, jackknife=True)


@pytest.mark.parametrize("given", ["these", 1, None])
def test_it_is_a_bool(given):
    with pytest.raises(MssimError, match=r"jackknife=.* is not a bool. Use True or False"):
        evaluate(random_pool(2, 4), "sc:x", 1, jackknife=given)


def recordings(chances, n_samples, n_sets):
    """Pools of recordings of the same questions, all in one: each set is a block of questions."""
    rng = np.random.default_rng(4)
    return make_pool(
        {
            ("x", f"s{s}q{q}"): np.where(rng.random(n_samples) < p, "a", "b").tolist()
            for s in range(n_sets)
            for q, p in enumerate(chances)
        }
    )


@pytest.mark.slow
def test_it_estimates_the_scatter_where_replay_sd_collapses():
    """200 recordings of 16 questions; chi-square interval of their variance, missed by one seed in a million.

    Replays of all of eight samples do not differ but by ties.
    """
    chances = (np.arange(16) + 0.5) / 16
    made = evaluate(recordings(chances, 8, 200), "sc:x", [1, 4, 8], jackknife=True)
    by_set = made.accuracy[0].reshape(3, 200, 16)
    scatter = by_set.mean(axis=2).var(axis=1, ddof=1)
    low, high = (199 * scatter / stats.chi2.ppf(p, 199) for p in (1 - 5e-7, 5e-7))
    jackknife = made.jackknife.variance[0].reshape(3, 200, 16).sum(axis=2).mean(axis=1) / 16**2
    run = (by_set * (1 - by_set)).sum(axis=2).mean(axis=1) / 16**2
    assert low[0] < jackknife[0] < high[0]
    assert (jackknife > low).all()
    assert (jackknife < 1.6 * scatter).all()
    assert run[2] < scatter[2] / 2
    truth = np.array([stats.binom.sf(k / 2, k, chances) + stats.binom.pmf(k / 2, k, chances) / 2 for k in (1, 4, 8)])
    error = np.sqrt(made.jackknife.variance[0].reshape(3, 200, 16).sum(axis=2)) / 16
    low, high = these_interval(by_set.mean(axis=2), error, made.jackknife.share[0][:, None], n_questions=16)
    truth = truth.mean(axis=1)[:, None]
    # Fewer than 168 of 200 have a probability below 1e-6 if the coverage is 94.
    assert (((low <= truth) & (truth <= high)).sum(axis=1) >= 168).all()


def test_coverage_leaves_out_single_samples_at_every_budget():
    """One right sample of eight: without it no run is covered, without another one all runs of seven are."""
    made = evaluate(make_pool({("x", "q"): ["a", *"bcdefgh"]}), "cov:x", 8, jackknife=True)
    assert made.jackknife.variance[0, 0, 0] == pytest.approx((7 / 8) ** 2)


def test_a_sample_is_left_out_with_the_number_that_its_verifier_reads():
    """Samples of one answer can be accepted or rejected, so it matters which of them is missing."""
    answers, scores = list("aabba"), [0.9, 0.1, 0.8, 0.2, 0.3]
    rule = "until:x,column=score,threshold=0.5"
    made = evaluate(make_pool({("x", "q"): answers}, score=scores), rule, [1, 3], jackknife=True)
    found = []
    for i in range(5):
        left = make_pool({("x", "q"): answers[:i] + answers[i + 1 :]}, score=scores[:i] + scores[i + 1 :])
        found.append(evaluate(left, rule, [1, 3]).accuracy[0, :, 0])
    assert made.jackknife.variance[0, :, 0] == pytest.approx(4 * np.var(found, axis=0))
    assert made.jackknife.variance.min() > 0


def test_parts_with_different_verifiers_leave_out_groups_of_samples():
    """Counts of one verifier do not tell what another one accepts."""
    pool = random_pool(4, 8)
    made, alone = (evaluate(pool, {"": rule}, [2], **QUICK) for rule in (_Both(["x"]), UntilVerified("x")))
    assert made.jackknife.variance[0, 0].max() > 0
    assert not np.allclose(made.jackknife.variance, alone.jackknife.variance)


@dataclass(frozen=True)
class _Both(Strategy):
    """A draw until one is right, or a vote, each half of the time."""

    models: list

    def plans(self, budgets):
        return (*UntilVerified(self.models).plans(budgets), *SelfConsistency(self.models[0]).plans(budgets))

    def combine(self, parts, _questions):
        return Expected(*((one + other) / 2 for one, other in zip(*parts, strict=True)))
