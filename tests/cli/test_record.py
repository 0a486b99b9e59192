"""`mssim record` without a server: options, plans, tables and progress; what a server sees is in test_recorder_http."""

import json
import re

import pytest

from mssim.cli.record import _duration, _Log
from mssim.recorder import Choice, Progress, Reply, RequestFailed
from tests.cli import test_cli
from tests.recording import URL, Client

run = test_cli.run


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Options that record two questions, from a client in this process."""
    table = tmp_path / "questions.csv"
    table.write_text("question_id,question,truth,topic\nq0,1 + 6?,7,sums\nq1,[red]7 x 1?[/red],7,products\n")
    client = Client(lambda request: Reply((Choice("it is 7", "stop"),) * request.n, 10, 5 * request.n))
    monkeypatch.setattr("mssim.recorder._record._openai", lambda _: client)
    return ["record", table, "--out", tmp_path / "pool", "--model", "a", "--base-url", URL, "--samples", 3]


def test_record_shows_what_is_there_and_the_same_again_asks_for_nothing(run, asked):
    code, text, err = run(*asked)
    assert (code, err) == (0, "")
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["a"])
    assert row == ["a", "2", "3", "6", "6", "0", "0"]
    assert "a: 6 requests, 0 refused; 60 input tokens, 30 output tokens; 0.00 s per request\n" in text
    assert run(*asked) == (0, text, "")


def test_status_asks_for_nothing_and_tells_what_is_missing(run, asked, tmp_path):
    code, _, err = run(*asked, "--max-requests", 4)
    assert code == 1
    assert err == "mssim: The limit --max-requests 4 is reached (4 in all runs).\n"
    code, text, err = run("record", "--status", "--out", tmp_path / "pool", "--json")
    assert (code, err) == (1, "")
    row = json.loads(text)[0]
    assert (row["wanted"], row["recorded"], row["missing"], row["cost"]) == (6, 4, 2, None)


def test_failures_are_told_with_their_reason(run, asked, monkeypatch):
    def says(request):
        if "7 x 1" in request.messages[-1]["content"]:
            raise RequestFailed("HTTP 400: no [bold]products[/bold]", transient=False)

    monkeypatch.setattr("mssim.recorder._record._openai", lambda _: Client(says))
    code, _, err = run(*asked)
    assert code == 1
    assert "mssim: 3 samples of a failed: HTTP 400: no [bold]products[/bold]\n" in err
    assert "rerun the same command with --retry-failed" in err


def test_warnings_are_told_once_and_are_in_the_json(run, asked, monkeypatch):
    def says(request):
        return Reply((Choice("", "length"),) * request.n, 10, 5 * request.n, "\x1b[1mother")

    monkeypatch.setattr("mssim.recorder._record._openai", lambda _: Client(says))
    code, text, err = run(*asked, "--json")
    warnings = [
        "6 of 6 samples of a were cut off (finish_reason length)",
        "6 of 6 texts of a are empty, all cut off",
    ]
    other = "samples of a were served by '\\x1b[1mother', but the request names 'a'"
    assert code == 0
    assert json.loads(text)[0]["warnings"] == [*warnings, other]
    assert err.splitlines() == [f"mssim: warning: {line}" for line in (other, *warnings)]
    code, text, err = run("record", "--status", "--out", asked[3])
    assert err.splitlines() == [f"mssim: warning: {line}" for line in (*warnings, other)]


def test_settings_that_the_server_chooses_are_told(run, asked):
    says = "a: top_p, top_k, min_p are not set, so the defaults of the server apply\n"
    assert says in run(*asked)[1]
    assert says not in run(*asked[:3], "--out", f"{asked[3]}2", *asked[4:], "--set", "top_p=0.9")[1]


def test_a_dry_run_shows_the_prompts(run, asked, tmp_path):
    template, system = tmp_path / "prompt.txt", tmp_path / "system.txt"
    template.write_text("On {{topic}}: {{question}} Put it in \\boxed{}.")
    system.write_text("Be brief.")
    code, text, err = run(*asked, "--template", template, "--system", system, "--samples-per-request", 2, "--dry-run")
    assert (code, err) == (0, "")
    assert text.splitlines() == [
        f"== a: 2 questions x 3 samples = 6 samples, 4 requests to {URL}",
        "settings: {'temperature': 1.0}",
        "-- system",
        "Be brief.",
        "-- user",
        "On sums: 1 + 6? Put it in \\boxed{}.",
    ]
    assert not (tmp_path / "pool").exists()


def test_a_dry_run_sends_no_control_sequence_of_a_question_to_the_terminal(run, asked):
    asked[1].write_text('question_id,question,truth\nq0,"1\t+ 6\n\x1b[2J?",7\n')
    code, text, _ = run(*asked, "--dry-run")
    assert code == 0
    assert text.endswith("-- user\n1       + 6\n\\x1b[2J?\n")


@pytest.mark.slow
def test_a_plan_says_everything_but_the_number_of_samples(run, asked, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(f'samples = 4\n[servers.x]\nbase_url = "{URL}"\n[models.a]\n[models.b]\n')
    bare = [*asked[:4], "--plan", plan]
    code, text, _ = run(*bare, "--samples", 2, "--json")
    assert code == 0
    assert [row["recorded"] for row in json.loads(text)] == [4, 4]
    code, text, _ = run(*bare, "--json")
    assert [row["recorded"] for row in json.loads(text)] == [8, 8]
    code, _, err = run(*bare, "--set", "top_p=0.5")
    assert code == 2
    assert "error: --set: not allowed with --plan. Set it in" in err
    assert "Only --samples can be combined with --plan" in err
    assert "--samples-per-request: not allowed with --plan. Set it in" in run(*bare, "--samples-per-request", 2)[2]
    assert "plan.toml already names models and servers. Remove --model" in run(*asked, "--plan", plan)[2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a[:1] + a[2:], "QUESTIONS: missing. Add a JSONL, CSV or Parquet file of questions, or --status"),
        (lambda a: a[:4], "Add --model NAME and --base-url URL, or use --plan FILE"),
        (
            lambda a: [*a, "--set", "seed=1"],
            "would be the same for all samples and repeat them. Use --seed BASE of the plan",
        ),
        (
            lambda a: [*a, "--max-cost", 5],
            "--max-cost: no prices were given. Add a price table to the plan, --prices FILE",
        ),
        (lambda a: [*a, "--max-requests", -1], "--max-requests: -1 is out of range. Use an integer from 0"),
        (lambda a: [*a, "--key-env", "NO_SUCH_KEY_HERE"], "The environment variable NO_SUCH_KEY_HERE is not set"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_asked(run, asked, monkeypatch, change, says):
    if says.startswith("The environment"):
        monkeypatch.undo()
    code, _, err = run(*change(asked))
    assert code == 2
    assert err.startswith("mssim: error: ")
    assert err.count("\n") == 1
    assert says in err


def test_a_constant_temperature_of_zero_is_warned_of(run, asked):
    _, _, err = run(*asked, "--set", "temperature=0", "--dry-run")
    assert re.match(r"mssim: warning: model 'a' has temperature 0, so its 3 samples per question are nearly", err)


def test_the_log_has_a_line_a_minute(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    log = _Log()
    for second in range(150):
        now[0] = 100.0 + second
        log(Progress(1000, second, 0, arrived=second, seconds=float(second)))
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"^\S+ \S+ ", "", line) for line in lines] == [
        "60 of 1000 samples, 940 left, 1.0/s, 0 in flight, 15 min 40 s remaining",
        "120 of 1000 samples, 880 left, 1.0/s, 0 in flight, 14 min 40 s remaining",
    ]


def test_the_log_tells_of_warnings_and_of_a_silent_server_at_once(capsys, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 5065.0)
    log, progress = _Log(), Progress(10, 5, 0)
    log(progress)
    assert capsys.readouterr().err == ""
    progress.warn("odd")
    progress.silent_since = 5000.0
    for _ in range(3):
        log(progress)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "mssim: warning: odd"
    assert re.search(r"server does not answer since \d\d:\d\d:20, waiting \(1 min 5 s\)$", second)


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "5 s"), (65, "1 min 5 s"), (3600 * 26 + 120, "26 h 2 min")])
def test_durations_read_well(seconds, text):
    assert _duration(seconds) == text
