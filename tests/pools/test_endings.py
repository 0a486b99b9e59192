"""Samples that were cut off, empty texts with their reasons, and recorded reasoning: exact numbers, per model."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.pools.endings import Endings, blank, name_of, quoted


def endings(answered=True, model=None, **columns):
    """Endings of samples of one model, or of the models with these codes."""
    rows = len(next(iter(columns.values())))
    chunks = {name: values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
              for name, values in columns.items()}  # fmt: skip
    found = Endings()
    found.add(np.zeros(rows, int) if model is None else np.array(model), chunks, np.full(rows, answered))
    return found


@pytest.mark.parametrize(
    "reason",
    ["length", "max_tokens", "max_output_tokens", "model_length", "MAX_TOKENS", "FinishReason.MAX_TOKENS", "Length"],
)
def test_all_spellings_of_a_length_limit_count(reason):
    found = endings(finish_reason=["stop", reason, None, reason], text=["a"] * 4)
    assert found.cut_off(["m"]) == [f"2 of 4 samples of m were cut off (finish_reason {reason})."]


@pytest.mark.parametrize("reason", ["stop", "content_filter", "completed", "", "lengthy", None])
def test_other_reasons_are_no_length_limit(reason):
    assert endings(finish_reason=pa.chunked_array([[reason] * 2], pa.string())).cut_off(["m"]) == []


def test_models_are_counted_on_their_own_and_only_if_cut_off():
    found = endings(model=[0, 1, 1, 2], finish_reason=["length", "stop", "stop", "max_tokens"])
    assert found.cut_off(["a", "b", "c\n"]) == [
        "1 of 1 sample of a was cut off (finish_reason length).",
        "1 of 1 sample of 'c\\n' was cut off (finish_reason max_tokens).",
    ]


def test_several_spellings_are_named():
    found = endings(finish_reason=["length", "max_tokens", "length"])
    assert found.cut_off(["m"]) == ["3 of 3 samples of m were cut off (finish_reason length or max_tokens)."]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"finish_reason": ["length"] * 3}, "3 of 3 texts of m are empty, all cut off."),
        ({"refusal": ["No."] * 3}, "3 of 3 texts of m are empty, all refused."),
        ({"finish_reason": ["content_filter"] * 3}, "3 of 3 texts of m are empty, all refused."),
        ({"tool_calls": ['[{"id": 1}]'] * 3}, "3 of 3 texts of m are empty, all with tool calls only."),
        ({"tool_calls": ["[]"] * 3}, "3 of 3 texts of m are empty, all with no reason given."),
        ({"refusal": [" "] * 3}, "3 of 3 texts of m are empty, all with no reason given."),
        ({"finish_reason": ["length", "stop", None], "refusal": ["No.", "No.", None]},
         "3 of 3 texts of m are empty, 1 cut off, 1 refused, 1 with no reason given."),
        ({"finish_reason": ["length"] * 3, "reasoning": ["Hm", None, ""]},
         "3 of 3 texts of m are empty, all cut off. 1 of them has reasoning."),
    ],
)  # fmt: skip
def test_empty_texts_have_one_reason_each(columns, says):
    given_ = {name: pa.chunked_array([values], pa.string()) for name, values in columns.items()}
    assert endings(text=["", " \n", "\t"], **given_).empty_texts(["m"]) == [says]


def test_tool_calls_may_be_lists():
    calls = pa.chunked_array([[[{"name": "f"}], [], None]])
    assert endings(text=["", "", ""], tool_calls=calls).empty_texts(["m"]) == [
        "3 of 3 texts of m are empty, 1 with tool calls only, 2 with no reason given."
    ]


def test_one_empty_text_is_singular():
    assert endings(text=["", "7"], finish_reason=["length", "stop"]).empty_texts(["m"]) == [
        "1 of 2 texts of m is empty, cut off."
    ]


def test_a_missing_text_is_empty_only_if_texts_were_recorded_and_it_has_no_answer():
    missing = pa.chunked_array([["a", None]], pa.string())
    assert endings(text=missing, answered=True).empty_texts(["m"]) == []
    assert len(endings(text=missing, answered=False).empty_texts(["m"])) == 1
    nothing = pa.chunked_array([[None, None]], pa.string())
    assert endings(text=nothing, answered=False).empty_texts(["m"]) == []
    assert endings(text=nothing, answered=False, finish_reason=["length", "stop"]).empty_texts(["m"]) == [
        "2 of 2 texts of m are empty, 1 cut off, 1 with no reason given."
    ]
    assert endings(text=pa.chunked_array([pa.nulls(2)]), answered=False).empty_texts(["m"]) == []


def test_reasoning_is_counted():
    assert endings(reasoning=["Hm", None, "", "So"]).reasoning(["m"]) == [
        "2 of 4 samples of m have reasoning, kept in the column reasoning."
    ]
    assert endings(reasoning=["", None]).reasoning(["m"]) == []


TEXTS = st.lists(st.none() | st.sampled_from(["", " ", "\n\t", "a", " a ", "\u2003", "é"]), min_size=1, max_size=8)


@given(TEXTS, st.booleans(), st.booleans())
def test_blank_texts_are_found_in_any_encoding(texts, coded, large):
    column = pa.chunked_array([pa.array(texts, pa.large_string() if large else pa.string())] * 2)
    column = column.dictionary_encode() if coded else column
    assert blank(column).tolist() == [text is not None and not text.strip() for text in texts] * 2


@given(st.lists(st.tuples(st.sampled_from([None, "", "a"]), st.sampled_from([None, "length", "stop"])), min_size=1))
def test_blocks_add_up(samples):
    whole, parts = Endings(), Endings()
    columns = {
        name: pa.chunked_array([[sample[i] for sample in samples]], pa.string())
        for i, name in enumerate(("text", "finish_reason"))
    }
    nobody, model = np.zeros(len(samples), bool), np.arange(len(samples)) % 2
    whole.add(model, columns, nobody)
    for row in range(len(samples)):
        parts.add(model[row : row + 1], {k: v.slice(row, 1) for k, v in columns.items()}, nobody[row : row + 1])
    for says in ("cut_off", "empty_texts", "reasoning"):
        assert getattr(whole, says)(["a", "b"]) == getattr(parts, says)(["a", "b"])


def test_names_stay_on_one_line():
    assert [name_of(name) for name in ("a/b", "a b", "a\nb", " ", "\x1b")] == [
        "a/b",
        "a b",
        "'a\\nb'",
        "' '",
        "'\\x1b'",
    ]


def test_texts_in_messages_are_short_and_quoted():
    assert [quoted(text) for text in ("a", "a\n'", "b" * 60)] == ["'a'", '"a\\n\'"', repr("b" * 60)]
    assert quoted("b" * 61) == repr("b" * 57 + "...")
