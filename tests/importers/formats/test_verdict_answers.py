"""Answers that agree with verdicts, so that the accuracy of a pool is the mean of the verdicts."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from mssim.importers.formats.verdict_answers import VerdictAnswers
from mssim.importers.sink import Sink
from mssim.pools.texts import normal

SAMPLES = st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from(["7", " 7", "8", "", " ", None]), st.booleans()))


@given(samples=SAMPLES)
def test_every_answer_to_a_question_has_one_verdict(samples):
    answers, verdicts = VerdictAnswers(), defaultdict(set)
    for question, answer, correct in samples:
        found = answers.answer(question, answer, correct)
        assert found is not None or not correct
        if found is not None:
            verdicts[question, normal(found)].add(correct)
    assert all(len(some) == 1 for some in verdicts.values())


def test_only_contradictions_change_an_answer(tmp_path):
    answers, sink = VerdictAnswers(), Sink(tmp_path)
    given = [("q", "7", False), ("q", "7 ", True), ("q", "7", False), ("p", "7", True), ("q", None, False)]
    found = [answers.answer(*one) for one in given]
    assert found == ["7", "7 (judged correct)", "7", "7", None]
    answers.report(sink)
    assert [note[:40] for note in sink.notes] == ["1 sample has an answer that is judged bo"]
    assert answers.answer("q", " ", True) == "no answer (judged correct)"
    answers.report(sink)
    assert sink.notes[1].startswith("1 sample is judged correct without an answer")


def test_nothing_is_said_if_nothing_was_changed(tmp_path):
    sink = Sink(tmp_path)
    VerdictAnswers().report(sink)
    assert not sink.notes
