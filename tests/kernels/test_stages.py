"""Models in turn: every replay as the oracle asks and counts, alone and in bundles, with controls."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Cascade, Coverage, Mixture, ModelSwitch, SelfConsistency, Vote, parse_strategy
from mssim.engine.stage_rules import rules_of as rules_of_plan
from mssim.kernels import stages
from mssim.kernels.bundles import FIRST_STAGE, NO_CONTROL, TWIN, Bundle, bundle_of
from mssim.kernels.stages import GROUPS
from mssim.kernels.tally import TIE_RULES, Replays
from mssim.rules.agreement import votes_to_agree
from tests import naive
from tests.conftest import examples, make_pool, replay
from tests.kernels.pools import ragged_pool, recorded_of, rules_of

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
def test_leaders_with_equal_votes_tie(ties):
    pool, rule = ragged_pool(), parse_strategy(f"mix:x+y,vote=max_consistency,ties={ties}")
    result = replay(pool, rule, range(2, 13), n_replays=20)
    for b, budget in enumerate(result.budgets):
        hits, _ = naive.evaluate(pool, rule, int(budget), n_replays=20)
        assert (np.rint(result.accuracy[0, b] * 20) == hits).all()


@settings(max_examples=examples(30))
@given(
    st.sampled_from(sorted(TIE_RULES)),
    st.sampled_from([0.0, 0.5, 0.7, 1.0, 1.5]),
    st.booleans(),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
def test_switches_are_replayed_as_the_oracle_does(ties, agreement, adopt, seed, replacement):
    pool, budgets, n = ragged_pool(), np.arange(2, 13), 5
    vote = Vote.plurality(prior=(2, 1), ties=ties)
    switch = ModelSwitch(["x", "y"], agreement=agreement, vote=vote, on_agreement="adopt" if adopt else "pool")
    sizes = np.array([[-(-b // 2) for b in budgets], [b // 2 for b in budgets]])
    rules = rules_of(
        sizes, votes_to_agree(sizes, agreement), prior=np.array([1.0, 0.5]), ties=TIE_RULES[ties], adopt=adopt
    )
    found = stages.staged(recorded_of(pool, ["x", "y"], seed), bundle_of([rules]), Replays(0, n, replacement))
    hits, stopped = found.hits[0], found.stopped[0]
    for b, budget in enumerate(budgets):
        expected, used = naive.evaluate(pool, switch, int(budget), n_replays=n, seed=seed, replacement=replacement)
        assert hits[:, b].tolist() == expected
        assert (n * sizes[0, b] + (n - stopped[:, 0, b]) * sizes[1, b]).tolist() == used


VOTES = st.builds(
    Vote,
    within=st.sampled_from(["none", "entropy", "share"]),
    normaliser=st.sampled_from(["distinct", "samples"]),
    prior=st.sampled_from([None, (2, 1), (0.5, 0.7)]),
    combine=st.sampled_from(["sum", "max"]),
    ties=st.sampled_from(sorted(TIE_RULES)),
)
PAIRS = st.permutations("xyz").map(lambda models: models[:2])
STRATEGIES = st.one_of(
    st.builds(
        ModelSwitch,
        PAIRS,
        agreement=st.sampled_from([0.0, 0.5, 0.7, 1.0, 1.5]),
        on_agreement=st.sampled_from(["adopt", "pool"]),
        test_last=st.booleans(),
        vote=VOTES,
    ),
    st.builds(Mixture, PAIRS, vote=VOTES),
    st.builds(Mixture, st.permutations("xyz"), vote=VOTES.map(lambda vote: replace(vote, prior=None))),
    st.builds(Cascade, st.permutations("xyz"), agreement=st.sampled_from([0.6, 1.0])),
    st.builds(Coverage, PAIRS),
)
BUDGETS = np.array([1, 2, 3, 7, 4, 8])  # sizes of the second stage shrink


def three_models():
    """Three models, three questions, ties between answers, one answer that is missing for all."""
    answers = {("x", "q1"): "aabbc-", ("y", "q1"): "bbbaa-", ("x", "q2"): "aaaaaa", ("y", "q2"): "aaaaaa"}
    answers |= {("x", "q3"): "abcabc", ("y", "q3"): "cc--aa", ("z", "q1"): "abcdef", ("z", "q2"): "aaaaaa"}
    answers |= {("z", "q3"): "------"}
    return make_pool({key: [None if c == "-" else c for c in given] for key, given in answers.items()})


def bundled(pool, strategies, control=None):
    plans = [plan for strategy in strategies for plan in strategy.plans(BUDGETS)]
    rows = [[pool.model_index(model) for model in plan.models] for plan in plans]
    return bundle_of([rules_of_plan(plan) for plan in plans], rows, control)


def control_of(kind, strategy):
    """The strategy that is the control, or None."""
    ties = strategy.vote.ties if hasattr(strategy, "vote") else getattr(strategy, "ties", "first")
    if kind == FIRST_STAGE:
        return SelfConsistency(strategy.models[0], Vote.plurality(ties=ties))
    if isinstance(strategy, Cascade):
        return strategy
    if isinstance(strategy, Coverage):
        return Mixture(strategy.models)
    return replace(strategy, vote=Vote.plurality(ties=ties))


@settings(max_examples=examples(40))
@given(st.lists(STRATEGIES, min_size=1, max_size=5), st.integers(0, 2**64 - 1), st.booleans(), st.data())
def test_plans_and_controls_are_those_of_the_oracle(strategies, seed, replacement, data):
    pool, n = three_models(), 5
    kinds = st.lists(st.sampled_from([NO_CONTROL, FIRST_STAGE, TWIN]), min_size=BUDGETS.size, max_size=BUDGETS.size)
    control = np.array([data.draw(kinds) for _ in strategies])
    recorded, bundle = recorded_of(pool, "xyz", seed), bundled(pool, strategies, control)
    found = stages.staged(recorded, bundle, Replays(0, n, replacement))
    right = naive.recorded(pool)[1]
    for p, strategy in enumerate(strategies):
        for b, budget in enumerate(BUDGETS.tolist()):
            expected = {q: [0, 0, 0] for q in pool.question_ids}
            for one in naive.replays(pool, strategy, budget, n_replays=n, seed=seed, replacement=replacement):
                rest = right[one["question"]], one["rank"]
                won, second = naive.replay(strategy, one["draws"], *rest)[0], False
                if control[p, b] != NO_CONTROL:
                    other = control_of(control[p, b], strategy)
                    draws = one["draws"][: len(other.models)]
                    second = naive.replay(other, draws, *rest)[0]
                for k, counted in enumerate((won, second, won and second)):
                    expected[one["question"]][k] += counted
            counts = found.hits[p, :, b], found.control_hits[p, :, b], found.both[p, :, b]
            assert np.stack(counts, axis=1).tolist() == list(expected.values())


@settings(max_examples=examples(30))
@given(
    st.lists(STRATEGIES, min_size=1, max_size=12),
    st.sampled_from([(0, 1), (5, 4), (2, 4 * GROUPS + 7)]),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
def test_bundles_count_what_their_plans_count_alone(strategies, replays, seed, replacement):
    pool = three_models()
    recorded, bundle = recorded_of(pool, "xyz", seed), bundled(pool, strategies)
    numbers = Replays(*replays, replacement)
    found = stages.staged(recorded, bundle, numbers)
    for p in range(len(strategies)):
        alone = stages.staged(recorded, Bundle(*(values[p : p + 1] for values in bundle)), numbers)
        assert found.hits[p].tolist() == alone.hits[0].tolist()
        assert found.stopped[p].tolist() == alone.stopped[0].tolist()
