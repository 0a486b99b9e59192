"""What strategies ask for, get and decide: plain tuples that can be read and compared."""

import pickle

from mssim.live import Ask, Decision, Draw


def test_an_ask_is_for_one_draw_unless_it_says_more():
    assert Ask("x") == Ask("x", 1) == Ask("x", 1, ())
    assert repr(Ask("x", 2)) == "Ask(model='x', n=2)"
    assert repr(Ask("x", 2, (Ask("y"),))) == "Ask(model='x', n=2, then=(Ask(model='y', n=1),))"


def test_a_draw_may_have_no_numbers():
    assert Draw(2).numbers == {}
    assert Draw(2, {"confidence": -0.5}).numbers["confidence"] == -0.5


def test_they_can_be_sent_to_another_process():
    for one in (Ask("x", 3), Draw(-1, {"output_tokens": 7}), Decision(0, "budget", 1)):
        assert pickle.loads(pickle.dumps(one)) == one
