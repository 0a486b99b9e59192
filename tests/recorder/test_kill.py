"""The recorder killed, or told to stop, over real HTTP: nothing that was committed is lost, nothing is asked twice."""

import itertools
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from mssim.pools.folder import check_files, read_info
from mssim.recorder import plan_from_options
from tests.chat_server import serving
from tests.recording import stored
from tests.recording_http import (
    WAIT,
    check_whole,
    command,
    forked,
    in_parquet,
    log_lines,
    received,
    run,
    sent_texts,
    start,
    until,
    write_questions,
)

pytestmark = pytest.mark.slow

CONCURRENCY = 8


def killed_at(moment, arguments):
    """Kill -9 when `moment()` says so; whether it had not ended before."""
    with forked(arguments) as process:
        until(lambda: moment() or process.exitcode is not None)
        process.kill()
        process.join(WAIT)
        return process.exitcode == -signal.SIGKILL


def kill_while_it_records(server, arguments, rng):
    """Kill at a random number of lines in the server's log after the first of this run, and some time."""
    lines = log_lines(server) + rng.randrange(1, 30)
    later = rng.uniform(0, 0.03)

    def moment():
        if log_lines(server) < lines:
            return False
        time.sleep(later)
        return True

    assert killed_at(moment, arguments), "the recording was over before it could be killed"


def as_killed(out, copy):
    """Texts and number of requests in the journal as it lies there; only a copy is opened, which would mend it."""
    shutil.copytree(out, copy)
    texts = stored(copy)
    with closing(sqlite3.connect(copy / "journal.sqlite")) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        requests = journal.execute("SELECT COUNT(*) FROM requests").fetchone()[0]
    shutil.rmtree(copy)
    return texts, requests


def kill_and_finish(tmp_path, server, kills, samples, *options):
    """Kill so many times, then record to the end; after each run the requests that came and what is in the journal."""
    out, rng, runs = tmp_path / "pool", random.Random(0), []
    path = write_questions(tmp_path)
    arguments = command(path, server, out, "--samples", samples, "--seed", 1, "--concurrency", CONCURRENCY, *options)
    for number in range(kills + 1):
        if number < kills:
            kill_while_it_records(server, arguments, rng)
        else:
            assert run(arguments)[::2] == (0, "")
        came = received(server)
        texts, requests = as_killed(out, tmp_path / "copy")
        runs.append((came, texts, requests))
    wanted = {(f"q{q}", "a", i) for q in range(4) for i in range(samples)}
    assert check_whole(server, out, wanted) == runs[-1][1]
    for (_, before, _), (_, after, _) in itertools.pairwise(runs):
        assert before.items() <= after.items()  # what was committed stays as it was
    return runs


def test_twenty_kills_lose_nothing_and_repeat_only_what_was_under_way(tmp_path):
    samples, kills = 120, 20
    with serving(delay=0.02) as server:
        runs = kill_and_finish(tmp_path, server, kills, samples)
        sent = {entry["number"]: entry["texts"] for entry in server.log("sent")}
    plan = plan_from_options(["a"], base_url=server.base_url, samples=samples, seed=1).models[0]
    of_seed = {plan.sample_seed(f"q{q}", i): (f"q{q}", "a", i) for q in range(4) for i in range(samples)}
    assert len(of_seed) == 4 * samples
    answers, seen, there = {}, 0, set()
    for came, texts, _ in runs:
        asked = [of_seed[entry["seed"]] for entry in came[seen:]]
        assert len(set(asked)) == len(asked)  # once in a run
        assert there.isdisjoint(asked)  # and only what is missing
        assert there | set(asked) >= set(texts)
        assert len(set(asked) - set(texts)) <= CONCURRENCY  # what the kill took was under way
        for sample, entry in zip(asked, came[seen:], strict=True):
            answers.setdefault(sample, []).extend(sent.get(entry["number"], ()))
        seen, there = len(came), set(texts)
    assert all(text in answers[sample] for sample, text in runs[-1][1].items())  # each in reply to its own request
    assert max(entry["in_flight"] for entry in came) <= CONCURRENCY
    assert 4 * samples < seen <= 4 * samples + kills * CONCURRENCY


def test_kills_among_faults_and_several_samples_a_request(tmp_path):
    kills = 4
    faults = dict.fromkeys(["rate_limit", "server_error", "reset", "half_body", "empty_choices", "fewer"], 0.03)
    with serving(delay=0.03, faults=faults) as server:
        runs = kill_and_finish(tmp_path, server, kills, 160, "--samples-per-request", 4)
        assert {entry["kind"] for entry in server.log("sent")} == {"ok", *faults}
    seen, stored_before = 0, 0
    for came, _, requests in runs:
        assert 0 <= len(came) - seen - (requests - stored_before) <= CONCURRENCY
        seen, stored_before = len(came), requests
    assert any(entry["n"] == 4 for entry in came)


def test_kills_while_files_are_written_leave_the_old_pool_or_the_new_one(tmp_path):
    out, path, rng = tmp_path / "pool", write_questions(tmp_path), random.Random(1)
    with serving() as server:
        first = command(path, server, out, "--samples", 1)
        assert run(first)[0] == 0
        arguments = command(path, server, out, "--samples", 200, "--samples-per-request", 8)
        killed = [kill_while_it_exports(out, arguments, rng) for _ in range(4)]
        assert any(killed)
        assert run(arguments)[::2] == (0, "")
        assert sum(entry["n"] or 1 for entry in received(server)) == 4 * 200
    assert len(in_parquet(out)) == 4 * 200
    assert in_parquet(out) == stored(out)


def kill_while_it_exports(out, arguments, rng):
    """Kill some time after files begin to be written; whether it had not ended before."""
    before, later = set(out.glob(".next*")), rng.uniform(0, 0.05)

    def moment():
        if not set(out.glob(".next*")) - before:
            return False
        time.sleep(later)
        return True

    killed = killed_at(moment, arguments)
    info = read_info(out)
    check_files(out, info["files"])
    assert info["counts"]["samples"] in (4, 4 * 200)
    return killed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_and_all_that_was_sent_is_stored(tmp_path, number):
    out, path = tmp_path / "pool", write_questions(tmp_path)
    with serving(delay=0.05) as server:
        arguments = command(path, server, out, "--samples", 400, "--concurrency", CONCURRENCY)
        with start(arguments) as process:
            until(lambda: log_lines(server) > 40)
            process.send_signal(number)
            out_text, err = process.communicate()
        assert process.returncode == 1
        assert err == f"mssim: Interrupted by {number.name}.\n"
        assert "1600" in out_text  # the table of how far it is
        texts = check_whole(server, out, set(stored(out)))
        assert sorted(texts.values()) == sorted(sent_texts(server))
        assert len(received(server)) == len(texts)


def test_a_second_signal_does_not_wait_for_what_is_under_way(tmp_path):
    out, path = tmp_path / "pool", write_questions(tmp_path)
    with serving(first=["ok"] * 20 + ["late"] * 1000, late=3600) as server:
        with start(command(path, server, out, "--concurrency", CONCURRENCY)) as process:
            until(lambda: len(server.log("received")) == 20 + CONCURRENCY)
            process.send_signal(signal.SIGINT)
            with pytest.raises(TimeoutError):
                process.wait(0.3)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
        assert process.returncode == 1
        assert err == "mssim: Interrupted by SIGINT.\n"
        texts = check_whole(server, out, set(stored(out)))
        assert sorted(texts.values()) == sorted(sent_texts(server))
        assert len(texts) == 20
