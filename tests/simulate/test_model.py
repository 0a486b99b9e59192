"""The answer model: closed forms against rational enumeration, pools drawn from it against closed forms."""

import json
import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mssim import ModelSwitch, MssimError, StrategyError, Vote, evaluate, load_pool
from mssim.kernels import stick_breaking
from mssim.simulate import AnswerModel, drawing
from mssim.simulate.pool_fit import agreeing

# Five and a half standard errors: missed by one comparison in 26 million, so about once in a million runs of this file.
SURE = 5.5


# Enumeration in rational arithmetic -------------------------------------------------------------


def rising(x, n):
    return math.prod((x + i for i in range(n)), start=Fraction(1))


def partitions_of(m, theta):
    """Chance of every list of class sizes of m wrong draws, guest by guest in the Chinese restaurant."""
    states = {(): Fraction(1)}
    for n in range(m):
        after = Counter()
        for sizes, chance in states.items():
            after[tuple(sorted((*sizes, 1)))] += chance * theta / (theta + n)
            for i, size in enumerate(sizes):
                grown = tuple(sorted((*sizes[:i], size + 1, *sizes[i + 1 :])))
                after[grown] += chance * size / (theta + n)
        states = after
    return states


def outcomes(k, sure, a, b, theta, silent):
    """Every (right draws, sizes of wrong classes) of k draws with its chance."""
    for n in range(k + 1):
        answered = math.comb(k, n) * (1 - silent) ** n * silent ** (k - n)
        yield n, (), answered * sure
        for c in range(n + 1):
            chance = math.comb(n, c) * rising(a, c) * rising(b, n - c) / rising(a + b, n)
            for sizes, split in partitions_of(n - c, theta).items():
                yield c, sizes, answered * (1 - sure) * chance * split


def is_right(c, sizes):
    return Fraction(c > 0 and c >= max(sizes, default=0), 1 + sizes.count(c)) if c else Fraction(0)


shares = st.fractions(0, 1, max_denominator=6)
positive = st.fractions(Fraction(1, 4), 5, max_denominator=4)


@pytest.mark.kernels
@given(st.integers(1, 7), shares, positive, positive, positive, shares)
def test_closed_forms_are_the_sums_over_all_outcomes(k, sure, a, b, theta, silent):
    found = list(outcomes(k, sure, a, b, theta, silent))
    assert sum(chance for _, _, chance in found) == 1
    model = AnswerModel("x", float(sure), float(a), float(b), float(theta), silent=float(silent))
    right = sum(chance * is_right(c, sizes) for c, sizes, chance in found)
    assert model.accuracy_at_k("x", k) == pytest.approx(float(right), abs=1e-12)
    for threshold, strict in ((1.0, False), (0.85, True), (0.5, False), (0.3, False)):
        agreed = sum(
            chance
            for c, sizes, chance in found
            if (share := max(c, *sizes, 0) / k) > threshold or (share == threshold and not strict)
        )
        assert model.agreement_at_k("x", k, agreement=threshold, strict=strict) == pytest.approx(
            float(agreed), abs=1e-12
        )


@pytest.mark.kernels
@pytest.mark.parametrize("theta", [0.03, 1.0, 7.5, 300.0])
def test_chances_of_the_largest_class_by_size(theta):
    exact = Fraction(theta)
    for m in range(8):
        found = partitions_of(m, exact)
        for limit in range(1, m + 2):
            below = sum(chance for sizes, chance in found.items() if max(sizes, default=0) < limit)
            assert stick_breaking.all_below(theta, limit, 9)[m] == pytest.approx(float(below), rel=1e-12)


@pytest.mark.kernels
@pytest.mark.parametrize(("a", "b"), [(0.2, 0.3), (1.0, 1.0), (0.5, 40.0), (40.0, 0.5), (3.0, 5.0), (5e5, 2e5), (1, 9)])
@pytest.mark.parametrize("k", [1, 7, 512])
def test_right_draws_are_beta_binomial(k, a, b):
    found = stick_breaking.right_draws(k, float(a), float(b))
    # SciPy subtracts logarithms of large gamma functions, so it is the less precise of the two.
    assert found == pytest.approx(
        stats.betabinom.pmf(np.arange(k + 1), k, a, b), rel=1e-7 if a < 1e5 else 1e-2, abs=1e-15
    )
    assert found @ np.arange(k + 1) == pytest.approx(k * a / (a + b), rel=1e-12)


@pytest.mark.parametrize(("a", "b", "theta"), [(0.4, 0.8, 0.3), (2.0, 1.0, 12.0), (0.05, 3.0, 1.7)])
def test_unanimity_of_hundreds_of_draws(a, b, theta):
    """All right, or all wrong and alike: a product that needs no partition."""
    k = np.array([1, 2, 31, 512, 1024])
    alike = special.gammaln(k) + special.gammaln(theta + 1) - special.gammaln(theta + k)
    all_right = special.betaln(a + k, b) - special.betaln(a, b)
    all_wrong = special.betaln(a, b + k) - special.betaln(a, b) + alike
    expected = 0.2 + 0.8 * (np.exp(all_right) + np.exp(all_wrong))
    model = AnswerModel("x", 0.2, a, b, theta)
    assert model.agreement_at_k("x", k) == pytest.approx(expected, rel=1e-9)


def test_majorities_of_hundreds_of_draws():
    """With need > k / 2 the events of two classes exclude each other: expected numbers of classes are chances."""
    k, need, theta, a, b = 200, 171, 0.7, 0.3, 0.6
    c = np.arange(k + 1)
    chance = stats.betabinom.pmf(c, k, a, b)
    agreed = chance[need:].sum()
    for m in range(need, k + 1):
        j = np.arange(need, m + 1)
        ways = special.gammaln([m + 1, theta + m])[:, None] - special.gammaln([m - j + 1, theta + m - j])
        agreed += chance[k - m] * (np.exp(ways[0] - ways[1]) * theta / j).sum()
    model = AnswerModel("x", 0.0, a, b, theta)
    assert model.agreement_at_k("x", k, agreement=0.85, strict=True) == pytest.approx(agreed, rel=1e-9)


def test_extremes():
    k = [1, 2, 16, 512]
    assert AnswerModel("x", 1, 1, 1, 1).accuracy_at_k("x", k).tolist() == [1, 1, 1, 1]
    assert AnswerModel("x", 1, 1, 1, 1, silent=1).accuracy_at_k("x", k).tolist() == [0, 0, 0, 0]
    assert AnswerModel("x", 1, 1, 1, 1, silent=1).agreement_at_k("x", k).tolist() == [0, 0, 0, 0]
    assert AnswerModel("x", 0, 1, 1, 2).agreement_at_k("x", k, agreement=0).tolist() == [1, 1, 1, 1]
    assert AnswerModel("x", 0, 1, 1, 2).agreement_at_k("x", k, agreement=1, strict=True).tolist() == [0, 0, 0, 0]
    # Wrong answers that never agree lose to two right ones, those that always do make a fair contest.
    scattered, alike = AnswerModel("x", 0, 1, 1, 1e6), AnswerModel("x", 0, 1, 1, 1e-6)
    assert scattered.accuracy_at_k("x", 512) > 0.99
    assert alike.accuracy_at_k("x", [2, 32, 1024]) == pytest.approx([0.5, 0.5, 0.5], abs=1e-5)
    assert np.isfinite(AnswerModel("x", 0, 1e-6, 1e6, 1e6, silent=0.5).accuracy_at_k("x", [3, 256])).all()


@given(shares, positive, positive, positive)
def test_curves_have_their_shapes(sure, a, b, theta):
    model = AnswerModel("x", *map(float, (sure, a, b, theta)))
    one, two = model.accuracy_at_k("x", [1, 2])
    assert one == pytest.approx(float(sure + (1 - sure) * a / (a + b)))
    assert two == pytest.approx(one)  # ties go to the first answer, so the second draw decides nothing
    agreed = model.agreement_at_k("x", [1, 2, 3, 5, 9, 40])
    assert agreed[0] == 1
    assert (np.diff(agreed) <= 1e-12).all()
    assert agreed[-1] >= sure - 1e-12
    assert model.agreement_at_k("x", 8, agreement=0.85, strict=True) >= model.agreement_at_k("x", 8)


# Pools -------------------------------------------------------------------------------------------

TWO = AnswerModel(
    ["x", "y"], [0.3, 0.1], [0.5, 0.8], [0.7, 0.6], [1.5, 0.4], correlation=0.6, shared_distractors=0.4, silent=[0, 0.1]
)


def near(values, expected):
    """The mean over questions is what is expected, up to 5.5 standard errors."""
    error = np.std(values, ddof=1) / np.sqrt(np.size(values))
    assert abs(np.mean(values) - expected) < SURE * error + 1e-12


@pytest.mark.parametrize("model", ["x", "y"])
def test_pools_have_the_curves_of_their_answer_model(model):
    pool = TWO.draw(4000, 12, seed=1)
    for k in (1, 3, 8, 12):
        near(evaluate(pool, f"sc:{model}", k).accuracy[0, 0], TWO.accuracy_at_k(model, k))
    for threshold, strict in ((1.0, False), (0.85, True), (0.4, False)):
        rule = ModelSwitch([model], agreement=threshold, strict=strict, vote=Vote.plurality())
        agreed = evaluate(pool, {"one": rule}, 8).agreed[0, 0]
        near(agreed, TWO.agreement_at_k(model, 8, agreement=threshold, strict=strict))


def test_many_samples_of_a_pool():
    model = AnswerModel("x", 0.1, 0.6, 0.9, 2.5)
    pool = model.draw(1000, 512, seed=2)
    near(evaluate(pool, "sc:x", 512).accuracy[0, 0], model.accuracy_at_k("x", 512))
    near((pool.codes < 0).mean(axis=(0, 2)), 0)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_correlation_is_that_of_a_gaussian_copula(correlation):
    """Uniform chances: their mean product is 1/4 + arcsin(correlation / 2) / 2 pi (Kruskal 1958)."""
    model = AnswerModel(["x", "y"], 0.0, 1.0, 1.0, 1.0, correlation=correlation)
    x, y = model.draw(6000, 20, seed=3).sample_correct().mean(axis=2)
    near(x * y, 1 / 4 + math.asin(correlation / 2) / (2 * math.pi))


def test_correlation_is_of_pairs():
    table = [[1, 0.9, 0.0], [0.9, 1, 0.3], [0.0, 0.3, 1]]
    pool = AnswerModel(list("xyz"), 0.0, 1.0, 1.0, 1.0, correlation=table).draw(6000, 20, seed=4)
    right = pool.sample_correct().mean(axis=2)
    for i, j in ((0, 1), (1, 2), (0, 2)):
        near(right[i] * right[j], 1 / 4 + math.asin(table[i][j] / 2) / (2 * math.pi))


def test_the_easiest_questions_are_the_sure_ones():
    model = AnswerModel(["x", "y"], [0.5, 0.3], 1.0, 3.0, 1.0, correlation=1.0)
    right = model.draw(3000, 60, seed=5).sample_correct().mean(axis=2)
    both = right[:, right[1] == 1]  # at p < 1 nobody is right sixty times, but for p near 1
    assert (both[0] == 1).mean() > 0.99
    for shares, sure in zip(right, model.sure, strict=True):
        near(shares == 1, sure + (1 - sure) * special.beta(61, 3) / special.beta(1, 3))


def coincidences(pool):
    """Per question: share of pairs of wrong samples, one of x and one of y, that agree."""
    found = []
    for q in range(len(pool.questions)):
        wrong = ~pool.class_correct[pool.class_offsets[q] : pool.class_offsets[q + 1]]
        counts = [np.bincount(codes[codes >= 0], minlength=wrong.size)[wrong] for codes in pool.codes[:, q]]
        pairs = counts[0].sum() * counts[1].sum()
        if pairs:
            found.append((counts[0] @ counts[1]) / pairs)
    return np.array(found)


@pytest.mark.parametrize("spread", [(1.5, 1.5), (0.3, 4.0)])
@pytest.mark.parametrize("shared", [0.0, 0.4, 1.0])
def test_wrong_answers_of_two_models_agree_where_distractors_are_shared(spread, shared):
    model = AnswerModel(["x", "y"], 0.0, 1e-6, 1e6, spread, shared_distractors=shared)
    near(coincidences(model.draw(3000, 8, seed=6)), shared * agreeing(*spread))


def test_two_places_on_one_stick_agree_as_integrated():
    """The integral over the places of both, with chance exp(-distance) that no point lies between them."""
    first, second = 0.3, 4.0
    x = np.linspace(0, 60, 1501)
    weights = np.outer(np.exp(-x / first) / first, np.exp(-x / second) / second)
    total = np.trapezoid(np.trapezoid(weights * np.exp(-np.abs(x[:, None] - x)), x, axis=1), x)
    assert agreeing(first, second) == pytest.approx(total, rel=5e-3)
    assert agreeing(2.0, 2.0) == pytest.approx(1 / 3)


def test_wrong_answers_of_one_model_split_as_in_the_restaurant():
    """Class sizes of four wrong draws against their chances, by a chi-square test that fails once in a million."""
    theta = 1.5
    pool = AnswerModel("x", 0.0, 1e-6, 1e6, theta).draw(5000, 4, seed=7)
    seen = Counter(tuple(sorted(np.bincount(codes)[np.bincount(codes) > 0])) for codes in pool.codes[0])
    chances = partitions_of(4, Fraction(theta))
    assert set(seen) == set(chances)
    table = [(seen[sizes], 5000 * float(chance)) for sizes, chance in chances.items()]
    assert stats.chisquare(*zip(*table, strict=True)).pvalue > 1e-6


def test_scores_tell_right_from_wrong():
    separation = 1.2
    model = AnswerModel("x", 0.0, 1e6, 1e6, 1.0, separation=separation)
    pool = model.draw(20_000, 2, seed=8)
    right, score = pool.sample_correct()[0], pool.numbers["score"][0]
    near(score[~right], 0)
    near(score[right], separation)
    assert score[right].std() == pytest.approx(1, abs=0.05)
    # One right and one wrong draw: the right one has the higher score with chance Phi(separation / sqrt 2).
    best = evaluate(pool, "sc:x,vote=best_of_n", 2, n_replays=1).accuracy[0, 0]
    near(best, 1 / 4 + special.ndtr(separation / math.sqrt(2)) / 2)


# As files ----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_pool():
    pool = TWO.draw(50, 9, seed=3)
    assert TWO.draw(50, 9, seed=3).fingerprint == pool.fingerprint
    assert TWO.draw(50, 9, seed=4).fingerprint != pool.fingerprint
    assert replace(TWO).draw(50, 9, seed=3).fingerprint == pool.fingerprint


@pytest.mark.parametrize("separation", [None, 0.7])
@pytest.mark.parametrize("at_once", [2**20, 100])
def test_a_pool_is_the_same_after_it_was_saved(tmp_path, monkeypatch, separation, at_once):
    monkeypatch.setattr(drawing, "_SAMPLES_AT_ONCE", at_once)
    pool = replace(TWO, separation=separation, silent=[0.02, 0.01], spread=[30, 2]).draw(40, 20, seed=1, title="twins")
    pool.save(tmp_path / "pool")
    again = load_pool(tmp_path / "pool")
    assert again.fingerprint == pool.fingerprint
    assert again.info == pool.info
    assert again.to_frame().equals(pool.to_frame())
    assert again.questions.equals(pool.questions)
    assert np.diff(pool.class_offsets).min() < np.diff(pool.class_offsets).max()
    assert pool.class_correct.sum() < 40  # a question that nobody answered rightly


def test_a_pool_says_that_it_is_simulated():
    info = TWO.draw(3, 2, title="like MATH").info
    assert info["title"] == "simulated like MATH"
    assert info["synthetic"] is True
    assert "no language model was asked" in info["source"]
    assert AnswerModel(**info["settings"]["answer_model"]) == TWO
    assert TWO.draw(3, 2, title="simulated MATH").info["title"] == "simulated MATH"


def test_one_question_one_sample():
    pool = AnswerModel("x", 0, 1e-6, 1e6, 1).draw(1, 1)
    assert pool.class_labels.to_pylist() == ["wrong 1"]
    assert pool.codes.tolist() == [[[0]]]
    silent = AnswerModel("x", 0, 1, 1, 1, silent=1).draw(2, 3)
    assert silent.codes.tolist() == [[[-1] * 3] * 2]
    assert evaluate(silent, "sc:x", 3).accuracy.tolist() == [[[0, 0]]]


def test_answer_models_are_saved_and_loaded(tmp_path):
    TWO.save(tmp_path / "model.json")
    assert AnswerModel.load(tmp_path / "model.json") == TWO
    frame = TWO.to_frame()
    assert frame["model"].tolist() == ["x", "y"]
    assert frame["spread"].tolist() == [1.5, 0.4]
    assert frame["accuracy"].tolist() == pytest.approx([0.3 + 0.7 * 0.5 / 1.2, 0.9 * (0.1 + 0.9 * 0.8 / 1.4)])
    assert frame[["correlation_x", "correlation_y"]].to_numpy().tolist() == [[1, 0.6], [0.6, 1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not an answer model of mssim, or damaged"),
        ("[]", "not an answer model of mssim"),
        ('{"schema": 7}', "unknown schema version 7. This mssim reads version 1"),
        ('{"schema": 1, "answer_model": {"models": "x"}}', "not an answer model of mssim"),
        (json.dumps({"schema": 1, "answer_model": {"models": "x", "sure": 2, "a": 1, "b": 1, "spread": 1}}), "sure=2"),
    ],
)
def test_files_that_are_no_answer_model(tmp_path, text, says):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(MssimError, match=says) as caught:
        AnswerModel.load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(MssimError, match=r"none\.json: not an answer model"):
        AnswerModel.load(tmp_path / "none.json")


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": []}, r"AnswerModel: models=\[\] is not a list of different names"),
        ({"models": ["x", "x"]}, "is not a list of different names"),
        ({"models": ["x", ""]}, "is not a list of different names"),
        ({"sure": 1.1}, "AnswerModel: sure=1.1 is not valid. Use shares of questions from 0 to 1"),
        ({"sure": [0.1]}, r"AnswerModel: sure=\[0.1\] does not match the 2 models. Use one number, or one per"),
        ({"sure": None}, "sure=None does not match the 2 models. Use one number, or one per"),
        ({"a": 0}, "a=0 is not valid. Use numbers from 1e-6 to 1e6"),
        ({"b": float("nan")}, "b=nan is not valid. Use numbers from 1e-6 to 1e6"),
        ({"b": [1, "2"]}, "b='2' is not valid. Use numbers"),
        ({"spread": [1, 1e7]}, "spread=10000000.0 is not valid. Use numbers"),
        ({"silent": -0.1}, "silent=-0.1 is not valid. Use shares of samples from 0 to 1"),
        ({"shared_distractors": 2}, "shared_distractors=2 is not valid. Use a share from 0 to 1"),
        ({"separation": "high"}, "separation='high' is not valid. Use a number from -100 to 100, or None"),
        ({"correlation": 1.5}, "correlation=1.5 is not possible. Correlations must be from -1 to 1"),
        ({"correlation": float("nan")}, "correlation=nan is not a correlation matrix. Use one number from -1 to 1"),
        ({"correlation": "high"}, "correlation='high' is not a correlation matrix. Use one number"),
        (
            {"correlation": [[1, 0.2], [0.3, 1]]},
            r"correlation=.* is not a correlation matrix. Use one number from -1 to 1, or",
        ),
        ({"correlation": [[1, 0.2]]}, r"a symmetric matrix of shape \(2, 2\) with ones on the diagonal"),
        ({"correlation": [[0.9, 0], [0, 1]]}, "with ones on the diagonal"),
        ({"models": list("xyz"), "correlation": -0.9}, "is not possible. .* form a positive semidefinite matrix"),
    ],
)
def test_answer_models_that_cannot_be(options, says):
    with pytest.raises(MssimError, match=says):
        AnswerModel(**{"models": ["x", "y"], "sure": 0, "a": 1, "b": 1, "spread": 1, **options})


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda m: m.accuracy_at_k("z", 1), MssimError, "no model 'z' in this answer model; choose from 'x', 'y'"),
        (lambda m: m.accuracy_at_k("x", 0), MssimError, "k=0 is not valid. Use an integer from 1 to 1024"),
        (lambda m: m.accuracy_at_k("x", []), MssimError, r"k=\[\] is not valid. Use an integer from 1"),
        (lambda m: m.agreement_at_k("x", 1.5), MssimError, "k=1.5 is not valid. Use an integer from 1"),
        (lambda m: m.agreement_at_k("x", [[1]]), MssimError, r"k=\[\[1\]\] is not valid. Use an integer from 1"),
        (lambda m: m.agreement_at_k("x", [1, 1025]), MssimError, "from 1 to 1024, or a list of them"),
        (lambda m: m.agreement_at_k("x", 2, agreement=-1), StrategyError, "agreement=-1 is not a share"),
        (lambda m: m.agreement_at_k("x", 2, strict=2), StrategyError, "strict=2 is not a bool"),
        (lambda m: m.draw(0, 1), MssimError, "n_questions=0 is out of range. Use an integer from 1"),
        (lambda m: m.draw(1, 0), MssimError, "n_samples=0 is out of range. Use an integer from 1"),
        (lambda m: m.draw(1, 1, seed=-1), MssimError, "seed=-1 is out of range. Use an integer from 0"),
        (
            lambda m: replace(m, a=1e-6, b=1e6, sure=0.0, spread=1e6, silent=0).draw(1, 30_000),
            MssimError,
            "different answers, more than the maximum of 32766. Use a smaller spread, or draw fewer samples",
        ),
    ],
)
def test_what_cannot_be_asked(ask, error, says):
    with pytest.raises(error, match=says):
        ask(TWO)


def test_one_number_for_k_gives_one_number_back():
    assert np.ndim(TWO.accuracy_at_k("x", 3)) == np.ndim(TWO.agreement_at_k("x", np.int64(3))) == 0
    assert TWO.accuracy_at_k("x", [3]).shape == TWO.agreement_at_k("x", np.array([3])).shape == (1,)
