"""The demonstration pool of the tests: made by its script, labelled synthetic wherever it shows. The examples."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mssim import load_pool
from tests.cli import test_cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "tests" / "demo-synthetic"
run = test_cli.run


def test_the_script_draws_the_pool(tmp_path):
    subprocess.run([sys.executable, ROOT / "tests" / "make_demo.py", "--out", tmp_path / "again"], check=True)
    again, shipped = load_pool(tmp_path / "again"), load_pool(DEMO)
    assert again.fingerprint == shipped.fingerprint
    assert again.info == shipped.info
    pd.testing.assert_frame_equal(again.to_frame(), shipped.to_frame())


def test_it_is_labelled_synthetic_wherever_it_shows(tmp_path, run):
    assert "synthetic" in DEMO.name
    info = json.loads((DEMO / "pool.json").read_text())
    assert info["synthetic"] is True
    assert "synthetic" in info["title"]
    assert "SYNTHETIC" in (DEMO / "README.md").read_text().splitlines()[0].upper()
    out = tmp_path / "r.parquet"
    two = ["--strategy", "sc:strong", "--strategy", "sc:weak", "--budgets", "2", "--n-replays", "9", "--out", out]
    for command in (
        ["info", DEMO],
        ["evaluate", DEMO, *two],
        ["compare", out, "sc:strong", "sc:weak", "--budget", "2"],
    ):
        code, text, _ = run(*command)
        assert code == 0
        assert "SYNTHETIC DATA" in text


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_the_example_experiments_run(path, run):
    code, text, _ = run("evaluate", "--experiment", path, "--n-replays", "9", "--json")
    assert code == 0
    assert len(json.loads(text)) == 12


def test_the_picture_of_exact_and_replayed_can_be_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "examples")
    script = importlib.import_module("exact_and_replayed")
    monkeypatch.setattr(script, "BUDGETS", range(1, 17))  # the other half takes five times as long
    script.main(tmp_path / "exact.png")
    assert (tmp_path / "exact.png").read_bytes().startswith(b"\x89PNG")
    text = capsys.readouterr().out
    share, n = re.match(r"(\d+)% of (\d+) intervals cover the line, the furthest is ", text).groups()
    assert int(n) == 2 * (2 * 16 + 7)
    assert int(share) > 85  # 95 expected; the seeds are fixed


@pytest.mark.slow
def test_the_picture_of_the_two_uncertainties_can_be_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "examples")
    script = importlib.import_module("two_uncertainties")
    for name, value in {"SAMPLES": (8, 16, 64), "QUESTIONS": (40, 150), "FEW": 32, "REPEATS": 1}.items():
        monkeypatch.setattr(script, name, value)
    script.main(tmp_path / "two.png")
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    questions, these = ([float(row[column]) for row in rows] for column in (2, 3))
    assert len(rows) == 5
    assert these[0] > 1.5 * these[1] > 3 * these[2]  # samples count for these questions,
    assert questions[0] < 1.3 * questions[2]  # but hardly for others;
    assert questions[3] > 1.5 * questions[4]  # the number of questions counts for both
    assert these[3] > 1.5 * these[4]
