"""Influences of questions: first-order changes of a fit from which questions are taken away."""

import numpy as np
import pytest

from mssim.simulate import AnswerModel
from mssim.simulate.influence import gradient, influence
from mssim.simulate.one_model import Law, accuracy
from mssim.simulate.pool_fit import fit_recorded, recorded
from tests.conftest import make_pool

TRUE = AnswerModel(
    ["x", "y"], [0.3, 0.2], [0.8, 1.0], [1.0, 1.5], [2.0, 1.0], 0.6, shared_distractors=0.5, no_answer=[0.05, 0.1]
)


def estimates(model):
    return np.array([*np.ravel([model.law(name) for name in model.models]), model.correlation[0][1]])


@pytest.mark.slow
def test_questions_move_the_fit_as_much_as_their_influence_says():
    """Without a tenth of the questions; the second order of 30 of 300 is about a tenth of the first."""
    pool = TRUE.draw(300, 16, seed=2)
    numbers = recorded(pool, None)
    fitted = fit_recorded(numbers)
    found = influence(numbers, fitted)
    each = np.array([*found.laws.reshape(-1, 300), found.correlations[0, 1], found.shared])
    assert np.abs(each.mean(axis=1) / each.std(axis=1)).max() < 0.01
    full = np.append(estimates(fitted), fitted.shared_distractors)
    changes, predicted = [], []
    ids = pool.questions["question_id"]
    for part in np.array_split(np.random.default_rng(0).permutation(300), 10)[:5]:
        without = fit_recorded(recorded(pool.select(questions=ids.drop(part).tolist()), None))
        changes.append(np.append(estimates(without), without.shared_distractors) - full)
        predicted.append(-each[:, part].sum(axis=1) / 270)
    changes, predicted = np.array(changes), np.array(predicted)
    size = np.sqrt((predicted**2).mean(axis=0))
    assert (size > 0).all()
    assert (np.abs(changes - predicted).max(axis=0) < 0.3 * size + 1e-4).all()


def test_the_gradient_of_the_accuracy_of_one_sample():
    law = Law(0.3, 0.8, 1.2, 2.0, 0.1)
    found = gradient(law, lambda at: accuracy(at, np.array([1])))[:, 0]
    share = 0.3 + 0.7 * 0.8 / 2.0
    by_hand = [0.9 * 1.2 / 2, 0.9 * 0.7 * 1.2 / 4, -0.9 * 0.7 * 0.8 / 4, 0, -share]
    assert found == pytest.approx(by_hand, abs=1e-5)
    fixed = gradient(law._replace(no_answer=0.0), lambda at: accuracy(at, np.array([1])), [0, 4])[:, 0]
    assert fixed == pytest.approx([0.6, 0, 0, 0, 0], abs=1e-5)


@pytest.mark.slow
def test_what_the_pool_does_not_determine_has_no_influence():
    alike = recorded(make_pool({(m, f"q{i}"): ["a", *"bbbb"] for i in range(6) for m in "xy"}), None)
    model = fit_recorded(alike)
    found = influence(alike, model)
    assert np.isnan(found.laws[:, 0]).all()  # sure is at 0
    assert np.isnan(found.laws[:, 3]).all()  # spread is at its lower bound
    assert (found.laws[:, 4] == 0).all()
    one = recorded(make_pool({("x", f"q{i}"): ["a"] * (i % 3) + ["b", "c"] for i in range(9)}), None)
    found = influence(one, fit_recorded(one))
    assert found.correlations == {}
    assert np.isnan(found.shared).all()
