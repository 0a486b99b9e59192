"""Rules that stop within one model: the same decisions as others' code and formulas, and what they promise."""

import math
import random
from dataclasses import dataclass
from fractions import Fraction

import numba
import numpy as np
import pytest
from adaptive_consistency import AC, BetaStoppingCriteria, EntropyStoppingCriteria, MajorityStoppingCriteria
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from mssim import (
    BetaStop,
    EntropyStop,
    EValueStop,
    MajorityStop,
    OwnStop,
    SelfConsistency,
    Stop,
    StrategyError,
    WindowStop,
    evaluate,
    parse_strategy,
)
from mssim.kernels import stops, user_functions
from mssim.kernels.tally import Recorded, Replays
from mssim.rules import registry
from tests import naive
from tests.conftest import make_pool


def decisions(rule, answers):
    """Draws after which the kernel stops on these answers in this order; None if it does not."""
    known = sorted(set(answers) - {None})
    codes = np.array([[[known.index(a) if a is not None else -1 for a in answers]]], dtype=np.int16)
    # The samples are put where a replay's random order finds them in the order given.
    depth = len(answers)
    shuffled = np.empty_like(codes)
    shuffled[0, 0, naive.positions(0, "x", "q", 0, depth, depth)] = codes[0, 0]
    keys = np.array([[naive.stream_key(0, "x", "q")]], dtype=np.uint64)
    recorded = Recorded(
        shuffled,
        np.array([[depth]], dtype=np.int32),
        np.array([0, len(known)]),
        np.zeros(len(known), dtype=bool),
        keys,
        keys[0],
    )
    if isinstance(rule, OwnStop):
        end = user_functions.ends(recorded, depth, rule.function, np.zeros((0, 1, 1, depth)), Replays(0, 1, False))
    else:
        end = stops.ends(recorded, depth, rule.table(depth), Replays(0, 1, False))
    return int(end[0, 0]) if end[0, 0] <= depth else None


def sequences(n, seed):
    rng = random.Random(seed)
    for _ in range(n):
        weights = [rng.random() ** 3 for _ in range(rng.randint(1, 6))]
        yield rng.choices("abcdef"[: len(weights)], weights, k=40)


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (BetaStop, BetaStoppingCriteria),
        (MajorityStop, MajorityStoppingCriteria),
        (EntropyStop, EntropyStoppingCriteria),
    ],
)
def test_the_decisions_of_the_package_of_adaptive_consistency(ours, theirs, threshold):
    """Version 1.0.0 of the authors' package, on random sequences of one to six answers."""
    rule, adaptive = ours(threshold), AC(stop_criteria=theirs(threshold))
    stopped = set()
    for answers in sequences(60, seed=threshold):
        expected = next((n for n in range(1, 41) if adaptive.should_stop(answers[:n])), None)
        assert decisions(rule, answers) == expected
        stopped.add(expected)
    assert len(stopped) > 1


def test_defaults_are_those_of_the_package():
    for ours, theirs in (
        (BetaStop(), BetaStoppingCriteria()),
        (MajorityStop(), MajorityStoppingCriteria()),
        (EntropyStop(), EntropyStoppingCriteria()),
    ):
        assert next(iter(vars(ours).values())) == theirs.conf_thresh


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (4, 0), (3, 2), (9, 4), (20, 19), (40, 11)])
def test_one_minus_the_incomplete_beta_function_is_the_ratio_of_its_integrals(first, second):
    mode = first / (first + second) if first else 0.5

    def posterior(x):  # over its maximum, for the sake of the integrals' precision
        return (x / mode) ** first * ((1 - x) / max(1 - mode, 0.5)) ** second

    upper, whole = integrate.quad(posterior, 0.5, 1)[0], integrate.quad(posterior, 0, 1)[0]
    closed = 1 - special.betainc(first + 1, second + 1, 0.5)
    assert closed == pytest.approx(upper / whole, rel=1e-8)
    assert closed == pytest.approx(float(naive.leads(first, second)), rel=1e-12)


@pytest.mark.parametrize("threshold", [0.51, 0.75, 0.9, 0.95, 0.96875, 0.999])
def test_the_table_of_beta_is_exact(threshold):
    """Against rational arithmetic, at thresholds that a certainty hits exactly (3/4, 31/32) too."""
    table = BetaStop(threshold).table(60).by_second
    for second, need in enumerate(table):
        assert need == next((v for v in range(61) if naive.leads(v, second) >= Fraction(threshold)), 61)


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.05, 0.001])
def test_the_table_of_e_values_is_exact(alpha):
    table = EValueStop(alpha).table(60).by_second
    for second, need in enumerate(table):
        assert need == next((v for v in range(61) if naive.e_value(v, second) * Fraction(alpha) >= 1), 61)


def test_tables_of_thousands_of_draws_are_made_at_once():
    table = BetaStop().table(30_000).by_second
    assert table.size == 15_001
    lead = table - np.arange(table.size)
    assert (np.diff(lead) >= 0).all()
    # With many votes theta is nearly normal, and the leader needs 1.645 standard deviations.
    assert lead[10_000] == pytest.approx(1.645 * math.sqrt(2 * 10_000), rel=0.02)


@given(st.lists(st.booleans(), max_size=12))
def test_e_values_are_a_martingale_under_a_fair_coin(flips):
    first, second = sum(flips), len(flips) - sum(flips)
    after = naive.e_value(first + 1, second) + naive.e_value(first, second + 1)
    assert after / 2 == naive.e_value(first, second)


@pytest.mark.parametrize("chance", [0.5, 0.45, 0.3])
@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_an_answer_that_is_not_the_likeliest_is_hardly_ever_stopped_on(alpha, chance):
    """The chance that the rule stops on answer A within 400 draws, exactly: at most alpha where A is no likelier."""
    depth = 400
    need = EValueStop(alpha).table(depth).by_second
    going, stopped = {0: 1.0}, 0.0  # by votes for A
    for n in range(1, depth + 1):
        after = {}
        for votes, p in going.items():
            for more, q in ((1, chance), (0, 1 - chance)):
                after[votes + more] = after.get(votes + more, 0.0) + p * q
        going = {}
        for votes, p in after.items():
            first, second = max(votes, n - votes), min(votes, n - votes)
            if first < need[second]:
                going[votes] = p
            elif votes == first:
                stopped += p
    assert 0 < stopped <= alpha
    if chance == 0.5:
        assert stopped > alpha / 4  # and the promise is not empty


def test_beta_makes_no_such_promise():
    """Looking after every draw, a posterior of 0.95 is reached far more often than in one of twenty fair coins."""
    pool = make_pool({("x", f"q{q}"): ["a", "b"] for q in range(20)}, truth="b")
    result = evaluate(pool, SelfConsistency("x", stop=BetaStop()), 100, n_replays=500, replacement=True)
    assert result.agreed.mean() > 0.5


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (BetaStop(), "aaaa", 4),
        (BetaStop(), "aaabaaa", 7),
        (BetaStop(), "abababab", None),
        (EValueStop(), "aaaaaaa", 7),
        (EValueStop(), "aaaaaa", None),
        (MajorityStop(0.8), "abaaa", 5),
        (MajorityStop(0.8), [None, "a", "a", "a", "a"], 5),  # no answer is a draw, and no vote
        (MajorityStop(0.5), [None, None, None], None),
        (MajorityStop(0.8, min_samples=1), "a", 1),
        (EntropyStop(), "aaaa", 4),
        (EntropyStop(0.75), [None, "a", "a", "a", "a"], 5),  # no answer is an answer that nobody shares
        (EntropyStop(1.0), [None, None], None),
        (WindowStop(2), "abbbaa", 4),
        (WindowStop(2), ["a", None, None, None, "b", "b"], 6),
        (OwnStop(lambda counts, n: counts.sum() == n == 3), "abc", 3),
    ],
)
def test_when_rules_stop(rule, answers, end):
    assert decisions(rule, list(answers)) == end == naive.first_stop(rule, list(answers))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: BetaStop(0.5),
            "BetaStop: threshold=0.5 is out of range. Give a certainty between 0.5 and 1, e.g. 0.95",
        ),
        (lambda: BetaStop(1.0), "threshold=1.0 is out of range. Give"),
        (lambda: BetaStop("0.9"), "threshold='0.9' is out of range. Give"),
        (lambda: EValueStop(0), "EValueStop: alpha=0 is out of range. Give an error rate between 0 and 1, e.g. 0.05"),
        (lambda: MajorityStop(0), "MajorityStop: share=0 is out of range. Give a share from above 0 to 1"),
        (lambda: MajorityStop(1.1), "share=1.1"),
        (lambda: MajorityStop(0.8, min_samples=0), "min_samples=0 is out of range. Use an integer from 1 to 32767"),
        (lambda: EntropyStop(math.nan), "EntropyStop: threshold=nan is out of range. Give a number from above 0 to 1"),
        (lambda: OwnStop("three"), "OwnStop: function='three' is not callable. Give a function of (counts, n)."),
        (lambda: parse_strategy("sc:a,stop=majority:0.8/2/3"), "cannot be read. Example: stop=majority:0.8/2."),
        (lambda: parse_strategy("sc:a,stop=evalue:x"), "stop='evalue:x' cannot be read. Example: stop=evalue:0.05."),
        (lambda: parse_strategy("sc:a,stop=beta:2"), "threshold=2.0 is out of range. Give a certainty"),
        (lambda: parse_strategy("sc:a,stop=own:f"), "rule 'own'; choose from"),
    ],
)
def test_what_is_no_rule_says_what_is(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_rules_read_back_from_their_text():
    for rule in (
        BetaStop(),
        BetaStop(0.9),
        MajorityStop(),
        MajorityStop(0.75, 5),
        EntropyStop(0.5, 1),
        EValueStop(0.01),
    ):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert parse_strategy("sc:a,stop=beta").stop == BetaStop()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda counts, n: counts[n + 7] > 0, "raises an error for votes of shape (3,): IndexError: index 8 is out of"),
        (
            lambda counts, n: counts >= n,
            "the function of OwnStop returned array([ True, False, False]). Return True or",
        ),
        (lambda counts, n: None if n else counts, "returned None. Return True or False"),
        (numba.njit(lambda counts, n: counts.nothing + n), "TypingError"),
    ],
)
def test_a_function_that_is_no_rule_is_refused_at_once(function, says):
    pool = make_pool({("x", "q"): ["a", "b"]})
    with pytest.raises(StrategyError) as error:
        evaluate(pool, {"mine": SelfConsistency("x", stop=OwnStop(function))}, 2, n_replays=2)
    assert str(error.value).startswith("mine: ")
    assert says in str(error.value)


def test_a_rule_of_ones_own_where_nobody_ever_answers():
    pool = make_pool({("x", "q"): [None, None, None]})
    for function in (
        numba.njit(lambda counts, n: counts.max() > 0 or n > 1),
        lambda counts, n: counts.max() > 0 or n > 1,
    ):
        result = evaluate(pool, {"": SelfConsistency("x", stop=OwnStop(function))}, 3, n_replays=2)
        assert (result.accuracy.item(), result.samples_used.item()) == (0, 2)


@pytest.fixture
def registered(monkeypatch):
    """A registry of stop rules that is as before after the test."""
    monkeypatch.setattr(registry.STOPS, "_rules", dict(registry.STOPS))


@pytest.mark.usefixtures("registered")
def test_a_subclass_with_any_annotations_has_its_text():
    """This module evaluates its annotations, unlike those of the library."""

    @dataclass(frozen=True)
    class First(Stop):
        name = "first"
        votes: int
        share: float | None = None
        loud: bool = False

        def stops(self, answers, numbers):
            return answers.size >= self.votes + numbers.shape[0]

    rule = parse_strategy("sc:x,stop=first:2/0.5/true")
    assert rule == SelfConsistency("x", stop=First(2, 0.5, True))
    assert str(SelfConsistency("x", stop=First(2))) == "sc:x,stop=first:2"
    assert evaluate(make_pool({("x", "q"): list("abcab")}), {"rule": rule}, 4, n_replays=3).samples_used.item() == 2
    with pytest.raises(StrategyError, match=r"cannot be read\. Example: stop=first:3/None/False"):
        parse_strategy("sc:x,stop=first")


@pytest.mark.usefixtures("registered")
def test_a_subclass_without_options_or_without_text_explains_itself():
    class Always(Stop):
        name = "always"

        def stops(self, answers, numbers):
            return answers.size > numbers.shape[0]

    assert str(SelfConsistency("x", stop=Always())) == "sc:x,stop=always"
    assert isinstance(parse_strategy("sc:x,stop=always").stop, Always)

    @dataclass(frozen=True)
    class Listed(Always):
        name = "listed"
        wanted: dict | None = None

    with pytest.raises(StrategyError, match="wanted: an option of type dict cannot be given as text"):
        parse_strategy("sc:x,stop=listed:3")
    with pytest.raises(StrategyError, match="is the name of"):

        class Other(Stop):
            name = "beta"

    with pytest.raises(TypeError, match="abstract method"):
        type("Nothing", (Stop,), {})()
