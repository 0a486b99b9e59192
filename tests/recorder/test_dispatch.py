"""Requests: tried again, given up with a reason, fewer samples at once where the server cannot, stopped cleanly."""

import asyncio
import math
import signal
import time
from types import SimpleNamespace

import pytest

from mssim import RecordError
from mssim.recorder import Choice, Reply, RequestFailed, read_plan, status
from tests.recording import URL, Client, collect, plan, questions, stored


def fails(reason="HTTP 500: broken", times=math.inf, **how):
    """What a client says that fails so many times, then answers."""
    left = [times]

    def says(_):
        left[0] -= 1
        if left[0] >= 0:
            raise RequestFailed(reason, **how)

    return says


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


def test_every_sample_has_a_seed_of_its_own(tmp_path):
    client = Client()
    collect(tmp_path, client, plan(samples=20, seed=1))
    seeds = {request.seed for request in client.requests}
    assert len(seeds) == len(client.requests) == 60


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


@pytest.mark.slow
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


def test_a_server_that_starts_late_still_gives_several_samples_a_request(tmp_path):
    client = Client(fails("HTTP 503: loading", times=6))
    collect(tmp_path, client, plan(samples=16, samples_per_request=8, concurrency=1), questions(4))
    assert {request.n for request in client.requests[-6:]} == {8}


@pytest.mark.slow
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
        (Choice("7", 5), TypeError, "Names, finish reasons, reasoning, refusals and tool calls must be a str or None"),
        (Choice("7", confidence="high"), TypeError, "The confidence of each choice must be a finite float or None"),
        (Choice("7", confidence=math.inf), TypeError, "The confidence of each choice must be a finite float or None"),
        (Choice("7", output_tokens=-1), TypeError, "Numbers of tokens must be an int of at least 0 or None"),
        (Choice("7", output_tokens="5"), TypeError, "Numbers of tokens must be an int of at least 0 or None"),
        (SimpleNamespace(text="7"), TypeError, "It must return a Reply with a tuple of Choice"),
    ],
)
def test_what_a_client_may_not_return_ends_the_run(tmp_path, choice, error, says):
    with pytest.raises(error, match=says):
        collect(tmp_path, Client(lambda _: Reply((choice,))))
    assert collect(tmp_path, Client()).complete


def test_more_choices_than_asked_for_are_cut(tmp_path):
    client = Client(lambda _: Reply((Choice("x"), Choice("y")), 10, 10))
    assert collect(tmp_path, client, plan(samples=1), questions(1)).complete
    assert stored(tmp_path) == {("q0", "a", 0): "x"}


def refuses_more_than(most, says="HTTP 400: n cannot be greater than the number of slots"):
    def answer(request):
        if request.n > most:
            raise RequestFailed(says, transient=False, fewer=True)

    return answer


@pytest.mark.parametrize(("most", "sizes"), [(4, [8, 4, 4, 4, 4]), (3, [8, 4, 2, 2, 2, 2, 2, 2, 2, 2])])
def test_more_samples_than_a_server_takes_are_halved_and_the_reason_is_told(tmp_path, most, sizes):
    client = Client(refuses_more_than(most))
    found = collect(tmp_path, client, plan(samples=16, samples_per_request=8, concurrency=1), questions(1))
    assert found.complete
    assert [request.n for request in client.requests] == sizes
    assert found.noticed[1] == (
        f"requests for a have {sizes[-1]} samples instead of 8, since the server refused more: HTTP 400: n cannot be "
        "greater than the number of slots"
    )


def test_a_prompt_that_is_refused_at_every_size_does_not_reduce_the_size_of_others(tmp_path):
    def says(request):
        if request.messages[-1]["content"] == "Ask 0":
            raise RequestFailed("HTTP 400: n tokens are too many", transient=False, fewer=True)

    client = Client(says)
    found = collect(tmp_path, client, plan(samples=8, samples_per_request=8, concurrency=1), questions(2))
    assert found.to_frame()["failed"].item() == 8
    assert client.requests[-1].n == 8
    assert not any("instead of" in warning for warning in found.noticed)


def test_a_failed_generation_is_asked_for_again_and_given_up_with_its_reason(tmp_path):
    replies = iter([Reply((Choice("x"), Choice("y")), 10, 30, error="the generation failed: died")])
    client = Client(lambda _: next(replies, None) or Reply((), 10, 5, error="the generation failed: died"))
    found = collect(tmp_path, client, plan(samples=3, samples_per_request=3, concurrency=1), questions(1))
    assert sorted(stored(tmp_path).values()) == ["x", "y"]
    assert [request.n for request in client.requests] == [3, 1, 1, 1, 1]
    assert found.reasons.iloc[0].tolist() == ["a", "the generation failed: died", 1]
    assert found.to_frame()[["input_tokens", "output_tokens", "refused"]].iloc[0].tolist() == [50, 50, 4]


def test_tokens_of_a_failed_request_count_and_its_shape_is_not_tried_again_and_again(tmp_path):
    client = Client(fails("not JSON", attempts=2, tokens=(100, 500)))
    found = collect(tmp_path / "all", client, plan(samples=3, concurrency=1), questions(1))
    assert len(client.requests) == 6
    assert found.to_frame()[["failed", "input_tokens", "output_tokens"]].iloc[0].tolist() == [3, 600, 3000]
    limited = Client(fails("not JSON", attempts=2, tokens=(100, 500)))
    found = collect(tmp_path / "limited", limited, plan(samples=3), questions(1), max_tokens=1000)
    assert len(limited.requests) == 1
    assert found.to_frame()["output_tokens"].item() == 500
    several = Client(fails("not JSON", attempts=2))
    collect(tmp_path / "several", several, plan(samples=4, samples_per_request=4), questions(1))
    assert [request.n for request in several.requests] == [4, 4]


def test_attempts_before_a_reply_of_another_shape_do_not_count_for_it(tmp_path):
    faults = iter([{}, {}, {"attempts": 2}])

    def says(_):
        if (how := next(faults, None)) is not None:
            raise RequestFailed("HTTP 503: loading", **how)

    client = Client(says)
    assert collect(tmp_path, client, plan(samples=1), questions(1)).complete
    assert len(client.requests) == 4


def test_a_server_that_is_not_there_is_told_at_once_and_no_sample_is_given_up(tmp_path):
    client = Client(fails("nothing answers at http://x", unreachable=True))
    found = collect(tmp_path, client, plan(["a", "b"], samples=80, concurrency=4))
    assert found.to_frame()[["requests", "failed", "missing"]].to_numpy().tolist() == [[0, 0, 240]] * 2
    says = "were stopped: nothing answers at http://x. Start the server, or correct the base URL."
    assert found.notes == (f"Requests to model 'a' {says}", f"Requests to model 'b' {says}")
    assert len(client.requests) <= 6
    assert collect(tmp_path, Client(), plan(["a", "b"], samples=80)).complete


def test_a_server_that_ends_in_between_is_waited_for_and_the_clock_is_shown(tmp_path):
    down = iter(range(30))
    shown = []

    def says(_):
        shown.append(progress[0].silent_since)
        if len(client.texts) >= 4 and next(down, None) is not None:
            raise RequestFailed("nothing answers at http://x", unreachable=True)

    progress = []
    client = Client(says)
    found = collect(tmp_path, client, plan(concurrency=2), max_requests=12, report=progress.append)
    assert found.complete  # though a limit of the requests would not allow any that was sent in vain
    assert found.to_frame()[["requests", "refused", "failed"]].iloc[0].tolist() == [12, 0, 0]
    assert len(client.requests) == 42
    assert progress[0].silent_since is None


def test_a_server_that_stays_away_stops_its_model(tmp_path, monkeypatch):
    monkeypatch.setattr("mssim.recorder.contact.PATIENCE", 0.0)
    client = Client(lambda _: None if len(client.texts) < 3 else fails("nothing answers", unreachable=True)(_))
    found = collect(tmp_path, client, plan(concurrency=1))
    assert found.notes == ("Requests to model 'a' were stopped: nothing answers for 0 minutes. Start the server.",)
    assert found.to_frame()[["recorded", "failed", "missing"]].iloc[0].tolist() == [3, 0, 9]


def test_an_hour_of_retry_after_stops_the_model_but_not_the_others(tmp_path):
    def says(request):
        if request.model_id == "a":
            raise RequestFailed("the server accepts no requests until noon", everywhere=True, retry_after=7200.0)

    found = collect(tmp_path, Client(says), plan(["a", "b"], concurrency=1))
    assert found.notes == ("Requests to model 'a' were stopped: the server accepts no requests until noon",)
    assert found.to_frame()["recorded"].tolist() == [0, 12]


def test_tokens_of_a_server_that_counts_one_choice_count_for_all_and_limits_hold(tmp_path):
    text = "Adding both of them gives forty-two, which is even. " * 5

    def says(request):
        return Reply(tuple(Choice(text, "stop") for _ in range(request.n)), 10, 60)

    asked = plan(samples=12, samples_per_request=6, concurrency=1)
    found = collect(tmp_path / "all", Client(says), asked, questions(1))
    assert found.to_frame()["output_tokens"].item() == 2 * 6 * 60
    assert "reports the tokens of one choice" in found.noticed[0]
    limited = collect(tmp_path / "limited", Client(says), asked, max_tokens=1200)
    assert limited.to_frame()["output_tokens"].item() == 3 * 6 * 60


def test_what_a_reply_lacks_is_told_once(tmp_path):
    client = Client(lambda request: Reply((Choice("7"),) * request.n, 10, 5, served_model="another"))
    found = collect(tmp_path, client, plan(logprobs=True))
    assert set(found.noticed) == {
        "samples of a lack known log-probabilities although they are requested",
        "samples of a were served by 'another', but the request names 'a'",
    }
