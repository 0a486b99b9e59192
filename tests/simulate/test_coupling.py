"""The correlation behind an accuracy: found where there is one, and said where there is none."""

from dataclasses import replace

import pytest

from mssim.simulate import expected, fit_coupling
from tests.simulate.test_curve_fit import TWO

pytestmark = pytest.mark.slow


def test_the_correlation_behind_an_accuracy_is_found():
    accuracy = expected(TWO, "ms:x+y", 8, seed=5)["accuracy"][0]
    found = fit_coupling(replace(TWO, correlation=0.0), "ms:x+y", 8, accuracy, shared_distractors=0.4)
    assert found.within_reach
    assert found.correlation == pytest.approx(0.6, abs=0.1)  # 0.006 in accuracy
    assert found.answer_model == replace(TWO, correlation=found.correlation)
    assert found.fitted == pytest.approx(accuracy, abs=0.001)
    assert found.to_frame().iloc[0].to_dict() == {
        "correlation": found.correlation, "strategy": "ms:x+y", "budget": 8, "given": accuracy, "fitted": found.fitted,
        "error": found.error, "within_reach": True,
    }  # fmt: skip


@pytest.mark.parametrize(("accuracy", "end"), [(0.95, 0.2), (0.3, 0.7)])
def test_an_accuracy_out_of_reach_is_said_to_be(accuracy, end):
    found = fit_coupling(TWO, "ms:x+y", 8, accuracy, bounds=(0.2, 0.7), n_questions=512)
    assert (found.within_reach, found.correlation, found.given) == (False, end, accuracy)
    assert 0.6 < found.fitted < 0.9
