"""`mssim live --predict`: a run beside the prediction of a recording."""

import json

import pyarrow.parquet
import pytest

from tests.live import seeded

STRATEGY = "ms:a+b,agreement=0.75"


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return seeded.recording(tmp_path_factory.mktemp("recorded") / "pool", 30, 40)


@pytest.fixture
def asked(tmp_path, monkeypatch, recorded):
    """Options of a live run with other seeds, beside the recording."""
    table = tmp_path / "questions.parquet"
    pyarrow.parquet.write_table(seeded.questions(30), table)
    monkeypatch.setattr("mssim.live.preparing.openai_client", lambda _: seeded.client())
    servers = ["--model", "a", "--model", "b", "--base-url", seeded.URL]
    live = ["live", table, "--strategy", STRATEGY, "--budget", 8, "--rule", seeded.RULE, *servers]
    return [*live, "--samples-per-request", 8, "--sample-seed", 2, "--out", tmp_path / "live", "--predict", recorded]


def test_a_run_is_shown_beside_its_prediction(run, asked):
    code, text, _ = run(*asked)
    assert code == 0
    title, *lines = text[text.index("This run and what replays") :].splitlines()
    assert title.strip() == "This run and what replays of the recording predicted"
    assert sum("as predicted" in line for line in lines) == 3
    assert any(line.startswith("All together: chi-square ") for line in lines)


def test_json_has_the_prediction(run, asked):
    code, text, _ = run(*asked, "--json")
    found = json.loads(text)
    rows = found["prediction"]["quantities"]
    assert code == 0
    assert [row["quantity"] for row in rows] == ["accuracy", "samples_used", "output_tokens"]
    assert rows[0]["live"] == found["totals"]["accuracy"]
    assert rows[1]["live"] == found["totals"]["samples_used"]
    assert all(abs(row["z"]) < 5 for row in rows)
    assert found["prediction"]["p_value"] > 1e-6


def test_a_recording_with_the_same_seeds_is_refused(run, asked):
    asked[asked.index("--sample-seed") + 1] = 1
    code, text, err = run(*asked)
    assert code == 2
    assert "questions ended at turn 1" in text  # the run was paid, so it is shown
    first, *_, last = err.splitlines()
    assert first.startswith("mssim: warning: model 'a': its seed of samples, 1, is that of the recording.")
    assert last.startswith("mssim: error: --predict: ")
    assert "samples of the live run equal the recorded sample with the same number" in last


def test_an_unsuited_recording_is_refused_before_the_run(run, asked, tmp_path):
    asked[asked.index("--budget") + 1] = 80
    code, _, err = run(*asked)
    assert code == 2
    assert "draws up to 40 samples of model 'a', and 40 of question 'q0' were recorded" in err
    assert not (tmp_path / "live").exists()


def test_an_unfinished_run_is_not_compared(run, asked):
    code, text, err = run(*asked, "--max-requests", 10)
    assert code == 1
    assert "some questions are unfinished, so the run is not compared with --predict yet" in err
    assert "This run and what" not in text


def test_other_settings_than_those_of_the_recording_are_told(run, asked):
    asked[asked.index("--rule") + 1] = "number"
    code, _, err = run(*asked, "--set", "temperature=0.5")
    settings = "is {'temperature': 0.5} in the live run and {'temperature': 1.0} in the recording"
    assert code == 0
    assert err.splitlines() == [  # each once, before the run
        f"mssim: warning: model 'a': settings {settings}, which may therefore not predict it.",
        f"mssim: warning: model 'b': settings {settings}, which may therefore not predict it.",
        "mssim: warning: --rule: the live run is graded by 'number' and the recording by 'regex=it is (\\\\d+)', so "
        "their answers are not the same.",
    ]
