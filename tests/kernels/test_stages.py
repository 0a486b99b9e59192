"""Models in turn: every replay as the oracle asks and counts, and weights by their formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import ModelSwitch, Vote, parse_strategy
from mssim.kernels import stages
from mssim.kernels.tally import TIE_RULES, Replays, logarithms
from mssim.rules.agreement import votes_to_agree
from tests import naive
from tests.conftest import examples, replay
from tests.kernels.pools import ragged_pool, recorded_of, rules_of

pytestmark = pytest.mark.kernels


@given(st.lists(st.sampled_from("abc-"), min_size=1, max_size=30), st.sampled_from(["distinct", "samples"]))
def test_entropy_weights_are_those_of_the_oracle(answers, normaliser):
    given_ = [None if a == "-" else a for a in answers]
    votes = [given_.count(a) for a in "abc" if a in given_]
    logs, inverse_logs, inverses, steps = logarithms(len(answers))
    ordered = sum(int(steps[:n].sum()) for n in votes)
    kind = stages.ENTROPY_DISTINCT if normaliser == "distinct" else stages.ENTROPY_SAMPLES
    known = (len(answers), ordered, len(votes), sum(votes))
    found = stages.within_weight(kind, *known, logs, inverse_logs, inverses)
    assert found == pytest.approx(naive.entropy_weight(given_, normaliser), abs=1e-9)
    assert stages.within_weight(stages.SHARE, *known, logs, inverse_logs, inverses) == pytest.approx(1 / len(answers))
    assert stages.within_weight(stages.PLAIN, *known, logs, inverse_logs, inverses) == 1


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
    hits, stopped = stages.staged(recorded_of(pool, ["x", "y"], seed), rules, Replays(0, n, replacement))
    for b, budget in enumerate(budgets):
        expected, used = naive.evaluate(pool, switch, int(budget), n_replays=n, seed=seed, replacement=replacement)
        assert hits[:, b].tolist() == expected
        assert (n * sizes[0, b] + (n - stopped[:, 0, b]) * sizes[1, b]).tolist() == used
