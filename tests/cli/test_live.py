"""`mssim live`: its tables, JSON and notes, the plan that it asks, and bad input."""

import json

import pytest

from mssim.recorder import Choice, Reply, RequestFailed
from tests.cli import test_cli
from tests.live.scripted import Servers, plan, questions
from tests.recording import URL, Client

run = test_cli.run


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Arguments of a run over questions with scripted answers, and the client that answers."""
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in questions(12).to_pylist()))
    file = tmp_path / "plan.toml"
    file.write_text(f'seed = 1\n[servers.x]\nbase_url = "{URL}"\nconcurrency = 1\n[models.a]\n[models.b]\n')
    client = Servers(plan(), [f"q{i}" for i in range(12)])
    monkeypatch.setattr("mssim.live.preparing.openai_client", lambda _: client)
    options = ["--strategy", "sc:a", "--budget", 4, "--rule", r"regex=it is (\d)", "--out", tmp_path / "pool"]
    return ["live", path, "--plan", file, *options], client


def with_(arguments, **changes):
    """Arguments with other values of options."""
    arguments = list(arguments)
    for name, value in changes.items():
        place = arguments.index(f"--{name}")
        arguments[place : place + 2] = [] if value is None else [f"--{name}", value]
    return arguments


def test_it_shows_totals_the_first_questions_what_was_paid_and_how_to_replay(run, asked, tmp_path):
    code, text, err = run(*asked[0])
    assert (code, err) == (0, "")
    lines = text.splitlines()
    assert next(line.split() for line in lines if "sc:a" in line)[:4] == ["sc:a", "4", "12", "0"]
    assert "12 of 12 questions ended at turn 1: budget" in lines
    assert sum("a 4" in line for line in lines) == 10
    assert "2 more questions are in --table questions" in lines
    assert any(line.startswith("a: 48 requests, 0 refused; 480 input tokens, 336 output tokens") for line in lines)
    assert lines[-1] == f"To replay it: mssim evaluate {tmp_path / 'pool'} --strategy sc:a --budgets 1-4"


def test_a_strategy_that_stops_early_says_what_to_record_before_a_replay(run, asked, tmp_path):
    text = run(*with_(asked[0], strategy="ms:a+b,agreement=0.5"))[1]
    pool = tmp_path / "pool"
    assert text.splitlines()[-1] == (
        "The strategy drew different numbers of samples from different questions. To replay it, first record the "
        f"others: mssim record with the same models, --samples 2 and --out {pool}. Then: mssim evaluate {pool} "
        "--strategy ms:a+b,agreement=0.5 --budgets 1-4"
    )


def test_the_json_has_totals_questions_models_and_notes(run, asked):
    code, text, err = run(*asked[0], "--json")
    assert (code, err) == (0, "")
    found = json.loads(text)
    assert set(found) == {"totals", "stops", "questions", "models", "warnings", "notes"}
    assert (found["totals"]["samples_used"], found["totals"]["tokens"], found["totals"]["cost"]) == (4.0, 68.0, None)
    assert len(found["questions"]) == 12
    assert found["questions"][0]["drawn"] == {"a": 4}
    assert [row["correct"] for row in found["questions"]].count(True) / 12 == found["totals"]["accuracy"]
    assert (found["models"][0]["model"], found["models"][0]["requests"]) == ("a", 48)


@pytest.mark.slow
def test_unfinished_questions_give_exit_code_1_and_a_rerun_resumes(run, asked):
    code, text, err = run(*asked[0], "--max-requests", 10, "--json")
    assert code == 1
    assert json.loads(text)["totals"]["unfinished"] == 10
    assert err.splitlines() == [
        "mssim: The limit --max-requests 10 is reached (10 in all runs).",
        "mssim: 10 questions are unfinished. Rerun the same command to resume.",
    ]
    assert "To replay" not in run(*asked[0], "--max-requests", 10)[1]
    assert run(*asked[0])[0] == 0
    assert len(asked[1].samples()) == 48


def test_samples_that_are_given_up_are_told_with_their_reason(run, asked, monkeypatch):
    def says(request):
        if "q3" in request.messages[-1]["content"]:
            raise RequestFailed("HTTP 400: no [bold]", transient=False)
        return Reply((Choice("it is 1", "stop"),), 10, 5)

    monkeypatch.setattr("mssim.live.preparing.openai_client", lambda _: Client(says))
    code, _, err = run(*asked[0])
    assert code == 1
    assert err.splitlines() == [
        "mssim: 4 samples of a failed: HTTP 400: no [bold]",
        "mssim: 1 question is unfinished. Rerun the same command with --retry-failed to resume.",
    ]


def test_if_nothing_is_sent_only_the_reason_is_told(run, asked, monkeypatch):
    def says(_):
        raise RequestFailed("HTTP 401: no such key", transient=False)

    monkeypatch.setattr("mssim.live.preparing.openai_client", lambda _: Client(says))
    code, text, err = run(*asked[0])
    assert (code, text) == (1, "")
    assert "HTTP 401: no such key" in err


@pytest.mark.slow
def test_another_strategy_is_refused_in_the_language_of_the_shell(run, asked):
    assert run(*asked[0])[0] == 0
    test_cli.bad(run(*with_(asked[0], budget=6)), "pass --use-recorded. Otherwise restore what has")
    limited = run(*with_(asked[0], strategy="sc:a,max_tokens=5"))  # --max-tokens limits all requests together
    test_cli.bad(limited, "the setting 'max_tokens' of the model is missing. Set it to 5,")
    code, text, _ = run(*with_(asked[0], budget=6), "--use-recorded", "--json")
    assert code == 0
    assert json.loads(text)["totals"]["samples_used"] == 6
    assert len(asked[1].samples()) == 12 * 6


def test_models_of_one_server_need_no_plan(run, asked):
    one = [*with_(asked[0], plan=None), "--model", "a", "--base-url", URL, "--sample-seed", 1]
    assert run(*one)[0] == 0
    assert len(asked[1].samples()) == 48


def test_the_seed_of_samples_overrides_that_of_the_plan(run, asked, monkeypatch):
    client = Client(lambda _: Reply((Choice("it is 1", "stop"),), 10, 5))
    monkeypatch.setattr("mssim.live.preparing.openai_client", lambda _: client)
    assert run(*asked[0], "--sample-seed", 5)[0] == 0
    fifth = plan(seed=5).models[0]
    assert {request.seed for request in client.requests} == {
        fifth.sample_seed(f"q{q}", i) for q in range(12) for i in range(4)
    }
    test_cli.bad(run(*asked[0]), "was recorded with other settings: seed 5 -> 1")


@pytest.mark.parametrize(
    ("change", "more", "says"),
    [
        (
            {"rule": None},
            [],
            "--rule: a live run compares answers while they arrive. Name the rule, e.g. --rule number",
        ),
        ({"strategy": None}, [], "--strategy, --budget: both are required"),
        ({"budget": None}, [], "--strategy, --budget: both are required"),
        ({"budget": 0}, [], "--budget: 0 is out of range"),
        ({"strategy": "sc:c"}, [], "model 'c' of sc:c is not in the plan"),
        ({"strategy": "oracle:a+b"}, [], "cannot run live"),
        ({"plan": None}, [], "--model, --base-url: both are required without --plan"),
        ({}, ["--concurrency", 4], "--concurrency: not allowed with --plan"),
        ({}, ["--max-cost", 1], "--max-cost: no prices were given"),
        ({}, ["--sample-seed", -1], "--sample-seed: -1 is out of range"),
        ({}, ["--seed", -1], "--seed: -1 is out of range"),
        ({"strategy": "sc:a,vote=confidence"}, [], "reads the confidence of samples"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_asked(run, asked, change, more, says):
    test_cli.bad(run(*with_(asked[0], **change), *more), says)
    assert asked[1].asked == []
