"""Reading of candidates, and their versions."""

import numpy as np
import pytest

from mssim import BetaStop, SelfConsistency, StrategyError, parse_strategy
from mssim.tuning.fitting import check_candidate, fit_all, read_candidates
from tests.engine.test_evaluate import random_pool
from tests.tuning.test_learners import BestAlone


def test_candidates_keep_their_order_and_names():
    pool, best = random_pool(), BestAlone()
    assert list(read_candidates(["sc:x", best, {"kind": "sc", "models": ["y"]}], pool)) == ["sc:x", str(best), "sc:y"]
    assert list(read_candidates({"b": best, "a": "sc:x"}, pool).items()) == [("b", best), ("a", SelfConsistency("x"))]
    assert read_candidates("sc:x", pool) == read_candidates(["sc:x"], pool) == {"sc:x": SelfConsistency("x")}
    assert read_candidates(best, pool) == {str(best): best}
    assert read_candidates(iter(["sc:x", best]), pool) == {"sc:x": SelfConsistency("x"), str(best): best}


def test_what_is_no_candidate_is_refused_as_by_evaluate():
    for given, says in (([], "none are given"), (3, "is not a strategy"), (["sc:x@4"], "budgets of its own")):
        with pytest.raises(StrategyError, match=says):
            read_candidates(given, random_pool())
    with pytest.raises(StrategyError, match="budgets of its own"):
        read_candidates([BestAlone(), "sc:x@4"], random_pool())


def test_equal_fits_are_one_version():
    sets = np.array([[True] * 6 + [False] * 6, [False] * 6 + [True] * 6, [True] * 12])
    pool = random_pool(seed=3)
    (plain,), fitted = fit_all({"a": SelfConsistency("x"), "b": BestAlone()}, pool, sets).values()
    assert plain.plain
    assert plain.usable.tolist() == [True] * 3
    by_hand = [BestAlone().fit(pool, among) for among in sets]
    assert len(fitted) == len(set(by_hand))
    for version in fitted:
        assert not version.plain
        assert version.usable.tolist() == [one == version.strategy for one in by_hand]


def test_upper_bounds_are_no_candidates():
    check_candidate("a", SelfConsistency("x", stop=BetaStop()))
    for text, says in (("cov:x", "a is an upper bound"), ("rel:x", "a measures how often")):
        with pytest.raises(StrategyError, match=says):
            check_candidate("a", parse_strategy(text))
