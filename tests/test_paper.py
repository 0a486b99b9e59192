"""Examples and statements that the paper or its released code fix (arXiv 2504.00762)."""

import itertools

import numpy as np
import pytest

from mssim import Mixture, ModelSwitch, SelfConsistency, Vote
from mssim.rules.plan import allocate
from tests import naive
from tests.conftest import make_pool, replay


@pytest.mark.parametrize(
    ("budget", "n", "expected"),
    [(16, 3, [6, 6, 4]), (16, 6, [3, 3, 3, 3, 3, 1]), (15, 3, [5, 5, 5]), (5, 2, [3, 2]), (3, 4, [1, 1, 1, 0])],
)
def test_allocation(budget, n, expected):
    assert allocate(np.array([budget]), n)[:, 0].tolist() == expected == naive.allocate(budget, n)


def test_allocation_by_sizes_fills_models_in_order():
    assert allocate(np.array([3, 8, 16, 20]), 3, (6, 6, 4)).T.tolist() == [[3, 0, 0], [6, 2, 0], [6, 6, 4], [6, 6, 4]]


@pytest.mark.parametrize(
    ("answers", "weight"), [("aabb", 0.25), ("abcd", 0.25), ("aaab", 0.3915), ("aabc", 0.2902), ("aaaa", 1.0)]
)
def test_entropy_weights(answers, weight):
    assert naive.entropy_weight(list(answers)) == pytest.approx(weight, abs=5e-5)


def accuracy(pool, strategy, budget, **options):
    return float(replay(pool, strategy, [budget], n_replays=50, **options).accuracy.mean())


def vote_outcome(first, second, vote, truth):
    """Whether the vote over all recorded samples of two models is right, whatever the order of draws."""
    pool = make_pool({("x", "q"): list(first), ("y", "q"): list(second)}, truth=truth)
    return accuracy(pool, Mixture(["x", "y"], vote), len(first) + len(second))


def test_the_kernel_weighs_as_the_examples_say():
    # x's weights against y's [c, c, c, d] = .3915 x 3 = 1.1745 for c; a gets weight x votes of x.
    assert vote_outcome("aabb", "cccd", Vote.entropy(), "c") == 1.0  # a: .25 x 2
    assert vote_outcome("aaaa", "cccd", Vote.entropy(), "a") == 1.0  # a: 1 x 4
    # [a,a,a,b] weighs .3915, [c,c,d,e] weighs .2902: c wins from a prior weight of .3915 x 3 / (.2902 x 2) on.
    balance = naive.entropy_weight(list("aaab")) * 3 / (naive.entropy_weight(list("ccde")) * 2)
    assert vote_outcome("aaab", "ccde", Vote.entropy(prior=(1, balance - 0.01)), "a") == 1.0
    assert vote_outcome("aaab", "ccde", Vote.entropy(prior=(1, balance + 0.01)), "c") == 1.0
    assert vote_outcome("aaab", "ccde", Vote.plurality(prior=(1, 1.51)), "c") == 1.0


def test_the_normalisers_elect_different_answers():
    # [a,a,b,b] weighs 1/4 by distinct answers, .625 by samples; [c,c,d,e] .2902 and .4375.
    assert naive.entropy_weight(list("aabb"), "samples") == pytest.approx(0.625)
    assert naive.entropy_weight(list("ccde"), "samples") == pytest.approx(0.4375)
    assert vote_outcome("aabb", "ccde", Vote.entropy(normaliser="distinct"), "c") == 1.0
    # a and b tie at 1.25 then, and c has .875.
    assert vote_outcome("aabb", "ccde", Vote.entropy(normaliser="samples"), "c") == 0.0


def test_two_samples_of_one_model_are_one_under_first_seen_ties():
    pool = make_pool({("x", f"q{i}"): list(a) for i, a in enumerate(["abcd", "aabb", "aaab", "bbba"])})
    result = replay(pool, SelfConsistency("x"), [1, 2], n_replays=500)
    assert np.array_equal(result.accuracy[0, 0], result.accuracy[0, 1])


ANSWERS = "abcd"


@pytest.mark.slow
@pytest.mark.parametrize(
    "vote", [Vote.plurality(), Vote.entropy(), Vote.entropy(normaliser="samples"), Vote.entropy(prior=(2, 2))]
)
@pytest.mark.parametrize("size", [2, 3])
def test_lossless_lemma_for_two_models_on_every_draw(vote, size):
    """Switching gives the answer of always drawing both, for every pair of draws over four answers and "none"."""
    assert_lossless(ModelSwitch(["x", "y"], vote=vote), size)


@pytest.mark.parametrize("vote", [Vote.plurality(prior=(2, 1)), Vote.entropy(prior=(5, 1))])
def test_a_heavier_first_model_is_lossless_if_the_last_is_not_tested(vote):
    assert_lossless(ModelSwitch(["x", "y"], vote=vote, test_last=False), 2)


def assert_lossless(switch, size):
    answers = [*ANSWERS, None]
    pairs = list(itertools.product(itertools.product(answers, repeat=size), repeat=2))
    for truth in "ab":
        frame = {}
        for i, (first, second) in enumerate(pairs):
            frame["x", f"q{i:05d}"], frame["y", f"q{i:05d}"] = list(first), list(second)
        pool = make_pool(frame, truth=truth)
        both = {"switch": switch, "mixture": Mixture(["x", "y"], switch.vote)}
        result = replay(pool, both, [2 * size], n_replays=3)
        assert np.array_equal(result.accuracy[0], result.accuracy[1])
        assert (result.samples_used[0] < result.samples_used[1]).any()


def differs(models, draws, truth, budget, vote=None, **switch):
    """Whether switching and always drawing all models differ on a pool whose every order of draws is the same."""
    pool = make_pool({(m, "q"): list(d) for m, d in zip(models, draws, strict=True)}, truth=truth)
    vote = vote or Vote.plurality()
    return accuracy(pool, ModelSwitch(models, vote=vote, **switch), budget) != accuracy(
        pool, Mixture(models, vote), budget
    )


def test_lossless_lemma_fails_for_three_models():
    # m1 = [a, b], m2 = [c, c], m3 = [a, a]: switching stops at c, all six draws elect a.
    assert differs(["x", "y", "z"], ["ab", "cc", "aa"], "a", 6)


def test_lossless_lemma_fails_below_unanimity():
    # m1 = [a, a, b] agrees at 2/3; with m2 = [b, b, c] the five draws of the vote elect b.
    assert differs(["x", "y"], ["aab", "bbc"], "a", 6, agreement=0.6)


def test_lossless_lemma_fails_when_the_second_model_weighs_more():
    # m1 = [a, a] agrees; m2 = [b, b] with twice the weight outvotes it.
    assert differs(["x", "y"], ["aa", "bb"], "a", 4, vote=Vote.plurality(prior=(1, 2)))


@pytest.mark.parametrize("vote", [Vote.plurality(prior=(2, 1)), Vote.entropy(prior=(5, 1))])
def test_lossless_lemma_fails_when_the_first_model_weighs_more(vote):
    # m2 = [c, c] agrees; the vote follows m1 = [a, b], whose one vote for a weighs as much or more. So beta_1 >= beta_2
    # is not enough: the weights must be equal, or no split of m1 may reach beta_2 K.
    assert differs(["x", "y"], ["ab", "cc"], "c", 4, vote=vote)


def test_released_switches_change_the_answer():
    """pool against adopt, and the last model tested or not, on draws where each matters."""
    three = make_pool({("x", "q"): list("aab"), ("y", "q"): list("bbb"), ("z", "q"): list("ccc")}, truth="b")
    assert accuracy(three, ModelSwitch(["x", "y", "z"], vote=Vote.plurality()), 9) == 1.0
    # adopt: y says c unanimously; pool: a has four votes of six
    pool = make_pool({("x", "q"): list("aaaab"), ("y", "q"): list("ccc")}, truth="a")
    sizes = {"sizes": (5, 3), "vote": Vote.plurality()}
    assert accuracy(pool, ModelSwitch(["x", "y"], on_agreement="adopt", **sizes), 8) == 0.0
    assert accuracy(pool, ModelSwitch(["x", "y"], on_agreement="pool", **sizes), 8) == 1.0
    assert accuracy(pool, ModelSwitch(["x", "y"], test_last=False, **sizes), 8) == 1.0


def test_the_released_threshold_is_strict():
    pool = make_pool({("x", "q"): list("a" * 17 + "bbb"), ("y", "q"): list("b" * 20)}, truth="a")
    used = {
        strict: replay(pool, ModelSwitch(["x", "y"], agreement=0.85, strict=strict), [40], n_replays=3).samples_used
        for strict in (False, True)
    }
    assert used[False].item() == 20  # 17 of 20 reach 85 %
    assert used[True].item() == 40  # and do not exceed it


def test_invalid_answers_break_unanimity_and_never_stop():
    valid = make_pool({("x", "q"): ["a", "a", None], ("y", "q"): ["b", "b", "b"]}, truth="b")
    assert accuracy(valid, ModelSwitch(["x", "y"]), 6) == 1.0
    no_answer = make_pool({("x", "q"): [None] * 3, ("y", "q"): ["a", "b", "c"]}, truth="a")
    used = replay(no_answer, ModelSwitch(["x", "y"]), [6], n_replays=3).samples_used
    assert used.item() == 6
    nothing = make_pool({("x", "q"): [None, None], ("y", "q"): [None, None]})
    assert accuracy(nothing, ModelSwitch(["x", "y"]), 4) == 0.0
