"""Answer classes while samples arrive: as `mssim grade` makes them of the whole file."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import PoolError
from mssim.grading import Rule, grade_file, parse_rule
from mssim.live.classes import Classes
from tests.conftest import examples


def codes(classes, texts, **more):
    return [classes.read("a", {"text": text, **more}) for text in texts]


def test_a_later_spelling_joins_its_class():
    classes = Classes(parse_rule("number"), "0.5")
    assert codes(classes, ["It is 1/2.", "7", "no idea", "0.5", "7.0", "1/2", "0.50"]) == [0, 1, -1, 0, 1, 0, 0]
    assert (classes.name(0), classes.name(1), classes.name(-1)) == ("1/2", "7", None)
    assert (classes.is_right(0), classes.is_right(1), classes.is_right(-1)) == (True, False, False)


def test_the_name_is_the_most_frequent_spelling_and_the_first_of_equally_frequent_ones():
    classes = Classes(parse_rule("number"), None)
    codes(classes, ["7.0", "7", "7.00", "7.00"])
    assert classes.name(0) == "7.00"
    codes(classes, ["7"])
    assert classes.name(0) == "7"
    assert classes.is_right(0) is None
    assert classes.is_right(-1) is None


TEXTS = ["It is 7.", "7.0", "8", "I do not know.", "<think>9? No.</think>7", "<think>9", "9</think> so 8.00", None]


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12), st.sampled_from(["drop", "keep"]))
@settings(max_examples=examples(60))
def test_classes_are_those_of_the_graded_file(tmp_path_factory, texts, reasoning):
    folder = tmp_path_factory.mktemp("graded")
    texts = [*texts, "7"]
    rule = parse_rule("number", reasoning=reasoning)
    frame = pd.DataFrame({"question_id": "q", "model": "a", "sample_index": range(len(texts)), "text": texts})
    frame.to_parquet(folder / "texts.parquet")
    grade_file(
        folder / "texts.parquet", folder / "graded.parquet", pa.table({"question_id": ["q"], "truth": ["7"]}), rule
    )
    graded = pd.read_parquet(folder / "graded.parquet")
    classes = Classes(rule, "7")
    found = codes(classes, texts)
    assert [classes.name(code) for code in found] == [a if isinstance(a, str) else None for a in graded["answer"]]
    assert [classes.is_right(code) for code in found] == graded["correct"].tolist()


def test_a_text_that_is_cut_off_within_reasoning_that_the_prompt_began_has_no_answer():
    classes = Classes(parse_rule("number"), "7")
    assert codes(classes, ["It may be 8"], finish_reason="length") == [0]  # nothing says that it is reasoning
    assert codes(classes, ["Is it 8? No.</think>7"]) == [1]
    assert codes(classes, ["It may be 8"], finish_reason="length") == [-1]
    assert codes(classes, ["It may be 8"], finish_reason="stop") == [0]
    assert classes.read("b", {"text": "It may be 8", "finish_reason": "length"}) == 0


def test_recorded_reasoning_is_read_if_it_is_kept():
    sample = {"text": "", "reasoning": "It is 7."}
    assert Classes(parse_rule("number", reasoning="keep"), "7").read("a", sample) == 0
    assert Classes(parse_rule("number"), "7").read("a", sample) == -1
    assert Classes(parse_rule("number", reasoning="keep"), "7").read("a", {"text": None, "reasoning": "7"}) == 0


def test_an_error_of_the_function_of_a_rule_names_the_sample():
    def fail(text):
        raise ValueError(text)

    with pytest.raises(PoolError, match="rule own: model 'a', sample 3: ValueError: 7"):
        Classes(Rule("own", fail), None).read("a", {"text": "7", "sample_index": 3})


class Lenient:
    """Calls texts equal that have equal letters, in any order."""

    def value(self, _):
        return complex("nan")

    def is_number(self, _):
        return False

    def equal(self, first, second):
        return sorted(first) == sorted(second)


def test_a_judge_decides_with_the_classes_so_far():
    classes = Classes(parse_rule("regex=\\w+,equal=math"), "xyz", Lenient())
    assert codes(classes, ["ab", "zyx", "ba", "abc", "xyz", "?", "cab"]) == [0, 1, 0, 2, 1, -1, 2]
    assert [classes.is_right(code) for code in (0, 1, 2, -1)] == [False, True, False, False]
    assert [classes.name(code) for code in (0, 1, 2)] == ["ab", "zyx", "abc"]
