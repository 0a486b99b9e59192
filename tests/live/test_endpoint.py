"""The endpoint behind the official client, with a stand-in for what answers questions."""

import asyncio
import gc
import json
import re
import sys

import openai
import pytest

from mssim.live.answered import Answered, UnansweredError
from mssim.live.endpoint import LOOPBACK, Endpoint, _unless_gone

USER = {"role": "user", "content": "What is 6 x 7?"}
PATH = "/v1/chat/completions"
# The HTTP library of this version of the client.
HTTP = sys.modules[openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]]


class Asked:
    """Answers each question with the number of questions before it, or raises what it is given."""

    def __init__(self, *errors):
        self.questions, self.errors = [], list(errors)

    async def answer(self, question, messages):
        self.questions.append(question)
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        text = f"It is {len(self.questions) - 1}: {messages[-1]['content']}"
        return Answered(question["question_id"], text, "42", "agreement", {"42": 2}, {"a": 2}, 2, 20, 8)


def endpoint(asked=None, lines=None, **options):
    options = {"name": "mssim", "about": {"strategy": "sc:a"}, "settings": {"temperature": 0.7}, **options}
    return Endpoint((asked or Asked()).answer, log=[].append if lines is None else lines.append, **options)


def talk(app, function, key="none", **headers):
    """What an async function of a client, and of the HTTP client below it, returns."""

    async def whole():
        http = HTTP.AsyncClient(transport=HTTP.ASGITransport(app), base_url="http://127.0.0.1:8000")
        async with openai.AsyncOpenAI(
            api_key=key, base_url="http://127.0.0.1:8000/v1", http_client=http, max_retries=0, default_headers=headers
        ) as client:
            return await function(client, http)

    return asyncio.run(whole())


def create(app, key="none", **fields):
    async def function(client, _):
        return await client.chat.completions.create(**{"model": "mssim", "messages": [USER], **fields})

    return talk(app, function, key)


def send(app, method, path, **options):
    """The response to a request without the official client."""

    async def function(_, http):
        return await http.request(method, path, **options)

    return talk(app, function)


def error_of(response):
    """The error in a response, which has the shape of OpenAI's."""
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert response.headers["content-type"] == "application/json"
    assert "Traceback" not in response.text
    return body["error"]


# Answers --------------------------------------------------------------------------------------------------------------


def test_a_completion_is_the_answer_of_the_strategy():
    lines = []
    found = create(endpoint(lines=lines))
    assert found.choices[0].message.content == "It is 0: What is 6 x 7?"
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (20, 8, 28)
    assert found.mssim == {"strategy": "sc:a", "samples_used": 2, "ignored": {}}
    assert found.choices[0].mssim["stopped"] == "agreement"
    assert found.choices[0].mssim["models"] == {"a": 2}
    (line,) = lines
    assert ": answer '42', 2 samples, agreement, " in line


def test_several_choices_are_several_runs():
    asked = Asked()
    found = create(endpoint(asked), n=3)
    assert [choice.message.content[:7] for choice in found.choices] == ["It is 0", "It is 1", "It is 2"]
    assert len({question["question_id"] for question in asked.questions}) == 3
    assert found.usage.completion_tokens == 24


def test_a_stream_has_the_same_text():
    async def function(client, _):
        stream = await client.chat.completions.create(
            model="mssim", messages=[USER], stream=True, stream_options={"include_usage": True}
        )
        return [piece async for piece in stream]

    pieces = talk(endpoint(), function)
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text == "It is 0: What is 6 x 7?"
    assert pieces[-1].usage.completion_tokens == 8


def test_settings_that_differ_from_the_plan_are_told_once_and_listed():
    lines = []
    app = endpoint(lines=lines)
    assert create(app, temperature=0.7).mssim["ignored"] == {}
    for _ in range(2):
        assert create(app, temperature=0, max_tokens=16).mssim["ignored"] == {"temperature": 0, "max_tokens": 16}
    assert sorted(line for line in lines if "ignored" in line) == [
        "max_tokens=16 of a request is ignored: the plan sets the settings of the models",
        "temperature=0 of a request is ignored: the plan sets the settings of the models",
    ]


def test_models_and_health():
    async def function(client, _):
        return [model.id async for model in client.models.list()], (await client.models.retrieve("mssim")).id

    assert talk(endpoint(), function) == (["mssim"], "mssim")
    assert talk(endpoint(name="a/b:c+d"), function_of_name("a/b:c+d")) == "a/b:c+d"
    assert send(endpoint(), "GET", "/health").json() == {"status": "ok"}


def function_of_name(name):
    async def function(client, _):
        return (await client.models.retrieve(name)).id

    return function


# Errors ---------------------------------------------------------------------------------------------------------------


def test_a_bad_request_is_an_error_of_the_client():
    with pytest.raises(openai.BadRequestError) as caught:
        create(endpoint(), tools=[{"type": "function", "function": {"name": "f"}}])
    assert (caught.value.param, caught.value.code, caught.value.type) == (
        "tools",
        "unsupported_value",
        "invalid_request_error",
    )
    assert "a strategy calls no tools" in caught.value.message


def test_a_body_that_is_not_json():
    response = send(endpoint(), "POST", PATH, content=b"{")
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_json")


def test_an_unknown_model_is_not_found():
    with pytest.raises(openai.NotFoundError) as caught:
        create(endpoint(), model="gpt-4o")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "'gpt-4o' does not exist. Use 'mssim'." in caught.value.message
    response = send(endpoint(), "GET", "/v1/models/gpt-4o")
    assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_url"),
        ("POST", "/v1/completions", 404, "unknown_url"),
        ("POST", PATH + "/", 404, "unknown_url"),
        ("POST", "/v1/chat/%0A<b>", 404, "unknown_url"),
        ("GET", PATH, 405, "method_not_allowed"),
        ("OPTIONS", PATH, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
    ],
)
def test_unknown_paths_and_methods(method, path, status, code):
    response = send(endpoint(), method, path)
    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert ("allow" in response.headers) == (status == 405)
    assert "access-control-allow-origin" not in response.headers


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not():
    large = json.dumps({"model": "mssim", "messages": [{**USER, "content": "x" * 2**22}]}).encode()

    async def parts():
        for start in range(0, len(large), 2**16):
            yield large[start : start + 2**16]

    for options in ({"content": large}, {"content": parts()}, {"content": b"", "headers": {"content-length": "1e9"}}):
        response = send(endpoint(), "POST", PATH, **options)
        assert (response.status_code, error_of(response)["code"]) == (413, "request_too_large")
        assert "more than 4 MB" in error_of(response)["message"]
    fits = large[: 2**22 - 4] + b'"}]}'
    assert send(endpoint(), "POST", PATH, content=fits).status_code == 200


def test_a_body_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr("mssim.live.endpoint._SLOWEST", 0.01)

    async def endless():
        yield b"{"
        await asyncio.Event().wait()

    response = send(endpoint(), "POST", PATH, content=endless())
    assert (response.status_code, error_of(response)["code"]) == (408, "request_timeout")


def test_a_limit_is_an_exhausted_quota_that_clients_do_not_repeat():
    asked = Asked(UnansweredError("The limit max_requests=8 is reached (8 in all runs).", limit=True))
    with pytest.raises(openai.RateLimitError) as caught:
        create(endpoint(asked))
    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
    assert "max_requests=8" in caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("wait", "header"), [(None, None), (7.4, "7"), (0.0, "1")])
def test_a_server_that_fails_is_unavailable(wait, header):
    lines = []
    asked = Asked(UnansweredError("Requests to model 'a' were stopped: HTTP 500: no\x1b.", retry_after=wait))
    with pytest.raises(openai.InternalServerError) as caught:
        create(endpoint(asked, lines))
    assert (caught.value.status_code, caught.value.code) == (503, "upstream_failed")
    assert caught.value.response.headers.get("retry-after") == header
    (line,) = lines
    assert line.endswith("-1: Requests to model 'a' were stopped: HTTP 500: no\\x1b.")


def test_a_run_that_failed_is_continued_by_the_next_request():
    asked = Asked(UnansweredError("Later."), None, RuntimeError("bug"))
    app = endpoint(asked)
    for error in (openai.InternalServerError, None, openai.InternalServerError, None):
        if error is None:
            create(app)
        else:
            with pytest.raises(error):
                create(app)
    names = [question["question_id"].split("-")[1] for question in asked.questions]
    assert names == ["1", "1", "2", "2"]


def test_a_bug_shows_neither_its_message_nor_its_place():
    lines = []
    response = send(endpoint(Asked(RuntimeError("sk-secret")), lines), "POST", PATH, content=body())
    error = error_of(response)
    assert (response.status_code, error["code"], error["type"]) == (500, "internal_error", "server_error")
    assert "secret" not in response.text
    assert "RuntimeError" not in response.text
    (line,) = lines
    assert re.fullmatch(r"error: RuntimeError: sk-secret \(.*test_endpoint\.py:\d+\)", line)


def body(**fields):
    return json.dumps({"model": "mssim", "messages": [USER], **fields}).encode()


def test_a_client_that_leaves_does_not_end_its_run_and_gets_it_when_it_returns():
    class Slow(Asked):
        def __init__(self):
            super().__init__()
            self.may = asyncio.Event()

        async def answer(self, question, messages):
            found = await super().answer(question, messages)
            await self.may.wait()
            return found

    async def function():
        asked = Slow()
        app, sent = endpoint(asked), []
        events = asyncio.Queue()
        events.put_nowait({"type": "http.request", "body": body(), "more_body": False})
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"host", b"127.0.0.1")]}
        scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8000)}

        async def keep(event):
            sent.append(event)

        first = asyncio.ensure_future(app(dict(scope), events.get, keep))
        while not asked.questions:
            await asyncio.sleep(0)
        events.put_nowait({"type": "http.disconnect"})
        await first
        events.put_nowait({"type": "http.request", "body": body(), "more_body": False})
        sent.clear()
        second = asyncio.ensure_future(app(dict(scope), events.get, keep))
        await asyncio.sleep(0)
        asked.may.set()
        await second
        return asked.questions, sent

    questions, sent = asyncio.run(function())
    assert len(questions) == 1
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"])["choices"][0]["message"]["content"] == "It is 0: What is 6 x 7?"


def test_a_failure_after_the_client_has_left_is_not_reported_by_asyncio():
    """One of several runs may fail as the others are cancelled."""

    async def answers():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise UnansweredError("a server failed") from None

    class Leaving:
        async def receive(self):
            return {"type": "http.disconnect"}

    async def function():
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        await asyncio.gather(_unless_gone(Leaving(), answers()), return_exceptions=True)
        await asyncio.sleep(0.001)
        gc.collect()
        return told

    assert asyncio.run(function()) == []


def test_an_endpoint_that_is_stopped_at_once_still_answers_with_an_error():
    async def never(*_):
        await asyncio.Event().wait()

    app = Endpoint(never, name="mssim", about={}, settings={}, log=[].append)

    async def function(_, http):
        asked = asyncio.ensure_future(http.post(PATH, content=body()))
        while not app._runs._running:
            await asyncio.sleep(0)
        await app.close(at_once=True)
        return await asked

    response = talk(app, function)
    assert (response.status_code, error_of(response)["message"]) == (503, "The endpoint was stopped.")


# Who may ask ----------------------------------------------------------------------------------------------------------


def test_a_key_is_required_of_everything_but_health():
    app = endpoint(key="sk-right")
    assert create(app, key="sk-right").choices[0].finish_reason == "stop"
    for wrong in ("sk-wrong", "sk-righ", "sk-rightt", "é"):
        if wrong.isascii():
            with pytest.raises(openai.AuthenticationError) as caught:
                create(app, key=wrong)
            assert (caught.value.code, caught.value.status_code) == ("invalid_api_key", 401)
            assert "sk-" not in str(caught.value)
    for headers in ({}, {"authorization": "sk-right"}, {"authorization": b"Bearer \xe9"}, {"authorization": "Basic x"}):
        response = send(app, "POST", PATH, content=body(), headers=headers)
        assert (response.status_code, error_of(response)["code"]) == (401, "invalid_api_key")
        assert response.headers["www-authenticate"] == "Bearer"
    assert send(app, "GET", "/v1/models").status_code == 401
    assert send(app, "GET", "/nothing").status_code == 401
    assert send(app, "GET", "/health").status_code == 200
    assert send(app, "GET", "/v1/models", headers={"authorization": "bearer sk-right"}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:80", "[::1]:8000", "LOCALHOST"])
def test_names_of_loopback(host):
    assert send(endpoint(), "POST", PATH, content=body(), headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["attacker.test", "127.0.0.1.attacker.test", "attacker.test:8000", "[", ""])
def test_other_names_are_refused_since_a_page_could_have_bound_them_anew(host):
    asked = Asked()
    response = send(endpoint(asked), "POST", PATH, content=body(), headers={"host": host})
    assert (response.status_code, error_of(response)["code"]) == (403, "host_not_allowed")
    assert asked.questions == []
    open_to_all = endpoint(hosts=None, key="sk-right")
    sent = {"host": host or "x", "authorization": "Bearer sk-right"}
    assert send(open_to_all, "POST", PATH, content=body(), headers=sent).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://attacker.test", 403),
        ("null", 403),
        ("http://127.0.0.1:9000", 403),
        ("http://127.0.0.1:8000.attacker.test", 403),
        ("http://127.0.0.1:8000", 200),
    ],
)
def test_pages_of_other_servers_are_refused(origin, status):
    asked = Asked()
    response = send(endpoint(asked), "POST", PATH, content=body(), headers={"origin": origin})
    assert response.status_code == status
    assert len(asked.questions) == (status == 200)
    assert "access-control-allow-origin" not in response.headers


def test_loopback_has_three_names():
    assert set(LOOPBACK) == {"127.0.0.1", "::1", "localhost"}
