"""Which plans are replayed together."""

import numpy as np
import pytest

from mssim import parse_strategy
from mssim.engine.bundles import bundles_of, shares_replays

BUDGETS = np.array([2, 8, 40])


def plan_of(text, budgets=BUDGETS):
    return parse_strategy(text).plans(budgets)[0]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("ms:a+b", True),
        ("mix:a+b+c,vote=entropy", True),
        ("cov:a+b", True),
        ("cascade:a+b,agreement=0.6", True),
        ("sc:a", False),
        ("sc:a,stop=beta", False),
        ("ms:a+a", False),
        ("mix:a+b,vote=confidence", False),
        ("until:a+b", False),
        ("alloc:a", False),
    ],
)
def test_plans_that_ask_several_models_and_count_votes_share_replays(text, shares):
    assert shares_replays(plan_of(text)) is shares


def test_every_plan_with_open_budgets_is_in_one_bundle():
    texts = ["ms:a+b", "sc:a", "mix:b+a", "ms:a+b+c", "ms:a+b,ties=wrong", "ms:b+a,agreement=0.6", "sc:b,stop=beta"]
    plans = [plan_of(text) for text in texts]
    masks = [np.array([text.startswith("sc:b"), True, text != "sc:a"]) for text in texts]
    masks[1][:] = False
    found = bundles_of(plans, masks, [False] * len(plans))
    assert [bundle.plans for bundle in found] == [(0, 2, 5), (3,), (4,), (6,)]
    assert [bundle.budgets.tolist() for bundle in found] == [[1, 2]] * 3 + [[0, 1, 2]]
    alone = bundles_of(plans, masks, [True] * len(plans))
    assert [bundle.plans for bundle in alone] == [(0,), (2,), (3,), (4,), (5,), (6,)]


def test_budgets_that_draw_four_times_as_much_are_apart():
    plans = [plan_of("ms:a+b", np.arange(2, 65)), plan_of("ms:b+a", np.arange(2, 65))]
    found = bundles_of(plans, [np.ones(63, dtype=bool)] * 2, [False] * 2, by_depth=True)
    assert [bundle.plans for bundle in found] == [(0, 1)] * 3
    assert [int(plans[0].sizes[0, bundle.budgets].max()) for bundle in found] == [4, 16, 32]
    assert np.concatenate([bundle.budgets for bundle in found]).tolist() == list(range(63))
