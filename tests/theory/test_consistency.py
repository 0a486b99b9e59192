"""Consistency and accuracy: correlations by SciPy, bootstrap by repeating rows, and the part that is mechanical."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mssim import MssimError, Pool, PoolError
from mssim.theory import consistency
from tests import naive
from tests.conftest import examples, make_pool
from tests.engine.test_evaluate import random_pool
from tests.engine.test_monte_carlo import pools
from tests.theory import test_limits

any_pool, models_with = test_limits.any_pool, test_limits.models_with

VERSIONS = ["same samples", "same half", "split half"]
SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}


def numbers(answers, right):
    """Entropy of the valid answers in bits, and share right of all; by SciPy."""
    valid = [a for a in answers if a is not None]
    shares = np.unique(valid, return_counts=True)[1] if valid else [np.nan]
    return round(float(stats.entropy(shares, base=2)), 10), sum(a in right for a in answers) / len(answers)


def correlation(statistic, x, y):
    if len(x) < 2 or np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return np.nan
    return SCIPY[statistic](x, y).statistic


def quick(pool, models=None, **options):
    return consistency(pool, models, **{"n_resamples": 20, "n_splits": 2, **options})


@pytest.mark.slow
@given(pools(n_models=2))
def test_both_numbers_of_every_question(pool):
    samples, right = naive.recorded(pool)
    frame = quick(pool).per_question()
    assert frame["model"].tolist() == ["x"] * len(pool.questions) + ["y"] * len(pool.questions)
    for row in frame.itertuples():
        entropy, accuracy = numbers(samples[row.model][row.question_id], right[row.question_id])
        assert row.entropy == pytest.approx(entropy, abs=1e-9, nan_ok=True)
        assert row.accuracy == pytest.approx(accuracy)


def table(found, model="x"):
    frame = found.to_frame()
    frame = frame[frame["model"] == model]
    return {(row.version, row.statistic): row for row in frame.itertuples()}


@settings(max_examples=examples(25))
@given(st.integers(0, 1000))
def test_correlations_of_the_same_samples_are_those_of_scipy(seed):
    pool = random_pool(9, 6, seed=seed)
    frame = quick(pool, ["x"]).per_question()
    found = table(quick(pool, ["x"]))
    kept = found["same samples", "pearson"].n_questions
    if kept == 9:
        for statistic in SCIPY:
            expected = correlation(statistic, frame["entropy"], frame["accuracy"])
            assert found["same samples", statistic].r == pytest.approx(expected, abs=1e-6, nan_ok=True)


def halves(pool, model, seed, n_splits):
    """The answers of both halves of every question in every split, drawn with the documented generator."""
    rng = np.random.default_rng([seed, zlib.crc32(model.encode())])
    lengths, offsets, labels = pool.lengths[0], pool.class_offsets, pool.class_labels.to_pylist()
    for _ in range(n_splits):
        shuffled = pool.codes[0].astype(np.int64)
        for n in np.unique(lengths):
            shuffled[lengths == n, :n] = rng.permuted(shuffled[lengths == n, :n], axis=1)
        answers = [
            [labels[offsets[q] + c] if c >= 0 else None for c in shuffled[q, : lengths[q]]] for q in range(len(lengths))
        ]
        yield [a[: len(a) // 2] for a in answers], [a[len(a) // 2 : len(a) // 2 * 2] for a in answers]


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [12, 7])
def test_halves_and_their_bootstrap_by_hand(n_samples):
    """Rows repeated as often as they were drawn, whole clusters at a time, by SciPy; questions without answers go."""
    frame = random_pool(16, n_samples, seed=5).to_frame().query("model == 'x'")
    no_answer = (frame["question_id"] == "q3") & (frame["sample_index"] > 0)
    frame = frame.assign(cluster=frame["question_id"].str[-1], answer=frame["answer"].mask(no_answer))
    pool = Pool.from_frame(frame.assign(correct=frame["correct"] & ~no_answer))
    found = table(consistency(pool, n_splits=3, n_resamples=40, seed=11, confidence_level=0.8))
    _, right = naive.recorded(pool)
    splits = [
        [np.array([numbers(a, right[q]) for a, q in zip(half, pool.question_ids, strict=True)]) for half in pair]
        for pair in halves(pool, "x", 11, 3)
    ]
    samples = naive.recorded(pool)[0]["x"]
    whole = np.array([numbers(samples[q], right[q]) for q in pool.question_ids])
    kept = ~np.isnan([half[:, 0] for pair in splits for half in pair]).any(axis=0)
    assert 10 < kept.sum() < 16
    labels, codes = np.unique(pool.questions["cluster"], return_inverse=True)
    drawn = np.random.default_rng(11).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=40)
    for statistic in SCIPY:

        def versions(rows, statistic=statistic):
            r = lambda x, y: correlation(statistic, x[rows], y[rows])  # noqa: E731
            same = [r(half[:, 0], half[:, 1]) for pair in splits for half in pair]
            split = [r(x[:, 0], y[:, 1]) for a, b in splits for x, y in ((a, b), (b, a))]
            return r(whole[:, 0], whole[:, 1]), np.mean(same), np.mean(split)

        itself = versions(np.nonzero(kept)[0])
        resampled = [versions(np.repeat(np.arange(16), weight[codes] * kept)) for weight in drawn]
        for i, version in enumerate(VERSIONS):
            row = found[version, statistic]
            assert row.r == pytest.approx(itself[i], abs=1e-9)
            z = np.arctanh(np.array(resampled)[:, i])
            half = stats.t.ppf(0.9, len(labels) - 1) * np.nanstd(z, ddof=1)
            expected = np.tanh(np.arctanh(itself[i]) + np.array([-half, half]))
            assert (row.low, row.high) == pytest.approx(expected, abs=1e-4)
            assert row.n_questions == kept.sum()
            assert row.n_samples == (n_samples if i == 0 else n_samples // 2)


@pytest.mark.slow
def test_the_interval_agrees_with_scipy_bootstrap():
    """Another generator and 4000 resamples each: ends scatter by some 3 % of the width, six times that is allowed."""
    pool = random_pool(60, 20, seed=2)
    row = table(consistency(pool, ["x"], n_resamples=4000, n_splits=1))["same samples", "pearson"]
    frame = consistency(pool, ["x"], n_resamples=1, n_splits=1).per_question()
    assert row.n_questions == 60
    error = stats.bootstrap(
        (frame["entropy"], frame["accuracy"]),
        lambda x, y: np.arctanh(stats.pearsonr(x, y).statistic),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(0),
    ).standard_error
    ends = np.tanh(np.arctanh(row.r) + stats.t.ppf([0.025, 0.975], 59) * error)
    assert [row.low, row.high] == pytest.approx(ends, abs=0.1 * (row.high - row.low))


# The mechanical part --------------------------------------


def drawn_pool(laws, n_samples, seed):
    """Questions whose samples are drawn from given shares of answers a, b, c; a is right."""
    rng = random.Random(seed)
    return make_pool({("x", f"q{q}"): rng.choices("abc", weights, k=n_samples) for q, weights in enumerate(laws)})


def test_noise_alone_correlates_on_the_same_samples_and_not_between_halves():
    """All questions have one law, so entropy tells nothing; by construction the halves are independent.

    The split-half correlation of 400 questions scatters by less than 1 / 20 around 0: beyond 0.3 once in 10^8 seeds.
    """
    found = table(quick(drawn_pool([(6, 2, 2)] * 400, 16, seed=1), n_splits=10))
    for statistic in SCIPY:
        assert found["same samples", statistic].r < -0.5
        assert found["same half", statistic].r < -0.5
        assert found["same samples", statistic].high < -0.3
        assert abs(found["split half", statistic].r) < 0.3
        assert found["split half", statistic].low < 0 < found["split half", statistic].high


def test_what_questions_have_in_common_survives_splitting():
    """Easy and hard questions: the correlation is real, and blurred by few samples only."""
    laws = [(20, 1, 1)] * 200 + [(1, 1, 1)] * 200
    found = table(quick(drawn_pool(laws, 64, seed=2)))
    assert found["split half", "pearson"].r < -0.8
    assert found["split half", "pearson"].high < -0.7
    assert abs(found["same half", "pearson"].r - found["split half", "pearson"].r) < 0.15


def test_being_sure_of_what_is_wrong_turns_the_sign():
    """The counter-example to the premise: the lower the entropy, the less is right."""
    laws = [(1, 40, 1)] * 100 + [(1, 1, 1)] * 100
    found = table(quick(drawn_pool(laws, 32, seed=3)))
    assert found["split half", "spearman"].low > 0.5


# Invariants -----------------------------------------------


def test_a_seed_decides_everything_and_other_models_nothing():
    pool = random_pool(12, 10)
    one = quick(pool, seed=3).to_frame()
    assert one.equals(quick(pool, seed=3).to_frame())
    assert not one["r"].equals(quick(pool, seed=4).to_frame()["r"])
    alone = quick(pool, ["z"], seed=3).to_frame()
    assert alone.drop(columns="model").equals(one.query("model == 'z'").drop(columns="model").reset_index(drop=True))
    assert one["model"].tolist() == ["x"] * 6 + ["y"] * 6 + ["z"] * 6
    assert one["version"].tolist() == [v for v in VERSIONS for _ in range(2)] * 3
    assert one["statistic"].tolist() == ["pearson", "spearman"] * 9
    assert repr(quick(pool)) == "Consistency(3 models, 12 questions)"


def test_the_frame_is_a_copy():
    found = quick(random_pool(6, 4))
    frame = found.to_frame()
    frame["r"] = 7.0
    assert (found.to_frame()["r"].dropna().abs() <= 1).all()


@pytest.mark.parametrize(
    "answers",
    [
        {("x", f"q{i}"): list("aaaa") for i in range(6)},  # neither varies
        {("x", f"q{i}"): list("aabb") if i % 2 else list("aaaa")[:4] for i in range(1)},  # one question
        {("x", f"q{i}"): [None] * 4 for i in range(3)},  # no answer at all
        {("x", f"q{i}"): list("bbbb") if i % 2 else list("bbcc") for i in range(6)},  # nothing is ever right
    ],
)
def test_what_does_not_vary_has_no_correlation_and_no_warning(answers):
    found = quick(make_pool(answers)).to_frame()
    assert found[["r", "low", "high"]].isna().all(axis=None)
    assert len(found) == 6


def test_a_single_cluster_has_no_interval():
    pool = make_pool({("x", f"q{i}"): list("abab") if i % 2 else list("aaab") for i in range(8)}, cluster="all")
    row = table(quick(pool))["same samples", "pearson"]
    assert row.r == pytest.approx(-1)
    assert np.isnan([row.low, row.high]).all()


def test_correlations_on_every_pool(any_pool):
    models = models_with(any_pool, 2)
    found = consistency(any_pool, models, n_resamples=50, n_splits=4)
    frame, each = found.to_frame(), found.per_question()
    assert frame["r"].between(-1, 1).all()
    assert (frame["low"] <= frame["high"]).all()
    for model in models:
        one, rows = each[each["model"] == model], table(found, model)
        for statistic in SCIPY:
            if rows["same samples", statistic].n_questions == len(any_pool.questions):
                expected = correlation(statistic, one["entropy"], one["accuracy"])
                assert rows["same samples", statistic].r == pytest.approx(expected, abs=1e-9)


def test_equal_counts_have_equal_entropy_wherever_they_are():
    """Ranks need ties; 3000 questions with the same counts, of answers in any order."""
    answers = {("x", f"q{q}"): random.Random(q).sample(list("aaaaaabbbbccdefg"), 16) for q in range(3000)}
    found = quick(make_pool(answers), n_splits=1)
    assert np.unique(found.entropy).size == 1
    assert found.to_frame()["r"][:2].isna().all()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"models": ["w"]}, PoolError, "no model 'w' in this pool"),
        ({"confidence_level": 1}, MssimError, "confidence_level=1 is not between 0 and 1"),
        ({"n_resamples": 0}, MssimError, "n_resamples=0 is out of range. Use an integer from 1"),
        ({"n_splits": 0.5}, MssimError, "n_splits=0.5 is not an integer. Use an integer from 1"),
        ({"seed": -1}, MssimError, "seed=-1 is out of range. Use an integer from 0"),
        ({"clusters": "topic"}, MssimError, "clusters: no column 'topic'"),
    ],
)
def test_bad_input_is_refused(options, error, says):
    with pytest.raises(error) as caught:
        consistency(random_pool(), **options)
    assert says in str(caught.value)


def test_one_sample_has_no_halves():
    with pytest.raises(PoolError) as caught:
        consistency(make_pool({("x", "q"): ["a"], ("x", "r"): ["a", "b"]}))
    assert str(caught.value) == (
        "models: 'x' has 1 samples of question 'q', but 2 are required. "
        "Drop the model, or use pool.select(min_samples=2), which keeps 1 of 2 questions."
    )
