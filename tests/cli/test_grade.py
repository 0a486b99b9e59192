"""`mssim grade`: its tables, warnings, JSON, and bad input."""

import json

import pyarrow.parquet as pq
import pytest

from mssim.pools.folder import folder_update, read_info, write_info
from tests.cli import test_cli
from tests.grading import test_grader

run, folder = test_cli.run, test_grader.folder


def test_tables_and_warnings(run, folder):
    code, text, err = run("grade", folder, "--rule", "number")
    assert code == 0
    assert err == (
        "mssim: warning: 1 of 2 truths are not one number (for others, see rule boxed), such as 'x/4'. "
        "The rule number cannot match them. Choose another rule, or correct the truths.\n"
    )
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["a"])
    assert row == ["a", "2", "8", "0.2500", "0.3750", "1", "1.5000", "2"]
    assert "answer classes per question, all models: 3 to 4, median 3.5" in text
    assert "rule number" in text
    assert "7.00, I think" in text
    assert read_info(folder)["grader"]["rule"] == "number"


def test_json_is_one_object(run, folder):
    code, text, err = run("grade", folder, "--rule", "number", "--json")
    assert code == 0
    assert err.startswith("mssim: warning: ")
    report = json.loads(text)
    assert [row["model"] for row in report["models"]] == ["a", "b"]
    assert report["models"][0]["accuracy"] == 0.375
    assert report["cannot_match"] == {"q2": "x/4"}
    assert report["classes_per_question"] == {"classes_min": 3, "classes_median": 3.5, "classes_max": 4}
    assert {row["outcome"] for row in report["examples"]} == {"right", "wrong", "no answer", "merged"}
    assert len(report["warnings"]) == 1
    assert (report["rule"], report["undecided"]) == ("number", 0)


def test_texts_are_not_read_as_markup(run, folder):
    texts = {("q1", "[red]m\x1b[31m"): ["[red]7[/red] \x1b[2J\x07 7", "[/]", "\u202e"]}
    with folder_update(folder) as part:
        pq.write_table(test_grader.samples_table(texts), part / "samples.parquet")
        write_info(part, folder, {})
    code, text, _ = run("grade", folder, "--rule", "number")
    assert code == 0
    assert "[red]7[/red] \\x1b[2J\\x07 7" in text
    assert "[red]m\\x1b[31m" in text
    assert "\\u202e" in text
    assert not set("\x1b\x07\u202e") & set(text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rule", "numbr"), "rule 'numbr' is not known. Did you mean 'number'?"),
        (("--rule", "regex=("), "the pattern is invalid"),
        (("--rule", "python=nothing:f"), "module 'nothing' cannot be imported"),
    ],
)
def test_bad_rules_end_with_one_line(run, folder, arguments, says):
    test_cli.bad(run("grade", folder, *arguments), says)


def test_what_is_no_folder_ends_with_one_line(run, folder):
    test_cli.bad(run("grade", folder / "samples.parquet", "--rule", "number"), "has no pool.json")


def test_a_pattern_in_brackets_is_shown_as_it_is(run, folder):
    code, text, _ = run("grade", folder, "--rule", "regex=[0-9]")
    assert code == 0
    assert "rule regex=[0-9]" in text


def test_help_has_an_example(run):
    code, text, _ = run("grade", "--help")
    assert code == 0
    assert "Example: mssim grade my-pool --rule number" in " ".join(text.split())
