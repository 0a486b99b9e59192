import json
import random
import signal
from collections import Counter

import pytest

from mssim.errors import MssimError
from mssim.live.protocols import Call, Calls, Final, Protocol
from mssim.recorder import Journal, RequestFailed
from tests.live.repliers import Replier, key_of, play, play_alone, questions, says, table
from tests.recording_http import FORKS, WAIT

PROTOCOLS = ["mad:a+b,rounds=2", "debate:a+b,agents=3", "chateval:a+b", "moa:a+b,layers=2", "best-of-n:a,n=3,judge=b"]
PROTOCOLS += ["agentverse:a+b,rounds=2"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """{protocol: (table, requests)} of runs without trouble."""
    found = {}
    for protocol in PROTOCOLS:
        result, client = play(tmp_path_factory.mktemp("pool"), protocol, 2)
        assert result.complete
        found[protocol] = table(result), Counter(map(key_of, client.requests))
    return found


def test_calls_of_many_runs_are_under_way_at_once_within_the_limit_of_the_server(tmp_path):
    _, client = play(tmp_path, runs=10)
    assert client.most == 4


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_faults_change_nothing_and_no_call_is_answered_twice(protocol, undisturbed, tmp_path):
    rng = random.Random(0)

    def before(_):
        if rng.random() < 0.3:
            raise RequestFailed("HTTP 500")

    result, client = play(tmp_path, protocol, 2, client=Replier(before=before))
    rows, requests = undisturbed[protocol]
    assert client.events > 1.05 * 2 * requests.total()
    assert table(result) == rows
    assert Counter(map(key_of, client.requests)) == requests
    assert max(requests.values()) == 1  # all calls have seeds of their own


def events(log):
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def stop_at(moments, number, protocol, undisturbed, tmp_path):
    """Stop at events, each counted from the start of a process; return the events of each process."""
    rows, _ = undisturbed[protocol]
    log, seen, processes = tmp_path / "log", 0, []
    for at in [*moments, None]:
        process = FORKS.Process(target=play_alone, args=(tmp_path / "pool", log, protocol, 2, at, number))
        process.start()
        process.join(WAIT)
        assert process.exitcode == (-number if at is not None and number == signal.SIGKILL else 0)
        processes.append(events(log)[seen:])
        seen += len(processes[-1])
    client = Replier()
    assert table(play(tmp_path / "pool", protocol, 2, client=client)[0]) == rows
    assert client.events == 0
    return processes


@pytest.mark.slow
def test_kills_repeat_only_what_was_under_way(undisturbed, tmp_path):
    protocol, moments = "mad:a+b,rounds=2", [0, 1, 9, 2, 20]
    processes = stop_at(moments, signal.SIGKILL, protocol, undisturbed, tmp_path)
    asked = Counter(key for process in processes for event, key in process if event == "asked")
    assert asked.keys() == undisturbed[protocol][1].keys()
    done = set()
    for process in processes:  # what a process asks, none before it has committed
        mine = [key for event, key in process if event == "asked"]
        assert len(set(mine)) == len(mine)
        assert done.isdisjoint(mine)
        answered = [key for event, key in process if event == "answered"]
        done |= set(answered[: max(len(answered) - 4, 0)])  # the last ones may have been in flight to the journal
    assert asked.total() <= len(asked) + 4 * len(moments)


@pytest.mark.slow
def test_an_interruption_completes_what_is_under_way_and_repeats_nothing(undisturbed, tmp_path):
    protocol = "mad:a+b,rounds=2"
    processes = stop_at([0, 3, 8], signal.SIGINT, protocol, undisturbed, tmp_path)
    for event in ("asked", "answered"):
        keys = Counter(key for process in processes for kind, key in process if kind == event)
        assert keys == undisturbed[protocol][1]


def test_a_call_that_is_given_up_leaves_its_run_unfinished(tmp_path):
    def before(request):
        if request.seed == bad:
            raise RequestFailed("HTTP 400: no", transient=False)

    bad = None
    _, client = play(tmp_path / "first")
    bad = client.requests[5].seed
    client = Replier(before=before)
    result, _ = play(tmp_path / "pool", client=client)
    assert result.unfinished == 1
    assert not result.complete
    assert result.reasons["reason"].tolist() == ["HTTP 400: no"]
    again, client = play(tmp_path / "pool")
    assert (again.unfinished, client.events) == (1, 0)
    last, client = play(tmp_path / "pool", retry_failed=True)
    assert (last.unfinished, len(client.requests)) == (0, 3)  # one of the first round, and the second round
    assert table(last) == table(play(tmp_path / "first")[0])


def test_a_server_that_always_fails_is_given_up_with_few_questions(tmp_path):
    def before(_):
        raise RequestFailed("HTTP 400: no", transient=False)

    result, client = play(tmp_path, runs=1000, client=Replier(before=before), given=questions(2))
    assert client.events < 100
    assert "20 consecutive requests failed" in result.notes[0]


def test_an_error_of_the_sampler_is_raised(tmp_path):
    def before(_):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        play(tmp_path, client=Replier(before=before))


def test_calls_are_in_the_journal_by_model_and_step(tmp_path):
    _, client = play(tmp_path, "mad:a+b,rounds=1", runs=2, given=questions(1), client=Replier(lambda _: "7"))
    with Journal(tmp_path) as journal:
        rows = journal.query("SELECT model, sample_index, text FROM all_samples ")
    steps = ["a as round 1, affirmative", "b as round 1, negative", "a as round 1, judge", "a as extraction"]
    assert sorted(rows) == sorted((step, run, "7") for step in steps for run in (0, 1))
    assert len({request.seed for request in client.requests}) == 8
    assert {request.n for request in client.requests} == {1}


class Asking(Protocol):
    """Asks for calls of given steps in each round."""

    models = ("a",)

    def __init__(self, *rounds):
        self.rounds = rounds

    def run(self, task):
        for steps in self.rounds:
            yield [Call(step, "a", task.prompt("a")) for step in steps]
        return Final("", "end")

    def calls(self):
        return Calls(2, 2)

    def __str__(self):
        return "asking:a"


@pytest.mark.parametrize(
    ("rounds", "named"),
    [
        ([["x"], ["x"]], r"\['x'\]"),
        ([["x", "y"], ["z", "y"]], r"\['z', 'y'\]"),
        ([["x", "x"]], ""),
        ([["x"], []], r"\[\]"),
    ],
)
def test_a_round_needs_calls_and_a_step_may_not_repeat(rounds, named, tmp_path):
    with pytest.raises(MssimError, match=rf"protocol asking:a: it asked for the calls {named}"):
        play(tmp_path, Asking(*rounds))


def test_different_steps_are_fine(tmp_path):
    assert play(tmp_path, Asking(["x", "y"], ["z"]))[0].totals()["calls"] == 3


def test_replies_are_what_the_client_says(tmp_path):
    result, client = play(tmp_path, "debate:a,agents=2,rounds=1", runs=1, given=questions(1))
    assert result.to_frame()["text"].tolist() == [says(client.requests[0])]
