"""Scores of subsets of models against an enumeration of all draws, and the candidate that chooses models."""

import random
from fractions import Fraction
from itertools import combinations, product
from math import prod

import numpy as np
import pytest

from mssim import Mixture, MssimError, Pool, PoolError, SelfConsistency, StrategyError, Vote
from mssim.tuning.model_choice import BestModels, subset_scores
from tests import naive
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool

# Two models with three samples: question 1 is a contradiction, 3 is solved by neither.
EXAMPLE = {
    ("m1", "q1"): "ggg",
    ("m2", "q1"): "xxx",
    ("m1", "q2"): "gyz",
    ("m2", "q2"): "ggw",
    ("m1", "q3"): "uuu",
    ("m2", "q3"): "vvt",
    ("m1", "q4"): "ggh",
    ("m2", "q4"): "ggg",
}


@pytest.fixture
def example():
    return make_pool({key: list(answers) for key, answers in EXAMPLE.items()}, truth="g")


def test_scores_of_the_worked_example(example):
    for penalty, objective in ((1, 0.5), (0.5, 0.625)):
        row = subset_scores(example, penalty=penalty).iloc[0]
        assert row.tolist() == [2, "m1+m2", objective, 0.75, 0.25]


def by_enumeration(pool, models, samples, right):
    """Union and contradiction over all draws of all models, as fractions."""
    union = contradiction = Fraction(0)
    answers, good = naive.recorded(pool)
    for question in pool.question_ids:
        drawn = [list(combinations(answers[model][question], samples)) for model in models]
        share = Fraction(1, len(pool.questions) * prod(map(len, drawn)))
        for draws in product(*drawn):
            correct = any(sum(a in good[question] for a in one) >= right for one in draws)
            wrong = any(len(set(one)) == 1 and one[0] not in {None, *good[question]} for one in draws)
            union += share * correct
            contradiction += share * (correct and wrong)
    return union, contradiction


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "right"), [(2, 1), (2, 2), (3, 2), (3, 1)])
def test_scores_are_means_over_all_draws(samples, right):
    pool = random_pool(6, 5, seed=samples)
    frame = subset_scores(pool, k=[1, 2, 3], samples=samples, right=right, penalty=0.7)
    assert frame["k"].tolist() == [1, 1, 1, 2, 2, 2, 3]
    for row in frame.itertuples():
        union, contradiction = by_enumeration(pool, row.models.split("+"), samples, right)
        assert row.union == pytest.approx(float(union), abs=1e-12)
        assert row.contradiction == pytest.approx(float(contradiction), abs=1e-12)
        assert row.objective == pytest.approx(float(union - Fraction(7, 10) * contradiction), abs=1e-11)


# Questions that are solved, and contradictions among them, for all pairs of five models in `drawn`, by
# ModelSelector.compute_score of github.com/billwang485/SLM-MUX-ICLR at 7c632c6.
AUTHORS = {
    4: [(10, 1), (9, 1), (10, 0), (10, 3), (4, 0), (6, 0), (5, 0), (6, 2), (5, 2), (5, 0)],
    5: [(8, 2), (7, 1), (5, 1), (9, 1), (6, 0), (4, 0), (7, 0), (2, 1), (4, 0), (4, 1)],
}


def drawn(seed):
    """Three samples of five models for 20 questions."""
    rng = random.Random(seed)
    answers = {}
    for question, model in product(range(20), range(5)):
        answers[f"m{model}", f"q{question}"] = rng.choices("gabc", [rng.random() for _ in range(4)], k=3)
    return make_pool(answers, truth="g")


@pytest.mark.parametrize("seed", AUTHORS)
def test_counts_are_those_of_the_authors(seed):
    scores = subset_scores(drawn(seed), k=2).sort_values("models")
    counts = (scores[["union", "contradiction"]] * 20).round(9)
    assert list(counts.itertuples(index=False, name=None)) == AUTHORS[seed]


def test_samples_without_an_answer_do_not_contradict():
    pool = make_pool({("m1", "q"): ["g"] * 3, ("m2", "q"): [None] * 3, ("m3", "q"): ["b"] * 3}, truth="g")
    scores = subset_scores(pool, k=2).set_index("models")["contradiction"]
    assert scores.to_dict() == {"m1+m2": 0, "m1+m3": 1, "m2+m3": 0}


def test_only_given_questions_count(example):
    row = subset_scores(example, questions=[True, False, False, False]).iloc[0]
    assert row.tolist() == [2, "m1+m2", 0, 1, 1]


def test_subsets_are_in_the_order_of_their_objective_and_of_the_models():
    scores = subset_scores(drawn(4), ["m3", "m0", "m1", "m2"])
    assert scores["k"].tolist() == [2] * 6 + [3] * 4 + [4]
    for _, rows in scores.groupby("k"):
        assert rows["objective"].is_monotonic_decreasing
    alike = make_pool({(model, "q"): ["g"] * 3 for model in "xyz"}, truth="g")
    assert subset_scores(alike, ["z", "x", "y"], k=2)["models"].tolist() == ["z+x", "z+y", "x+y"]


# Questions that are always solved. Greedy search takes "wide" first, but "left" and "right" cover all.
COVER = {"wide": "1111000", "left": "1100100", "right": "0011011"}


@pytest.fixture
def cover():
    rows = {
        (model, f"q{q}"): ["g" if sign == "1" else model[0]] * 2 + ["g" if sign == "1" else "z"]
        for model, signs in COVER.items()
        for q, sign in enumerate(signs)
    }
    return make_pool(rows, truth="g")


def test_greedy_search_can_miss_the_best_pair(cover):
    everything = np.ones(7, bool)
    best = BestModels(cover.models, k=2).fit(cover, everything)
    assert best == Mixture(["right", "left"], Vote.max_consistency())
    greedy = BestModels(cover.models, k=2, search="greedy")
    assert greedy.fit(cover, everything) == Mixture(["wide", "right"], Vote.max_consistency())
    assert BestModels(cover.models, k=3, search="greedy").fit(cover, everything).models == ("wide", "right", "left")
    assert BestModels(cover.models, k=1).fit(cover, everything) == SelfConsistency("wide")


def test_models_are_chosen_and_ordered_on_training_questions_alone(cover):
    mask = np.array([True, True, False, False, True, False, False])
    learner = BestModels(["right", "wide", "left"], k=2)
    fitted = learner.fit(cover, mask)
    assert fitted.models == ("left", "right")  # all pairs with "left" are equal, and "right" is listed first
    others = cover.to_frame().drop(columns="truth")
    others["correct"] &= others["question_id"].isin(["q0", "q1", "q4"])
    assert learner.fit(Pool.from_frame(others), mask) == fitted


def test_the_penalty_prefers_models_that_do_not_contradict():
    rows = EXAMPLE | {("m3", q): list("gyz") for q in ("q1", "q2", "q3", "q4")}
    pool = make_pool({key: list(answers) for key, answers in rows.items()}, truth="g")
    pairs = {p: BestModels(pool.models, k=2, penalty=p).fit(pool, np.ones(4, bool)).models for p in (0, 2)}
    assert pairs == {0: ("m1", "m2"), 2: ("m1", "m3")}


def test_contradictions_count_once_by_default(example):
    assert subset_scores(example)["objective"].tolist() == [0.5]
    assert BestModels(["a"], k=1).penalty == 1


def test_the_text_has_what_differs_from_the_defaults():
    assert str(BestModels(["a", "b", "c"])) == "models:a+b+c,k=2"
    learner = BestModels(["a", "b"], k=1, search="greedy", penalty=0.5, samples=4, right=3)
    assert str(learner) == "models:a+b,k=1,search=greedy,penalty=0.5,samples=4,right=3"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "k=4 is out of range. Use an integer from 1 to 3"),
        ({"k": [2, 0]}, "k=0 is out of range"),
        ({"samples": 1}, "samples=1 is out of range. Use an integer from 2 to 32"),
        ({"right": 4}, "right=4 is out of range. Use an integer from 1 to 3"),
        ({"penalty": -1}, "penalty=-1 is not valid. Use a number from 0"),
        ({"penalty": "x"}, "penalty='x' is not valid"),
        ({"questions": [True]}, "Use one bool per question, 7 in all"),
    ],
)
def test_invalid_options_raise(cover, options, message):
    with pytest.raises(MssimError, match=message):
        subset_scores(cover, **options)


def test_invalid_candidates_raise(cover):
    with pytest.raises(MssimError, match=r"search='gredy' is not valid\. Did you mean 'greedy'"):
        BestModels(["a", "b"], search="gredy")
    with pytest.raises(MssimError, match=r"k=3 is out of range\. Use an integer from 1 to 2"):
        BestModels(["a", "b"], k=3)
    with pytest.raises(StrategyError, match=r"40 models have 91390 subsets .* Use fewer models, or search='greedy'"):
        BestModels([f"m{i}" for i in range(40)], k=4)
    assert BestModels([f"m{i}" for i in range(40)], k=4, search="greedy").k == 4
    with pytest.raises(PoolError, match="'wide' has 3 samples of question 'q0', but 4 are required"):
        BestModels(cover.models, samples=4).fit(cover, np.ones(7, bool))
