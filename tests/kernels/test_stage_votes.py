"""Votes of stages: weights by their formula. Their winners are those of the oracle in test_stages.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.kernels import stage_votes
from mssim.kernels.tally import logarithms
from tests import naive

pytestmark = pytest.mark.kernels


@given(st.lists(st.sampled_from("abc-"), min_size=1, max_size=30), st.sampled_from(["distinct", "samples"]))
def test_entropy_weights_are_those_of_the_oracle(answers, normaliser):
    given_ = [None if a == "-" else a for a in answers]
    votes = [given_.count(a) for a in "abc" if a in given_]
    logs, inverse_logs, inverses, steps = logarithms(len(answers))
    ordered = sum(int(steps[:n].sum()) for n in votes)
    kind = stage_votes.ENTROPY_DISTINCT if normaliser == "distinct" else stage_votes.ENTROPY_SAMPLES
    known = (len(answers), ordered, len(votes), sum(votes))
    found = stage_votes.within_weight(kind, *known, logs, inverse_logs, inverses)
    assert found == pytest.approx(naive.entropy_weight(given_, normaliser), abs=1e-9)
    assert stage_votes.within_weight(stage_votes.SHARE, *known, logs, inverse_logs, inverses) == pytest.approx(
        1 / len(answers)
    )
    assert stage_votes.within_weight(stage_votes.PLAIN, *known, logs, inverse_logs, inverses) == 1
