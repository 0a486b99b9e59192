"""Hints for custom_ids: the suggested pattern finds what it is said to find, or there is none."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats.openai_ids import hint
from tests.importers.formats import test_openai_batch
from tests.importers.formats.test_openai_batch import chat

imported, questions = test_openai_batch.imported, test_openai_batch.questions

NUMBERS = [str(number) for number in range(12)]
NAMES = [f"q{number}" for number in range(12)]
NOTHING = re.compile("(?P<question_id>(?!))")
SAMPLE, MODEL = "(?P<sample>[0-9]+)", "(?P<model>.+)"


def suggested(text):
    """The pattern of a hint, and what it is said to find."""
    match = re.search(r"id_pattern=(.*) finds (\d+) of (\d+) custom_ids in q.csv(, but not '.*')?\.$", text)
    return (ast.literal_eval(match[1]), int(match[2]), int(match[3])) if match else None


def read(pattern, custom_id):
    match = re.fullmatch(pattern, custom_id, re.DOTALL)
    return match.groupdict() if match else {}


@pytest.mark.parametrize(
    ("shape", "names", "pattern"),
    [
        ("task_{q}", NUMBERS, "task_(?P<question_id>.+)"),
        ("request-{q}", NUMBERS, "request-(?P<question_id>.+)"),
        ("task-{q:0>5}", NUMBERS, "task-0*(?P<question_id>.+)"),
        ("item{q}", NUMBERS, "item(?P<question_id>.+)"),
        ("req_{q}_{s}", NAMES, f"req_(?P<question_id>.+)_{SAMPLE}"),
        ("req-{q}-{s}", NUMBERS, f"req-(?P<question_id>.+)-{SAMPLE}"),  # of two numbers, the one with more values
        ("req-{s}-{q}", NUMBERS, f"req-{SAMPLE}-(?P<question_id>.+)"),
        ("s{s}-of-{q}", NAMES, f"s{SAMPLE}-of-(?P<question_id>.+)"),
        ("{q}_sample_{s}_of_8 (v1.0)", NAMES, rf"(?P<question_id>.+)_sample_{SAMPLE}_of_8 \(v1\.0\)"),
        ("{m}/{q}", NAMES, f"{MODEL}/(?P<question_id>.+)"),
        ("{q}-{m}-{s}", NAMES, f"(?P<question_id>.+?)-{MODEL}-{SAMPLE}"),
        ("gsm8k_{m}_{q}_{s}", NUMBERS, f"gsm8k_{MODEL}_(?P<question_id>.+)_{SAMPLE}"),
        ("run {m}: {q} (t=0.7)", NAMES, rf"run {MODEL}: (?P<question_id>.+) \(t=0\.7\)"),
        ("part {s} of {q} by {m} (t=0.7)", NAMES, rf"part {SAMPLE} of (?P<question_id>.+?) by {MODEL} \(t=0\.7\)"),
        ("file{s}_line{s}_{q}", NAMES, f"file{SAMPLE}_line[0-9]+_(?P<question_id>.+)"),
        ("request-{q}-of-{m}", NUMBERS, f"request-(?P<question_id>.+?)-of-{MODEL}"),
    ],
)
def test_a_pattern_fits_the_ids_at_hand(shape, names, pattern):
    ids = {
        shape.format(q=q, s=s, m=m): {"question_id": q, "sample": str(s), "model": m}
        for m in ("gpt-4o", "org/llama") for s in range(3) for q in names
    }  # fmt: skip
    assert suggested(hint(ids, names, NOTHING, "q.csv")) == (pattern, len(ids), len(ids))
    for custom_id, parts in ids.items():
        found = read(pattern, custom_id)
        assert found == {name: parts[name] for name in found}


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (
            ["abc", "x" * 100, "d"],
            "custom_ids look like 'abc', '" + "x" * 59 + ", 'd', question_ids like '0', '1', '2'. ",
        ),
        (["1-a", "b", "c"], "custom_ids look like"),  # fewer than half
        ([], "custom_ids look like , question"),
        (["a\n1"], "custom_ids look like"),
        (["it's 1"], """id_pattern="it's (?P<question_id>.+)" finds 1 of 1"""),
        ([f"request-{number}" for number in range(1, 13)], "finds 11 of 12 custom_ids in q.csv, but not 'request-12'."),
        (["-".join("1" * 40)], "custom_ids look like"),
    ],
)
def test_without_a_fitting_pattern_the_ids_are_described(ids, says):
    found = hint(ids, NUMBERS, NOTHING, "q.csv")
    assert says in found
    assert "\n" not in found


def test_a_pattern_that_finds_as_many_is_not_suggested():
    current = re.compile("(?P<question_id>.+?)(-(?P<sample>[0-9]+))?")
    found = hint(["q1-1", "q2-1", "q77-1"], NAMES, current, "q.csv")
    assert found.startswith("2 of 3 custom_ids are found. Add the question to q.csv, or describe all custom_ids with")


def test_at_most_ten_thousand_ids_are_read():
    def ids():
        yield from (f"task_{number}" for number in range(10_000))
        raise AssertionError

    assert suggested(hint(ids(), NUMBERS, NOTHING, "q.csv")) is None


@given(
    st.lists(st.text("aq10-_./ (", max_size=9), max_size=5),
    st.sets(st.text("q10-", min_size=1, max_size=3), min_size=5, max_size=9),
)
def test_a_suggestion_finds_what_it_is_said_to_find(others, names):
    ids = [*(f"a/{name}-{number}" for number, name in enumerate(sorted(names))), *others]
    found = suggested(hint(ids, names, NOTHING, "q.csv"))
    assert found is not None
    pattern, number, total = found
    assert total == len(set(ids))
    assert number == sum(read(pattern, one).get("question_id") in names for one in set(ids)) >= len(names)


def test_the_suggestion_is_accepted(imported):
    lines = [chat(f"task_q{q}.{s}", "4") for q in (1, 2) for s in range(2)]
    with pytest.raises(PoolError, match=r"'task_q1.0' refers to question 'task_q1', which is not in ") as caught:
        imported(*lines)
    said = re.search(r"id_pattern=('.*') finds 4 of 4 custom_ids in questions.jsonl", str(caught.value))[1]
    pattern = ast.literal_eval(said)
    pool = imported(*lines, id_pattern=pattern)
    assert pool.lengths.tolist() == [[2, 2]]
