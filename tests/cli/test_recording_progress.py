"""Progress of requests: a bar on a terminal, else a line per minute; the lines of the log are tested with `record`."""

import io
import sys

import pytest

from mssim.cli.recording_progress import answered, live_line, progress_line, reporting
from mssim.live import LiveProgress
from mssim.recorder import Progress


def test_what_is_written_does_not_count_what_is_left():
    assert progress_line(Progress(10, 9, 1, writing=True)) == "9 of 10 samples; writing the pool"
    live = LiveProgress(40, 9, 0, writing=True, questions=10, answered=9)
    assert live_line(live, "questions", "samples") == "9 of 10 questions; writing the pool"


def test_a_line_of_a_live_run_counts_questions():
    live = LiveProgress(40, 12, 1, arrived=12, seconds=6.0, questions=10, cost=0.5, currency="EUR", trouble="HTTP 500")
    assert (
        live_line(live, "questions", "samples")
        == "0 of 10 questions, 12 samples, 1 failed, 2.0/s, 0 in flight, 0.50 EUR, last error: HTTP 500"
    )
    live.answered = 5
    assert "6 s remaining" in live_line(live, "questions", "samples")
    assert answered(live) == (5, 10)


def test_a_silent_server_and_the_last_error_end_a_line(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 5065.0)
    silent = progress_line(Progress(1, 0, 0, silent_since=5000.0, trouble="no"))
    assert silent.endswith("waiting (1 min 5 s), last error: no")
    assert progress_line(Progress(1, 0, 0)).endswith("0 in flight")


@pytest.mark.parametrize("share", [None, answered])
def test_a_terminal_gets_a_bar_with_the_line_and_the_warnings(monkeypatch, share):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    told = set()
    with reporting(told, lambda _: "the line", *([] if share is None else [share])) as report:
        progress = LiveProgress(40, 9, 0, questions=10, answered=9)
        progress.warn("odd")
        report(progress)
    assert told == {"odd"}
    assert "mssim: warning: odd" in sys.stderr.getvalue()
    assert "the line" in sys.stderr.getvalue()
