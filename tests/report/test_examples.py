"""Examples of texts: right, wrong and without an answer, within a limit of size."""

import numpy as np

from mssim.report import examples
from mssim.report.examples import example_texts
from tests.conftest import make_pool

ORDER = np.array([1, 0])


def pool_of(texts, answers=("a", "b", None, "a")):
    return make_pool({("m", "p"): list(answers), ("m", "q"): list(answers)}, text=texts)


def test_the_first_text_of_every_kind_is_taken():
    found, note = example_texts(pool_of([f"t{i}" for i in range(8)]), ORDER)
    assert [(one["right"], one["text"]) for one in found[1]] == [(True, "t4"), (False, "t5"), (None, "t6")]
    assert note == ""


def test_long_texts_are_cut_off_and_say_so():
    found, _ = example_texts(pool_of(["x" * 5000] * 8), ORDER)
    assert {(len(one["text"]), one["more"]) for one in found[0]} == {(1500, 3500)}


def test_questions_have_texts_in_order_while_there_is_room(monkeypatch):
    monkeypatch.setattr(examples, "_MOST", 4)
    monkeypatch.setattr(examples, "_AROUND", 0)
    found, note = example_texts(pool_of(["xy"] * 8), ORDER)
    assert [len(one) for one in found] == [0, 3]
    assert note == " To keep the page small, texts are shown for the 1 questions with the largest differences."


def test_short_texts_need_room_too(monkeypatch):
    monkeypatch.setattr(examples, "_MOST", 100)
    assert [len(one) for one in example_texts(pool_of([""] * 8), ORDER)[0]] == [0, 3]


def test_a_pool_without_texts_says_so():
    found, note = example_texts(make_pool({("m", "q"): ["a"]}), np.array([0]))
    assert (found, note) == ([[]], " No texts were recorded.")


def test_a_missing_text_is_empty():
    found, _ = example_texts(pool_of([None, "b", "c", "d"] * 2), ORDER)
    assert found[0][0]["text"] == ""
