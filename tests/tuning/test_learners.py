"""Candidates that are fitted inside tune: on which questions, and what their fit adds to in-sample scores."""

import random
from dataclasses import dataclass

import numpy as np
import pytest

from mssim import MssimError, OracleRouter, Router, SelfConsistency, Strategy, StrategyError, evaluate, tune
from mssim.tuning import Learner
from mssim.tuning.learners import is_learner_text, parse_learner
from mssim.tuning.model_choice import BestModels
from mssim.tuning.optimal_weights import OptimalWeights
from tests.engine.test_evaluate import random_pool
from tests.tuning.test_choice import questions_without
from tests.tuning.test_tune import coin_pool


@dataclass(frozen=True)
class BestAlone:
    """Self-Consistency of the model that is right most often in all its samples of the training questions."""

    models: tuple = ("x", "y", "z")

    def fit(self, pool, questions):
        right = pool.class_correct[pool.class_offsets[:-1][:, None] + np.maximum(pool.codes, 0)] & (pool.codes >= 0)
        rows = [pool.model_index(model) for model in self.models]
        means = right[rows][:, questions].mean(axis=(1, 2))
        return SelfConsistency(self.models[int(means.argmax())])

    def __str__(self):
        return f"best:{'+'.join(self.models)}"


@dataclass(frozen=True)
class Recorder(BestAlone):
    """Keep the questions on which it is fitted."""

    seen: tuple = ()

    def fit(self, pool, questions):  # noqa: ARG002
        self.seen[0].append(questions.copy())
        questions[:] = False  # what it does with its own copy changes nothing
        return SelfConsistency("x")

    __hash__ = None


def test_strategies_are_no_learners_but_routers_are():
    assert isinstance(BestAlone(), Learner)
    assert isinstance(Router(["x", "y"]), Learner)
    assert not isinstance(SelfConsistency("x"), Learner)
    assert not isinstance("sc:x", Learner)


def test_a_learner_is_fitted_without_each_fold_and_to_all_questions():
    seen = []
    found = tune(random_pool(), [Recorder(seen=(seen,))], [2], n_folds=4)
    assert [np.flatnonzero(mask).tolist() for mask in seen] == [
        *(questions_without(found.folds, fold) for fold in range(4)),
        list(range(12)),
    ]


def versions_by_hand(pool, budget, n_folds, **options):
    """What was fitted to each training set, and its accuracy on all questions."""
    found = tune(pool, [BestAlone()], budget, n_folds=n_folds, **options)
    sets = [*(found.folds != fold for fold in range(n_folds)), np.ones(len(pool.questions), bool)]
    fitted = [str(BestAlone().fit(pool, among)) for among in sets]
    return found, sets, fitted, [evaluate(pool, text, budget, **options).accuracy[0, 0] for text in fitted]


def test_a_version_is_chosen_only_where_it_was_fitted_and_scored_on_the_fold_left_out():
    pool = random_pool(20, 8, seed=4)
    found, sets, fitted, accuracy = versions_by_hand(pool, 3, 5)
    assert len(set(fitted)) > 1
    assert sorted(set(found.fitted)) == sorted(set(fitted))  # each is evaluated once
    assert set(found.strategies) == {"best:x+y+z"}
    row = found.to_frame().iloc[0]
    assert (row["strategy"], row["fitted"], row["same_choice"]) == ("best:x+y+z", fitted[-1], 1)
    held = np.array([accuracy[found.folds[q]][q] for q in range(20)])
    assert row["held_out"] == pytest.approx(held.mean())
    assert row["in_sample"] == pytest.approx(accuracy[-1].mean())
    assert row["optimism"] == pytest.approx(accuracy[-1].mean() - held.mean())
    choices = found.choices()
    assert choices["fitted"].tolist() == fitted[:-1]
    assert choices["training"].tolist() == pytest.approx(
        [a[s].mean() for a, s in zip(accuracy, sets[:-1], strict=False)]
    )
    assert found.candidates()["fitted"].tolist() == [fitted[-1]]
    assert found.frontier()["folds"].tolist() == [5]
    assert repr(found) == "Tuning(1 candidate, 1 limit, 20 questions in 5 folds)"


def test_what_is_fitted_competes_with_strategies_on_every_training_set():
    pool = random_pool(20, 8, seed=4)
    options = {"n_folds": 5, "limits": 3}
    learnt, alone = (
        tune(pool, [BestAlone(), "sc:x"], [1, 3], **options),
        tune(pool, ["sc:x", "sc:y", "sc:z"], 3, n_folds=5),
    )
    # The accuracy of Self-Consistency at budget 3 is not that of one sample, so that the best differs at times.
    for fold in range(6):
        row = learnt.chosen[0, 0, fold]
        assert learnt.usable[row, fold]
        assert learnt.training[0, 0, fold] <= alone.training[0, 0, fold] + 1e-12
    assert learnt.to_frame()["control"].tolist() == ["sc:x"]  # what is fitted is no control


def test_names_of_learners():
    named = {"mine": BestAlone(), "other": "sc:x"}
    found = tune(random_pool(), named, [2], n_folds=3)
    assert list(dict.fromkeys(found.strategies)) == ["mine", "other"]
    assert found.provenance["strategies"] == {"mine": "best:x+y+z", "other": "sc:x"}
    assert set(tune(random_pool(), BestAlone(), [2], n_folds=3).strategies) == {"best:x+y+z"}


@pytest.mark.slow
def test_fitting_to_noise_is_seen_in_the_optimism_and_not_in_held_out():
    """Forty pools of fair coins, one sample each; bounds of five standard errors, one seed in a million."""
    rng = random.Random(6)
    models = tuple(f"m{m}" for m in range(6))
    frames = [tune(coin_pool(rng, 6, 30), [BestAlone(models)], 1).to_frame().iloc[0] for _ in range(40)]
    held, optimism = (np.array([frame[name] for frame in frames]) for name in ("held_out", "optimism"))
    error = 5 / np.sqrt(40)
    assert abs(held.mean() - 0.5) < error * held.std()
    assert optimism.mean() > error * optimism.std()


def test_routers_are_fitted_without_the_fold_that_they_are_scored_on():
    frame = random_pool(24, 6, seed=2).to_frame()
    pool = random_pool().from_frame(frame.assign(topic=frame["question_id"].str[-1].astype(int) % 2))
    router = Router(["x", "y"], by="topic", folds=3)
    found = tune(pool, [router, "sc:x"], [3], n_folds=4)
    row = [i for i, name in enumerate(found.strategies) if name == str(router)]
    assert len(row) == 5
    for fold in range(4):
        (own,) = [i for i in row if found.usable[i, fold]]
        expected = evaluate(pool, router.fit(pool, found.folds != fold), 3).accuracy[0, 0]
        assert found.accuracy[own] == pytest.approx(expected)


# Text -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "learner"),
    [
        ("weights:x+y", OptimalWeights(["x", "y"])),
        ("weights:x+y,time_limit=2", OptimalWeights(["x", "y"], time_limit=2.0)),
        ("models:x+y+z,k=2,search=greedy", BestModels(["x", "y", "z"], 2, "greedy")),
        ('models:"a+b"+c,k=1', BestModels(["a+b", "c"], 1)),
        ({"kind": "models", "models": ["x", "y"], "k": 1}, BestModels(["x", "y"], 1)),
    ],
)
def test_what_is_fitted_has_a_text(text, learner):
    assert is_learner_text(text)
    assert parse_learner(text) == learner
    assert parse_learner(str(learner)).models == learner.models
    if "time_limit" not in text:
        assert parse_learner(str(learner)) == learner


def test_texts_of_what_is_fitted_are_candidates():
    found = tune(random_pool(), ["sc:x", "weights:x+y", {"kind": "models", "models": ["x", "y", "z"]}], [3], n_folds=3)
    assert list(dict.fromkeys(found.strategies)) == ["sc:x", "weights:x+y", "models:x+y+z,k=2"]
    assert set(tune(random_pool(), "weights:x+y", [3], n_folds=3).strategies) == {"weights:x+y"}
    assert set(tune(random_pool(), {"best": "weights:x+y"}, [3], n_folds=3).strategies) == {"best"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("weights:x+y,k=2", "strategy 'weights:x.y,k=2': unknown option 'k'"),
        ("models:x+y,k=two", "k='two' cannot be read"),
        ("models:x+y,k=3", "k=3 is out of range"),
        ("weights:x+w", "no model 'w' in this pool"),
    ],
)
def test_texts_that_cannot_be_fitted(text, says):
    with pytest.raises(MssimError, match=says):
        tune(random_pool(), [text], [3])


# Refusals ---------------------------------------------------


@dataclass(frozen=True)
class Wrong(BestAlone):
    result: object = None

    def fit(self, pool, questions):  # noqa: ARG002
        return self.result


class Peeks(SelfConsistency):
    """A strategy that learns from all questions, which it does not separate."""

    def learns(self, questions, /):  # noqa: ARG002
        return True


@pytest.mark.parametrize(
    ("candidates", "options", "says"),
    [
        ([Wrong(result="sc:x")], {}, "strategies: fit of best:x.y.z returned 'sc:x'. Return a Strategy"),
        ([Wrong(result=OracleRouter(["x", "y"]))], {}, "oracle:x.y, fitted by best:x.y.z, is an upper bound"),
        ([BestAlone(), "sc:x", BestAlone()], {}, "strategies: best:x.y.z appears twice. Remove the duplicate"),
        ([BestAlone()], {"n_runs": 3}, "n_runs: best:x.y.z is fitted to all recorded samples, not to the draws of one"),
        (["route:x+y"], {"n_runs": 3}, "n_runs: route:x.y is fitted to all recorded samples"),
        ([Peeks("x")], {}, "sc:x learns from all questions, so its score on training questions depends on the answers"),
        ([BestAlone(), "cov:x"], {}, "cov:x is an upper bound"),
        ([BestAlone()], {"budgets": [99]}, "too few samples were recorded for best:x.y.z at any of the budgets"),
    ],
)
def test_learners_that_make_no_sense(candidates, options, says):
    with pytest.raises(MssimError, match=says):
        tune(random_pool(), candidates, **{"budgets": [2], **options})


def test_names_and_kinds_are_checked_beside_learners():
    with pytest.raises(StrategyError, match="unknown kind 'sx'"):
        tune(random_pool(), [BestAlone(), "sx:x"], [2])
    assert issubclass(Router, Strategy)
