import math
from dataclasses import replace

import pyarrow as pa
import pytest

from mssim import load_pool
from mssim.errors import MssimError, RecordError
from mssim.live import run, run_protocol
from mssim.recorder import export, record, status
from tests.live.repliers import AT_ONCE, Replier, plan, play, questions, table
from tests.recording import PRICES


def test_more_runs_are_added_to_those_that_are_recorded(tmp_path):
    first, client = play(tmp_path, runs=2)
    assert (first.unfinished, len(client.requests)) == (0, 3 * 2 * 4)
    second, client = play(tmp_path, runs=5)
    assert len(client.requests) == 3 * 3 * 4
    assert table(second)[:2] == table(first)[:2]
    fewer, client = play(tmp_path, runs=1)
    assert (fewer.unfinished, client.events) == (0, 0)


def test_a_limit_ends_the_runs_evenly_and_a_higher_one_continues(tmp_path):
    whole, _ = play(tmp_path / "whole", runs=4)
    first, client = play(tmp_path / "pool", runs=4, max_requests=30)
    assert len(client.requests) == 30
    assert "max_requests=30" in first.notes[0]
    assert not first.complete
    counts = first.to_frame()["question_id"].value_counts()
    assert counts.max() - counts.min() <= 1
    last, client = play(tmp_path / "pool", runs=4, max_requests=48)
    assert (last.complete, len(client.requests)) == (True, 18)
    assert table(last) == table(whole)


def test_costs_of_calls_that_had_no_price_count_for_the_limit(tmp_path):
    play(tmp_path / "pool", runs=1)  # costs 3 x 2 x (0.016 + 0.02) = 0.216
    path = tmp_path / "prices.toml"
    path.write_text(PRICES + "[models.b]\ninput = 2.0\noutput = 0.0\n")
    result, client = play(tmp_path / "pool", runs=2, asked=plan(prices=path), max_cost=0.2)
    assert client.events == 0
    assert "max_cost=0.2" in result.notes[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "debate:a+b,rounds=3"}, r"has changed: protocol. It has runs of debate:a\+b. Restore it"),
        ({"prompts": {"debate": {"between": ""}}}, "has changed: prompts. Restore it"),
        ({"rule": "first-number"}, "has changed: rule."),
        ({"reasoning": "keep"}, "has changed: reasoning."),
        ({"asked": plan(settings=["temperature=0.5"])}, "has changed: a: temperature 1.0 -> 0.5; b: temperature"),
        ({"asked": plan(base_url="http://127.0.0.1:8/v1")}, "model 'a' was asked at .* pass new_server=True"),
        (
            {"given": questions(3).set_column(1, "question", [["Ask q0", "Ask?", "Ask q2"]])},
            "question 'q1' has changed",
        ),
    ],
)
def test_calls_of_anything_else_are_refused(options, message, tmp_path):
    before, _ = play(tmp_path)
    client = Replier()
    with pytest.raises(RecordError, match=message):
        play(tmp_path, client=client, **options)
    assert client.events == 0
    assert table(play(tmp_path)[0]) == table(before)


def test_another_server_of_the_same_model_may_be_accepted(tmp_path):
    play(tmp_path)
    assert play(tmp_path, runs=4, asked=plan(base_url="http://127.0.0.1:8/v1"), new_server=True)[0].complete


def test_truths_that_no_answer_can_equal_are_told_and_count_as_wrong(tmp_path):
    given = questions(2).set_column(2, "truth", [["1", "Paris"]])
    result, _ = play(tmp_path, given=given, client=Replier(lambda _: "1"))
    assert result.accuracy == 0.5
    assert result.warnings[0].startswith("1 of 2 truths are not one number")


def test_questions_may_be_added_or_left_out(tmp_path):
    play(tmp_path)
    more, client = play(tmp_path, given=questions(4))
    assert (more.complete, len(client.requests)) == (True, 3 * 4)
    part, client = play(tmp_path, given=questions(2))
    assert (part.complete, client.events, part.questions) == (True, 0, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "debate:a+c"}, "model 'c' of debate:a\\+c is not in the plan. Choose from 'a', 'b'."),
        ({"protocol": "mad:a,judge=c"}, "model 'c' of mad:a,judge=c is not in the plan"),
        ({"protocol": "debte:a"}, "unknown kind 'debte'"),
        ({"runs": 0}, "runs=0 is out of range. Use an integer from 1 to 100000."),
        ({"rule": ""}, "Name the rule, e"),
        ({"called": " "}, "called=' ' is not a name"),
        ({"called": "a\nb"}, "called="),
        ({"prompts": {"debate": {"x": "y"}}}, "unknown template 'x'"),
        ({"prompts": "none.toml"}, "none.toml: cannot be read"),
        ({"max_cost": 1.0}, "no prices were given"),
    ],
)
def test_invalid_arguments_leave_no_folder(options, message, tmp_path):
    with pytest.raises(MssimError, match=message):
        play(tmp_path / "pool", **options)
    assert not (tmp_path / "pool" / "samples.parquet").exists()


def test_folders_of_other_commands_are_kept_apart(tmp_path):
    options = {"sampler": lambda _: Replier(), "retry": AT_ONCE}
    record(questions(), plan(samples=1), tmp_path / "recorded", **options)
    with pytest.raises(RecordError, match="samples that are not calls of a protocol"):
        play(tmp_path / "recorded")
    play(tmp_path / "played")
    for refused in (
        lambda out: record(questions(), plan(samples=1), out, **options),
        lambda out: run(questions(), plan(), "sc:a", 4, out, rule="number", use_recorded=True, **options),
        lambda out: export(out),
        lambda out: status(out),
    ):
        with pytest.raises(RecordError, match="has runs of the protocol debate:a\\+b"):
            refused(tmp_path / "played")
    (tmp_path / "played" / "journal.sqlite").unlink()
    with pytest.raises(RecordError, match="a pool without a journal"):
        play(tmp_path / "played")


def test_judges_may_have_settings_of_their_own(tmp_path):
    asked = plan(("a", "judge=a"))
    judge = replace(asked.models[1], settings={"temperature": 0.0}, template="Careful: {{question}}")
    asked = replace(asked, models=(asked.models[0], judge))
    result, client = play(tmp_path, "mad:a,judge=judge,rounds=1", asked=asked)
    assert result.complete
    settings = [dict(request.settings) for request in client.requests if "Careful" in str(request.messages)]
    assert settings == [{"temperature": 0.0}] * len(settings)
    assert len(settings) >= 9
    assert {request.model_id for request in client.requests} == {"a"}


@pytest.mark.slow
def test_votes_compare_answers_by_math_verify(tmp_path):
    answers = {"a": r"\boxed{3}", "b": r"\boxed{0.5}", "c": r"\boxed{\frac{1}{2}}"}
    client = Replier(lambda request: answers[request.model_id])
    given = questions(1).set_column(2, "truth", [["1/2"]])
    options = {"client": client, "asked": plan(("a", "b", "c")), "given": given, "rule": "boxed"}
    result, _ = play(tmp_path, "debate:a+b+c,rounds=1", runs=2, **options)
    assert result.to_frame()["text"].tolist() == [answers["b"]] * 2
    assert result.accuracy == 1.0


def test_questions_from_a_file_and_reports(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question_id": "q", "question": "1?", "truth": "1"}\n')
    reports = []
    result = run_protocol(
        str(path),
        plan(),
        "debate:a",
        2,
        tmp_path / "pool",
        rule="number",
        sampler=lambda _: Replier(),
        report=reports.append,
    )
    assert result.complete
    assert reports[-1].writing
    assert (reports[-1].answered, reports[-1].questions) == (2, 2)


def test_another_model_than_asked_is_a_warning(tmp_path):
    class Other(Replier):
        async def sample(self, request):
            return replace(await super().sample(request), served_model="tiny-2026" if request.model_id == "b" else "a")

    result, _ = play(tmp_path, client=Other(), runs=1)
    texts = [
        f"samples of b as round {i}, agent 2 were served by 'tiny-2026', but the request names 'b'" for i in (1, 2)
    ]
    assert set(texts) <= set(result.warnings)
    assert not any("'a'" in text for text in result.warnings)


def test_what_replies_lack_is_a_warning(tmp_path):
    result, _ = play(tmp_path, client=Replier(lambda _: ""), runs=1)
    assert any("texts of a as round 1, agent 1 are empty" in text for text in result.warnings)
    assert result.accuracy == 0


def test_questions_without_a_truth_are_answered_and_count_for_no_accuracy(tmp_path):
    given = questions(3).set_column(2, "truth", pa.array(["1", None, None], pa.string()))
    result, _ = play(tmp_path / "some", runs=2, given=given)
    frame = result.to_frame().set_index("question_id")
    assert result.complete
    assert frame["answer"].notna().any()
    assert [value is None for value in frame["correct"]] == [False] * 2 + [True] * 4
    assert result.accuracy == frame.loc["q0", "correct"].astype(float).mean()
    assert "2 questions have no truth. They count for no accuracy here, and as wrong in the pool." in result.warnings
    assert len(load_pool(tmp_path / "some").questions) == 3
    alone, _ = play(tmp_path / "none", runs=2, given=questions(3).drop_columns("truth"))
    assert math.isnan(alone.accuracy)
    assert alone.to_frame()["answer"].equals(result.to_frame()["answer"])
