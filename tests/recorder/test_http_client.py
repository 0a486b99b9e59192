"""The HTTP client of the recorder: what it keeps, follows and reads at most, and what the environment may break."""

import contextlib
import gzip
import os
import socket
import sys
import threading
import tracemalloc
from types import SimpleNamespace

import pytest

from mssim import RecordError
from mssim.recorder import OpenAISampler, Request
from mssim.recorder.http_client import MOST_BYTES, most_bytes, origin
from tests.recorder.test_http import ASKED, ask, capturing
from tests.recording_http import command, mssim, run, write_questions

FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def bare(monkeypatch):
    """An environment without proxies and certificates."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name in FILES]:
        monkeypatch.delenv(name)


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", FILES)
def test_certificates_that_do_not_exist_are_refused_with_the_name_of_the_variable(monkeypatch, name):
    monkeypatch.setenv(name, "/no/such/file.pem")
    with pytest.raises(RecordError, match=f"^{name}: the file '/no/such/file.pem' with certificates does not exist"):
        OpenAISampler("http://127.0.0.1:9/v1")


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", ["OPENAI_CUSTOM_HEADERS", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"])
def test_headers_that_cannot_be_sent_are_refused_with_the_name_of_the_variable(monkeypatch, name):
    monkeypatch.setenv(name, "X-Team: bl\u00fce")
    with pytest.raises(RecordError, match=f"^{name}: the headers .not shown. have characters that are not ASCII"):
        OpenAISampler("http://127.0.0.1:9/v1")


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
def test_certificates_that_are_none_are_refused_with_the_name_of_the_variable(monkeypatch, tmp_path):
    (tmp_path / "file.pem").write_text("none")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "file.pem"))
    with pytest.raises(RecordError, match=r"^SSL_CERT_FILE: the certificates cannot be read"):
        OpenAISampler("http://127.0.0.1:9/v1")


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("ALL_PROXY", "socks5://u:secret@127.0.0.1:1", "^ALL_PROXY: a SOCKS proxy needs the package socksio"),
        ("https_proxy", "ftp://u:secret@127.0.0.1:1", "^https_proxy: the proxy cannot be used"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_with_the_name_of_the_variable(monkeypatch, name, url, says):
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv(name, url)
    with pytest.raises(RecordError, match=says) as refused:
        OpenAISampler("http://127.0.0.1:9/v1")
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_the_command_ends_with_code_2(tmp_path):
    arguments = mssim("record", write_questions(tmp_path), "--model", "a", "--base-url", "http://127.0.0.1:9/v1")
    code, _, err = run([*arguments, "--out", str(tmp_path / "pool")], SSL_CERT_FILE="/no/such/file.pem")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("mssim: error: SSL_CERT_FILE: ")


@pytest.mark.slow
def test_cookies_of_a_server_are_not_sent_back():
    with capturing(**{"Set-Cookie": "visitor=1; Path=/"}) as server:
        ask(server, Request("m", ASKED), Request("m", ASKED))
        assert len(server.requests) == 2
        assert not any("cookie" in headers for _, headers, _ in server.requests)


@pytest.mark.slow
def test_headers_of_the_environment_are_for_openai_alone(monkeypatch):
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer sk-other\nX-Team: blue\nContent-Type: text/html")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project")
    with capturing() as server:
        ask(server, key="sk-mine")
        ((_, headers, _),) = server.requests
    assert headers["authorization"] == "Bearer sk-mine"
    assert not {"x-team", "openai-organization", "openai-project"} & set(headers)


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failed_request_that_names_the_host(tmp_path, status):
    with capturing() as other:
        to = other.base_url.replace("http://", "http://user:secret@") + "/chat/completions?key=secret"
        with capturing(b"", status, Location=to) as server:
            code, _, err = run(command(write_questions(tmp_path), server, tmp_path / "pool", "--concurrency", 1))
            assert len(server.requests) == 1
        assert other.requests == []
    origin = other.base_url.removesuffix("/v1")
    assert code == 1
    assert f"were stopped: HTTP {status}: the server redirects to {origin}, which is not followed." in err
    assert "secret" not in err


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_reply_is_read_up_to_a_limit_after_decompression(status, compressed):
    body = b'{"choices": [{"message": {"content": "%s"}}]}' % (b"a" * 2**26)
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    with capturing(gzip.compress(body, 1) if compressed else body, status, **headers) as server:
        tracemalloc.start()
        (failure,) = ask(server, Request("m", ASKED, settings={"max_tokens": 16}))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert failure.reason.startswith("the reply has more than 1.06 MB" if status == 200 else "HTTP 500: ")
    assert failure.attempts == (2 if status == 200 else None)
    assert peak < 2**26  # older HTTP clients decompress 64 kB at once


@pytest.mark.slow
def test_a_reply_that_trickles_ends_at_the_timeout():
    def trickle():
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
            while not ended.wait(0.02):
                connection.sendall(b" ")

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=trickle)
        thread.start()
        (failure,) = ask(SimpleNamespace(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1"), timeout=0.3)
        ended.set()
        thread.join()
    assert failure.reason == "no answer within 0.3 s"


def test_the_limit_of_a_reply_grows_with_what_was_asked_for():
    assert most_bytes(1, {}) == most_bytes(9, {"max_tokens": 10**6}) == MOST_BYTES
    assert most_bytes(2, {"max_tokens": 100}) == 2 * most_bytes(1, {"max_tokens": 100}) - most_bytes(
        0, {"max_tokens": 1}
    )


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:secret@x.example:8/a?key=secret", "https://x.example:8"),
        ("/v2/chat", "a path of the same host"),
        ("", "a path of the same host"),
        ("http://[", "an invalid URL"),
    ],
)
def test_a_location_is_shown_without_credentials(location, shown):
    assert origin(location) == shown
