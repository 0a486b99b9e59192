"""Pilots: halves of a pool, unbiased variance components, and what a run uses and costs."""

import itertools

import numpy as np
import pytest
from scipy import stats

from mssim import BudgetError, MssimError, SelfConsistency, StrategyError, evaluate, maj_at_k
from mssim.results.planning import Measured, PairedQuestions
from mssim.theory import pilot
from mssim.theory.pilot import _split
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool
from tests.paired import Law


def samples_of(pool, m, q):
    return pool.codes[m, q, : pool.lengths[m, q]].tolist()


def law_pool(law, n_questions, n_samples, seed, **columns):
    """Samples of two models whose accuracies follow a law; wrong answers are all equal."""
    rng = np.random.default_rng(seed)
    accuracies = zip("xy", law.draw(rng, n_questions), strict=True)
    return make_pool(
        {
            (model, f"q{i:04d}"): ["a" if right else "b" for right in rng.random(n_samples) < chance]
            for model, chances in accuracies
            for i, chance in enumerate(chances)
        },
        **columns,
    )


def test_halves_share_no_sample_and_numbers_go_with_answers():
    frame = random_pool(4, 9).to_frame()
    frame["score"] = np.arange(len(frame), dtype=float)
    frame = frame[(frame["question_id"] != "q1") | (frame["sample_index"] < 5)]
    pool = random_pool().from_frame(frame)
    first, second = _split(pool, np.random.default_rng(0))
    for m, q in itertools.product(range(3), range(4)):
        n = pool.lengths[m, q]
        assert first.lengths[m, q] == second.lengths[m, q] == n // 2 == (4 if q != 1 else 2)
        scores = [half.numbers["score"][m, q, : n // 2].tolist() for half in (first, second)]
        answers = [samples_of(half, m, q) for half in (first, second)]
        recorded = dict(zip(pool.numbers["score"][m, q, :n].tolist(), samples_of(pool, m, q), strict=True))
        assert len(set(scores[0] + scores[1])) == 2 * (n // 2)
        assert [recorded[score] for score in scores[0] + scores[1]] == answers[0] + answers[1]
    other, _ = _split(pool, np.random.default_rng(1))
    assert any(samples_of(first, 0, q) != samples_of(other, 0, q) for q in range(4))


def test_halves_of_two_samples_are_the_unbiased_estimates():
    """Model y is certain, so every split of two samples gives the estimates of `Measured` to the last digit."""
    answers = {("x", f"q{i}"): given for i, given in enumerate(["aa", "ab", "bb", "ba", "aa"])}
    answers |= {("y", f"q{i}"): given for i, given in enumerate(["aa", "aa", "bb", "bb", "bb"])}
    found = pilot(make_pool({key: list(given) for key, given in answers.items()}), "sc:x", "sc:y", 1, n_splits=3)
    runs = (Measured.from_counts(counts, 2) for counts in ([2, 1, 0, 1, 2], [2, 2, 0, 0, 0]))
    expected = PairedQuestions.from_runs(*runs)
    assert found.halves
    for name in ("difference", "square", "within_a", "within_b"):
        assert getattr(found.questions, name) == pytest.approx(getattr(expected, name))
    assert found.variances == expected.variances()


@pytest.mark.slow
def test_many_splits_approach_the_unbiased_estimates():
    """Means over 200 splits and 8 questions of products below 1, whose standard deviation is below 0.4: within five
    standard errors of the estimates of `Measured`."""
    pool = random_pool(8, 6)
    found = pilot(pool, "sc:x", "sc:y", 1, n_splits=200).questions
    right = pool.class_correct
    counts = [
        [sum(right[pool.class_offsets[q] + c] for c in samples_of(pool, m, q) if c >= 0) for q in range(8)]
        for m in (0, 1)
    ]
    expected = PairedQuestions.from_runs(*(Measured.from_counts(one, 6) for one in counts))
    assert found.difference == pytest.approx(expected.difference)
    for name in ("square", "within_a", "within_b"):
        assert getattr(found, name).mean() == pytest.approx(getattr(expected, name).mean(), abs=5 * 0.4 / 40)


@pytest.mark.slow
@pytest.mark.parametrize(("n_samples", "budget", "halves"), [(8, 3, True), (4, 3, False)])
def test_the_components_of_a_known_law(n_samples, budget, halves):
    """600 questions, majority of three. The limits are five standard errors of the law or more."""
    law = Law((2, 1), (1, 1), 0.4)
    pool = law_pool(law, 600, n_samples, seed=1)
    found = pilot(pool, "sc:x", "sc:y", budget, n_splits=4)
    p, q = (x**2 * (3 - 2 * x) for x in law.draw(np.random.default_rng(2), 200_000))
    true = [(p - q).var(), (p * (1 - p)).mean(), (q * (1 - q)).mean()]
    assert found.halves == halves
    variances = found.variances
    assert variances.of_question(1) == pytest.approx(sum(true), abs=0.12)
    if halves:
        assert [variances.between, variances.within_a, variances.within_b] == pytest.approx(true, abs=0.05)
    else:  # the noise of the pool is in the variance between questions
        assert variances.between > true[0] + 0.05
        assert variances.of_question(8) > true[0] + sum(true[1:]) / 8 + 0.03


def test_accuracy_samples_and_cost_are_those_of_evaluate():
    pool = random_pool(cost=0.5)
    found = pilot(pool, "ms:x+y", "sc:z", (8, 3), n_splits=1, n_replays=50, seed=4)
    a, b = evaluate(pool, "ms:x+y", 8, n_replays=50, seed=4), evaluate(pool, "sc:z", 3)
    frame = found.to_frame()
    for row, result in zip(frame.itertuples(), (a, b), strict=True):
        expected = result.to_frame().iloc[0]
        assert (row.strategy, row.budget, row.n_questions) == (expected["strategy"], expected["budget"], 12)
        assert (row.accuracy, row.samples_used, row.cost) == pytest.approx(
            (expected["accuracy"], expected["samples_used"], expected["cost"])
        )
    assert frame["samples_used"][0] < 8
    assert frame["within"].tolist() == [found.variances.within_a, found.variances.within_b]
    prices = found.prices(2.0)
    assert (prices.question, prices.run_a, prices.run_b) == (2, *found.cost)
    assert pilot(pool, "sc:x", "sc:y", 2, n_splits=1, prices={"x": 3, "y": 5}).cost == pytest.approx((6, 10))


def test_without_costs_only_questions_have_a_price():
    found = pilot(random_pool(), "sc:x", "sc:y", 1, n_splits=1)
    assert found.prices() is None
    prices = found.prices(2.0)
    assert (prices.question, prices.run_a, prices.run_b) == (2, 0, 0)


def test_one_strategy_at_two_budgets_can_be_compared():
    found = pilot(random_pool(), SelfConsistency("x"), "sc:x", (1, 12), n_splits=1)
    assert found.strategies == ("sc:x", "sc:x")
    assert found.budgets == (1, 12)
    assert found.halves
    assert not pilot(random_pool(), "sc:x", "sc:x", (1, 13), n_splits=1).halves


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
@pytest.mark.parametrize(("recorded", "budget"), [(6, 1), (6, 3), (11, 5), (5, 5)])
def test_recorded_samples_are_worth_at_least_their_whole_runs(recorded, budget, chance):
    """The variance of the mean over all draws of a majority vote, by the binomial distribution of correct samples."""
    right = np.arange(recorded + 1)
    weights = stats.binom.pmf(right, recorded, chance)
    accuracy = maj_at_k(np.stack([right, recorded - right], axis=1), [budget])[:, 0]
    mean = weights @ accuracy
    assert mean == pytest.approx(stats.binom.sf(budget // 2, budget, chance))
    variance = weights @ (accuracy - mean) ** 2
    one_run = mean * (1 - mean)
    assert variance <= one_run / (recorded // budget) * (1 + 1e-9)
    if recorded % budget == 0 and budget in (1, recorded):
        assert variance == pytest.approx(one_run / (recorded // budget))


def test_models_that_no_strategy_draws_may_have_few_samples():
    frame = random_pool().to_frame()
    pool = random_pool().from_frame(frame[(frame["model"] != "z") | (frame["sample_index"] == 0)])
    assert pilot(pool, "sc:x", "sc:y", 4, n_splits=1).halves


def test_clusters_are_those_of_the_pool():
    pool = random_pool()
    frame = pool.to_frame()
    frame["topic"] = frame["question_id"].str[-1].map(lambda digit: "abc"[int(digit) % 3])
    labelled = pool.from_frame(frame)
    assert pilot(labelled, "sc:x", "sc:y", 1, n_splits=1, clusters="topic").variances.cluster_size > 3
    named = pool.from_frame(frame.rename(columns={"topic": "cluster"}))
    assert pilot(named, "sc:x", "sc:y", 1, n_splits=1).variances.cluster_size > 3
    assert pilot(named, "sc:x", "sc:y", 1, n_splits=1, clusters="question_id").variances.cluster_size == 1


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"a": "alloc:x"}, StrategyError, "alloc:x: the questions depend on each other"),
        ({"a": "sc:w"}, MssimError, "no model 'w' in this pool"),
        ({"budget": 25}, BudgetError, "24 were recorded. Lower the budget, or record more samples."),
        ({"budget": (1, 2, 3)}, BudgetError, "is neither an int nor a pair. Use budget=8 or budget=(8, 16)."),
        ({"budget": 0}, BudgetError, "budget: 0 is neither an int nor a pair"),
        ({"n_splits": 0}, MssimError, "n_splits=0 is out of range. Use an integer from 1 to 1000."),
        ({"clusters": "topic"}, MssimError, "clusters: no column 'topic'"),
        ({"prices": {"x": 1}}, MssimError, "prices: model 'y' has no price"),
    ],
)
def test_bad_input_is_refused(options, error, says):
    given = {"a": "sc:x", "b": "sc:y", "budget": 1, **options}
    with pytest.raises(error) as caught:
        pilot(random_pool(), **given)
    assert says in str(caught.value)
