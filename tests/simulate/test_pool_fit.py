"""Answer models fitted to pools: they give back what pools were drawn from."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from mssim import PoolError, PoolWarning, evaluate, load_pool
from mssim.simulate import AnswerModel, expected, fit_pool
from mssim.simulate.pool_fit import agreeing
from tests.conftest import examples, make_pool
from tests.simulate.test_curve_fit import TWO


@pytest.mark.slow
def test_a_pool_gives_back_what_it_was_drawn_from():
    """Standard deviations over forty pools of this size; six of them are missed once in 500 million times."""
    true = replace(TWO, correlation=0.7, shared_distractors=0.5, no_answer=[0.0, 0.1], a=[0.5, 0.8], b=[0.7, 0.6])
    found = fit_pool(true.draw(3000, 32, seed=5))
    scatter = {"sure": [0.011, 0.012], "a": [0.02, 0.032], "b": [0.03, 0.03], "spread": [0.022, 0.042]}
    for name, sd in scatter.items():
        assert (np.abs(np.subtract(getattr(found, name), getattr(true, name))) < 6 * np.array(sd)).all()
    assert found.no_answer == pytest.approx([0, 0.1], abs=6 * 0.001)
    assert found.correlation[0][1] == pytest.approx(0.7, abs=6 * 0.016)
    assert found.shared_distractors == pytest.approx(0.5, abs=6 * 0.021)


@pytest.mark.slow
@given(st.integers(0, 10**6))
@settings(max_examples=examples(15))
def test_no_other_parameters_are_likelier(seed):
    true = AnswerModel("x", 0.3, 0.8, 1.1, 2.0)
    pool = true.draw(60, 12, seed=seed)
    law = fit_pool(pool).law("x")
    votes, offsets = pool.class_counts("x"), pool.class_offsets[:-1]
    r = np.add.reduceat(np.where(pool.class_correct, votes, 0), offsets)

    def right(sure, a, b):
        return np.log((1 - sure) * stats.betabinom.pmf(r, 12, a, b) + sure * (r == 12)).sum()

    def wrong(theta):
        """Ewens' sampling formula, but for what does not depend on theta."""
        classes = np.add.reduceat(~pool.class_correct & (votes > 0), offsets)
        return (classes * np.log(theta) + special.gammaln(theta) - special.gammaln(theta + 12 - r)).sum()

    best = right(law.sure, law.a, law.b)
    assert best >= right(0.3, 0.8, 1.1) - 1e-3
    for factor in (0.9, 1.1):
        assert best >= right(law.sure * factor, law.a, law.b) - 1e-3
        assert best >= right(law.sure, law.a * factor, law.b) - 1e-3
        assert best >= right(law.sure, law.a, law.b * factor) - 1e-3
        assert wrong(law.spread) >= wrong(law.spread * factor) - 1e-9


@pytest.mark.slow
def test_the_demonstration_pool_and_its_model_have_like_curves():
    """Within two standard errors of the pool's questions, which were not drawn from an answer model of this kind."""
    pool = load_pool("tests/demo-synthetic").select(models=["strong", "weak"])
    model, rules, budgets = fit_pool(pool), ["sc:strong", "sc:weak", "ms:strong+weak"], [1, 4, 16]
    recorded = evaluate(pool, rules, budgets, n_replays=1000).to_frame()
    found = expected(model, rules, budgets, n_questions=2**14)
    assert (found["accuracy"] - recorded["accuracy"]).abs().max() < 0.02
    assert (found["samples_used"] - recorded["samples_used"]).abs().max() < 0.15


@pytest.mark.slow
def test_little_to_go_by():
    always = fit_pool(make_pool({("x", f"q{i}"): ["a"] * 4 for i in range(9)}))
    assert always.accuracy_at_k("x", 1) > 0.999
    assert always.spread == (1.0,)
    alike = fit_pool(make_pool({(m, f"q{i}"): ["b"] * 4 for i in range(9) for m in "xy"}))
    assert alike.accuracy_at_k("x", 1) < 0.001
    assert alike.spread == pytest.approx((1e-4, 1e-4))
    assert alike.shared_distractors == pytest.approx(1)
    scattered = fit_pool(make_pool({("x", f"q{i}"): list("bcde") for i in range(9)}))
    assert scattered.spread == pytest.approx((1e4,))


@pytest.mark.slow
def test_models_that_are_right_on_the_same_questions_or_on_the_others():
    easy, hard = ["a"] * 5 + ["b"], ["b"] * 5 + ["a"]
    same = {(m, f"q{i}"): easy if i % 2 else hard for m in "xy" for i in range(20)}
    assert fit_pool(make_pool(same)).correlation[0][1] > 0.95
    other = same | {("y", f"q{i}"): hard if i % 2 else easy for i in range(20)}
    assert fit_pool(make_pool(other)).correlation[0][1] < -0.95


@pytest.mark.slow
def test_correlations_of_three_models_are_possible_together():
    """x is right where y is, y where z is, and x where z is not."""
    easy, hard = ["a"] * 7 + ["b"], ["b"] * 7 + ["a"]
    order = {"x": "11110000", "y": "11001100", "z": "00001111"}
    pool = make_pool(
        {(m, f"q{i}"): easy if c == "1" else hard for m, text in order.items() for i, c in enumerate(text)}
    )
    table = np.array(fit_pool(pool).correlation)
    assert np.diag(table).tolist() == [1, 1, 1]
    assert np.linalg.eigvalsh(table).min() > -1e-10
    assert table[0, 2] < -0.9
    assert fit_pool(pool, ["z", "x"]).models == ("z", "x")


@pytest.mark.slow
@pytest.mark.parametrize("alike", ["aabbab", "abbbba"])
def test_models_that_answer_alike_can_be_fitted(alike):
    """The nearest semidefinite matrix has correlations of 1, which rounding must not exceed."""
    answers = {f"q{i}": list(alike[i % 6 :] + alike[: i % 3]) for i in range(8)}
    found = fit_pool(make_pool({(model, q): texts for model in "xyz" for q, texts in answers.items()}))
    assert np.abs(found.correlation).max() == 1
    assert found.draw(3, 2).models == ("x", "y", "z")


@pytest.mark.slow
def test_uneven_pools_can_be_fitted():
    answers = {("x", f"q{i}"): list("ab" * (1 + i % 3)) for i in range(12)} | {
        ("y", f"q{i}"): ["a", None, "c"] for i in range(8)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        found = fit_pool(make_pool(answers))
    assert found.no_answer == pytest.approx([0, 1 / 3])
    assert found.accuracy_at_k("x", 1) == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_models_without_a_question_in_common_are_independent():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pool = make_pool({(m, f"{m}{i}"): list("aab") for m in "xy" for i in range(5)})
    found = fit_pool(pool)
    assert (found.correlation[0][1], found.shared_distractors) == (0, 0)


@pytest.mark.slow
def test_pools_that_cannot_be_fitted():
    with pytest.raises(PoolError, match=r"models: 'y' has no answers. Fit only the other models"):
        fit_pool(make_pool({("x", "q"): ["a"], ("y", "q"): [None]}))
    with pytest.raises(PoolError, match="no model 'z' in this pool"):
        fit_pool(make_pool({("x", "q"): ["a"]}), ["z"])


@pytest.mark.slow
def test_recorded_answers_of_real_models(shared_pools):
    path = shared_pools / "exams-two-models" / "samples.parquet"
    pool = load_pool(path, where={"prompt": "chain_of_thought"})
    model, rules = fit_pool(pool), ["sc:gpt-4", "ms:gpt-4+gpt-35-turbo"]
    difference = (
        expected(model, rules, [1, 4, 8], n_questions=2**14)["accuracy"]
        - evaluate(pool, rules, [1, 4, 8]).to_frame()["accuracy"]
    )
    assert difference.abs().max() < 0.015
    assert 0.6 < model.correlation[0][1] < 0.95
    assert 0.5 < model.shared_distractors < 1


def test_two_places_on_one_stick_agree_as_integrated():
    """The integral over the places of both, with chance exp(-distance) that no point lies between them."""
    first, second = 0.3, 4.0
    x = np.linspace(0, 60, 1501)
    weights = np.outer(np.exp(-x / first) / first, np.exp(-x / second) / second)
    total = np.trapezoid(np.trapezoid(weights * np.exp(-np.abs(x[:, None] - x)), x, axis=1), x)
    assert agreeing(first, second) == pytest.approx(total, rel=5e-3)
    assert agreeing(2.0, 2.0) == pytest.approx(1 / 3)
