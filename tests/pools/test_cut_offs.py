"""Samples that the recording cut off: by finish reasons, or guessed from numbers of tokens."""

from dataclasses import replace

import numpy as np
import pytest

from mssim.pools.cut_offs import recorded_cut_offs
from tests.conftest import make_pool

TWO = {("x", "p"): ["a", "b"], ("x", "q"): ["a", "a", None], ("y", "p"): ["b"], ("y", "q"): ["a"]}


def test_finish_reasons_say_which_samples_were_cut_off():
    reasons = ["stop", "length", None, "MAX_TOKENS", "stop", "length", "stop"]
    pool = make_pool(TWO, finish_reason=reasons, output_tokens=[9.0] * 7)
    x, y = (recorded_cut_offs(pool, model) for model in "xy")
    assert (x.guessed, y.guessed) == (False, False)
    assert x.mask.tolist() == [[False, True, False], [False, True, False]]
    assert y.mask.tolist() == [[True, False, False], [False, False, False]]


def test_finish_reasons_may_be_stored_with_the_questions():
    pool = make_pool(TWO)
    pool = replace(pool, questions=pool.questions.assign(finish_reason=["stop", "length"]))
    assert recorded_cut_offs(pool, "x").mask.tolist() == [[False, False, False], [True, True, True]]
    assert recorded_cut_offs(pool, "y").mask.sum() == 1


@pytest.mark.parametrize(
    ("tokens", "cut"),
    [
        ([50] * 5 + [*range(45)], 5),
        ([50] * 4 + [*range(46)], 0),  # too few
        ([2000] * 9 + [*range(991)], 0),  # less than 1 %
        ([2000] * 10 + [*range(990)], 10),
        ([np.nan] * 9, 0),
    ],
)
def test_without_finish_reasons_many_samples_of_the_largest_length_are_a_guess(tokens, cut):
    pool = make_pool({("x", "q"): ["a"] * len(tokens)}, output_tokens=[float(n) for n in tokens])
    found = recorded_cut_offs(pool, "x")
    assert (int(found.mask.sum()), found.guessed) == (cut, cut > 0)
    assert np.flatnonzero(found.mask[0]).tolist() == list(range(cut))


def test_a_model_without_finish_reasons_is_guessed_although_another_has_them():
    reasons = ["stop"] * 9 + [None] * 9
    answers = {("x", "q"): ["a"] * 9, ("y", "q"): ["a"] * 9}
    pool = make_pool(answers, finish_reason=reasons, output_tokens=[7.0] * 18)
    assert (recorded_cut_offs(pool, "x").mask.sum(), recorded_cut_offs(pool, "y").mask.sum()) == (0, 9)


def test_a_pool_without_both_columns_has_no_cut_offs():
    found = recorded_cut_offs(make_pool(TWO), "x")
    assert (found.mask.any(), found.guessed) == (False, False)
