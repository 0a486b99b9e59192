"""The front door of the recorder: every sample once, nothing mixed, and the same again asks for nothing."""

import asyncio
import os
import signal

import pyarrow as pa
import pytest

from mssim import RecordError
from mssim.recorder import Choice, Journal, Reply, read_plan, record
from tests.recorder.test_dispatch import fails
from tests.recording import AT_ONCE, URL, Client, collect, plan, questions, stored


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
        f"recorded from {URL}, but the plan names http://127.0.0.1:10/v1. If both serve .* pass new_server=True",
        elsewhere,
    )
    assert collect(tmp_path, Client(), elsewhere, new_server=True).complete
    refused(tmp_path, "recorded from http://127.0.0.1:10/v1", plan(samples=5))


def test_a_pool_that_was_not_recorded_is_left_alone(tmp_path):
    (tmp_path / "pool.json").write_text("{}")
    with pytest.raises(RecordError, match=r"contains a pool without a journal\. Choose another folder"):
        collect(tmp_path, Client())


def test_it_runs_inside_an_event_loop_too(tmp_path):
    async def notebook():
        return collect(tmp_path, Client())

    assert asyncio.run(notebook()).complete


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


@pytest.mark.slow
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


def test_samples_that_go_on_without_log_probabilities_are_told_of_at_the_start(tmp_path):
    sure = Client(lambda _: Reply((Choice("7", confidence=-0.5),), 10, 5))
    assert collect(tmp_path, sure, plan(samples=2, logprobs=True), questions(1)).warnings == ()
    assert collect(tmp_path, sure, plan(samples=2), questions(1)).noticed == ()  # nothing is requested
    told = []
    unsure = Client(lambda _: Reply((Choice("7"),), 10, 5))
    found = collect(tmp_path, unsure, plan(samples=3), questions(1), report=lambda p: told.append(list(p.warnings)))
    says = (
        "model 'a' was recorded with log-probabilities before and is not now, so the new samples have no "
        "confidence. Add logprobs=True."
    )
    assert told[0] == [says]
    assert found.warnings[0] == says
    assert found.warnings[1].startswith("1 of 3 samples of a lacks known log-probabilities")
