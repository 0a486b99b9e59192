"""What must be replayed, and how often at least."""

import numpy as np
import pytest

from mssim.engine.job import read_job
from mssim.engine.replayed import Replayed, few_replays
from tests.conftest import make_pool

RIGHT, WRONG, MIXED = ["a"] * 6, ["b", "c", None, "b", "b", "d"], ["a", "a", "b", "a", "a", "a"]


def replayed(rules, **options):
    answers = {(model, f"q{q}"): given for model in "xy" for q, given in enumerate((RIGHT, WRONG, MIXED))}
    pool = make_pool(answers | {("y", "q1"): WRONG[::-1]}, output_tokens=7)
    given = {"method": "auto", "n_replays": 1000, "seed": 0, "replacement": False, **options}
    return Replayed(read_job(rules, [2, 8], pool=pool, **given), pool)


@pytest.mark.parametrize(
    ("rule", "options", "least"),
    [
        ("ms:x+y", {}, [0, 0, 1]),
        ("mix:x+y,vote=entropy", {"mc_error": 1e-3}, [0, 0, 1]),
        ("sc:x,stop=beta", {}, [1000] * 3),  # also for the samples used
        ("ms:x+y", {"method": "monte_carlo"}, [1000] * 3),
        ("ms:x+y", {"quantiles": True}, [1000] * 3),
    ],
)
def test_certain_questions_need_no_replays_unless_more_than_accuracy_is_replayed(rule, options, least):
    found = replayed([rule], **options)
    assert [found.least(bundle).tolist() for bundle in found.bundles] == [least]


def test_closed_forms_are_not_replayed():
    assert replayed(["sc:x", "mix:x+y"]).bundles == []
    (bundle,) = replayed(["sc:x", "ms:x+y"]).bundles
    assert bundle.plans == (1,)
    assert bundle.budgets.tolist() == [1]


def test_few_replays_are_as_many_as_accuracies_need():
    assert [few_replays(2000, n) for n in (1, 5, 100)] == [2000, 2000, 300]
    assert np.all([few_replays(50, n) == 50 for n in (1, 100)])
