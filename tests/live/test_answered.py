"""What is known of an answer, and of the lack of one."""

from mssim.errors import MssimError
from mssim.live.answered import Answered, UnansweredError


def test_what_servers_do_not_report_is_unknown():
    found = Answered("q", "It is 42.", "42", "budget", {"42": 1}, {"a": 1}, 1)
    assert (found.input_tokens, found.output_tokens, found.cost, found.finish_reason) == (None,) * 4


def test_an_error_says_whether_and_when_to_ask_again():
    error = UnansweredError("Later.", retry_after=2.0)
    assert isinstance(error, MssimError)
    assert (str(error), error.limit, error.retry_after) == ("Later.", False, 2.0)
