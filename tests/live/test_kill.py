"""Live runs killed twenty times, told to stop, and among faults: the same result, nothing lost, nothing paid twice."""

import json
import random
import signal

import pytest

from tests.chat_server import serving
from tests.live.scripted import CONCURRENCY, live_with_faults, run_until_killed, says, table
from tests.recording import stored
from tests.recording_http import (
    FORKS,
    WAIT,
    check_whole,
    in_parquet,
    log_lines,
    mssim,
    received,
    run,
    start,
    until,
    write_questions,
)

pytestmark = pytest.mark.slow

KILLS = 20


def events(log):
    """What servers were asked for and what they answered, in order."""
    return [(kind, [tuple(one) for one in samples]) for kind, samples in map(json.loads, log.read_text().splitlines())]


def killed(out, log, at, how, seed):
    process = FORKS.Process(target=run_until_killed, args=(out, log, at, how, seed))
    process.start()
    process.join(WAIT)
    return process.exitcode == -signal.SIGKILL


def test_twenty_kills_among_faults_change_nothing_and_cost_only_what_was_under_way(tmp_path):
    out, log, rng = tmp_path / "pool", tmp_path / "log", random.Random(0)
    log.touch()
    seen, there = 0, {}
    for number in range(KILLS):
        how = ("before", "answered", "later")[number % 3]
        assert killed(out, log, rng.randrange(2, 9), how, number), "the run was over before it could be killed"
        now, came = stored(out), events(log)
        asked = [sample for kind, samples in came[seen:] if kind == "asked" for sample in samples]
        answered = {sample for kind, samples in came if kind == "answered" for sample in samples}
        assert {(m, q, i) for q, m, i in there}.isdisjoint(asked)  # what is committed is never asked for again
        assert there.items() <= now.items()  # and never lost
        assert {(m, q, i) for q, m, i in now} <= answered
        once = [sample for kind, samples in came[seen:] if kind == "answered" for sample in samples]
        assert len(set(once)) == len(once)
        assert len(set(once) - {(m, q, i) for q, m, i in now}) <= 2 * CONCURRENCY  # what the kill took was under way
        seen, there = len(came), now
    result = live_with_faults(out, share=0.0)
    undisturbed = live_with_faults(tmp_path / "fresh", share=0.0)
    assert result.complete
    assert decided(result) == decided(undisturbed)
    final = stored(out)
    assert final == stored(tmp_path / "fresh") == in_parquet(out)
    assert final == {(q, m, i): says(m, q, i) for q, m, i in final}


def decided(result):
    """What does not depend on how samples were shared among requests: faults make smaller ones."""
    return [{k: v for k, v in row.items() if k != "tokens"} for row in table(result)]


# Over HTTP ------------------------------------------------------------------------------------------------------------


def command(path, server, out):
    models = [part for name in ("a", "b") for part in ("--model", name)]
    options = ["--strategy", "ms:a+b,agreement=0.75", "--budget", 8, "--rule", "boxed", "--sample-seed", 3]
    return mssim("live", path, *models, "--base-url", server.base_url, "--out", out, *options, "--concurrency", 8)


def questions_of(text):
    rows = json.loads(text)["questions"]
    return [{name: value for name, value in row.items() if name != "latency"} for row in rows]


def test_faults_and_a_signal_change_nothing_over_http(tmp_path):
    path = write_questions(tmp_path, 6)
    with serving(seeded=True) as server:
        code, text, err = run([*command(path, server, tmp_path / "fresh"), "--json"])
        assert (code, err) == (0, "")
    expected = questions_of(text)
    assert len({row["stopped"] for row in expected}) == 2
    broken = dict.fromkeys(["server_error", "half_body", "rate_limit_after"], 0.1)
    out = tmp_path / "pool"
    with serving(seeded=True, faults=broken, delay=0.02) as server:
        with start(command(path, server, out)) as process:
            until(lambda: log_lines(server) > 20)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
        assert process.returncode == 1
        assert err.startswith("mssim: Interrupted by SIGINT.\n")
        assert "questions are unfinished. Rerun the same command to resume.\n" in err
        before = stored(out)
        assert before
        code, text, err = run([*command(path, server, out), "--json"])
        assert code == 0, err
        assert {entry["kind"] for entry in server.log("sent")} >= {"ok", *broken}
        after = check_whole(server, out, set(stored(out)))
        assert before.items() <= after.items()
        readable = [e for e in server.log("sent") if e["kind"] == "ok" and e["texts"]]
        assert len(readable) == len(after)  # no sample was answered twice
        assert len(received(server)) > len(after)
    assert questions_of(text) == expected
