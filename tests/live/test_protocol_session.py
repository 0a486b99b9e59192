"""Questions that arrive one by one, answered by one run of a protocol each."""

import asyncio
import json

import pandas as pd
import pytest

from mssim.errors import MssimError, RecordError
from mssim.live.answered import UnansweredError
from mssim.live.protocol_session import open_protocol_session
from mssim.recorder import Choice, Journal, Reply, RequestFailed, Retry
from mssim.recorder.plan_files import plan_from_options
from tests.recording import URL, Client

USER = {"role": "user", "content": "What is 6 x 7?"}
MESSAGES = [{"role": "system", "content": "Be brief."}, USER]


def plan(**options):
    return plan_from_options(["a"], **{"base_url": URL, "samples": 1, **options})


def replies(*given):
    """A client that gives these texts in turn; an error is raised in place of a text."""
    left = list(given)

    def says(_):
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return Reply((Choice(one, "stop"),), 10, 5)

    return Client(says)


def ask(out, client, *names, protocol="debate:a,agents=2,rounds=2", asked=None, **options):
    async def whole():
        options_ = {"rule": "number", "retry": Retry(attempts=2, first=0.0), "sampler": lambda _: client, **options}
        async with open_protocol_session(asked or plan(), protocol, out, **options_) as session:
            return [await session.answer_messages(row(name), MESSAGES) for name in names]

    return asyncio.run(whole())


def row(name):
    return {
        "question_id": name,
        "question": USER["content"],
        "truth": None,
        "messages": json.dumps(MESSAGES),
        "cluster": "c",
    }


def test_a_question_is_one_run_whose_first_proposals_get_the_messages(tmp_path):
    client = replies("41", "42", "42", "It is 42.")
    (found,) = ask(tmp_path, client, "q")
    assert (found.answer, found.stopped, found.models) == ("42", "rounds", {"a": 4})
    assert (found.samples_used, found.input_tokens, found.output_tokens) == (4, 40, 20)
    assert found.votes == {"42": 1}
    assert [list(request.messages) for request in client.requests[:2]] == [MESSAGES, MESSAGES]
    assert list(client.requests[2].messages[:2]) == MESSAGES
    assert "42" in client.requests[2].messages[-1]["content"]


def test_a_restart_answers_from_the_journal_and_the_pool_keeps_all_runs(tmp_path):
    first = ask(tmp_path, replies("41", "42", "42", "42"), "q-1")
    again = ask(tmp_path, replies("7", "7", "8", "8"), "q-2", "q-1")
    assert again[1] == first[0]
    samples = pd.read_parquet(tmp_path / "samples.parquet")
    assert list(samples["question_id"]) == ["q-1", "q-2"]
    assert set(samples["calls"]) == {4}
    ask(tmp_path, replies(), "q-2")
    assert len(pd.read_parquet(tmp_path / "samples.parquet")) == 2
    questions = pd.read_parquet(tmp_path / "questions.parquet")
    assert list(questions["cluster"]) == ["c", "c"]


def test_a_run_that_failed_is_continued_by_the_next_request(tmp_path):
    bad = RequestFailed("HTTP 400: no", transient=False)
    with pytest.raises(UnansweredError, match="HTTP 400: no"):
        ask(tmp_path, replies("41", "42", bad, bad), "q")
    with Journal(tmp_path) as journal:
        assert journal.count() == 2
    client = replies("42", "42")
    (found,) = ask(tmp_path, client, "q")
    assert len(client.requests) == 2
    assert found.samples_used == 4


def test_a_limit_is_reported_as_such(tmp_path):
    with pytest.raises(UnansweredError, match="max_requests=3 is reached") as caught:
        ask(tmp_path, replies("41", "42", "42"), "q", max_requests=3)
    assert caught.value.limit


def test_another_protocol_is_refused_in_the_same_folder(tmp_path):
    ask(tmp_path, replies("41", "42", "42", "42"), "q")
    with pytest.raises(RecordError, match="what affects the runs has changed"):
        ask(tmp_path, replies(), protocol="debate:a,agents=2,rounds=3")
    with pytest.raises(RecordError, match=r"temperature 1.0 -> 0.5"):
        ask(tmp_path, replies(), asked=plan(settings=["temperature=0.5"]))


def test_an_unknown_model_is_refused_at_once(tmp_path):
    with pytest.raises(MssimError, match="model 'b' of debate:b is not in the plan"):
        ask(tmp_path / "out", replies(), protocol="debate:b")
    assert not (tmp_path / "out").exists()
