import asyncio
import math
import os
import signal
import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError, RecordError
from mssim.recorder import Choice, Journal, Reply, RequestFailed, Retry, read_plan, record, status
from tests.recording import AT_ONCE, PRICES, URL, Client, collect, plan, questions, stored


def fails(reason="HTTP 500: broken", times=math.inf, **how):
    """What a client says that fails so many times, then answers."""
    left = [times]

    def says(_):
        left[0] -= 1
        if left[0] >= 0:
            raise RequestFailed(reason, **how)

    return says


def test_every_sample_arrives_once_and_the_same_again_asks_for_nothing(tmp_path):
    client = Client()
    found = collect(tmp_path, client)
    assert found.complete
    assert client.closed
    texts = stored(tmp_path)
    assert sorted(texts) == [(f"q{q}", "a", i) for q in range(3) for i in range(4)]
    assert sorted(texts.values()) == sorted(client.texts)
    again = Client()
    assert collect(tmp_path, again).complete
    assert again.requests == []
    assert stored(tmp_path) == texts


def test_more_samples_questions_and_models_ask_for_what_is_missing(tmp_path):
    collect(tmp_path, Client())
    client = Client()
    found = collect(tmp_path, client, plan(["a", "b"], 6), questions(4))
    assert len(client.requests) == 2 * 4 * 6 - 3 * 4
    assert found.to_frame()["recorded"].tolist() == [24, 24]
    fewer = Client()
    collect(tmp_path, fewer, plan(["b"], 2), questions(1))
    assert fewer.requests == []
    assert len(stored(tmp_path)) == 48


def test_a_recording_that_stops_early_has_as_many_samples_of_every_question(tmp_path):
    collect(tmp_path, Client(), plan(samples=48), max_requests=3 * 32)
    with Journal(tmp_path) as journal:
        assert journal.counts("samples", "a", 48) == {"q0": 32, "q1": 32, "q2": 32}


def refused(tmp_path, message, *arguments, **options):
    client = Client()
    before = stored(tmp_path)
    with pytest.raises(RecordError, match=message):
        collect(tmp_path, client, *arguments, **options)
    assert client.requests == []
    assert stored(tmp_path) == before


def test_changed_settings_are_refused_and_named(tmp_path):
    collect(tmp_path, Client())
    says = r"model 'a' was recorded with other settings: temperature 1.0 -> 0.7; top_p \(not set\) -> 0.9"
    refused(tmp_path, says, plan(settings=["temperature=0.7", "top_p=0.9"]))
    refused(tmp_path, "model_id 'a' -> 'big'.*use another name for the model", plan(["a=big"]))
    client = Client()
    assert collect(tmp_path, client, plan(["hot=a"], settings=["temperature=1.5"])).complete
    assert len(client.requests) == 12


def test_settings_may_change_while_nothing_is_recorded(tmp_path):
    asked = Client(fails("HTTP 400: bad temperature", transient=False))
    assert collect(tmp_path, asked, plan(settings=["temperature=9"])).to_frame()["failed"].tolist() == [12]
    found = collect(tmp_path, Client())
    assert found.complete
    assert found.to_frame()["failed"].tolist() == [0]


def test_a_question_that_reads_differently_is_refused_but_its_truth_may_change(tmp_path):
    collect(tmp_path, Client())
    changed = questions().set_column(1, "question", pa.array(["Ask 0", "Ask 11", "Ask 2"]))
    refused(tmp_path, "question 'q1' has changed since model 'a' answered it", None, changed)
    collect(tmp_path, Client(), None, questions().set_column(2, "truth", pa.array(["8", "8", "8"])))
    with Journal(tmp_path) as journal:
        assert [row["truth"] for row in journal.questions()] == ["8", "8", "8"]


def test_another_server_is_accepted_only_when_told(tmp_path):
    collect(tmp_path, Client())
    elsewhere = plan(base_url="http://127.0.0.1:10/v1", samples=5)
    refused(
        tmp_path,
        f"recorded from {URL}, but the plan names http://127.0.0.1:10/v1. If both serve .* --new-server",
        elsewhere,
    )
    assert collect(tmp_path, Client(), elsewhere, new_server=True).complete
    refused(tmp_path, "recorded from http://127.0.0.1:10/v1", plan(samples=5))


def test_a_pool_that_was_not_recorded_is_left_alone(tmp_path):
    (tmp_path / "pool.json").write_text("{}")
    with pytest.raises(RecordError, match=r"contains a pool without a journal\. Choose another folder"):
        collect(tmp_path, Client())


def test_what_may_succeed_later_is_tried_again(tmp_path):
    client = Client(fails(times=3))
    found = collect(tmp_path, client, plan(samples=1), questions(1))
    assert found.complete
    assert found.to_frame()[["requests", "refused"]].iloc[0].tolist() == [4, 3]


def test_samples_are_given_up_with_their_reason_and_asked_for_again_when_told(tmp_path):
    client = Client(fails(times=4))
    found = collect(tmp_path, client, plan(samples=2, concurrency=1), questions(1))
    assert not found.complete
    assert found.to_frame()[["recorded", "failed", "missing"]].iloc[0].tolist() == [1, 1, 0]
    assert found.reasons.iloc[0].tolist() == ["a", "HTTP 500: broken", 1]
    again = Client()
    assert not collect(tmp_path, again, plan(samples=2), questions(1)).complete
    assert again.requests == []
    assert collect(tmp_path, again, plan(samples=2), questions(1), retry_failed=True).complete
    assert len(again.requests) == 1
    assert status(tmp_path).reasons.empty


def test_a_permanent_error_costs_one_request_and_the_rest_goes_on(tmp_path):
    def says(request):
        if request.messages[-1]["content"] == "Ask 1":
            raise RequestFailed("HTTP 400: too long", transient=False)

    client = Client(says)
    found = collect(tmp_path, client)
    assert found.to_frame()[["recorded", "failed"]].iloc[0].tolist() == [8, 4]
    assert len(client.requests) == 12
    assert not found.notes


def test_an_error_of_every_request_stops_its_model_and_marks_nothing(tmp_path):
    def says(request):
        if request.model_id == "a":
            raise RequestFailed("HTTP 401: wrong key", transient=False, everywhere=True)

    client = Client(says)
    found = collect(tmp_path, client, plan(["a", "b"], concurrency=1))
    assert found.to_frame()[["recorded", "failed", "missing"]].to_numpy().tolist() == [[0, 0, 12], [12, 0, 0]]
    assert found.notes == ("Requests to model 'a' were stopped: HTTP 401: wrong key",)
    assert len(client.requests) == 13


def test_a_model_that_fails_on_question_after_question_is_left_alone(tmp_path):
    client = Client(fails("HTTP 404: no such model", transient=False))
    found = collect(tmp_path, client, plan(samples=16, concurrency=1), questions(40))
    assert found.notes == (
        "Requests to model 'a' were stopped: 305 consecutive requests failed, the last with: HTTP 404: no such model",
    )
    assert found.to_frame()["failed"].tolist() == [305]  # all of 19 questions and one sample of the twentieth
    assert len(client.requests) == 305


@pytest.mark.parametrize("how", ["one", "refuse"])
def test_several_samples_a_request_fall_back_to_one_where_the_server_cannot(tmp_path, how):
    client = Client()

    def says(request):
        if request.n > 1:
            if how == "refuse":
                raise RequestFailed("HTTP 400: n must be 1", transient=False)
            return client.reply(1)
        return None

    client.says = says
    found = collect(tmp_path, client, plan(samples=16, samples_per_request=8, concurrency=1), questions(4))
    assert found.complete
    assert sum(request.n > 1 for request in client.requests) == (1 if how == "refuse" else 2)
    assert sorted(stored(tmp_path).values()) == sorted(client.texts)


def test_one_prompt_that_is_refused_does_not_end_several_samples_a_request(tmp_path):
    def says(request):
        if request.messages[-1]["content"] == "Ask 0":
            raise RequestFailed("HTTP 400: too long", transient=False)

    client = Client(says)
    found = collect(tmp_path, client, plan(samples=8, samples_per_request=8, concurrency=1), questions(3))
    assert found.to_frame()[["recorded", "failed"]].iloc[0].tolist() == [16, 8]
    assert [request.n for request in client.requests[-2:]] == [8, 8]


def test_fewer_choices_than_asked_are_kept_and_the_rest_asked_for(tmp_path):
    sizes = iter([8, 3, 2])
    client = Client()
    client.says = lambda request: client.reply(next(sizes, request.n))
    assert collect(tmp_path, client, plan(samples=16, samples_per_request=8, concurrency=1), questions(1)).complete
    assert [request.n for request in client.requests] == [8, 8, 5, 3]


def test_a_response_without_a_choice_is_asked_for_again(tmp_path):
    replies = iter([Reply((), 10, 0)])
    client = Client(lambda _: next(replies, None))
    found = collect(tmp_path, client, plan(samples=1), questions(1))
    assert found.complete
    assert found.to_frame()[["requests", "refused", "input_tokens"]].iloc[0].tolist() == [2, 1, 20]


def test_retry_after_holds_for_all_requests_to_the_server(tmp_path):
    times = []
    says = fails("HTTP 429: slow down", times=1, retry_after=0.2)

    def timed(request):
        times.append(time.monotonic())
        return says(request)

    assert collect(tmp_path, Client(timed), plan(samples=3, concurrency=1), questions(1)).complete
    assert times[1] - times[0] >= 0.2


def test_waits_double_up_to_the_most():
    retry = Retry(first=1.0, most=5.0)
    waits = [[retry.wait(attempt) for _ in range(200)] for attempt in (1, 2, 3, 4, 5)]
    assert [max(w) <= top and min(w) >= top / 2 for w, top in zip(waits, [1, 2, 4, 5, 5], strict=True)] == [True] * 5


def test_every_sample_has_a_seed_of_its_own(tmp_path):
    client = Client()
    collect(tmp_path, client, plan(samples=20, seed=1))
    seeds = {request.seed for request in client.requests}
    assert len(seeds) == len(client.requests) == 60


# Limits ---------------------------------------------------------------------------------------------------------------


def test_a_limit_on_requests_holds_over_all_runs(tmp_path):
    client = Client()
    found = collect(tmp_path, client, max_requests=5)
    assert len(client.requests) == 5
    assert found.notes == ("The limit --max-requests 5 is reached (5 in all runs).",)
    assert not collect(tmp_path, client, max_requests=5).complete
    assert len(client.requests) == 5
    assert not collect(tmp_path, client, max_requests=7).complete
    assert len(client.requests) == 7


@given(limit=st.integers(0, 400), concurrency=st.integers(1, 9), n=st.integers(1, 4), bound=st.booleans())
def test_a_limit_on_tokens_is_not_exceeded_once_something_is_known(tmp_path_factory, limit, concurrency, n, bound):
    out = tmp_path_factory.mktemp("pool")
    settings = ["max_tokens=5"] if bound else []
    asked = plan(samples=4, concurrency=concurrency, samples_per_request=n, settings=settings)
    client = Client()
    found = collect(out, client, asked, max_tokens=limit).to_frame().iloc[0]
    spent = found["input_tokens"] + found["output_tokens"]
    # What a request may need: 5 tokens an answer, and for a prompt of 5 bytes at most 21 tokens, though 10 are spent.
    assert spent <= limit or (not bound and len(client.requests) == 1)
    if found["missing"]:
        assert spent + 21 + 5 * n > limit
    else:
        assert spent <= limit


def test_a_limit_on_cost_needs_prices_and_is_not_exceeded(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    out = tmp_path / "pool"
    with pytest.raises(RecordError, match=r"max_cost: no prices were given. Add a price table to the plan \(--prices"):
        collect(out, Client(), max_cost=1.0)
    with pytest.raises(RecordError, match=r"max_cost=-1 is not allowed\. It must be a number of at least 0"):
        collect(out, Client(), max_cost=-1)
    with pytest.raises(MssimError, match="prices: model 'b'"):
        collect(out, Client(), plan(["b"], prices=prices))
    found = collect(out, Client(), plan(samples=40, settings=["max_tokens=5"], prices=prices), max_cost=0.1)
    spent = found.to_frame()["cost"].item()  # 0.02 a request, of which the recorder expects at most 0.031
    assert 0.1 - 0.031 < spent <= 0.1
    says = "Requests to model 'a' were stopped: the next request might exceed the limit (spent "
    assert found.notes[0].startswith(says)
    assert found.to_frame()["recorded"].item() * 0.02 == pytest.approx(spent)


# Stopping -------------------------------------------------------------------------------------------------------------


def test_an_interrupt_waits_for_what_is_under_way_and_begins_nothing(tmp_path):
    class Slow(Client):
        async def sample(self, request):
            self.requests.append(request)
            if len(self.requests) == 4:
                signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0.05)
            reply = self.reply(1)
            self.texts += [choice.text for choice in reply.choices]
            return reply

    client = Slow()
    found = collect(tmp_path, client, plan(samples=40))
    assert found.notes == ("Interrupted by SIGINT.",)
    assert 4 <= len(client.requests) <= 8
    assert sorted(stored(tmp_path).values()) == sorted(client.texts)
    assert len(client.texts) == len(client.requests)


def test_a_second_interrupt_drops_what_is_under_way(tmp_path):
    class Stuck(Client):
        async def sample(self, request):
            self.requests.append(request)
            if len(self.requests) == 8:
                signal.raise_signal(signal.SIGTERM)
                await asyncio.sleep(0)
                signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(60)

    found = collect(tmp_path, Stuck())
    assert found.notes == ("Interrupted by SIGTERM.",)
    assert stored(tmp_path) == {}
    assert collect(tmp_path, Client()).complete


def test_a_bug_in_a_client_loses_nothing(tmp_path):
    class Buggy(Client):
        async def sample(self, request):
            if len(self.requests) == 5:
                raise ZeroDivisionError("a bug")
            return await super().sample(request)

    client = Buggy()
    with pytest.raises(ZeroDivisionError, match="a bug"):
        collect(tmp_path, client)
    assert client.closed
    assert sorted(stored(tmp_path).values()) == sorted(client.texts)
    assert collect(tmp_path, Client()).complete


def test_it_runs_inside_an_event_loop_too(tmp_path):
    async def notebook():
        return collect(tmp_path, Client())

    assert asyncio.run(notebook()).complete


def test_progress_ends_with_everything(tmp_path):
    seen = []
    collect(
        tmp_path,
        Client(fails("no", times=12, transient=False)),
        report=lambda p: seen.append((p.done, p.failed, p.left)),
    )
    assert seen[0] == (0, 0, 12)
    assert seen[-1] == (0, 12, 0)


def test_progress_names_the_last_trouble_until_it_is_over(tmp_path):
    seen = []

    class Watching(Client):
        async def sample(self, request):
            seen.append(progress[0].trouble)
            return await super().sample(request)

    progress = []
    client = Watching(fails("HTTP 429: slow", times=2))
    collect(tmp_path, client, plan(samples=2, concurrency=1), questions(1), report=progress.append)
    assert seen == [None, "HTTP 429: slow", "HTTP 429: slow", None]


def test_several_servers_in_one_run(tmp_path):
    (tmp_path / "plan.toml").write_text(
        f'samples = 2\n[servers.x]\nbase_url = "{URL}"\n[servers.y]\nbase_url = "http://127.0.0.1:10/v1"\n'
        '[models.a]\nserver = "x"\n[models.b]\nserver = "y"\nsamples = 3\n'
    )
    clients = {}

    def client(server):
        return clients.setdefault(server.base_url, Client())

    asked = read_plan(tmp_path / "plan.toml")
    assert record(questions(), asked, tmp_path / "pool", sampler=client, retry=AT_ONCE).complete
    assert {url: len(c.requests) for url, c in clients.items()} == {URL: 6, "http://127.0.0.1:10/v1": 9}


def test_confidence_and_tokens_of_the_sample(tmp_path):
    client = Client(lambda _: Reply((Choice("x", "length", -0.5, 3),), 7, 3))
    collect(tmp_path, client, plan(samples=1, logprobs=True), questions(1))
    assert client.requests[0].logprobs
    with Journal(tmp_path) as journal:
        sample = journal.samples(next(journal.cells()))[0]
    assert (sample["confidence"], sample["finish_reason"], sample["input_tokens"]) == (-0.5, "length", 7)


# What a review found --------------------------------------------------------------------------------------------------


def test_limits_that_cannot_be_kept_without_token_counts_stop_it(tmp_path):
    client = Client(lambda _: Reply((Choice("x"),)))
    for _ in range(2):
        found = collect(tmp_path, client, max_tokens=1000)
        assert found.notes[0].startswith(
            "The server did not report tokens for 1 requests, so --max-tokens and --max-cost cannot"
        )
    assert len(client.requests) == 1
    assert collect(tmp_path, client, max_requests=100).complete


def test_a_first_request_goes_alone_but_no_server_waits_for_another(tmp_path):
    class Slow(Client):
        async def sample(self, request):
            order.append(request.model_id)
            await asyncio.sleep(0.01)
            return await super().sample(request)

    order = []
    (tmp_path / "plan.toml").write_text(
        f'samples = 8\n[servers.x]\nbase_url = "{URL}"\n[servers.y]\nbase_url = "{URL}/y"\n'
        '[models.a]\nserver = "x"\n[models.b]\nserver = "y"\n'
    )
    asked = read_plan(tmp_path / "plan.toml")
    assert collect(tmp_path / "pool", Slow(), asked, max_tokens=10**6).complete
    assert set(order[:2]) == {"a", "b"}


def test_a_model_whose_requests_no_longer_fit_does_not_stop_the_others(tmp_path):
    (tmp_path / "plan.toml").write_text(
        f'samples = 4\n[servers.x]\nbase_url = "{URL}"\n[models.big]\nsettings = {{max_tokens = 5000}}\n'
        "[models.small]\nsettings = {max_tokens = 5}\n"
    )
    client = Client()
    found = collect(tmp_path / "pool", client, read_plan(tmp_path / "plan.toml"), max_tokens=4000)
    assert found.to_frame()["recorded"].tolist() == [0, 12]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Requests to model 'big' were stopped: the next request might exceed the limit (")


def test_what_was_spent_without_prices_counts_at_the_prices_of_now(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    collect(tmp_path / "pool", Client(), plan(samples=1))  # 3 requests of 0.02 each
    found = collect(tmp_path / "pool", Client(), plan(samples=4, prices=prices), max_cost=0.06)
    assert found.notes == ("The limit --max-cost 0.06 is reached (0.06 in all runs).",)


def test_a_server_that_starts_late_still_gives_several_samples_a_request(tmp_path):
    client = Client(fails("HTTP 503: loading", times=6))
    collect(tmp_path, client, plan(samples=16, samples_per_request=8, concurrency=1), questions(4))
    assert {request.n for request in client.requests[-6:]} == {8}


def test_a_busy_server_that_names_a_time_and_serves_others_loses_no_sample(tmp_path):
    free = [0.0]

    def says(_):
        now = time.monotonic()
        if now < free[0]:
            raise RequestFailed("HTTP 429: slow down", retry_after=free[0] - now)
        free[0] = now + 0.01

    assert collect(tmp_path / "busy", Client(says), plan(samples=8, concurrency=24)).complete
    blocked = Client(fails("HTTP 429: slow down", retry_after=0.0))
    assert collect(tmp_path / "blocked", blocked, plan(samples=1), questions(1)).to_frame()["failed"].item() == 1


@pytest.mark.parametrize(
    ("choice", "error", "says"),
    [
        (
            Choice("x", output_tokens=2**70),
            RecordError,
            r"too large to convert.*\. 8 received samples could not be stored",
        ),
        (Choice(None), TypeError, "The text of each choice must be a str"),
    ],
)
def test_what_a_client_may_not_return_ends_the_run(tmp_path, choice, error, says):
    with pytest.raises(error, match=says):
        collect(tmp_path, Client(lambda _: Reply((choice,))))
    assert collect(tmp_path, Client()).complete


def test_reasons_may_hold_any_text(tmp_path):
    found = collect(tmp_path, Client(fails("bad \ud800 reason", transient=False)), plan(samples=1), questions(1))
    assert found.reasons["reason"].tolist() == ["bad ? reason"]


def test_more_choices_than_asked_for_are_cut(tmp_path):
    client = Client(lambda _: Reply((Choice("x"), Choice("y")), 10, 10))
    assert collect(tmp_path, client, plan(samples=1), questions(1)).complete
    assert stored(tmp_path) == {("q0", "a", 0): "x"}


def test_what_is_not_asked_for_now_is_told_and_does_not_count(tmp_path):
    collect(tmp_path, Client(), max_requests=10)
    found = collect(tmp_path, Client(), None, questions(1))
    assert found.complete
    assert found.notes == ("2 more samples are missing for questions or models that are not in this plan.",)


def test_an_interrupt_in_a_notebook_stops_it(tmp_path):
    class Slow(Client):
        async def sample(self, request):
            reply = await super().sample(request)
            if len(self.requests) == 100:  # by then the caller waits, which on a busy machine it need not at first
                os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.02)
            return reply

    async def notebook():
        return collect(tmp_path, client, plan(samples=100))

    client = Slow()
    loop = asyncio.new_event_loop()
    try:
        found = loop.run_until_complete(notebook())
    finally:
        loop.close()
    assert found.notes == ("Interrupted.",)
    assert len(client.requests) < 300
    assert sorted(stored(tmp_path).values()) == sorted(client.texts)
