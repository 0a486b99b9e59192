"""Families of candidates: rules of the catalogue for the models and columns of a pool."""

import pandas as pd
import pytest

from mssim import BudgetError, MssimError, SelfConsistency, Stop, parse_strategy, tune
from mssim.rules.registry import STOPS, VOTES, Row
from mssim.tuning.families import candidates_of
from mssim.tuning.grid import grid
from mssim.tuning.options import FAMILIES
from tests.engine.test_evaluate import random_pool
from tests.tuning.test_tune import rounds_pool

SINGLE = ["sc:x", "sc:y", "sc:z"]


def numbered_pool(**columns):
    return random_pool(score=0.5, confidence=0.25, output_tokens=10, **columns)


def test_the_default_family_is_the_grid():
    pool = random_pool()
    assert list(candidates_of("switch", pool).candidates) == [str(one) for one in grid(pool.models)]
    assert candidates_of("switch", pool.select(models=["y"])).candidates == {"sc:y": SelfConsistency("y")}


def test_every_stop_rule_of_the_registry_is_tried_with_every_model():
    found, left_out = candidates_of("stops", numbered_pool())
    rows = [row for name in STOPS for row in STOPS[name].rows if row.rule.startswith("sc:M,")]
    expected = {str(parse_strategy(row.rule.replace("sc:M", f"sc:{m}"))) for row in rows for m in "xyz"}
    assert set(found) - set(SINGLE) >= expected - set(SINGLE)
    assert list(found)[:3] == SINGLE
    assert not any("stop=beta" in rule for rule in left_out)


def test_every_vote_of_the_registry_is_tried_where_the_pool_has_its_column():
    found, left_out = candidates_of(["votes"], numbered_pool())
    assert {"sc:y,vote=best_of_n", "ms:x+z,vote=best_of_n", "mix:y+z,vote=max_consistency"} <= set(found)
    assert "ms:z+x,vote=best_of_n" not in found
    without, lacking = candidates_of(["votes"], random_pool())
    of_columns = [row.rule for name in VOTES for row in VOTES[name].rows if row.column == "score"]
    assert of_columns
    assert {lacking[rule] for rule in of_columns} == {"no column 'score'"}
    assert set(without) < set(found)
    assert not any(rule in left_out for rule in of_columns)


def test_a_new_rule_joins_by_itself(monkeypatch):
    class ThirdStop(Stop):
        rows = (
            Row("sc:M,stop=third", "stop after 3 draws", "control"),
            Row("mix:M+M+M,ties=wrong", "three", "control"),
        )

        def stops(self, answers, numbers):  # noqa: ARG002
            return len(answers) >= 3

    monkeypatch.setitem(STOPS._rules, "third", ThirdStop)
    pool = random_pool()
    found, left_out = candidates_of("stops", pool)
    assert {"sc:x,stop=ThirdStop", "mix:x+y+z,ties=wrong"} <= set(found)
    assert "sc:M,stop=third" not in left_out
    _, left_out = candidates_of("stops", pool.select(models=["x", "y"]))
    assert left_out["mix:M+M+M,ties=wrong"] == "needs 3 models"


def test_samples_without_a_number_leave_out_their_model():
    frame = numbered_pool().to_frame()
    pool = random_pool().from_frame(frame.assign(confidence=frame["confidence"].mask(frame["model"] == "y")))
    found, left_out = candidates_of("votes", pool)
    assert "sc:x,vote=confidence" in found
    assert "samples of model 'y' have none" in left_out["sc:y,vote=confidence"]


def test_names_of_models_are_quoted():
    frame = random_pool().to_frame()
    pool = random_pool().from_frame(frame.assign(model=frame["model"].replace({"x": "x+1", "y": "y,2"})))
    found = candidates_of(["stops", "votes"], pool).candidates
    assert 'sc:"x+1",stop=beta:0.95' in found
    assert 'mix:"x+1"+"y,2",vote=max_consistency' in found


def test_rounds_of_a_run_are_in_their_order():
    found = candidates_of("votes", rounds_pool(), [["r1", "r2"]]).candidates
    assert "mix:r1+r2,vote=max_consistency" in found
    assert not any("r2+r1" in name for name in found)


def test_families_are_tried_beside_strategies():
    options = {"n_folds": 3, "n_replays": 20, "limits": 4}
    pool = random_pool()
    found = tune(pool, "ms:x+y", [4], families=["stops"], **options)
    names = list(dict.fromkeys(found.strategies))
    assert names == ["ms:x+y", *candidates_of("stops", pool).candidates]
    assert found.left_out == candidates_of("stops", pool).left_out
    named = tune(pool, {"mine": "sc:x"}, [4], families="stops", **options)
    assert list(dict.fromkeys(named.strategies))[:2] == ["mine", "sc:y"]
    assert tune(pool, "ms:x+y", [4], **options).left_out == {}


def test_what_no_budget_can_pay_for_is_left_out():
    """Of y, only 3 samples were recorded."""
    frame = random_pool().to_frame()
    pool = random_pool().from_frame(
        frame[(frame["model"] != "y") | (frame.groupby(["model", "question_id"]).cumcount() < 3)]
    )
    options = {"n_folds": 3, "n_replays": 20, "limits": 4}
    found = tune(pool, budgets=[4], families=["votes", "weights"], **options)
    reason = "too few samples were recorded for any of the budgets [4]"
    assert found.left_out["sc:y"] == reason
    assert "sc:y" not in {*found.strategies, *found.provenance["strategies"]}
    assert {"sc:x", "sc:z", "mix:x+y,vote=max_consistency"} <= set(found.strategies)
    with pytest.raises(BudgetError, match="too few samples were recorded for sc:y"):
        tune(pool, "sc:y", [4], families="votes", **options)
    with pytest.raises(BudgetError, match="too few samples were recorded for sc:x"):
        tune(pool, budgets=[99], families="votes", **options)


def test_weights_and_models_are_of_all_models():
    found = candidates_of(["weights", "models"], random_pool()).candidates
    assert list(found) == [*SINGLE, "weights:x+y+z", "models:x+y+z,k=2", "models:x+y+z,k=3"]
    many = random_pool().to_frame()
    many = random_pool().from_frame(pd.concat([many.assign(model=many["model"] + str(i)) for i in range(5)]))
    names = list(candidates_of("models", many).candidates)[15:]
    assert [name.partition(",")[2] for name in names] == [f"k={k},search=greedy" for k in (2, 3, 4, 5)]


def test_what_cannot_be_fitted_is_left_out():
    one = random_pool().select(models=["x"])
    assert candidates_of(["weights", "models"], one).left_out == {
        "weights:M+M": "needs 2 models",
        "models:M+M": "needs 2 models",
    }
    few = random_pool(12, 2)
    assert candidates_of("models", few).left_out == {"models:M+M": "needs 3 samples of every model and question"}


def test_routers_are_by_columns_with_few_values_and_by_what_is_asked():
    frame = random_pool(40, 4).to_frame()
    number = frame["question_id"].str[1:].astype(int)
    pool = random_pool().from_frame(frame.assign(topic=number % 4, page=number % 9, year=2026, cluster=number // 2))
    found, left_out = candidates_of("routers", pool)
    assert list(found) == [*SINGLE, "route:x+y+z,by=topic"]  # page has fewer than 5 questions per value
    assert all("question" in reason for reason in list(left_out.values())[:2])
    assert list(left_out) == ["route:x+y+z,by=knn", "route:x+y+z,by=logistic", "gate:M+M"]
    asked = pool.from_frame(pool.to_frame().assign(question="How many?" + number.astype(str)))
    found = candidates_of("routers", asked, clusters="page").candidates
    assert list(found)[3:] == [f"route:x+y+z,by={by},clusters=page" for by in ("topic", "knn", "logistic")]
    assert candidates_of("routers", pool.select(models=["x"])).left_out == {"route:M+M": "needs 2 models"}


def test_gates_have_the_quartiles_of_confidence_as_thresholds():
    frame = random_pool(8, 5).to_frame()
    frame["confidence"] = frame.groupby("model").cumcount() / 39  # 40 samples from 0 to 1
    frame.loc[frame["model"] == "y", "confidence"] = 0.5
    found = list(candidates_of("routers", random_pool().from_frame(frame)).candidates)
    assert [name for name in found if name.startswith("gate:x+z")] == [
        "gate:x+z,threshold=0.25",
        "gate:x+z,threshold=0.5",
        "gate:x+z,threshold=0.75",
    ]
    assert [name for name in found if name.startswith("gate:y+x")] == ["gate:y+x,threshold=0.5"]
    frame.loc[frame["model"] == "y", "confidence"] = None
    found, left_out = candidates_of("routers", random_pool().from_frame(frame))
    assert "gate:x+y,threshold=0.25" in found
    assert not any(name.startswith("gate:y") for name in found)
    assert "samples of model 'y' have none" in left_out["gate:y+x,threshold=0"]


@pytest.mark.slow
def test_all_families_at_once():
    """With every column, nothing is left out, and every candidate can be evaluated."""
    frame = numbered_pool().to_frame()
    number = frame["question_id"].str[1:].astype(int)
    pool = random_pool().from_frame(frame.assign(topic=number % 2, question="How many?" + number.astype(str)))
    found = tune(pool, None, [3], families=list(FAMILIES), n_folds=3, n_replays=5, limits=3)
    assert {"route:x+y+z,by=topic", "sc:x,vote=score_sum", "sc:x,stop=window:5", "ms:z+y"} <= set(found.strategies)
    assert {"weights:x+y+z", "models:x+y+z,k=2", "route:x+y+z,by=knn"} <= set(found.strategies)
    assert found.left_out == {}


def test_what_is_no_family():
    with pytest.raises(MssimError, match=r"families: 'stop' is not valid\. Did you mean 'stops'"):
        tune(random_pool(), families=["stop"])
