"""Filters of lm-evaluation-harness: which part of a response is the answer, and which answers are one."""

import re

import pytest

from mssim import PoolWarning
from mssim.importers.formats.lm_eval import from_lm_eval
from mssim.importers.formats.lm_eval_filters import _match
from tests.importers.formats.test_lm_eval import LINES, config, line, rows, told, write


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # The first match and not, as a rule would, the last; 7 and 7. are one answer to exact_match
        ("strict-match", [("7", True), ("7", True), (None, False), (None, False), ("12", True), ("12", True)]),
        ("maj@3", [("7", True), ("7", True), (None, False), (None, False), ("12", True), ("12", True)]),
        ("flexible-extract", [("7", True), ("9", False), ("1007", False), ("5", False), ("12", True), ("12", True)]),
    ],
)
def test_a_filter_of_the_task_finds_the_answers(tmp_path, name, expected):
    path = write(tmp_path / "org__m", LINES)
    if None in dict(expected):
        with told("gives no answer in 33.3%"):
            pool = from_lm_eval(path, filter_name=name)
    else:
        pool = from_lm_eval(path, filter_name=name)
    assert rows(pool, "answer", "correct") == expected


@pytest.mark.parametrize(
    ("pattern", "number", "text", "found"),
    [
        ("b.", 0, "b1 b2", "b1"),
        ("b.", -1, "b1 b2", "b2"),
        ("b( ?.)", 1, "b1 b 2", "2"),  # stripped
        ("b.", 2, "b1 b2", " none"),
        ("b.", -3, "b1 b2", " none"),
        ("(x)?(y)?b", 0, "yb", "y"),  # the first group that is not empty
        ("(x)?(y)?b", 0, "b", "none"),
        ("(x)?b", 0, "b", ""),
    ],
)
def test_which_match_a_filter_takes(pattern, number, text, found):
    assert _match(re.compile(pattern), number, " none", text) == found


@pytest.mark.parametrize(
    ("steps", "logged", "answers"),
    [
        ([{"function": "lowercase"}], "ab. c ", ["ab. c", "ab. c"]),
        ([{"function": "uppercase"}, {"function": "remove_whitespace"}], "AB. C", ["AB. C", "AB. C"]),
        ([{"function": "regex", "regex_pattern": "x", "fallback": "zero"}], "zero", ["zero", "zero"]),
        ([{"function": "regex", "regex_pattern": "x"}, {"function": "uppercase"}], "[INVALID]", [None, None]),
        ([{"function": "regex", "regex_pattern": r"\. ?(.?)$"}], "", [None, "C"]),
        ([{"function": "take_first_k", "k": 1}], "Ab. ", ["Ab.", "aB. C"]),
    ],
)
def test_steps_of_a_filter(tmp_path, steps, logged, answers):
    filters = [{"name": "f", "filter": [*steps, {"function": "take_first"}]}]
    texts = ["Ab. c " if "case" in str(steps) else "Ab. ", "aB. C"]
    right = logged == "zero"
    lines = [line(0, "maj@3", texts, filter="f", filtered_resps=[logged], target="zero", exact_match=right)]
    path = write(tmp_path / "m", lines, results=config(filter_list=filters, metric_list=None))
    if None in answers or "zero" not in answers:
        with told("gives no answer" if None in answers else "no answer of org/m is right"):
            pool = from_lm_eval(path, filter_name="f")
    else:
        pool = from_lm_eval(path, filter_name="f")
    assert rows(pool, "answer", "correct") == [(answer, answer == "zero") for answer in answers]


def test_what_exact_match_ignores_is_one_answer(tmp_path):
    metric = {"metric": "exact_match", "ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True}
    lines = [line(0, "maj@3", ["Yes!", "yes 1", "no", "..."], filter="none", filtered_resps=["Yes!"], target="YES")]
    path = write(tmp_path / "m", lines, results=config(filter_list=None, metric_list=[metric]))
    with told("gives no answer in 25.0%"):
        pool = from_lm_eval(path, filter_name="none")
    assert rows(pool, "answer", "correct") == [("yes", True), ("yes", True), ("no", False), (None, False)]


def test_answers_to_each_repeat_are_used_where_they_are_logged(tmp_path):
    lines = [line(0, "maj@3", filtered_resps=[["7", "[invalid]", "8"]], exact_match=None)]
    unknown = config(filter_list=[{"name": "maj@3", "filter": [{"function": "custom"}]}])
    with told("gives no answer in 33.3%"):
        known = from_lm_eval(write(tmp_path / "m", lines, results=unknown), filter_name="maj@3")
    with pytest.warns(PoolWarning) as caught:
        alone = from_lm_eval(write(tmp_path / "n", lines, results=False), filter_name="maj@3")
    assert "the metric of filter 'maj@3' is not known. Answers are compared with the truth" in str(caught[-1].message)
    for pool in (known, alone):
        assert rows(pool, "answer", "correct") == [("7", True), (None, False), ("8", False)]
