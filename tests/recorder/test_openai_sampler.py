"""The client of servers of the OpenAI kind: what it sends, what it reads, and what a failure means."""

import random
import re
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.recorder import OpenAISampler, Request
from mssim.recorder.openai_sampler import _limits_n, _seconds
from tests.chat_server import FAULTS, STATUS_OF, sample_text, serving
from tests.recorder.test_http import ASKED, HALVES, HARMLESS, PERMANENT, SETTINGS, ask, capturing
from tests.recording_http import (
    WAIT,
)

pytestmark = pytest.mark.slow


def test_texts_come_back_byte_for_byte():
    rng = random.Random(0)
    drawn = ["".join(map(chr, rng.choices(range(0x110000), k=200))) for _ in range(10)]  # halves of pairs among them
    texts = [*HARMLESS, *HALVES, *drawn]
    with serving(texts=texts) as server:
        several, *alone = ask(server, Request("m", ASKED, n=len(texts)), *[Request("m", ASKED)] * len(texts))
    assert [choice.text for choice in several.choices] == texts
    assert [reply.choices[0].text for reply in alone] == texts


def test_facts_of_a_reply():
    request = Request("m", ASKED, n=3, logprobs=True, seed=5)
    with serving(texts=["one two three four five six", "", "one"]) as server:
        (reply,) = ask(server, request)
        (asked,) = server.log("received")
    assert [choice.confidence for choice in reply.choices] == [-(1 + 2 + 3 + 4 + 1 + 2) / 8 / 6, None, -1 / 8]
    assert [choice.output_tokens for choice in reply.choices] == [6, None, 1]
    assert [choice.finish_reason for choice in reply.choices] == ["stop"] * 3
    assert (reply.input_tokens, reply.output_tokens) == (5, 7)
    assert (reply.served_model, reply.fingerprint, reply.request_id) == ("m-2026", "fp_test", "req-0")
    assert (asked["n"], asked["seed"], asked["model"], asked["last"]) == (3, 5, "m", "What is 6 x 7?")


@pytest.mark.parametrize(
    "values",
    [
        *([-1, None], [-1, "x"], [float("nan")], [float("-inf")], [10**400], [-1e308] * 2, []),
        *([-0.5, -9999.0], [-0.5, 0.25], [-4321.0], [-0.5, True]),
    ],
)
def test_log_probabilities_that_are_none_make_no_confidence(values):
    tokens = [{"token": "x", "logprob": value} for value in values]
    answer = {"choices": [{"message": {"content": "x"}, "logprobs": {"content": tokens}}]}
    with capturing(answer) as server:
        (reply,) = ask(server)
    assert (reply.choices[0].text, reply.choices[0].confidence, reply.choices[0].output_tokens) == (
        "x",
        None,
        len(values) or None,  # tokens whose probability is unknown are tokens
    )


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, {}),
        ({"n": 4, "logprobs": True, "seed": 2**31 - 1}, {"n": 4, "logprobs": True, "seed": 2**31 - 1}),
        ({"settings": SETTINGS}, SETTINGS),
    ],
)
def test_a_request_says_what_was_asked_and_nothing_else(given, body):
    messages = [{"role": "system", "content": "é \U0001f600 \0"}, *ASKED]
    with capturing() as server:
        (reply,) = ask(server, Request("org/m", messages, **given), key="sk-1")
    ((path, headers, asked),) = server.requests
    assert reply.choices[0].text == "x"
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-1"
    assert headers["content-type"] == "application/json"
    assert asked == {"model": "org/m", "messages": messages, "stream": False, **body}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("fewer", "null_content")])
def test_a_fault_is_a_reason_and_may_be_transient(fault):
    with serving(first=[fault], retry_after=7, late=3600) as server:
        (failure,) = ask(server, timeout=0.5 if fault == "late" else 30.0)
        (fine,) = ask(server)
        assert [entry["kind"] for entry in server.log("sent")] == ([] if fault == "late" else [fault]) + ["ok"]
    assert fine.choices[0].text == sample_text(1, 0, "What is 6 x 7?")
    if fault in ("empty_choices", "no_choices", "null_choices"):
        assert failure.choices == ()  # which the recorder takes for a failure
        return
    assert failure.transient == (fault not in PERMANENT)
    assert not failure.everywhere
    if fault == "rate_limit_after":
        assert failure.retry_after == 7
    elif fault == "rate_limit_date":
        assert 7 - 1 - WAIT <= failure.retry_after <= 7  # a date has whole seconds
    else:
        assert failure.retry_after is None
    says = {
        "late": r"no answer within 0\.5 s",
        "reset": "connection failed: .+",
        "half_body": "connection failed: RemoteProtocolError .+",
        "invalid_json": r"unreadable response: invalid JSON \(Expecting .+\): \{\"id\".+",
        "html": "unreadable response: text/html, not JSON: <!doctype html><title>Sign in</title>",
        "wrong_types": r"unreadable response: not a chat completion, since it has no list of choices: \{.+",
    }
    says |= {name: f"HTTP {STATUS_OF[name]}: told to fail: {name}" for name in STATUS_OF}
    assert re.fullmatch(says[fault], failure.reason)


def test_a_choice_without_content_is_an_empty_text_and_fewer_choices_are_a_reply():
    with serving(first=["null_content", "fewer"]) as server:
        empty, fewer = ask(server, *[Request("m", ASKED, n=4)] * 2)
    assert [choice.text for choice in empty.choices] == [""] * 4
    assert [choice.text for choice in fewer.choices] == [sample_text(1, j, "What is 6 x 7?") for j in range(2)]


def test_a_server_that_is_not_there_may_come_back():
    with serving(log=None) as server:
        server.close()
        (failure,) = ask(server)
    assert failure.transient
    assert failure.unreachable
    assert failure.reason.startswith(f"nothing answers at {server.base_url} (ConnectError")


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, {"error": {"message": "no"}}, (False, True, "HTTP 401: no")),
        (402, {"detail": "pay"}, (False, True, 'HTTP 402: {"detail": "pay"}')),
        (429, {"error": {"message": "no credit", "code": "insufficient_quota"}}, (False, True, "HTTP 429: no credit")),
        (422, b"plain \x1b[31m\r\ntext", (False, False, "HTTP 422: plain [31m text")),
        (529, b"", (True, False, "HTTP 529:")),
        (500, b"x" * 1000, (True, False, "HTTP 500: " + "x" * 290 + "...")),
        (503, [1], (True, False, "HTTP 503: [1]")),
        (
            200,
            {"error": {"code": 502}},
            (True, False, "unreadable response: it has an error instead of choices: {'code': 502}"),
        ),
    ],
)
def test_what_a_server_says_is_one_line(status, error, says):
    with capturing(error, status) as server:
        (failure,) = ask(server)
    assert (failure.transient, failure.everywhere) == says[:2]
    assert failure.reason.startswith(says[2])
    assert failure.reason.isprintable()
    assert len(failure.reason) <= 303


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[(None, None), ("", None), ("2.5", 2.5), ("-1", None), ("nan", None), ("inf", None), ("soon", None)],
        *[("Mon, 01 Jan 2001 00:00:00 GMT", 0), ("Mon, 01 Jan 0001 00:00:00 -0000", 0)],
        ("Mon, 99 Jan 2001 0:0:0", None),
        *[("Sat, 02 Feb 2030 10:00:00 +7777777777777777", None), ("1e300", None), ("1e9", 1e9)],
    ],
)
def test_retry_after(header, seconds):
    assert _seconds(header) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d\d Jan \d{4} \d\d:\d\d:\d\d [+-]\d{4}", fullmatch=True))
def test_retry_after_is_seconds_from_0_or_unknown(header):
    seconds = _seconds(header)
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize(
    ("header", "stops"), [("7200", True), ("1e9", True), ("3599", False), ("1e99", False), ("-7200", False)]
)
def test_hours_of_retry_after_stop_the_model_and_name_the_time(header, stops):
    with capturing({"error": {"message": "quota"}}, 429, **{"Retry-After": header}) as server:
        (failure,) = ask(server)
    assert failure.everywhere == stops
    said = r"the server accepts no requests until \d{4}-\d\d-\d\d \d\d:\d\d UTC \(Retry-After\)\. HTTP 429: quota"
    assert re.fullmatch(said if stops else "HTTP 429: quota", failure.reason)


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ("n_cmpl cannot be greater than the number of slots, please increase -np", True),
        ("Invalid 'n': integer above maximum value. Expected a value <= 4", True),
        ("n must be between 1 and 16", True),
        ("Input validation error: `best_of` must be > 0 and <= 4. Given: 8", True),
        ("candidateCount must be in the range [1, 4]", True),
        ("n=8 is not supported, since the server has 4 slots", True),
        ("n > 1 is not supported", False),
        ("n must be 1", False),
        ("only one completion choice is allowed, n=8", False),
        ("this prompt exceeds 4096 tokens", False),
    ],
)
def test_a_limit_of_n_is_told_from_other_refusals(said, limits):
    assert _limits_n(said) == limits
    with capturing({"error": {"message": said}}, 400) as server:
        (failure,) = ask(server)
    assert (failure.fewer, failure.transient) == (limits, False)


def test_the_key_is_in_no_name_of_a_reply_and_in_no_form_in_a_reason():
    key = "sk-abc/DEF+12345=="
    forms = [key, key.upper(), quote(key, safe=""), b64encode(key.encode()).decode(), f"{key[:9]}\u200b\n{key[9:]}"]
    answer = {"choices": [{"message": {"content": "x"}, "finish_reason": key}], "model": f"m {key}", "id": key}
    with capturing(answer | {"system_fingerprint": key}) as server:
        (reply,) = ask(server, key=key)
    assert (reply.served_model, reply.fingerprint, reply.request_id) == ("m [key]", "[key]", "[key]")
    assert reply.choices[0].finish_reason == "[key]"
    with capturing({"error": {"message": " | ".join(forms)}}, 500) as server:
        (failure,) = ask(server, key=key)
    assert failure.reason == "HTTP 500: " + " | ".join(["[key]"] * len(forms))


def test_names_of_a_reply_have_no_control_characters():
    answer = {
        "choices": [{"message": {"content": "\x1b[1m"}, "finish_reason": "\x1b[1mstop"}],
        "model": "m\x07\n" * 999,
    }
    with capturing(answer) as server:
        (reply,) = ask(server)
    assert reply.choices[0].text == "\x1b[1m"
    assert reply.choices[0].finish_reason == "[1mstop"
    assert reply.served_model.isprintable()
    assert len(reply.served_model) < 310


@pytest.mark.parametrize(
    ("kind", "message", "says", "how"),
    [
        (
            "ConnectError",
            "All connection attempts failed",
            "nothing answers at http://x.test/v1 (ConnectError All",
            "away",
        ),
        ("ConnectTimeout", "", "nothing answers at http://x.test/v1 (ConnectTimeout", "away"),
        (
            "ConnectError",
            "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed",
            "connection failed: ConnectError [SSL",
            "stops",
        ),
        ("ConnectError", "[SSL: UNEXPECTED_EOF_WHILE_READING]", "connection failed: ConnectError [SSL", "again"),
        ("ReadError", "", "connection failed: ReadError", "again"),
    ],
)
def test_a_server_that_is_away_is_told_from_other_faults_of_a_connection(kind, message, says, how):
    failure = OpenAISampler("http://x.test/v1")._failed(type(kind, (Exception,), {})(message))
    assert failure.reason.startswith(says)
    assert (failure.unreachable, failure.everywhere) == (how == "away", how == "stops")
    assert failure.transient == (how != "stops")
