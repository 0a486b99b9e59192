import json

import pytest
import typer

from mssim._validation import counted
from mssim.cli.live_protocol import check_kind, show_runs
from mssim.errors import MssimError
from mssim.recorder import RequestFailed
from tests.chat_server import serving
from tests.live.repliers import Replier, play
from tests.recording_http import mssim, received, run, write_questions


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "--strategy, --budget: both are required without --protocol"),
        ({"strategy": "sc:a"}, "--strategy, --budget: both"),
        ({"strategy": "sc:a", "budget": 4, "prompts": "x"}, "--prompts: only for --protocol"),
        ({"runs": 4}, "--runs: only for --protocol. Remove it, or name a protocol"),
        ({"called": "x"}, "--called: only for --protocol"),
        ({"protocol": "mad:a"}, "--runs: required with --protocol"),
        ({"protocol": "mad:a", "runs": 4, "strategy": "sc:a"}, "--strategy: not used with --protocol. Remove it."),
        ({"protocol": "mad:a", "runs": 4, "budget": 8}, "--budget: not used"),
        ({"protocol": "mad:a", "runs": 4, "use_recorded": True}, "--use-recorded: not used"),
        ({"protocol": "mad:a", "runs": 4, "seed": 1}, "--seed: .* Seeds of samples are derived from --sample-seed."),
    ],
)
def test_options_of_strategies_and_protocols_exclude_each_other(given, message):
    with pytest.raises(MssimError, match=message):
        check_kind({"seed": 0, "use_recorded": False, **given})


def test_what_fits_together():
    check_kind({"protocol": "mad:a", "runs": 4, "prompts": "x", "called": "y", "seed": 0, "use_recorded": False})
    check_kind({"strategy": "sc:a", "budget": 4, "seed": 1, "use_recorded": True})


def test_tables(tmp_path, capsys):
    result, client = play(tmp_path, "mad:a,rounds=1", runs=6)
    show_runs(result, told=[])
    out, err = capsys.readouterr()
    assert "mad:a,rounds=1" in out
    ended = int((result.to_frame()["ended"] == "judge").sum())
    assert f"{counted(ended, 'run')} ended by judge, with 3.0 calls each" in out
    assert "8 more runs are in --table runs" in out
    assert f"a: {len(client.requests)} requests, 0 refused; {10 * len(client.requests)} input tokens" in out
    assert err == ""


def test_json(tmp_path, capsys):
    result, _ = play(tmp_path, "debate:a+b", runs=2)
    show_runs(result, form="json", told=[])
    report = json.loads(capsys.readouterr().out)
    assert (report["totals"]["runs"], report["totals"]["calls"], report["totals"]["cost"]) == (2, 4.0, None)
    assert [row["run"] for row in report["runs"]] == [0, 1] * 3
    assert report["ends"] == [{"ended": "rounds", "runs": 6, "calls": 4.0}]
    assert [row["requests"] for row in report["models"]] == [12, 12]
    assert report["notes"] == report["warnings"] == []


def test_what_failed_and_what_was_noticed(tmp_path, capsys):
    def before(_):
        if client.events > 20:
            raise RequestFailed("HTTP 400: no", transient=False)

    client = Replier(lambda _: "", before=before)
    result, _ = play(tmp_path, "debate:a,agents=8", runs=2, client=client)
    with pytest.raises(typer.Exit) as end:
        show_runs(result, told=result.warnings[:1])
    assert end.value.exit_code == 1
    err = capsys.readouterr().err
    assert result.warnings[0] not in err
    assert result.warnings[1] in err
    assert "failed: HTTP 400: no" in err
    assert f"mssim: {result.unfinished} runs are unfinished. Rerun the same command with --retry-failed to" in err


def test_an_interrupted_run_tells_how_to_resume(tmp_path, capsys):
    result, _ = play(tmp_path, "debate:a", runs=1, max_requests=3)
    with pytest.raises(typer.Exit):
        show_runs(result, told=[])
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"mssim: {result.unfinished} runs are unfinished. Rerun the same command to resume."
    )


@pytest.mark.slow
def test_the_command(tmp_path):
    path, out = write_questions(tmp_path, 2), tmp_path / "pool"
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('[debate]\nrevise = "{{question}} {{others}}"\n')
    with serving(say={"a": "It is 7.", "b": "It is 8."}) as server:
        asked = mssim("live", path, "--model", "a", "--model", "b", "--base-url", server.base_url, "--out", out)
        asked += ["--protocol", "debate:a+b", "--runs", "2", "--rule", "number", "--prompts", str(prompts)]
        code, printed, err = run([*asked, "--called", "debate", "--json"])
        assert (code, err) == (0, "mssim: 4 calls per run\n")
        assert json.loads(printed)["totals"]["accuracy"] == 1.0
        assert len(received(server)) == 2 * 2 * 4
        last = [entry["last"] for entry in received(server)]
        assert last.count("Ask 0 Another answer:\nIt is 8.") == 2
        code, printed, err = run([*asked, "--protocol", "debate:a+b,rounds=3"])
        assert (code, printed) == (2, "")
        assert "what affects the runs has changed: protocol. It has runs of debate:a+b." in err
        assert len(received(server)) == 2 * 2 * 4
    code, printed, _ = run(mssim("grade", out, "--rule", "exact", "--json"))
    assert (code, json.loads(printed)["models"][0]["accuracy"]) == (0, 0.0)
