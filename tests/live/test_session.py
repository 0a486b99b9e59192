"""Questions that arrive one by one, answered by a strategy with one open journal."""

import asyncio
import json
from types import SimpleNamespace

import pandas as pd
import pytest

from mssim.errors import MssimError, RecordError
from mssim.live.answered import UnansweredError
from mssim.live.session import _whole, open_session
from mssim.recorder import Choice, Reply, RequestFailed, Retry, status
from mssim.recorder.plan_files import plan_from_options
from tests.recording import PRICES, URL, Client, stored

AT_ONCE = Retry(attempts=2, first=0.0)
USER = {"role": "user", "content": "What is 6 x 7?"}


def plan(*models, **options):
    return plan_from_options(list(models or "a"), **{"base_url": URL, "samples": 1, **options})


def texts(*given, reason="stop"):
    """A client that gives these texts in turn; an error is raised in place of a text."""
    left = list(given)

    def says(request):
        found = [left.pop(0) for _ in range(request.n)]
        for one in found:
            if isinstance(one, Exception):
                raise one
        return Reply(tuple(Choice(text, reason) for text in found), 10, 5 * request.n)

    return Client(says)


def ask(out, client, *requests, strategy="sc:a", budget=3, asked=None, log=None, **options):
    """Answers to requests, of which each is the id of a question and possibly messages, or a coroutine function."""
    options = {"rule": "number", "retry": AT_ONCE, "sampler": lambda _: client, **options}
    options["log"] = print if log is None else log.append

    async def whole():
        found = []
        async with open_session(asked or plan(), strategy, budget, out, **options) as session:
            for request in requests:
                if callable(request):
                    found.append(await request(session))
                    continue
                name, messages = request if isinstance(request, tuple) else (request, [USER])
                found.append(await session.answer_messages(row(name), messages))
        return found

    return asyncio.run(whole())


def row(name):
    return {"question_id": name, "question": "What is 6 x 7?", "truth": None}


def unanswered(out, client, **options):
    with pytest.raises(UnansweredError) as caught:
        ask(out, client, "q", **options)
    return caught.value


# Answers --------------------------------------------------------------------------------------------------------------


def test_the_text_is_that_of_the_first_sample_with_the_answer(tmp_path):
    (found,) = ask(tmp_path, texts("41", "It is 42.", "so 42"), "q")
    assert (found.text, found.answer, found.stopped) == ("It is 42.", "42", "budget")
    assert (found.votes, found.models, found.samples_used) == ({"41": 1, "42": 2}, {"a": 3}, 3)
    assert (found.input_tokens, found.output_tokens, found.cost, found.finish_reason) == (30, 15, None, "stop")


def test_the_text_of_no_answer_is_that_of_the_first_sample_without_one(tmp_path):
    (found,) = ask(tmp_path, texts("I", "do not", "know"), "q")
    assert (found.text, found.answer, found.votes) == ("I", None, {})


def test_a_tie_that_is_wrong_has_no_text(tmp_path):
    (found,) = ask(tmp_path, texts("41", "42"), "q", strategy="sc:a,ties=wrong", budget=2)
    assert (found.text, found.answer, found.finish_reason) == ("", None, None)


def test_all_models_get_the_messages_and_the_system_message_of_the_plan_is_for_requests_without_one(tmp_path):
    system = tmp_path / "system.txt"
    system.write_text("Be brief.")
    client = texts("1", "2", "3", "4", "5", "6", "7", "8")
    given = [{"role": "developer", "content": "Be exact."}, USER]
    ask(
        tmp_path / "out",
        client,
        ("q", [USER]),
        ("r", given),
        strategy="ms:a+b",
        budget=4,
        asked=plan("a", "b", system=system),
    )
    with_system = [{"role": "system", "content": "Be brief."}, USER]
    assert [(request.model_id, list(request.messages)) for request in client.requests] == [
        *(("a", with_system), ("a", with_system), ("b", with_system), ("b", with_system)),
        *(("a", given), ("a", given), ("b", given), ("b", given)),
    ]


def test_costs_are_summed_and_cheap_questions_stop_early(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    (found,) = ask(
        tmp_path / "out", texts("42", "42", "41"), "q", strategy="sc:a,stop=window:2", asked=plan(prices=prices)
    )
    assert (found.samples_used, found.stopped, found.cost) == (2, "stop rule", pytest.approx(2 * (10 + 2 * 5) / 1000))


def test_questions_are_answered_at_the_same_time(tmp_path):
    waiting = []

    class Together(Client):
        async def sample(self, request):
            waiting.append(request)
            while len(waiting) < 4:
                await asyncio.sleep(0)
            return Reply((Choice("42", "stop"),), 10, 5)

    async def several(session):
        return await asyncio.gather(*(session.answer_messages(row(name), [USER]) for name in ("q", "r")))

    (found,) = ask(tmp_path, Together(), several, budget=2)
    assert [one.question_id for one in found] == ["q", "r"]


# The journal ----------------------------------------------------------------------------------------------------------


def test_what_was_answered_is_answered_again_without_a_request(tmp_path):
    client = texts("41", "42", "42", "7", "7", "8")
    first = ask(tmp_path, client, "q", "r", "q")
    assert first[0] == first[2]
    assert len(client.requests) == 6
    assert ask(tmp_path, texts(), "r", "q") == [first[1], first[0]]


def test_the_pool_has_all_samples_and_what_was_asked(tmp_path):
    messages = [{"role": "system", "content": "Be brief."}, USER]

    async def one(session):
        assert session.about == {"strategy": "sc:a", "budget": 3, "rule": "number"}
        question = {**row("q-1"), "messages": json.dumps(messages), "cluster": "q"}
        return await session.answer_messages(question, messages)

    ask(tmp_path, texts("41", "42", "42"), one)
    samples = pd.read_parquet(tmp_path / "samples.parquet")
    assert list(samples["answer"]) == ["41", "42", "42"]
    (question,) = pd.read_parquet(tmp_path / "questions.parquet").to_dict("records")
    assert (question["question_id"], question["cluster"], question["truth"]) == ("q-1", "q", None)
    assert json.loads(question["messages"]) == messages
    info = json.loads((tmp_path / "pool.json").read_text())
    assert info["models"]["a"]["template"] == "{{messages}}"
    assert info["live"]["strategy"] == "sc:a"


def test_seeds_differ_between_runs_of_a_question(tmp_path):
    client = texts(*"123456")
    ask(tmp_path, client, "q-1", "q-2", asked=plan(seed=7))
    seeds = [request.seed for request in client.requests]
    assert len(set(seeds)) == 6
    assert None not in seeds


def test_another_strategy_or_other_settings_are_refused_in_the_same_folder(tmp_path):
    ask(tmp_path, texts("1", "2", "3"), "q")
    with pytest.raises(RecordError, match="use_recorded=True"):
        ask(tmp_path, texts(), strategy="sc:a,stop=window:2")
    with pytest.raises(RecordError, match=r"temperature 1.0 -> 0.5"):
        ask(tmp_path, texts(), asked=plan(settings=["temperature=0.5"]))
    (found,) = ask(tmp_path, texts("3"), "q", budget=4, use_recorded=True)
    assert found.samples_used == 4


def test_what_cannot_be_served_is_refused_at_once(tmp_path):
    system = tmp_path / "system.txt"
    system.write_text("The topic is {{topic}}.")
    for options, match in (
        ({"asked": plan(system=system)}, "its system message has placeholders"),
        ({"strategy": "alloc:a", "budget": 4}, "questions that are known in advance"),
        ({"strategy": "sc:b"}, "'b'"),
        ({"rule": "nmber"}, "number"),
    ):
        with pytest.raises(MssimError, match=match):
            ask(tmp_path / "out", texts(), **options)
    assert not (tmp_path / "out").exists()


# Failures -------------------------------------------------------------------------------------------------------------


def test_a_sample_that_is_given_up_leaves_the_question_unfinished_until_it_is_asked_again(tmp_path):
    bad = RequestFailed("HTTP 400: no", transient=False)
    found = unanswered(tmp_path, texts("41", bad, "42"))
    assert (str(found), found.limit, found.retry_after) == ("model 'a': HTTP 400: no", False, None)
    client = texts("43")
    (again,) = ask(tmp_path, client, "q")
    assert len(client.requests) == 1
    assert sorted(again.votes) == ["41", "42", "43"]
    assert status(tmp_path).to_frame()["failed"].sum() == 0


def test_a_model_that_fails_everywhere_is_tried_again_by_the_next_request(tmp_path):
    client = texts(*[RequestFailed("HTTP 401: no", transient=False, everywhere=True)] * 3)

    async def first(session):
        with pytest.raises(UnansweredError, match="model 'a': HTTP 401: no"):
            await session.answer_messages(row("q"), [USER])
        client.says = texts("1", "2", "3").says

    _, found = ask(tmp_path, client, first, "q")
    assert found.samples_used == 3


def test_a_request_that_comes_meanwhile_does_not_hide_why_another_failed(tmp_path):
    async def one(session):
        plain = session.why
        session.why = lambda question: session.give_another_chance() or plain(question)
        with pytest.raises(UnansweredError, match="model 'a': HTTP 401: no"):
            await session.answer_messages(row("q"), [USER])

    ask(tmp_path, texts(RequestFailed("HTTP 401: no", transient=False, everywhere=True)), one, budget=1)


def test_a_server_that_asks_to_wait_is_not_asked_before(tmp_path):
    busy = RequestFailed("HTTP 429: come back tomorrow", everywhere=True, retry_after=7200.0)
    found = unanswered(tmp_path, texts(busy), budget=1)
    assert found.retry_after == pytest.approx(7200, abs=60)


def test_a_server_that_never_answers_is_reported_soon(tmp_path):
    gone = RequestFailed("nothing answers at http://127.0.0.1:9/v1", unreachable=True)
    found = unanswered(tmp_path, texts(*[gone] * 20))
    assert "nothing answers at http://127.0.0.1:9/v1" in str(found)


def test_a_limit_is_reported_as_such_and_what_was_recorded_is_still_answered(tmp_path):
    ask(tmp_path, texts("41", "42", "42"), "q")

    async def second(session):
        with pytest.raises(UnansweredError, match="max_requests=4 is reached") as caught:
            await session.answer_messages(row("r"), [USER])
        return caught.value.limit

    limit, found = ask(tmp_path, texts("7"), second, "q", max_requests=4)
    assert limit
    assert found.answer == "42"
    assert len(stored(tmp_path)) == 4


def test_a_request_that_might_exceed_a_limit_is_reported_as_such(tmp_path):
    found = unanswered(tmp_path, texts(), max_tokens=20, asked=plan(settings=["max_tokens=50"]))
    assert found.limit
    assert "the next request might exceed the limit" in str(found)


def test_a_session_that_is_stopped_answers_nothing_but_keeps_what_arrives(tmp_path):
    async def stopped(session):
        class Stops(Client):
            async def sample(self, _):
                session.stop("The endpoint is shutting down.")
                return Reply((Choice("42", "stop"),), 10, 5)

        session.samplers = dict.fromkeys(session.samplers, Stops())
        with pytest.raises(UnansweredError, match="shutting down"):
            await session.answer_messages(row("q"), [USER])

    ask(tmp_path, texts(), stopped, asked=plan(concurrency=1))
    assert list(stored(tmp_path).values()) == ["42"]


def test_a_journal_that_cannot_be_written_is_an_error_of_the_session(tmp_path, monkeypatch):
    async def broken(session):
        def fail(_):
            raise RecordError("/secret/place: cannot be written.")

        monkeypatch.setattr(session.journal, "store", fail)
        with pytest.raises(UnansweredError) as caught:
            await session.answer_messages(row("q"), [USER])
        assert "secret" not in str(caught.value)

    log = []
    with pytest.raises(RecordError, match="could not be stored"):
        ask(tmp_path, texts("1", "2", "3"), broken, log=log)
    assert log == ["warning: /secret/place: cannot be written."]  # to which clients are referred


def test_a_full_disk_refuses_requests_until_there_is_space_again(tmp_path, monkeypatch):
    free = [2**30]
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free[0]))
    client = texts(*["42"] * 6)

    async def filled(session):
        await session.answer_messages(row("q"), [USER])
        free[0] = 10 * 2**20
        with pytest.raises(UnansweredError, match="The disk has only 10 MB of free space"):
            await session.answer_messages(row("r"), [USER])
        assert len(client.requests) == 3
        free[0] = 2**30
        return await session.answer_messages(row("r"), [USER])

    (found,) = ask(tmp_path, client, filled)
    assert found.answer == "42"


def test_warnings_of_the_recorder_are_logged_once(tmp_path):
    log = []

    def says(request):
        if request.n > 1:
            raise RequestFailed("HTTP 400: n must be 1", transient=False)
        return Reply((Choice("42", "stop"),), 10, 5)

    ask(tmp_path, Client(says), "q", "r", asked=plan(samples_per_request=3), log=log)
    (line,) = (line for line in log if line.startswith("warning: "))
    assert "since the server refused more" in line


def test_shares_of_input_tokens_are_rounded_up_but_not_for_rounding_errors():
    assert [_whole(tokens) for tokens in (10.0, 10.000000000000002, 10.5, float("nan"))] == [10, 10, 11, None]
