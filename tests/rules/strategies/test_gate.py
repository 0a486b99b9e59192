"""One sample of each model until one is confident: by hand, on every order of the samples, and what it needs."""

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Gate, Pool, PoolError, StrategyError, evaluate, parse_strategy
from mssim.rules.plan import Verifier
from tests import naive, naive_strategies
from tests.conftest import examples, long_frame, make_pool, replay
from tests.rules.test_catalogue import XYZ, pools

WORKED = {("x", "q"): ["a", "b", "a", "b"], ("y", "q"): ["a"] * 7 + ["b"] * 3}
CONFIDENCE = [0.9, 0.85, 0.6, 0.3] + [np.nan] * 10


@pytest.mark.parametrize(
    ("rule", "accuracy", "cost"),
    [
        ("gate:x+y,threshold=0.8", 0.6, 6),
        ("gate:x+y,threshold=0.85", 0.6, 6),
        ("gate:x+y,threshold=0.85,strict=true", 0.775, 8.5),
        ("gate:x+y,threshold=1", 0.7, 11),
        ("gate:x+y,threshold=0", 0.5, 1),
    ],
)
def test_the_worked_example_without_numbers_of_the_last_model(rule, accuracy, cost):
    pool = make_pool(WORKED, confidence=CONFIDENCE)
    result = evaluate(pool, rule, [1, 2, 9], prices={"x": 1, "y": 10})
    assert result.accuracy[0, :, 0] == pytest.approx([0.5, accuracy, accuracy])
    assert result.cost[0, :, 0] == pytest.approx([1, cost, cost])
    assert result.samples_used[0, :, 0] == pytest.approx([1, 1 + (cost - 1) / 10, 1 + (cost - 1) / 10])
    assert result.agreed[0, :, 0] == pytest.approx([1 - (cost - 1) / 10] * 3)
    assert (result.n_replays == 0).all()


def test_costs_and_tokens_are_those_of_the_drawn_samples():
    pool = make_pool(WORKED, confidence=CONFIDENCE, output_tokens=[1, 2, 3, 10, *range(10)], latency=2.0)
    result = evaluate(pool, "gate:x+y,threshold=0.8", [1, 2])
    assert result.tokens[0, :, 0] == pytest.approx([4, 4 + 4.5 / 2])
    assert result.latency[0, :, 0] == pytest.approx([2, 3])
    drawn = replay(pool, "gate:x+y,threshold=0.8", [1, 2, 3, 9], n_replays=4000)
    assert drawn.tokens[0, :, 0] == pytest.approx([4, 6.25, 6.25, 6.25], abs=0.4)  # 6 errors of at most 4 / sqrt(4000)
    with_bins = replay(pool, "gate:x+y,threshold=0.8", [1, 2, 3, 9], n_replays=4000, quantiles=True)
    for name in ("accuracy", "samples_used", "agreed", "tokens", "latency"):
        assert np.array_equal(getattr(drawn, name), getattr(with_bins, name))


@settings(max_examples=examples(40))
@given(pools(most_samples=4), st.sampled_from([0.1, (0.5, 0.2), (0.3, 0.5)]), st.booleans(), st.data())
def test_it_is_the_mean_over_every_draw(pool, threshold, strict, data):
    models = data.draw(st.permutations(XYZ))
    rule = Gate(models, threshold, column="score", strict=strict)
    result = evaluate(pool, rule, [1, 2, 3], method="exact")
    samples, right = naive.recorded(pool)
    scores = naive.column_of(pool, "score")
    for b, budget in enumerate([1, 2, 3]):
        for i, q in enumerate(pool.question_ids):
            runs = []
            for places in itertools.product(*(range(len(samples[m][q])) for m in models[:budget])):
                chosen = list(zip(models, places, strict=False))
                draws = [[samples[m][q][p]] for m, p in chosen] + [[]] * (3 - budget)
                numbers = [[scores[m][q][p]] for m, p in chosen] + [[]] * (3 - budget)
                runs.append(naive_strategies.gate(rule, draws, right[q], None, numbers))
            assert result.accuracy[0, b, i] == pytest.approx(float(Fraction(sum(won for won, _ in runs), len(runs))))
            assert result.samples_used[0, b, i] == pytest.approx(sum(sum(used) for _, used in runs) / len(runs))


@settings(max_examples=examples(16))
@given(pools(), st.booleans())
def test_without_confidence_the_last_model_answers_and_with_it_the_first(pool, replacement):
    rules = {"never": Gate(XYZ, 9), "always": Gate(XYZ, -9), "last": "sc:z", "first": "sc:x"}
    result = evaluate(pool, rules, [1, 3], replacement=replacement)
    assert result.accuracy[0, 1] == pytest.approx(result.accuracy[2, 0])
    assert (result.samples_used[0, 1] == 3).all()
    lacking = (pool.codes[0] < 0).any(axis=1)  # samples without an answer are not confident
    assert result.accuracy[1, 1][~lacking] == pytest.approx(result.accuracy[3, 0][~lacking])
    assert (result.samples_used[1, 1][~lacking] == 1).all()


def test_its_jackknife_leaves_out_every_sample():
    """As many right samples are confident as are not: leaving out one of either kind differs."""
    answers = {("x", "q"): ["a", "a", "b", "b"], ("y", "q"): ["a", "b", "b"]}
    pool = make_pool(answers, confidence=[0.9, 0.1, 0.9, 0.1, 0.5, 0.5, 0.5])
    rule = Gate(["x", "y"], 0.5)
    found = evaluate(pool, rule, 2, jackknife=True).jackknife.variance.item()
    frame, expected = pool.to_frame(), 0.0
    for model, n in (("x", 4), ("y", 3)):
        without = [
            evaluate(Pool.from_frame(frame[(frame["model"] != model) | (frame["sample_index"] != i)]), rule, 2)
            for i in range(n)
        ]
        accuracy = np.array([one.accuracy.item() for one in without])
        expected += (n - 1) / n * ((accuracy - accuracy.mean()) ** 2).sum()
    assert found == pytest.approx(expected)


def test_stages_draw_one_sample_each_as_far_as_the_budget_goes():
    (plan,) = Gate(XYZ, (0.9, 0.3), max_tokens=7).plans(np.array([1, 2, 5]))
    assert plan.sizes.tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert plan.accepts == Verifier("confidence", (0.9, 0.3), strict=False, last=True)
    assert (plan.vote, plan.max_tokens) == (None, (7, 7, 7))


def test_the_last_draw_of_several_is_right_as_often_as_a_rejected_sample():
    """A plan of one's own: two draws of x, of which none is accepted with probability 1/6, then the last is right."""
    answers = {("x", "q"): list("abab")}

    class Last(Gate):
        kind = ""

        def plans(self, budgets):
            (plan,) = super().plans(budgets)
            accepts, sizes = Verifier("confidence", 0.5, last=True), np.full((1, budgets.size), 2)
            return (plan._replace(models=("x",), sizes=sizes, need=plan.need[:1], accepts=accepts),)

    for confidence, expected in (([1, 1, 0, 0], 5 / 12 + 1 / 12), ([0, 1, 0, 1], 1 / 6), ([1, 0, 1, 0], 5 / 6)):
        pool = make_pool(answers, confidence=np.array(confidence, dtype=float))
        for method in ("exact", "monte_carlo"):
            found = evaluate(pool, {"last": Last(["x", "y"], 0.5)}, 2, method=method, n_replays=4000)
            assert found.accuracy.item() == pytest.approx(expected, abs=1e-9 if method == "exact" else 0.05)


def test_text_and_back():
    for text in ("gate:x+y,threshold=0.9", "gate:x+y+z,threshold=0.96/0.37,column=score,strict=true,max_tokens=9"):
        assert str(parse_strategy(text)) == text
    assert parse_strategy("gate:x+y+z,threshold=0.96/0.37") == Gate(XYZ, [0.96, 0.37])
    assert parse_strategy("gate:x+y+z,threshold=1").threshold == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            r"threshold=None is not valid for 3 models. Use a finite number, or one for each of the first 2",
        ),
        ({"threshold": (0.5,)}, r"threshold=\(0\.5,\) is not valid for 3 models"),
        ({"threshold": (0.5, 0.5, 0.5)}, "is not valid for 3 models"),
        ({"threshold": np.nan}, "threshold=nan is not valid"),
        ({"threshold": (0.5, np.inf)}, "is not valid for 3 models"),
        ({"threshold": "0.5"}, "threshold='0.5' is not valid"),
        ({"threshold": 10**400}, "threshold: beyond the range of floats|is not valid"),
        (
            {"threshold": 0.5, "column": "correct"},
            "column='correct' is not the name of a recorded number. Use e.g. 'conf",
        ),
        ({"threshold": 0.5, "column": ""}, "column='' is not the name of a recorded number"),
        ({"threshold": 0.5, "strict": 1}, "strict=1 is not a bool. Use True or False"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        Gate(XYZ, **options)


def test_one_model_needs_no_gate():
    with pytest.raises(StrategyError, match=r"models=\['x'\] is one model, which needs no gate. Name at least two"):
        Gate("x", 0.5)


def test_every_model_but_the_last_needs_the_number():
    frame = long_frame(WORKED, confidence=CONFIDENCE)
    frame.loc[1, "confidence"] = None
    with pytest.raises(PoolError, match=r"requires column 'confidence'.* but 1 samples of model 'x' have none"):
        evaluate(Pool.from_frame(frame), "gate:x+y,threshold=0.5", 1)
    with pytest.raises(PoolError, match="requires column 'score'"):
        evaluate(make_pool(WORKED), "gate:x+y,threshold=0.5,column=score", 1)
    assert pd.isna(frame["confidence"]).sum() == 11
