"""Verdicts that are fractions: what counts as correct, and what is left out."""

import pytest

from mssim import MssimError, PoolError
from mssim.importers.fields import Fields
from mssim.importers.formats.partial_credit import PartialCredit, verdict_of
from mssim.importers.sink import Sink


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(1, 1.0), (0.0, 0.0), (0.25, 0.25), (True, 1.0), (False, 0.0), (" True ", 1.0), ("false", 0.0), (None, None)],
)
def test_a_verdict_is_a_number_between_0_and_1(value, verdict):
    assert verdict_of(Fields({"v": value}, "line 1"), "v") == verdict


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1.5, "'v' is 1.5. A verdict is between 0"),
        (-0.1, "is -0.1"),
        ("A", "must be a number"),
        ([1], "must be a number"),
        (float("nan"), "must be a finite number"),
    ],
)
def test_what_is_not_a_verdict_is_refused(value, says):
    with pytest.raises(PoolError, match=f"line 1: .*{says}"):
        verdict_of(Fields({"v": value}, "line 1"), "v")


def test_without_a_pass_mark_a_task_with_a_fraction_is_left_out_as_a_whole(tmp_path):
    credit, sink = PartialCredit(), Sink(tmp_path)
    for task, verdict in [("a", 1), ("a", 0), ("b", 1.0), ("b", 0.5), ("c", None)]:
        credit.see(task, verdict)
    assert [credit.omits(task) for task in "abc"] == [False, True, False]
    assert [credit.is_correct(verdict) for verdict in (1, 0)] == [True, False]
    credit.omit("b", 2)
    credit.report(sink, kept=2)
    assert sink.failed == {"verdict between 0 and 1": 2}
    assert [note.split(",")[0] for note in sink.notes] == ["2 samples are left out"]
    assert "verdicts of b are fractions" in sink.notes[0]
    assert not sink.remarks
    with pytest.raises(PoolError, match=r"no samples that are right or wrong.*pass_mark=NUMBER"):
        credit.report(sink, kept=0)


def test_with_a_pass_mark_nothing_is_left_out(tmp_path):
    credit, sink = PartialCredit(0.5), Sink(tmp_path)
    for task in map(str, range(10)):
        credit.see(task, 0.25)
    assert not credit.omits("1")
    assert [credit.is_correct(verdict) for verdict in (0, 0.25, 0.5, 0.75, 1)] == [False, False, True, True, True]
    credit.report(sink, kept=1)
    assert (dict(sink.failed), sink.notes) == ({}, [])
    assert sink.remarks[0].endswith("0, 1, 2, 3, 4, 5, 6, 7 and 2 more have, are correct from 0.5 (pass mark).")


@pytest.mark.parametrize("mark", [0, -1, 1.01, float("nan"), "1", True])
def test_a_pass_mark_is_above_0_and_at_most_1(mark):
    with pytest.raises(MssimError, match=r"pass_mark: .* is not a number above 0 and at most 1"):
        PartialCredit(mark)
