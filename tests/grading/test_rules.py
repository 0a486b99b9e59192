"""Rules by name: what they refuse, which answers they take for one, and the paper's own."""

import json
import sys

import pytest

from mssim import MssimError
from mssim.grading import parse_rule, rules
from tests.conftest import SHARED


def refused(text, says):
    with pytest.raises(MssimError) as error:
        parse_rule(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "name", ["number", "choice", "date", "exact", "gsm8k", "mgsm", "mathbench", "mmlu-pro", "aime24"]
)
def test_a_rule_has_the_name_it_is_asked_for_by(name):
    assert parse_rule(name).name == name
    assert parse_rule(parse_rule(name).name).truths == parse_rule(name).truths


def test_unknown_rules_are_refused():
    refused("nubmer", "rule 'nubmer' is not known. Did you mean 'number'? Choose from 'number', 'first-number'")
    refused("regex", "rule 'regex' is not known. Choose from 'number'")
    refused("number=1", "'aime24', regex=PATTERN, python=module:function")


def one(rule, a, b):
    return rule.key(a) == rule.key(b)


def test_which_answers_are_one():
    assert one(parse_rule("number"), "7", "7.00")
    assert one(parse_rule("number"), "0.5", "1/2")
    assert not one(parse_rule("number"), "0.1", "0.10000000000000000555")
    assert one(parse_rule("mgsm"), "0.1", "0.10000000000000000555")  # floats, as the authors compare
    assert one(parse_rule("gsm8k"), "7", "7.0")
    assert not one(parse_rule("mathbench"), "7", "7.0")
    assert one(parse_rule("date"), "1/2/2020", "01/02/2020")
    assert not one(parse_rule("exact"), "a", "A")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"3 \boxed{\frac{3}{2}} 4", "3/2"),
        (r"3 \boxed{10^2}", "100"),
        (r"3 \boxed{\sqrt{2}}", None),
        (r"3 \boxed{}", None),
        (r"$\boxed{1}$ and $\boxed{2}$", None),
        (r"\boxed{7} and \boxed{}", "7"),
        ("The final answer is 5. I hope it is correct.\n\nProblem: 7", "5"),
        ("So 5, then 7", "7"),
    ],
)
def test_a_box_or_a_final_answer_is_read_as_a_whole(text, answer):
    assert parse_rule("number").extract(text) == answer


def test_the_first_number_of_a_completion_is_the_answer():
    assert parse_rule("first-number").extract(r" 18\n\nQ: \boxed{3}") == "18"


def test_a_pattern_may_find_answers_that_are_compared_as_mathematics():
    pytest.importorskip("math_verify")
    rule = parse_rule(r"regex=ANS: (.*),equal=math")
    assert (rule.extract("ANS: 1/2"), rule.equivalence, rule.key("1/2") == rule.key("0.5")) == ("1/2", True, True)
    assert parse_rule(r"regex=(\d+),equal=(\d)").extract("5,equal=7") == "5"
    refused("regex=a,equal=maths", "equal=maths is not known. Use equal=math")


def test_reasoning_is_kept_only_if_asked():
    assert (parse_rule("number").reasoning, parse_rule("number", reasoning="keep").reasoning) == ("drop", "keep")
    with pytest.raises(MssimError, match=r"reasoning: 'kep' is not known\. Did you mean 'keep'"):
        parse_rule("number", reasoning="kep")


def test_a_truth_that_no_answer_can_equal_reads_as_none():
    for name in ("gsm8k", "mathbench"):
        assert (parse_rule(name).read_truth("3/4"), parse_rule(name).read_truth("1,000")) == (None, "1000")
    for name in ("number", "first-number", "aime24"):
        assert [parse_rule(name).read_truth(t) for t in ("3/4", "1,000 km", "1, 2")] == ["3/4", "1000", None]
    assert parse_rule("date").read_truth("May 1st") is None
    assert parse_rule("choice").read_truth("maybe") is None
    assert parse_rule("exact").read_truth("3/4") == "3/4"


def test_choices_of_a_question_decide_which_letters_count():
    rule = parse_rule("choice")
    assert rule.extract("It is H.") == "H"
    own = rule.of_choices(("yes", "no"))
    assert (own.extract("It is H."), own.extract("No."), own.read_truth("no")) == (None, "B", "B")
    assert parse_rule("mmlu-pro").of_choices is None


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        (r"\d+", "1 22", "22"),
        (r"x=(\d+)", "x=1 x=22", "22"),
        (r"(?P<unit>\w)=(?P<answer>\d+)", "x=1 y=22", "22"),
        (r"(a)?b", "b", None),
        (r"a=b=(\w)", "a=b=c", "c"),
        (r"\d+", "none", None),
    ],
)
def test_a_pattern_gives_its_last_match(pattern, text, answer):
    assert parse_rule(f"regex={pattern}").extract(text) == answer


def test_a_pattern_that_does_not_compile_is_refused():
    refused("regex=(", "rule regex=(: the pattern is invalid (missing ), unterminated subpattern")


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rule_of_mine.py").write_text("def last(text):\n    return text[-1:]\n\nlength = 3\n")
    (tmp_path / "rule_broken.py").write_text("1 / 0\n")
    yield
    for name in ("rule_of_mine", "rule_broken"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("module")
def test_a_function_of_the_current_directory_is_a_rule():
    before = list(sys.path)
    rule = parse_rule("python=rule_of_mine:last")
    assert (rule.name, rule.extract("abc")) == ("python=rule_of_mine:last", "c")
    assert sys.path == before


@pytest.mark.usefixtures("module")
def test_functions_that_cannot_be_had_are_refused():
    refused("python=rule_of_mine", "is not of the form python=module:function")
    refused("python=rule_of_mine:lst", "rule_of_mine has no function 'lst'. Did you mean 'last'?")
    refused("python=rule_of_mine:length", "rule_of_mine has no function 'length'")
    refused("python=rule_broken:f", "module 'rule_broken' cannot be imported (ZeroDivisionError: division by zero)")
    refused("python=no_such_rule:f", "module 'no_such_rule' cannot be imported (ModuleNotFoundError")


def test_boxed_without_math_verify_names_the_extra(monkeypatch):
    def missing(_):
        raise rules.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(rules.importlib.metadata, "version", missing)
    refused("boxed", 'not installed. Run `python -m pip install "mssim[grade]"`')
    refused("math", 'not installed. Run `python -m pip install "mssim[grade]"`')


def test_the_truth_of_boxed_may_be_a_whole_solution():
    pytest.importorskip("math_verify")
    rule = parse_rule("math")
    assert (rule.read_truth(r"So \boxed{\frac12}."), rule.read_truth("x=1")) == (r"\frac12", "x=1")
    assert rule.versions["math_verify"]


def test_the_preset_mathbench_finds_what_the_authors_found():
    path = SHARED / "fixtures" / "modelswitch" / "mathbench_results_70B.json"
    if not path.is_file():
        pytest.skip("the authors' file, which is not part of the project, is not beside the checkout")
    rule, rows = parse_rule("mathbench"), json.loads(path.read_text())
    model = "Llama-3.1-70B-Instruct"
    found = [rule.extract(row[f"{model}_Sampling"][0]) for row in rows]
    assert found == [row[f"{model}_ans_list"][0] for row in rows]
    truths = [rule.read_truth(row["solution"]) for row in rows]
    assert truths.count(None) == 35
    right = [a is not None and t is not None and rule.key(a) == rule.key(t) for a, t in zip(found, truths, strict=True)]
    assert round(100 * sum(right) / len(rows), 2) == 68.67
