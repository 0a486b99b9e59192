"""A model for each question, chosen on other questions: what is chosen, ties, what a right answer is worth, errors."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import (
    BetaStop,
    MssimError,
    Pool,
    PoolError,
    Router,
    SelfConsistency,
    StrategyError,
    Vote,
    evaluate,
    evaluate_shard,
    load_pool,
    merge,
    parse_strategy,
)
from mssim.live.strategies import refuse
from mssim.rules.plan import Expected
from tests import naive_strategies
from tests.conftest import examples, make_pool

LEVELS = [1.0, 2.0, 5.0]


def result(accuracy, cost=np.nan):
    """What is expected of one model at one budget; samples used tell questions and models apart."""
    values = np.array([accuracy], dtype=float)
    return Expected(values, 10 * values, values, 100 * values, np.zeros_like(values) + cost, 1000 * values)


def frame_of(n, **columns):
    return pd.DataFrame({"question_id": [f"q{i:02}" for i in range(n)], **columns})


def model_of(router, accuracies, frame, costs=None):
    """The model of each question, told by the costs."""
    costs = costs or [1.0] * len(accuracies)
    parts = [result(accuracy, cost) for accuracy, cost in zip(accuracies, costs, strict=True)]
    marked = [part._replace(agreed=np.full_like(part.agreed, i)) for i, part in enumerate(parts)]
    return router.combine(marked, frame).agreed[0].astype(int).tolist()


@st.composite
def routes(draw):
    n = draw(st.integers(6, 30))

    def several(values):
        return draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))

    frame = frame_of(n, topic=several("ab"), level=several(LEVELS), question=several(["how many", "who is", "who was"]))
    wins = [several([0, 1, 2, 4]) for _ in range(3)]
    by = draw(st.sampled_from([None, "topic", "knn", "logistic"]))
    features = draw(st.sampled_from([None, ("topic", "level")])) if by in ("knn", "logistic") else None
    folds, clusters = draw(st.integers(2, 6)), "topic" if draw(st.booleans()) and len(set(frame["topic"])) > 1 else None
    return Router(["x", "y", "z"], by, k=3, features=features, folds=folds, clusters=clusters), wins, frame


@settings(max_examples=examples(40))
@given(routes())
def test_every_choice_equals_the_naive_one(case):
    router, wins, frame = case
    expected = naive_strategies.route(router, wins, 4, frame)
    assert model_of(router, np.array(wins) / 4, frame) == expected


@settings(max_examples=examples(40))
@given(routes(), st.data())
def test_the_answers_of_a_question_do_not_choose_its_model(case, data):
    router, wins, frame = case
    one = data.draw(st.integers(0, len(frame) - 1))
    other = [list(of_model) for of_model in wins]
    for of_model in other:
        of_model[one] = data.draw(st.integers(0, 4))
    before, after = (model_of(router, np.array(given) / 4, frame) for given in (wins, other))
    assert before[one] == after[one]


def test_the_result_is_all_that_is_expected_of_the_chosen_models():
    frame = frame_of(12, topic=["a", "b"] * 6)
    x, y = result([0.9, 0.1] * 6), result([0.2, 0.6] * 6)
    found = Router(["x", "y"], by="topic", folds=12).combine([x, y], frame)
    for name, values in found._asdict().items():
        expected = np.where(np.arange(12) % 2, getattr(y, name)[0], getattr(x, name)[0])
        assert np.array_equal(values[0], expected, equal_nan=True)


def test_every_budget_has_its_own_choice():
    frame = frame_of(6)
    x, y = (Expected(*[np.tile([[first], [second]], 6)] * 6) for first, second in ((0.3, 0.8), (0.5, 0.7)))
    assert Router(["x", "y"]).combine([x, y], frame).accuracy[:, 0].tolist() == [0.5, 0.8]


def test_of_equally_good_models_the_cheaper_is_asked_then_the_earlier():
    frame = frame_of(8)
    same = [[0.5] * 8] * 3
    assert model_of(Router(["x", "y", "z"]), same, frame, [3.0, 1.0, 1.0]) == [1] * 8
    assert model_of(Router(["x", "y", "z"]), same, frame, [np.nan, np.nan, np.nan]) == [0] * 8
    assert model_of(Router(["x", "y", "z"]), same, frame, [np.nan, 7.0, 9.0]) == [1] * 8
    rounded = [[0.5] * 8, [0.5 + 1e-15] * 8, [0.5 - 1e-15] * 8]
    assert model_of(Router(["x", "y", "z"]), rounded, frame, [2.0, 2.0 + 1e-12, 2.0]) == [0] * 8


@pytest.mark.parametrize(("worth", "chosen"), [(2.69, 0), (2.7, 0), (2.71, 1), (1e-9, 0), (1e9, 1)])
def test_a_better_model_is_asked_where_the_gain_is_worth_its_cost(worth, chosen):
    """RouterBench: worth x quality - price, three neighbours with the qualities (1, 0, 1) and (1, 1, 1)."""
    router = Router(["x", "y"], by="knn", k=3, features=("topic",), folds=4, worth=worth)
    frame = frame_of(4, topic=["a"] * 4)
    found = router.combine([result([1, 0, 1, 0], 0.1), result([1, 1, 1, 0], 1.0)], frame)
    assert found.cost[0, 3] == (0.1, 1.0)[chosen]


def test_costs_are_those_of_similar_questions():
    frame = frame_of(24, topic=["a", "b"] * 12)
    cheap_on_a = np.where(np.arange(24) % 2, 5.0, 1.0)
    x = result([0.5] * 24)._replace(cost=cheap_on_a[None])
    y = result([0.6] * 24)._replace(cost=np.full((1, 24), 3.0))
    found = Router(["x", "y"], by="topic", worth=10).combine([x, y], frame)
    assert found.accuracy[0].tolist() == [0.5, 0.6] * 12
    assert Router(["x", "y"], worth=10).combine([x, y], frame).accuracy[0].tolist() == [0.6] * 24
    # A regression predicts no costs, which are not from 0 to 1: their mean over all questions is used.
    regression = Router(["x", "y"], by="logistic", features=("topic",), worth=10)
    assert regression.combine([x, y], frame).accuracy[0].tolist() == [0.6] * 24


def test_a_column_of_models_is_a_finished_router():
    frame = frame_of(3, choice=["y", "x", "y"])
    router = Router(["x", "y"], by="choice")
    assert model_of(router, [[0.9] * 3, [0.1] * 3], frame) == [1, 0, 1]
    assert not router.learns(frame)
    assert router.learns(frame_of(3, choice=["y", "x", "a"]))
    assert router.learns(frame[["question_id"]])
    router.check(frame[:1])  # it needs no other question
    with pytest.raises(
        StrategyError, match=r"by='choice': 2 of 3 values are names of the models, but 'z' is not. Name a"
    ):
        router.check(frame.assign(choice=["y", "x", "z"]))


def pool_of(n=10, **columns):
    answers = {
        (model, f"q{q:02}"): ["a" if (q + i) % step else "b" for i in range(6)]
        for model, step in (("x", 2), ("y", 4))
        for q in range(n)
    }
    return make_pool(answers, **columns)


@pytest.mark.compiled
def test_accuracy_is_exact_where_that_of_self_consistency_is():
    pool = pool_of(latency=1.0)
    result = evaluate(pool, ["sc:x", "sc:y", "route:x+y", "oracle:x+y"], [1, 3])
    assert (result.n_replays == 0).all()
    assert np.array_equal(result.accuracy[2], result.accuracy[1])  # y is better without any question
    assert np.array_equal(result.latency[2], result.latency[1])
    stopped = evaluate(pool, "route:x+y,stop=beta:0.9", 4, n_replays=20)
    assert stopped.to_frame()["method"].tolist() == ["monte_carlo"]


@pytest.mark.compiled
def test_shards_are_merged_without_the_pool(tmp_path):
    frame, rules = pool_of(24).to_frame(), ["route:x+y,by=level,folds=3", "sc:x"]
    pool = Pool.from_frame(frame.assign(level=frame["question_id"].str[1:].astype(int) % 2))
    paths = [tmp_path / f"{i}.ckpt" for i in (1, 2)]
    for i, path in enumerate(paths, 1):
        evaluate_shard(pool, rules, [1, 2], shard=(i, 2), checkpoint=path)
    assert np.array_equal(merge(paths).accuracy, evaluate(pool, rules, [1, 2]).accuracy)


def test_what_the_pool_lacks_is_named_before_any_work():
    pool = pool_of()
    with pytest.raises(
        MssimError, match=r"mine: by='topics': no such question column. Use 'knn', 'logistic' or a column"
    ):
        evaluate(pool, {"mine": "route:x+y,by=topics"}, 1)
    with pytest.raises(
        PoolError, match=r"route:x\+y,worth=2 requires the cost of every sample. cost: the pool has no cos"
    ):
        evaluate(pool, "route:x+y,worth=2", 1)
    with pytest.raises(MssimError, match="all questions are in one cluster, so there are no others to learn from"):
        evaluate(pool.select(questions=["q01"]), "route:x+y", 1)


@pytest.mark.compiled
def test_prices_are_costs():
    pool = pool_of()
    rules = ["route:x+y,worth=1", "route:x+y,worth=100"]
    found = evaluate(pool, rules, 1, prices={"x": 1, "y": 2})
    assert found.cost[:, 0, 0].tolist() == [1, 2]


def test_the_jackknife_needs_choices_that_do_not_depend_on_other_samples():
    pool = pool_of()
    with pytest.raises(
        StrategyError, match=r"route:x\+y: jackknife is not available where a strategy learns from other"
    ):
        evaluate(pool, "route:x+y", 1, jackknife=True)


@pytest.mark.compiled
def test_the_jackknife_of_a_finished_router_is_that_of_the_chosen_models():
    chosen = ["x", "y"] * 5
    frame = pool_of().to_frame()
    number = frame["question_id"].str[1:].astype(int)
    pool = Pool.from_frame(frame.assign(choice=[chosen[i] for i in number]))
    found = evaluate(pool, ["route:x+y,by=choice", "sc:x", "sc:y"], [1, 2], jackknife=True)
    variance = found.jackknife.variance
    assert np.array_equal(found.accuracy[0], np.where(np.arange(10) % 2, found.accuracy[2], found.accuracy[1]))
    assert variance[0] == pytest.approx(np.where(np.arange(10) % 2, variance[2], variance[1]))


@pytest.mark.compiled
def test_a_fitted_router_learns_from_its_questions_alone():
    pool = load_pool("recorded/llm-products")
    training = np.arange(159) % 3 > 0
    router = Router(["smol", "gemma"], by="family", clusters="question_id")
    fitted = router.fit(pool, training)
    assert fitted == router.fit(pool, training) != router.fit(pool, ~training)
    assert fitted != router
    assert str(fitted) == str(router)
    found = evaluate(pool, {"fitted": fitted, "smol": "sc:smol", "gemma": "sc:gemma"}, 4)
    inside = evaluate(pool.select(questions=np.array(pool.question_ids)[training]), router, 4)
    assert np.array_equal(found.accuracy[0, :, training], inside.accuracy[0].T)
    assert found.accuracy[2, :, training].mean() > found.accuracy[1, :, training].mean()
    assert np.array_equal(found.accuracy[0, :, ~training], found.accuracy[2, :, ~training])
    finished = Pool.from_frame(pool.to_frame().assign(family="gemma"))
    assert router.fit(finished, training) is router


def test_it_plans_what_each_model_does_alone():
    router = Router(["x", "y"], vote=Vote.score_sum(), stop=BetaStop(0.8), max_tokens=(None, 9))
    for plan, model, limit in zip(router.plans(np.array([3])), "xy", (None, 9), strict=True):
        (expected,) = SelfConsistency(model, Vote.score_sum(), BetaStop(0.8), limit).plans(np.array([3]))
        for name in ("models", "vote", "stop", "max_tokens"):
            assert getattr(plan, name) == getattr(expected, name)
    assert router.chances() is None  # it depends on the question


def test_text_and_back():
    text = "route:x+y,by=knn,k=3,features=topic/level,folds=4,clusters=c,worth=0.5,vote=score_sum,stop=beta:0.9"
    router = parse_strategy(text)
    assert router == Router(
        ["x", "y"], "knn", 3, ["topic", "level"], 4, "c", 0.5, Vote.score_sum(), BetaStop(0.9)
    )  # fmt: skip
    assert str(router) == text
    assert str(Router(["x", "y"])) == "route:x+y"
    with pytest.raises(StrategyError, match="unknown option '_training'"):
        parse_strategy("route:x+y,_training=a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("route:x+y,worth=0", "worth=0.0 is not a positive number. Use e.g. worth=0.01"),
        ("route:x+y,worth=inf", "worth=inf is not a positive number"),
        ("route:x+y,features=topic", r"features=\('topic',\) require by='knn' or by='logistic'"),
        ("route:x+y,by=knn,k=0", r"strategy 'route:x\+y,by=knn,k=0': k=0 is out of range"),
        ("route:x+x", "repeats a model"),
    ],
)
def test_options_that_make_no_sense_are_refused(text, message):
    with pytest.raises(MssimError, match=message):
        parse_strategy(text)
    with pytest.raises(StrategyError, match="worth='1' is not a positive number"):
        Router(["x"], worth="1")
    with pytest.raises(StrategyError, match="is not a positive number"):
        Router(["x"], worth=10**400)


def test_no_live_run_knows_what_it_learns_from():
    with pytest.raises(
        StrategyError, match=r"route:x\+y,by=topic cannot run live: it chooses a model for each question by"
    ):
        refuse("route:x+y,by=topic")
