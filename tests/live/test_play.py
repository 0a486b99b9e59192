import pytest

from mssim.grading import parse_rule
from mssim.live.classes import Classes
from mssim.live.play import Play
from mssim.live.played import Played
from tests.live.test_protocol_setup import setup

ROW = {"question_id": "q", "question": "3 x 4?", "truth": "12"}


def sample(text, **columns):
    one = {"sample_index": 0, "text": text, "finish_reason": "stop", "confidence": None, "choices": 1, "time": 0.0}
    one |= dict.fromkeys(["served_model", "fingerprint", "request_id", "reasoning", "output_tokens"])
    return one | {"input_tokens": 10, "request_output_tokens": 4, "cost": 0.5, "latency": 1.0, **columns}


def begun(text="debate:a+b", rule="number", **options):
    made = setup(text)
    object.__setattr__(made, "rule", parse_rule(rule, **options))
    return Play(made, ROW, 3, Classes(made.rule, "12"))


def test_a_run_sums_up_its_calls():
    play = begun()
    assert [call.step for call in play.calls] == ["round 1, agent 1", "round 1, agent 2"]
    play.give([sample("11", latency=2.0), sample("12", latency=5.0)])
    assert play.finished() is None
    play.give([sample("so 12", latency=4.0, finish_reason="length"), sample("12", latency=1.0, cost=0.25)])
    assert play.calls == ()
    assert play.finished() == Played("q", 3, "so 12", "rounds", 4, "length", 40, 16, 1.75, 9.0)


@pytest.mark.parametrize(
    ("column", "name"), [("input_tokens", "input_tokens"), ("request_output_tokens", "output_tokens"), ("cost", "cost")]
)
def test_a_sum_is_unknown_if_a_part_is(column, name):
    play = begun("debate:a+b,rounds=1")
    play.give([sample("11"), sample("12", **{column: None})])
    found = play.finished()
    assert getattr(found, name) is None
    assert [found.input_tokens, found.output_tokens, found.cost].count(None) == 1


def test_others_do_not_see_reasoning():
    play = begun("debate:a+b")
    play.give([sample("<think>11?</think>12"), sample("<think>I am cut")])
    assert "11" not in str(play.calls[1].messages)
    assert play.calls[1].messages[1] == {"role": "assistant", "content": ""}
    play.give([sample("<think>7</think>12"), sample("9")])
    assert play.finished().text == "12"
    assert play.finished().finish_reason == "stop"


def test_reasoning_is_kept_if_the_rule_reads_it():
    play = begun("debate:a+b", reasoning="keep")
    play.give([sample("<think>11?</think>12"), sample("9")])
    assert "<think>11?</think>12" in play.calls[1].messages[-1]["content"]


def test_votes_compare_answers_by_the_rule():
    play = begun("debate:a+b+a,rounds=1")
    play.give([sample("9"), sample("12.0"), sample("It is 12")])
    assert play.finished().text == "12.0"


def test_the_last_call_with_the_text_counts():
    play = begun("debate:a+b")
    for reason in ("length", "stop"):
        play.give([sample("12", finish_reason=reason), sample("12", finish_reason=reason)])
    assert play.finished().finish_reason == "stop"


def test_the_end_of_a_verdict_has_the_reason_of_its_call():
    play = begun("mad:a")
    for text in ("11", "12"):
        play.give([sample(text)])
    play.give([sample("Verdict: negative\n13", finish_reason="length")])
    assert (play.finished().text, play.finished().finish_reason) == ("13", "length")
