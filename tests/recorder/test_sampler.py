"""What passes between the recorder and its clients: immutable, with defaults that ask for one sample."""

from dataclasses import FrozenInstanceError

import pytest

from mssim.recorder.sampler import Choice, Reply, Request, RequestFailed


def test_a_request_asks_for_one_sample_unless_told_otherwise():
    request = Request("m", [{"role": "user", "content": "?"}])
    assert (request.n, dict(request.settings), request.logprobs, request.seed) == (1, {}, False, None)
    with pytest.raises(FrozenInstanceError):
        request.n = 2


def test_what_a_client_does_not_know_is_none():
    choice, reply = Choice("text"), Reply(())
    assert (choice.finish_reason, choice.confidence, choice.output_tokens) == (None,) * 3
    assert (reply.input_tokens, reply.output_tokens, reply.served_model, reply.request_id) == (None,) * 4


def test_a_failure_may_be_tried_again_and_concerns_one_request_unless_told_otherwise():
    failure = RequestFailed("HTTP 500: broken")
    assert (failure.transient, failure.everywhere, failure.retry_after) == (True, False, None)
    assert str(failure) == failure.reason == "HTTP 500: broken"
    failure = RequestFailed("wrong key", transient=False, everywhere=True, retry_after=2.5)
    assert (failure.transient, failure.everywhere, failure.retry_after) == (False, True, 2.5)
