"""The table of diversity by enumeration of draws, by hand, and with a jackknife in plain Python."""

from fractions import Fraction
from itertools import product
from statistics import correlation, mean

import numpy as np
import pytest
from scipy import special

from mssim import MssimError, PoolError
from mssim.results.clusters import degrees_of_freedom
from mssim.tuning.diversity import diversity
from mssim.tuning.model_choice import subset_scores
from tests import naive
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool

# Six questions, of which each model always or never solves one. The correlations are 0, 0.7071 and -0.3333.
SIGNS = {"A": "111001", "B": "110100", "C": "011001"}


def certain(signs, **columns):
    rows = {
        (model, f"q{q}"): ["g" if sign == "1" else "b"] * 3
        for model, row in signs.items()
        for q, sign in enumerate(row)
    }
    return make_pool(rows, truth="g", **columns)


def test_phi_and_effective_number_of_the_worked_example():
    found = diversity(certain(SIGNS)).set_index("models")
    assert found["correlation"].round(4).tolist()[3:] == [0, 0.7071, -0.3333, 0.1246]
    assert found["n_pairs"].tolist() == [0, 0, 0, 1, 1, 1, 3]
    assert found["n_effective"].round(4).tolist()[3:] == [2, 1.1716, 3, 2.4016]
    assert found["n_effective"].tolist()[:3] == found["low"].tolist()[:3] == found["high"].tolist()[:3] == [1, 1, 1]
    assert found["accuracy"].round(4).tolist() == [0.6667, 0.5, 0.5, 0.5833, 0.5833, 0.5, 0.5556]
    assert found["all_wrong"].round(4).tolist() == [0.3333, 0.5, 0.5, 0.1667, 0.3333, 0.1667, 0.1667]
    assert found["union"].round(4).tolist() == [0.6667, 0.5, 0.5, 0.8333, 0.6667, 0.8333, 0.8333]


def test_correlation_is_that_of_single_draws():
    """Of all pairs of a draw of x and one of y to the same question."""
    pool = random_pool(8, 4, seed=5)
    answers, good = naive.recorded(pool)
    drawn = [
        (a in good[q], b in good[q]) for q in pool.question_ids for a, b in product(answers["x"][q], answers["y"][q])
    ]
    found = diversity(pool, ["x", "y"]).iloc[-1]
    assert found["models"] == "x+y"
    assert found["correlation"] == pytest.approx(correlation(*zip(*[map(float, pair) for pair in drawn], strict=True)))
    assert found["all_wrong"] == pytest.approx(float(mean(Fraction(not (a or b)) for a, b in drawn)))


def test_union_and_contradiction_are_those_of_the_search():
    pool = random_pool(10, 6, seed=2)
    scores = subset_scores(pool, k=[1, 2, 3], samples=4, right=3).set_index("models")
    found = diversity(pool, samples=4, right=3).set_index("models")
    for column in ("union", "contradiction"):
        assert found[column].to_dict() == pytest.approx(scores[column].to_dict())


def test_one_model_contradicts_nothing():
    """Rounding makes -1e-17 of the sum of terms, which would be printed as -0.0000."""
    found = diversity(random_pool(10, 11, seed=1)).set_index("models")
    assert not np.signbit(found["contradiction"]).any()
    assert found["contradiction"]["x":"z"].to_numpy() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("groups", [None, [0, 0, 1, 2, 3, 3, 4, 5, 6, 7]])
def test_the_interval_is_a_jackknife_of_the_correlation(groups):
    pool = random_pool(10, 9, seed=4)
    answers, good = naive.recorded(pool)
    labels = list(range(10)) if groups is None else groups
    share = {m: [mean(float(a in good[q]) for a in answers[m][q]) for q in pool.question_ids] for m in "xyz"}

    def mean_correlation(kept):
        found = []
        for a, b in ("xy", "xz", "yz"):
            p, r = (mean(share[m][q] for q in kept) for m in (a, b))
            both = mean(share[a][q] * share[b][q] for q in kept)
            found.append((both - p * r) / (p * (1 - p) * r * (1 - r)) ** 0.5)
        return mean(found)

    centre = mean_correlation(range(10))
    without = [mean_correlation([q for q in range(10) if labels[q] != label]) for label in sorted(set(labels))]
    n = len(without)
    error = ((n - 1) / n * sum((w - mean(without)) ** 2 for w in without)) ** 0.5
    if groups is not None:
        label_of = {f"q{q}": label for q, label in enumerate(groups)}
        pool = random_pool(10, 9, seed=4, cluster=lambda frame: frame["question_id"].map(label_of))
    row = diversity(pool, confidence_level=0.9).iloc[-1]
    freedom = degrees_of_freedom([labels.count(label) for label in sorted(set(labels))], jackknife=True)
    half = special.stdtrit(freedom, 0.95) * error
    expected = [3 / (1 + 2 * (centre + step)) for step in (0, half, -half)]
    assert row["correlation"] == pytest.approx(centre)
    assert row[["n_effective", "low", "high"]].tolist() == pytest.approx(expected)


def test_pairs_of_a_model_that_is_always_right_are_left_out():
    found = diversity(certain({**SIGNS, "D": "111111"})).set_index("models")
    assert found.loc[["A+D", "B+D", "C+D"], "correlation"].isna().all()
    assert found.loc["A+D", ["n_pairs", "n_effective", "low", "high"]].fillna(-1).tolist() == [0, -1, -1, -1]
    assert found.loc["A+B+C+D", "n_pairs"] == 3
    assert found.loc["A+B+C+D", "correlation"] == pytest.approx(0.12459, abs=1e-5)
    assert found.loc["A+B+C+D", "n_effective"] == pytest.approx(4 / (1 + 3 * 0.12459), abs=1e-4)


def test_models_that_exclude_each_other_are_infinitely_many():
    row = diversity(certain({"A": "1010", "B": "0101"})).iloc[-1]
    assert row["correlation"] == pytest.approx(-1)
    assert row["n_effective"] == np.inf


def test_the_interval_ends_at_one_model():
    """The correlation is 0.71, and its interval exceeds 1."""
    row = diversity(certain({"A": "111001", "B": "110001"})).iloc[-1]
    assert row["correlation"] == pytest.approx(0.7071, abs=1e-4)
    assert row["low"] == 1


def test_few_questions_have_no_interval():
    row = diversity(certain({"A": "10", "B": "11", "C": "01"}), ["A", "C"]).iloc[-1]
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])


def test_one_model_has_one_row():
    found = diversity(certain(SIGNS), ["B"])
    assert found["models"].tolist() == ["B"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"samples": 4}, PoolError, "'A' has 3 samples of question 'q0', but 4 are required"),
        ({"right": 0}, MssimError, "right=0 is out of range"),
        ({"confidence_level": 1}, MssimError, "confidence_level=1 is not between 0 and 1"),
        ({"clusters": "topic"}, MssimError, "no column 'topic'"),
        ({"models": ["A", "E"]}, PoolError, "no model 'E'"),
    ],
)
def test_invalid_options_raise(options, error, message):
    with pytest.raises(error, match=message):
        diversity(certain(SIGNS), **options)
