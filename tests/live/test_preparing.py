"""The folder of a live run: what its journal remembers, and what is refused."""

import pytest

from mssim import RecordError
from mssim.live.drawing import Drawing
from mssim.live.preparing import check_same, prepare
from mssim.live.setup import read_setup
from mssim.recorder import Journal
from tests.live.scripted import Servers, live, plan, questions


def setup(strategy="sc:a", budget=4, **options):
    options = {"rule": "number", "reasoning": "drop", "seed": 0, **options}
    return read_setup(plan(), strategy, budget, **options)


def test_an_empty_journal_takes_any_run(tmp_path):
    with Journal(tmp_path, record=True) as journal:
        check_same(journal, setup(), use_recorded=False)


def test_the_changed_arguments_are_named(tmp_path):
    live(tmp_path, "sc:a", 2)
    with Journal(tmp_path) as journal:
        with pytest.raises(RecordError, match="samples of a live run with budget=2, rule='regex") as error:
            check_same(journal, setup(), use_recorded=False)
        assert "strategy=" not in str(error.value)
        check_same(journal, setup(), use_recorded=True)


def test_the_plan_in_the_journal_has_the_run_and_the_models_of_the_strategy(tmp_path):
    asked, rows = plan().resolve(questions(2)), questions(2).to_pylist()
    with Journal(tmp_path, record=True) as journal:
        recording = {"sampler": lambda _: Servers(asked, ["q0", "q1"]), "max_requests": 7}
        drawing = prepare(Drawing, read_setup(asked, "sc:a", 4, rule="number", reasoning="drop", seed=0), asked, rows,
                          journal, recording)  # fmt: skip
        assert journal.info()["live"] == {"strategy": "sc:a", "budget": 4, "rule": "number", "seed": 0}
        assert list(journal.models()) == ["a"]
        assert journal.models()["a"]["samples"] == 4
        assert [cell.question for cell in journal.cells()] == ["q0", "q1"]
        assert drawing.budget.max_requests == 7
        progress = drawing.progress
        assert (progress.questions, progress.wanted, progress.done, progress.failed) == (2, 8, 0, 0)


def test_the_number_of_samples_of_an_earlier_recording_is_kept(tmp_path):
    live(tmp_path, "sc:a", 6)
    live(tmp_path, "sc:a", 2, use_recorded=True)
    with Journal(tmp_path) as journal:
        assert journal.models()["a"]["samples"] == 6


def test_a_pool_that_cannot_be_written_is_a_note(tmp_path, monkeypatch):
    def fail(*_):
        raise RecordError("no.")

    monkeypatch.setattr("mssim.live.preparing.export_journal", fail)
    result, _ = live(tmp_path, "sc:a", 2)
    assert result.complete
    assert result.notes == ("All samples are in the journal, but the files of the pool were not updated. no.",)
