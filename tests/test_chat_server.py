"""The chat server of the tests: what it says on the wire, its faults, its log, its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mssim import MssimError
from tests.chat_server import BROKEN, FAULTS, STATUS_OF, Options, sample_text, serving, word_logprob

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "tests.chat_server"]
WAIT = 10  # seconds after which a test has failed


def connect(server):
    return closing(HTTPConnection(urlsplit(server.base_url).netloc, timeout=WAIT))


def body_of(question="What is 6 x 7?", **more):
    return {"model": "m", "messages": [{"role": "user", "content": question}], **more}


def send(connection, headers=None, **body):
    connection.request("POST", "/v1/chat/completions", json.dumps(body_of(**body)), headers or {})
    response = connection.getresponse()
    return response, response.read()


def ask(server, headers=None, **body):
    """Status, headers and body, read as JSON where it says so, over a connection of its own."""
    with connect(server) as connection:
        response, content = send(connection, headers, **body)
    is_json = response.headers["Content-Type"] == "application/json"
    return response.status, response.headers, json.loads(content) if is_json else content


def texts_of(answer):
    return [choice["message"]["content"] for choice in answer["choices"]]


def raw(server):
    """A socket on which one request was sent."""
    address = urlsplit(server.base_url)
    connection = socket.create_connection((address.hostname, address.port), timeout=WAIT)
    content = json.dumps(body_of()).encode()
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
    return connection


def read_to_end(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def until(condition):
    """Wait for what another process is about to do."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# Answers -----------------------------------------------------


def test_an_answer_says_what_openai_says():
    with serving() as server:
        before = int(time.time())
        status, headers, answer = ask(server, n=2)
    texts = [sample_text(0, j, "What is 6 x 7?") for j in range(2)]
    assert status == 200
    assert headers["x-request-id"] == "req-0"
    assert before <= answer.pop("created") <= time.time()
    assert answer == {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "model": "m-2026",
        "system_fingerprint": "fp_test",
        "usage": {"prompt_tokens": 5, "completion_tokens": 16, "total_tokens": 21},
        "choices": [
            {
                "index": j,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
            for j, text in enumerate(texts)
        ],
    }
    assert texts[1] == r"sample 0.1 of c38a56bdbe9b: the answer is \boxed{1}"


def test_every_text_is_there_once_whatever_comes_at_the_same_time():
    with serving() as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ask(server, question=f"q{i % 5}", n=3), range(120)))
        received, sent = server.log("received"), server.log("sent")
    texts = [text for _, _, answer in answers for text in texts_of(answer)]
    assert len(set(texts)) == 360
    assert sorted(texts) == sorted(text for entry in sent for text in entry["texts"])
    assert sorted(entry["number"] for entry in sent) == [entry["number"] for entry in received] == list(range(120))
    last = {entry["number"]: entry["last"] for entry in received}
    for entry in sent:
        assert entry["texts"] == [sample_text(entry["number"], j, last[entry["number"]]) for j in range(3)]


def test_a_connection_is_kept_until_the_client_says_close():
    with serving() as server, connect(server) as connection:
        send(connection)
        kept = connection.sock
        assert kept is not None
        send(connection)
        assert connection.sock is kept
        send(connection, {"Connection": "close"})
        assert kept.recv(1) == b""


def test_logprobs_are_known_per_word():
    words = ["one", "two", "three", "four", "five", "six"]
    with serving(texts=[" ".join(words)]) as server:
        _, _, asked = ask(server, logprobs=True)
        _, _, not_asked = ask(server, logprobs=False)
    tokens = asked["choices"][0]["logprobs"]["content"]
    assert [token["token"] for token in tokens] == words
    assert [token["logprob"] for token in tokens] == [-0.125, -0.25, -0.375, -0.5, -0.125, -0.25]
    assert [word_logprob(k) for k in range(6)] == [token["logprob"] for token in tokens]
    assert not_asked["choices"][0]["logprobs"] is None


STRANGE = [
    "a\0b",
    "\U0001f600 \u202e",
    "half \ud800 a pair",
    "x" * 2**20,
    "",
    '"}]} ignore all\r\n\r\nHTTP/1.1 500 no\n',
]


def test_texts_come_in_turn_and_unchanged():
    with serving(texts=STRANGE) as server:
        answers = [ask(server, n=4)[2] for _ in range(3)]
        logged = [text for entry in server.log("sent") for text in entry["texts"]]
    assert [text for answer in answers for text in texts_of(answer)] == STRANGE * 2 == logged


@pytest.mark.parametrize(("text", "sent"), [("\U0001f600", "\U0001f600".encode()), ("\ud800", b"\\ud800")])
def test_text_is_utf_8_and_a_lone_surrogate_an_escape(text, sent):
    with serving(texts=[text]) as server, connect(server) as connection:
        assert b'"content": "' + sent + b'"' in send(connection)[1]


def test_a_model_says_what_it_is_told_to():
    with serving(say={"x": "seven", "y": ""}, texts=["other"]) as server:
        said = [texts_of(ask(server, model=model, n=2)[2]) for model in "xyz"]
    assert said == [["seven"] * 2, [""] * 2, ["other"] * 2]


def test_models_are_listed_and_other_addresses_are_not_found():
    found = []
    with serving(say={"x": "1", "y": "2"}) as server, connect(server) as connection:
        for method, path in [("GET", "/v1/models"), ("GET", "/v1/chat/completions"), ("POST", "/v1/completions")]:
            connection.request(method, path)
            response = connection.getresponse()
            found.append((response.status, json.loads(response.read())))
        assert [entry["kind"] for entry in server.log("sent")] == ["ok", "unknown_url", "unknown_url"]
    assert [status for status, _ in found] == [200, 404, 404]
    assert [model["id"] for model in found[0][1]["data"]] == ["x", "y"]
    assert found[2][1]["error"]["message"] == "Invalid URL (POST /v1/completions)"


@pytest.mark.slow
def test_delay_comes_before_the_answer():
    with serving(delay=0.2) as server:
        ask(server)
        received, sent = server.log()
    assert 0.19 < sent["time"] - received["time"] < WAIT


# Refusals ----------------------------------------------------


def test_n_is_honoured_or_ignored_or_refused():
    sizes = {}
    for honours_n in (True, "one", "refuse"):
        with serving(honours_n=honours_n) as server:
            answers = [ask(server, **n) for n in ({}, {"n": 1}, {"n": 4})]
            sizes[honours_n] = [len(answer["choices"]) if status == 200 else status for status, _, answer in answers]
            kinds = [entry["kind"] for entry in server.log("sent")]
    assert sizes == {True: [1, 1, 4], "one": [1, 1, 1], "refuse": [1, 1, 400]}
    assert kinds == ["ok", "ok", "n_refused"]
    assert answers[2][2]["error"] == {
        "message": "n > 1 is not supported",
        "type": "invalid_request_error",
        "param": None,
        "code": "unsupported_value",
    }


def test_a_wrong_key_is_refused_and_echoed():
    with serving(auth="right") as server:
        right, wrong, none = (ask(server, headers) for headers in ({"Authorization": "Bearer right"}, WRONG, None))
        received, kinds = server.log("received"), [entry["kind"] for entry in server.log("sent")]
    assert [status for status, _, _ in (right, wrong, none)] == [200, 401, 401]
    assert wrong[2]["error"]["message"] == "Incorrect API key provided: sk-wrong."
    assert wrong[2]["error"]["code"] == "invalid_api_key"
    assert [entry["authorization"] for entry in received] == ["Bearer right", "Bearer sk-wrong", None]
    assert kinds == ["ok", "unauthorised", "unauthorised"]


WRONG = {"Authorization": "Bearer sk-wrong"}


def test_a_prompt_over_the_limit_is_refused_and_no_other():
    with serving(context_limit=3) as server:
        answers = [ask(server, question=question) for question in ("one two three", "one two three four")]
        assert [entry["kind"] for entry in server.log("sent")] == ["ok", "too_long"]
    assert [status for status, _, _ in answers] == [200, 400]
    assert answers[1][2]["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"model": "m"}',
        *(
            json.dumps(body_of() | change).encode()
            for change in ({"messages": []}, {"messages": [1]}, {"model": None}, {"n": "2"}, {"n": 0}, {"n": True})
        ),
    ],
)
def test_what_is_no_question_is_refused(body, plain_server):
    with connect(plain_server) as connection:
        connection.request("POST", "/v1/chat/completions", body)
        response = connection.getresponse()
        assert response.status == 400
        assert "Send a JSON object with model, messages" in json.loads(response.read())["error"]["message"]


@pytest.fixture(scope="module")
def plain_server():
    with serving(log=None) as server:
        yield server


# Faults ------------------------------------------------------


def test_statuses_and_their_retry_after():
    with serving(first=list(STATUS_OF), retry_after=2.5) as server:
        now = time.time()
        found = {fault: ask(server) for fault in STATUS_OF}
        assert ask(server)[0] == 200
        sent = server.log("sent")
    assert {fault: status for fault, (status, _, _) in found.items()} == STATUS_OF
    assert [(entry["kind"], entry["status"], entry["texts"]) for entry in sent[:-1]] == [
        (fault, status, []) for fault, status in STATUS_OF.items()
    ]
    assert all(answer["error"]["code"] == fault for fault, (_, _, answer) in found.items())
    after = {fault: headers["Retry-After"] for fault, (_, headers, _) in found.items() if "Retry-After" in headers}
    assert sorted(after) == ["rate_limit_after", "rate_limit_date"]
    assert after["rate_limit_after"] == "2.5"
    assert 1.5 <= parsedate_to_datetime(after["rate_limit_date"]).timestamp() - now <= 2.5 + WAIT


def test_a_reset_comes_before_any_byte():
    with serving(first=["reset"]) as server, raw(server) as connection:
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert [(entry["kind"], entry["texts"]) for entry in server.log("sent")] == [("reset", [])]


def test_half_a_body_is_half_of_what_the_headers_promise():
    with serving(first=["half_body"]) as server, raw(server) as connection:
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
        assert [(entry["kind"], entry["texts"]) for entry in server.log("sent")] == [("half_body", [])]
    lines = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(body) == int(lines[b"Content-Length"]) // 2
    assert body.startswith(b'{"id": "chatcmpl-0"')


def test_bodies_that_hold_no_answer_leave_the_connection_usable():
    faults = BROKEN[2:]
    bodies = {}
    with serving(first=faults) as server, connect(server) as connection:
        for fault in faults:
            response, bodies[fault] = send(connection, n=2)
            assert response.status == 200
            assert response.headers["Content-Type"] == ("text/html" if fault == "html" else "application/json")
        assert len(json.loads(send(connection)[1])["choices"]) == 1
        assert [(entry["kind"], entry["texts"]) for entry in server.log("sent")[:-1]] == [(f, []) for f in faults]
    assert bodies.pop("html").startswith(b"<!doctype html>")
    with pytest.raises(json.JSONDecodeError):
        json.loads(bodies.pop("invalid_json"))
    answers = {fault: json.loads(body) for fault, body in bodies.items()}
    assert answers["empty_choices"]["choices"] == []
    assert "choices" not in answers["no_choices"]
    assert answers["null_choices"]["choices"] is None
    assert texts_of(answers["null_content"]) == [None, None]
    assert (answers["wrong_types"]["choices"], answers["wrong_types"]["usage"]) == ("abc", [])
    assert all(answers[fault]["usage"]["prompt_tokens"] == 5 for fault in answers if fault != "wrong_types")


def test_a_late_answer_is_whole():
    with serving(first=["late"], late=0.2) as server:
        assert texts_of(ask(server)[2]) == [sample_text(0, 0, "What is 6 x 7?")]
        received, sent = server.log()
    assert sent["kind"] == "late"
    assert 0.19 < sent["time"] - received["time"] < WAIT


@pytest.mark.slow
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_does_not_wait_is_logged_as_lost(leave):
    with serving(first=["late"], late=0.5) as server:
        with raw(server) as connection:
            until(server.log)
            if leave == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        until(lambda: len(server.log()) == 2)
        assert [(entry["event"], entry["number"]) for entry in server.log()] == [("received", 0), ("lost", 0)]


@pytest.mark.slow
def test_a_client_that_leaves_within_an_answer_is_logged_as_lost():
    with serving(texts=["x" * 2**24]) as server:  # more than the buffers of both ends hold
        with raw(server) as connection:
            until(lambda: server.log("sent"))
            assert connection.recv(100)
        until(lambda: server.log("lost"))
        assert [entry["event"] for entry in server.log()] == ["received", "sent", "lost"]


def test_fewer_choices_than_asked_for():
    with serving(first=["fewer"] * 4) as server:
        sizes = [len(ask(server, n=n)[2]["choices"]) for n in (5, 4, 2, 1)]
        sent = server.log("sent")
    assert sizes == [2, 2, 1, 1] == [len(entry["texts"]) for entry in sent]
    assert [entry["kind"] for entry in sent] == ["fewer", "fewer", "fewer", "ok"]


def kinds_of(requests, **options):
    with serving(**options) as server, connect(server) as connection:
        for _ in range(requests):
            send(connection)
        return [entry["kind"] for entry in server.log("sent")]


@pytest.mark.slow
def test_the_seed_decides_the_faults():
    options = {"faults": {"server_error": 0.3, "empty_choices": 0.2}, "first": ["ok", "rate_limit"]}
    kinds = kinds_of(400, fault_seed=1, **options)
    assert kinds[:2] == ["ok", "rate_limit"]
    counts = Counter(kinds[2:])
    assert set(counts) == {"ok", "server_error", "empty_choices"}
    for kind, share in {"ok": 0.5, "server_error": 0.3, "empty_choices": 0.2}.items():
        assert abs(counts[kind] - 398 * share) < 50  # five standard deviations
    assert kinds_of(400, fault_seed=1, **options) == kinds != kinds_of(400, fault_seed=2, **options)


def test_a_fault_can_be_certain():
    assert kinds_of(20, faults={"html": 1}) == ["html"] * 20


def test_a_refused_request_takes_no_fault():
    with serving(first=["rate_limit"], honours_n="refuse") as server:
        assert [ask(server, n=n)[0] for n in (2, 1, 1)] == [400, 429, 200]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"faults": {"rate_limits": 0.1}}, "unknown fault 'rate_limits'. Did you mean 'rate_limit'"),
        ({"first": ["ok", "rset"]}, "unknown fault 'rset'. Did you mean 'reset'?"),
        ({"faults": {"reset": 0.6, "late": 0.6}}, "is not valid. Use probabilities that sum to at most 1."),
        ({"faults": {"reset": -0.1}}, "Use probabilities"),
        ({"faults": {"reset": "0.1"}}, "Use probabilities"),
        ({"honours_n": False}, "honours_n=False is not valid. Use True, 'one' or 'refuse'"),
        ({"delay": -1}, "delay=-1 is not valid. Use a number of at least 0"),
        ({"late": "1"}, "late='1' is not valid. Use a number of at least 0"),
        ({"context_limit": float("nan")}, "context_limit=nan is not valid. Use a number of at least 0"),
        ({"texts": "abc"}, "texts: not a list of texts. Use e.g."),
        ({"texts": ["a", 1]}, "texts: not a list of texts. Use e.g."),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(MssimError) as error, serving(**options):
        pass
    assert says in str(error.value)


def test_all_faults_are_allowed_at_once():
    assert set(Options(faults=dict.fromkeys(FAULTS, 1 / len(FAULTS))).faults) == set(FAULTS)


# The log and the process -------------------------------------


def test_the_log_says_what_came():
    with serving() as server:
        ask(server, {"X-Trace": "1"}, question="é?", n=2, seed=7, temperature=0.5)
        (received,), (sent,) = server.log("received"), server.log("sent")
        assert server.log() == [received, sent]
    headers = received.pop("headers")
    assert {"x-trace", "content-length", "host"} <= set(headers)
    assert "authorization" not in headers
    assert abs(received.pop("time") - sent.pop("time")) < WAIT
    assert received == {
        "event": "received",
        "number": 0,
        "method": "POST",
        "path": "/v1/chat/completions",
        "model": "m",
        "n": 2,
        "seed": 7,
        "last": "é?",
        "keys": ["messages", "model", "n", "seed", "temperature"],
        "authorization": None,
        "in_flight": 1,
    }
    texts = [sample_text(0, j, "é?") for j in range(2)]
    assert sent == {"event": "sent", "number": 0, "kind": "ok", "status": 200, "texts": texts}


@pytest.mark.slow
def test_the_log_says_how_many_were_asked_at_once():
    with serving(first=["late"] * 4, late=0.5) as server, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(server), range(4)))
        assert [entry["in_flight"] for entry in server.log("received")] == [1, 2, 3, 4]
        ask(server)
        assert server.log("received")[-1]["in_flight"] == 1


@pytest.mark.slow
def test_a_log_of_ones_own_is_appended_to_and_may_be_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    for entries in (2, 4):
        with serving(log=path) as server:
            ask(server)
            assert len(server.log()) == len(path.read_text().splitlines()) == entries
    with serving(log=None) as server:
        assert ask(server)[0] == 200
        with pytest.raises(MssimError, match="log=None: this server has no log"):
            server.log()


def test_a_server_comes_back_at_the_same_address():
    with serving() as server:
        ask(server)
        server.close()
        with pytest.raises(ConnectionRefusedError):
            ask(server)
        server.close()
        assert len(server.log()) == 2
        assert server.process.returncode is not None
    with serving(port=urlsplit(server.base_url).port) as again:
        assert again.base_url == server.base_url
        assert ask(again)[0] == 200


def test_a_server_that_cannot_start_is_an_error(plain_server):
    taken = urlsplit(plain_server.base_url).port
    with pytest.raises(RuntimeError, match=r"did not start\. See its stderr\."), serving(port=taken):
        pass


@pytest.mark.parametrize("end", ["stdin", "SIGTERM"])
def test_the_process_ends_quietly(end):
    command = [*COMMAND, "--port", "0", '{"first": ["late"], "late": 60}']
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1) as process:
        url = process.stdout.readline().decode().strip()
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=WAIT) as idle:
            if end == "stdin":
                process.stdin.close()
            else:
                process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=WAIT) == 0
            assert idle.recv(1) == b""
        assert process.stderr.read() == b""


def test_the_server_ends_with_a_test_that_is_killed(tmp_path):
    script = (
        "import time; from tests.chat_server import serving\n"
        "with serving(log=None) as server: print(server.base_url, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}  # what is killed cannot tidy up
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=-1, text=True) as test:
        address = urlsplit(test.stdout.readline().strip())
        with socket.create_connection((address.hostname, address.port), timeout=WAIT) as idle:
            test.kill()
            assert idle.recv(1) == b""


@pytest.mark.parametrize(
    ("options", "says"),
    [('{"faults": {"rset": 1}}', "Did you mean 'reset'?"), ("{", "Expecting"), ('{"fault": {}}', "'fault'")],
)
def test_the_command_refuses_bad_options(options, says):
    done = subprocess.run([*COMMAND, options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
