"""What a report is about: models, candidates, limits, and the choice that is looked at."""

import pytest

from mssim import PoolError, tune
from mssim.errors import BudgetError
from mssim.report.study import make_study
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool
from tests.report.pools import FAST, small_study


def test_every_known_quantity_has_the_choices_of_tune():
    study = small_study()
    assert [one.key for one in study.quantities] == ["samples_used", "tokens", "cost"]
    names = ["sc:x", "sc:y", "sc:z", "ms:x+y,vote=plurality", "mix:x+z"]
    options = {"budgets": [1, 2, 4], "n_replays": 40}
    for unit, frame in study.frames.items():
        limits = [2, 4] if unit == "samples_used" else None
        alone = tune(study.pool, names, spend=unit, limits=limits, **options).to_frame()
        columns = ["limit", "strategy", "budget", "held_out", "low", "high", "gain", "p_holm"]
        assert frame[columns].equals(alone[columns])


def test_models_without_samples_of_a_question_take_no_part():
    answers = {(m, f"q{q}"): "ab" for m in "mn" for q in range(4)} | {("part", "q1"): "aa"}
    study = make_study(make_pool({key: list(value) for key, value in answers.items()}), **FAST | {"limits": [2]})
    assert study.pool.models == ("m", "n")
    assert study.left_out == {"part": "it has no samples of 3 of 4 questions"}
    with pytest.raises(PoolError, match=r"every model lacks samples of some questions; 'm' of 1 of 2"):
        make_study(make_pool({("m", "q1"): ["a"], ("n", "q2"): ["a"]}))
    with pytest.raises(BudgetError, match=r"too few samples were recorded for sc:n at any of"):
        make_study(make_pool({("m", "q1"): ["a"], ("m", "q2"): ["a"], ("n", "q2"): ["a"]}), models=["m", "n"])


def test_only_the_strongest_models_are_combined_unless_models_are_given():
    answers = {
        (model, f"q{q}"): ["a"] * (1 + right) + ["b"] * (4 - right)
        for right, model in enumerate("klmn")
        for q in range(4)
    }
    pool = make_pool(answers)
    study = make_study(pool, budgets=[2], limits=[2], n_replays=20)
    assert study.combined == ("n", "m", "l")
    tuning = study.tunings["samples_used"]
    assert not [name for name in tuning.strategies if "k" in name and name != "sc:k"]
    assert "sc:k" in tuning.strategies
    given = make_study(pool, models=["k", "l"], budgets=[2], limits=[2], n_replays=20)
    assert given.combined == ("l", "k")
    assert given.pool.models == ("k", "l")


def test_limits_are_powers_of_two_as_far_as_recorded():
    study = make_study(random_pool(n_samples=6), strategies=["ms:x+y"], budgets=[1, 2, 8], n_replays=20)
    assert study.tunings["samples_used"].limits.tolist() == [1, 2, 4, 8]
    assert study.shown_first("samples_used") == 3


def test_the_choice_is_compared_with_the_best_single_model_or_the_best_other_strategy():
    study = small_study()
    for unit, frame in study.frames.items():
        for i, row in frame.iterrows():
            chosen, rival = study.chosen(unit, i), study.rival(unit, i)
            if row["control"] != row["strategy"]:
                assert (rival.strategy, rival.budget) == (row["control"], row["control_budget"])
            elif rival is not None:
                assert rival.strategy != chosen.strategy
                assert rival.spend.mean() <= row["limit"] * (1 + 1e-9)


def test_a_single_model_has_no_rival():
    study = make_study(random_pool().select(models=["x"]), budgets=[1, 2], limits=[2], n_replays=20)
    assert study.rival("samples_used", 0) is None


def test_names_that_are_cut_off_stay_different():
    long = "m" * 100
    answers = {(f"{long[:50]}{i}{long}", f"q{q}"): ["a", "b"] for i in range(2) for q in range(3)}
    study = make_study(make_pool(answers), budgets=[1], limits=[1], n_replays=20)
    labels = [study.label(name) for name in study.pool.models]
    assert len(set(labels)) == 2
    assert max(map(len, labels)) < 80
    assert study.label("ms:fitted+strategy") == "ms:fitted+strategy"  # which is no candidate


def test_errors_name_no_option_that_a_report_lacks():
    with pytest.raises(BudgetError, match="lower budgets, or other strategies") as error:
        make_study(random_pool(), budgets=[999])
    assert "replacement" not in str(error.value)
