"""Grids of strategies: every combination once, and none that makes no sense."""

import pytest

from mssim import (
    MssimError,
    Vote,
)
from mssim.tuning.grid import grid


def test_a_grid_lists_every_combination_once():
    names = [str(strategy) for strategy in grid("abc", n_models=[1, 2, 3], agreement=[1, 0.7], vote=["plurality"])]
    assert len(set(names)) == len(names) == 3 + 2 * (6 + 6) + 3 + 1
    assert "ms:c+a+b,agreement=0.7,vote=plurality" in names
    assert "mix:b+c" in names
    assert "mix:c+b" not in names
    once = [str(s) for s in grid("abc", n_models=[2], agreement=[1], vote=["entropy"], ordered=False)]
    assert once == [
        "ms:a+b",
        "ms:a+c",
        "ms:b+c",
        "mix:a+b,vote=entropy",
        "mix:a+c,vote=entropy",
        "mix:b+c,vote=entropy",
    ]


def test_a_grid_takes_votes_of_any_kind():
    vote = Vote.entropy(normaliser="samples", ties="random")
    names = [str(s) for s in grid("ab", n_models=[2], agreement=[1], vote=[vote, "plurality"], prior=[None, (2, 1)])]
    assert len(set(names)) == len(names) == 8 + 6
    assert "ms:b+a,normaliser=samples,prior=2/1,ties=random" in names


def test_prior_and_sizes_go_with_their_number_of_models():
    options = {"agreement": [1], "vote": ["plurality"], "prior": [None, (2, 1), (3, 2, 1)], "sizes": [None, (1, 5)]}
    names = [str(s) for s in grid("abc", n_models=[2, 3], ordered=False, **options)]
    assert len(set(names)) == len(names) == 2 * (3 * 4 + 2)
    assert "ms:a+c,vote=plurality,prior=2/1,sizes=1/5" in names
    assert "mix:a+b+c,prior=3/2/1" in names
    # A weight belongs to a place, so the order of a weighted mixture matters.
    assert {"mix:a+b,prior=2/1", "mix:b+a,prior=2/1"} <= {str(s) for s in grid("ab", prior=[(2, 1)])}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"vote": ["pluralty"]}, r"grid: vote='pluralty' is not valid. Did you mean 'plurality'"),
        ({"vote": "plurality"}, "grid: vote='plurality' is not a list. Pass a list of values to try"),
        ({"agreement": 0.8}, "grid: agreement=0.8 is not a list. Pass a list of values to try"),
        ({"n_models": 2}, "grid: n_models=2 is not a list. Pass a list"),
        ({"n_models": [0]}, "n_models=0 is out of range. Use an integer from 1"),
        ({"n_models": [4]}, r"n_models=\(4,\) yields no strategy for 3 models. Use numbers of at most 3"),
        (
            {"prior": (2, 1)},
            r"grid: prior contains 2. Each entry must be None or .* one number per model, for n_models=\[2\]",
        ),
        ({"sizes": [(2, 1, 1)]}, r"grid: sizes contains \(2, 1, 1\). Each entry must be None .* for n_models=\[2\]"),
        ({"agreement": [-1]}, "agreement"),
    ],
)
def test_a_grid_that_makes_no_sense(options, says):
    with pytest.raises(MssimError, match=says):
        grid("abc", **options)
