"""When a server counts as absent: after some attempts at the start, after an hour later on."""

from mssim.recorder.contact import PATIENCE, Contact


def test_a_server_that_never_answered_is_given_three_attempts():
    contact = Contact()
    assert [contact.lost("no") for _ in range(3)] == [None, None, "no. Start the server, or correct the base URL."]


def test_a_server_that_answered_is_waited_for_since_the_first_attempt(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    contact = Contact()
    contact.reached()
    for now[0] in (1000.0, 2000.0, 1000.0 + PATIENCE - 1):
        assert contact.lost("no") is None
        assert contact.silent_since == 1000.0
    contact.reached()
    assert contact.silent_since is None
    now[0] = 9000.0
    assert contact.lost("no") is None
    now[0] += PATIENCE
    assert contact.lost("no") == "no for 60 minutes. Start the server."


def test_patience_can_be_shorter(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    contact = Contact(patience=60.0)
    contact.reached()
    assert contact.lost("no") is None
    now[0] += 60
    assert contact.lost("no") == "no for 1 minutes. Start the server."
