"""The lossless lemma against every draw there is, by the naive rules."""

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mssim import BudgetError, ModelSwitch, StrategyError, Vote
from mssim.theory import lossless
from tests import naive
from tests.conftest import examples

XYZ = ["x", "y", "z"]
RIGHT = ({"a"}, {"b"}, {"c"})


def outcomes(strategy, draws, right):
    """Whether switching is right, and whether the vote over all draws is; under random ties, how often."""
    drawn = [list(answers) for answers in draws]
    switched, _ = naive.model_switch(strategy, drawn, right, None, ())
    return switched, naive.is_right(naive.vote(drawn, strategy.vote), right, strategy.vote.ties, None)


def differs(strategy, draws):
    return any(len(set(outcomes(strategy, draws, right))) > 1 for right in RIGHT)


def every_draw(sizes):
    """All draws of up to three answers and no answer; of those that differ only in the names of answers, one."""
    ends = list(itertools.accumulate(sizes))
    for answers in in_order("", ends[-1]):
        yield [answers[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def in_order(begun, size):
    """All texts of so many of a, b, c and - that begin like this and in which no letter comes before an earlier one."""
    if len(begun) == size:
        yield begun
        return
    for letter in "abc-"[: len(set(begun) - {"-"}) + 1] + "-" * (len(set(begun) - {"-"}) < 3):
        yield from in_order(begun + letter, size)


def anywhere(strategy, budget):
    sizes = naive.allocate(budget, len(strategy.models), strategy.sizes, strategy.shares)
    return any(
        differs(strategy, [[None if a == "-" else a for a in answers] for answers in draws])
        for draws in every_draw(sizes)
    )


VOTES = st.builds(
    Vote,
    within=st.sampled_from(["none", "entropy", "share"]),
    normaliser=st.sampled_from(["distinct", "samples"]),
    prior=st.sampled_from([None, (2, 1, 1), (1, 2, 1), (5, 2, 1), (1, 1, 0.4), (3, 1, 1), (0.3, 0.2, 0.1), (8, 3, 1)]),
    ties=st.sampled_from(["first", "random", "wrong"]),
)
THRESHOLDS = st.sampled_from([0.0, 0.3, 0.5, 0.6, 0.75, 1.0, 1.5])


@st.composite
def switches(draw, sizes, n):
    vote = draw(VOTES)
    prior = vote.prior[:n] if vote.prior else None
    return ModelSwitch(
        XYZ[:n],
        agreement=draw(THRESHOLDS),
        strict=draw(st.booleans()),
        on_agreement=draw(st.sampled_from(["adopt", "adopt", "pool"] if n < 3 else ["adopt"])),
        test_last=draw(st.booleans()),
        vote=Vote(within=vote.within, normaliser=vote.normaliser, prior=prior, ties=vote.ties),
        sizes=sizes,
    )


def assert_right_about_every_draw(strategy, budget):
    found = lossless(strategy, budget)
    assert found.holds == (found.example is None) == (not found.reasons)
    if found.holds:
        assert not anywhere(strategy, budget)
    else:
        sizes = naive.allocate(budget, len(strategy.models), strategy.sizes, strategy.shares)
        assert [len(answers) for answers in found.example] == sizes
        assert differs(strategy, found.example)


@pytest.mark.slow
@given(st.sampled_from([(1, 1), (2, 2), (3, 3), (1, 3), (3, 1), (2, 3), (4, 2), (5, 1), (1, 5)]), st.data())
@settings(max_examples=examples(250))
def test_two_models_on_every_draw(sizes, data):
    assert_right_about_every_draw(data.draw(switches(sizes, 2)), sum(sizes))


@given(st.sampled_from([(1, 1, 1), (2, 1, 1), (3, 1, 1), (2, 2, 1), (4, 1, 1), (1, 2, 2), (2, 1, 2)]), st.data())
@settings(max_examples=examples(150))
def test_three_models_on_every_draw(sizes, data):
    assert_right_about_every_draw(data.draw(switches(sizes, 3)), sum(sizes))


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 7])
def test_the_remainder_and_models_left_out(budget):
    for vote in (Vote.plurality(), Vote.entropy(), Vote.plurality(ties="random")):
        assert_right_about_every_draw(ModelSwitch(XYZ, vote=vote), budget)
        assert_right_about_every_draw(ModelSwitch(XYZ[:2], vote=vote, agreement=0.5), min(budget, 5))


# Non-unanimous agreement under entropy weights ------------


def partitions(n, most):
    yield ()
    for first in range(1, min(n, most) + 1):
        for rest in partitions(n - first, first):
            yield (first, *rest)


@pytest.mark.parametrize("normaliser", ["distinct", "samples"])
@pytest.mark.parametrize("size", range(2, 15))
def test_the_least_lead_of_a_stage_is_where_two_answers_share_it(size, normaliser):
    """Over every split of a stage's votes, however many lack an answer: the derivation in the docstring."""
    for need in range(1, size + 1):
        leads = []
        for votes in partitions(size, size):
            if votes and votes[0] >= need:
                answers = [str(i) for i, n in enumerate(votes) for _ in range(n)]
                rival = votes[1] if len(votes) > 1 else 0
                leads.append(naive.entropy_weight(answers, normaliser) * (votes[0] - rival))
        rival = min(need, size - need)
        narrow = naive.entropy_weight(["c"] * need + ["a"] * rival, normaliser) * (need - rival)
        assert min(leads) == pytest.approx(narrow, abs=1e-9)
        # And it is what decides: another model whose votes count a hair more, or less, than this lead.
        for factor, holds in ((1.001, False), (0.999, True)):
            if narrow > 1e-9:
                switch = ModelSwitch(
                    ["x", "y"],
                    agreement=(need - 0.5) / size,
                    test_last=False,
                    sizes=(size, 1),
                    vote=Vote.entropy(normaliser=normaliser, prior=(1, narrow * factor)),
                )
                found = lossless(switch, size + 1)
                assert found.holds == holds
                assert holds or differs(switch, found.example)


# The lemma, and where it fails ----------------------------


@pytest.mark.parametrize("vote", [Vote.plurality(), Vote.entropy(), Vote.entropy(normaliser="samples")])
def test_the_lemma_of_the_paper(vote):
    for k in (1, 2, 5, 16, 512):
        for last in (True, False):
            assert lossless(ModelSwitch(XYZ[:2], vote=vote, test_last=last), 2 * k).holds


def test_it_fails_for_three_models():
    switch = ModelSwitch(XYZ, vote=Vote.plurality())
    assert differs(switch, [["a", "b"], ["c", "c"], ["a", "a"]])
    found = lossless(switch, 6)
    assert not found.holds
    assert found.reasons[:2] == (
        "stage 1 ('x') agrees with 2 of 2 votes: its answer may lead by only 2 there, and another can have 4 in the "
        "other stages",
        "stage 2 ('y') agrees with 2 of 2 votes: its answer may lead by only 2 there, and another can have 3 in the "
        "other stages",
    )
    for k in (1, 2, 5, 16):
        for vote in (Vote.plurality(), Vote.entropy()):
            assert not lossless(ModelSwitch(XYZ, vote=vote), 3 * k).holds


def test_it_fails_for_thresholds_below_one():
    assert lossless("ms:x+y,vote=plurality", 10).holds
    found = lossless("ms:x+y,vote=plurality,agreement=0.8", 10)
    assert not found.holds
    assert found.example == (("a", "c", "c", "c", "c"), ("a",) * 5)
    assert not lossless("ms:x+y,agreement=0.8", 10).holds


def test_it_fails_for_a_second_model_that_counts_more():
    assert not lossless("ms:x+y,vote=plurality,prior=1/2", 6).holds
    assert not lossless("ms:x+y,vote=plurality,prior=1/1.01,test_last=false", 6).holds
    assert not lossless("ms:x+y,vote=plurality,prior=1/1.00001,test_last=false", 6).holds
    assert lossless("ms:x+y,vote=plurality,prior=1/1.0000000001,test_last=false", 6).holds  # equal up to rounding


def test_a_first_model_that_counts_more_is_enough_only_if_the_last_is_not_tested():
    """Its two votes for a outweigh three of the second model, which are adopted."""
    for prior in ("3/1", "1.5/1"):
        tested = f"ms:x+y,vote=plurality,prior={prior}"
        found = lossless(tested, 6)
        assert not found.holds
        assert found.example == (("a", "a", None), ("c", "c", "c"))
        assert found.reasons[0].startswith("stage 2 ('y') agrees with 3 of 3 votes")
        assert lossless(f"{tested},test_last=false", 6).holds
    assert lossless("ms:x+y,vote=plurality,prior=1.49/1", 6).holds  # 2 x 1.49 < 3
    assert "and ties can go to the other" in lossless("ms:x+y,vote=plurality,prior=1.5/1", 6).reasons[0]


def test_ties_that_do_not_go_to_the_first_model_are_enough_to_fail():
    for ties in ("random", "wrong"):
        found = lossless(f"ms:x+y,vote=plurality,ties={ties}", 4)
        assert not found.holds
        assert found.example == (("c", "c"), ("a", "a"))
        assert differs(ModelSwitch(XYZ[:2], vote=Vote.plurality(ties=ties)), found.example)


def test_a_model_that_counts_enough_makes_three_lossless():
    strategy = ModelSwitch(XYZ, vote=Vote.plurality(prior=(5, 1, 1)), test_last=False, sizes=(2, 1, 1))
    assert not lossless(strategy, 4).holds  # the second stage adopts against the first model's one vote
    assert lossless(ModelSwitch(XYZ, vote=Vote.plurality(prior=(5, 8, 1)), sizes=(2, 1, 2)), 5).holds is False
    assert lossless(ModelSwitch(XYZ, vote=Vote.plurality(prior=(8, 3, 1)), sizes=(1, 1, 1)), 3).holds


def test_a_rival_drawn_first_wins_a_tie_against_the_first_model():
    """Two of three votes against one there and one of the second model; unanimity would win such a tie."""
    strategy = ModelSwitch(XYZ[:2], agreement=0.6, vote=Vote.plurality(), sizes=(3, 1), test_last=False)
    found = lossless(strategy, 4)
    assert not found.holds
    assert found.example == (("a", "c", "c"), ("a",))
    assert differs(strategy, found.example)
    assert lossless(ModelSwitch(XYZ[:2], vote=Vote.plurality(), sizes=(3, 3), test_last=False), 6).holds


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.0])
def test_a_model_on_its_own_is_lossless_even_where_it_agrees_on_a_tie(ties, agreement):
    for budget in (1, 2, 4):
        strategy = ModelSwitch(["x"], agreement=agreement, vote=Vote.plurality(ties=ties))
        assert lossless(strategy, budget).holds
        assert_right_about_every_draw(strategy, budget)


def test_pooling_on_agreement_matters_at_the_first_of_two_models_only():
    assert lossless("ms:x+y,vote=plurality,prior=3/1,on_agreement=pool", 6).holds
    assert not lossless("ms:x+y,vote=plurality,prior=1/3,on_agreement=pool", 6).holds
    assert lossless("ms:x+y+z,on_agreement=pool", 2).holds  # the third model has nothing to draw


@pytest.mark.parametrize(
    ("strategy", "budget", "error", "says"),
    [
        ("sc:x", 2, StrategyError, "strategy: sc:x is not a ModelSwitch. Use e.g. 'ms:strong+weak'."),
        ("ms:x+y,vote=best_of_n", 2, StrategyError, "has an unsupported vote. Use vote=plurality"),
        ("ms:x+y,vote=max_consistency", 2, StrategyError, "Use vote=plurality, vote=entropy or within=share"),
        (
            "ms:x+y+z,on_agreement=pool",
            3,
            StrategyError,
            "on_agreement: pool supports at most two stages, but ms:x+y+z,on_agreement=pool has 3",
        ),
        ("ms:x+y", [2, 4], BudgetError, "budget=[2, 4]: exactly one budget is supported"),
        ("ms:x+y", 0, BudgetError, "budgets=0 is not valid. Use positive integers"),
    ],
)
def test_what_is_not_covered_is_refused(strategy, budget, error, says):
    with pytest.raises(error) as caught:
        lossless(strategy, budget)
    assert says in str(caught.value)


@given(switches((3, 3), 2), st.sampled_from([1e-3, 7.0]))
def test_scaling_the_weights_changes_nothing(strategy, factor):
    assume(strategy.vote.prior)
    scaled = Vote(
        within=strategy.vote.within,
        normaliser=strategy.vote.normaliser,
        prior=tuple(w * factor for w in strategy.vote.prior),
        ties=strategy.vote.ties,
    )
    other = ModelSwitch(
        **{name: getattr(strategy, name) for name in ("models", "agreement", "strict", "on_agreement", "test_last")},
        sizes=strategy.sizes,
        vote=scaled,
    )
    one, two = lossless(strategy, 6), lossless(other, 6)
    assert (one.holds, one.example) == (two.holds, two.example)
