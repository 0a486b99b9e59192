"""Tables, figures and a progress bar whose guess is honest."""

import json
import logging
import warnings

import numpy as np
import pandas as pd
import pytest
import rich.progress

from mssim import PoolWarning
from mssim.cli.output import data_title, pool_warnings, print_frame, printable, progress_bar, quiet_matplotlib


@pytest.fixture
def bar(monkeypatch):
    """The bar on a terminal, and its clock."""
    clock, bars = [0.0], []

    class Watched(rich.progress.Progress):
        def __init__(self, *columns, **options):
            super().__init__(*columns, **options, get_time=lambda: clock[0], auto_refresh=False)
            bars.append(self)

    monkeypatch.setattr("rich.progress.Progress", Watched)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_bar("evaluating") as progress:

        def at(time, done, total):
            clock[0] = time
            progress(done, total)
            return bars[0].tasks[0].time_remaining

        yield at


def test_what_was_done_before_is_not_taken_for_speed(bar):
    assert bar(0, 800, 1000) is None
    assert bar(10, 805, 1000) == 390  # two seconds each
    assert bar(20, 810, 1000) == 380


def test_the_guess_is_made_of_many_blocks(bar):
    bar(1, 1, 1000)
    for done in range(2, 101):
        left = bar(done, done, 1000)
    assert left == 900
    assert bar(200, 101, 1000) == pytest.approx(899 * 199 / 100, abs=1)  # one slow block is one of a hundred


def test_elsewhere_there_is_no_bar():
    with progress_bar("evaluating") as progress:
        assert progress is None


def test_a_frame_is_a_table_for_people_and_json_for_programs(capsys):
    frame = pd.DataFrame(
        {"strategy": ["[red]sc:x[/red]", "b\x1b[2J"], "cost": [0.1234567, np.nan], "accuracy": 0.5, "none": np.nan}
    )
    print_frame(frame, title="SYNTHETIC DATA")
    table = capsys.readouterr().out
    assert table.startswith("SYNTHETIC DATA")
    assert "[red]sc:x[/red]" in table
    assert r"b\x1b[2J" in table
    assert "0.123457" in table
    assert "0.5000" in table
    assert "none" not in table  # a column without values
    print_frame(frame, "json", title="SYNTHETIC DATA")
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"strategy": "[red]sc:x[/red]", "cost": 0.1234567, "accuracy": 0.5, "none": None}
    assert rows[1]["cost"] is None


@pytest.mark.parametrize(
    ("name", "values", "texts"),
    [
        ("tokens", [1234.56, 7.0], ["1234.6", "7.0"]),
        ("tokens_p50", [1234.5, 7.0], ["1234.5", "7.0"]),
        ("latency", [12.34567, 0.5], ["12.346", "0.500"]),
        ("latency_p99.9", [12.34567, 0.5], ["12.346", "0.500"]),
        ("cost", [0.0123456789, 0.5], ["0.012346", "0.500000"]),
        ("cost", [0.0000123456789, np.nan], ["0.0000123457"]),
        ("cost_p95", [12.3456789, 0.001], ["12.3457", "0.0010"]),
        ("cost", [123456789.0, 2.5], ["123456789.00", "2.50"]),
        ("cost", [0.0, 0.0], ["0.0000"]),
        ("cost", [1e-40, 0.0], ["0.000000000000000"]),
        ("contradiction", [-1e-17, -0.5], ["0.0000", "-0.5000"]),
        ("cost_exceeds", [0.12345, 0.5], ["0.1235", "0.5000"]),
        ("tokens_exceed", [0.12345, 0.5], ["0.1235", "0.5000"]),
        ("cost", ["free", 1], ["free", "1"]),
    ],
)
def test_digits_of_columns(capsys, name, values, texts):
    print_frame(pd.DataFrame({name: values}))
    cells = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [cell for cell in cells if cell][2:] == texts if len(texts) == 2 else texts[0] in cells


def test_text_for_a_terminal_is_one_line():
    assert printable("a\nb\x1b[31m\u202e") == r"a\nb\x1b[31m\u202e"
    assert printable("\u00e9 [b] 7") == "\u00e9 [b] 7"
    assert printable(None) == "None"


def test_warnings_of_pools_are_lines_on_stderr_and_others_remain_warnings(capsys):
    def load():
        with pool_warnings():
            for message, category in (("few", PoolWarning), ("old", DeprecationWarning), ("few", PoolWarning)):
                warnings.warn(message, category, stacklevel=1)

    with pytest.warns(DeprecationWarning, match="old"):
        load()
    assert capsys.readouterr().err == "mssim: warning: few\n" * 2


def test_only_synthetic_data_have_a_title():
    assert data_title({"synthetic": True}) == "SYNTHETIC DATA"
    assert data_title({"synthetic": False}) is data_title({}) is None


def test_headers_and_titles_are_printed_as_they_are_written(capsys):
    frame = pd.DataFrame({"[/red]": ["[link=x]a"], "a\x1b[31m": [1], "[b]": [0.5]})
    print_frame(frame, title="[/b] of \x07")
    out = capsys.readouterr().out
    for text in ("[/red]", "[link=x]a", "a\\x1b[31m", "[b]", "[/b] of \\x07"):
        assert text in out


def test_the_log_of_matplotlib_is_hidden_while_a_figure_is_drawn(caplog, monkeypatch):
    logger = logging.getLogger("matplotlib")
    monkeypatch.setattr(logger, "disabled", False)  # import-linter disables all loggers of the process
    with quiet_matplotlib():
        logger.warning("a temporary cache directory")
    logger.warning("another")
    assert caplog.messages == ["another"]
