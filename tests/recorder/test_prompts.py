"""Templates: filled as a reader would, refused before anything is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.recorder.prompts import check_prompts, check_template, default_template, messages, render
from tests.test_questions import table


def rendered_naively(template, row):
    """Read a template from left to right, one character at a time."""
    out, i = "", 0
    while i < len(template):
        end = template.find("}}", i)
        name = template[i + 2 : end].strip(" \t") if template.startswith("{{", i) and end >= 0 else ""
        if name in row:
            out, i = out + row[name], end + 2
        else:
            out, i = out + template[i], i + 1
    return out


PIECES = st.lists(st.sampled_from(["{{a}}", "{{ b c }}", "{{", "}}", "{", "}", "a", "b c", "\n", " ", "\\boxed{}"]))


@given(PIECES, st.text(st.sampled_from("{}ab c")), st.text(st.sampled_from("{}ab c")))
def test_rendering_is_what_a_reader_would_do(pieces, a, b):
    template = "".join(pieces)
    row = {"a": a, "b c": b}
    # Names that are no column are refused by check_template; here they are rare, and left out.
    try:
        check_template(template, ["a", "b c"])
    except MssimError:
        return
    assert render(template, row) == rendered_naively(template, row)


@given(st.text(), st.text())
def test_text_without_double_braces_stays_as_it_is(before, after):
    before, after = before.replace("{", "("), after.replace("{", "(")
    assert render(before + "{{question}}" + after, {"question": "{{truth}}"}) == before + "{{truth}}" + after


@pytest.mark.parametrize(
    "text", ["\\boxed{}", "{question}", "{{}}", "{{ }}", "{{1, 2}}", "{{a\n}}", "{ {question} }", "{{a+b}}"]
)
def test_only_double_braces_around_a_name_are_placeholders(text):
    assert render("{{question}}" + text, {"question": "Q"}) == "Q" + text


def test_a_placeholder_may_stand_in_single_braces():
    assert render("\\boxed{{{question}}}", {"question": "Q"}) == "\\boxed{Q}"


def test_choices_are_lettered_lines():
    row = {"question_id": "q", "choices": [f"c{i}" for i in range(26)]}
    lines = render("{{choices}}", row).split("\n")
    assert lines[0] == "A. c0"
    assert lines[25] == "Z. c25"
    assert len(lines) == 26
    with pytest.raises(MssimError, match=r"question 'q' has 27 choices\. .* at most 26\. Write the choices into"):
        render("{{choices}}", {**row, "choices": ["c"] * 27})


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_value_names_question_and_column(missing):
    with pytest.raises(MssimError, match=r"question 'q' has no hint, which the template needs\. Add it, or remove"):
        render("{{hint}}", {"question_id": "q", "hint": missing})


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (7.0, "7"), (0.5, "0.5"), (True, "true"), (["a", "é"], '["a", "é"]'), ("", "")]
)
def test_values_of_other_types_are_written_as_a_reader_expects(value, text):
    assert render("<{{x}}>", {"x": value}) == f"<{text}>"


def test_the_default_template_asks_the_question_and_shows_the_choices():
    assert default_template(["question_id", "question", "truth"]) == "{{question}}"
    template = default_template(["question", "choices"])
    assert render(template, {"question": "Q?", "choices": ["yes", "no"]}) == "Q?\n\nA. yes\nB. no"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("What is it?", "template: it has no placeholder, so all prompts would be equal. Insert {{question}}"),
        ("{question}", "template: it has no placeholder"),
        (
            "{{question}} {{ truth }}",
            "{{truth}}: it would reveal the correct answer to the model. Remove it from the template",
        ),
        ("{{qestion}}", "{{qestion}}: no such column. Did you mean 'question' or 'question_id'? Choose from "),
        ("{{question}} {{choices}}", "{{choices}}: no such column. Choose from 'question_id', 'question', 'cluster'"),
    ],
)
def test_templates_that_cannot_be_meant_are_refused(template, says):
    with pytest.raises(MssimError) as error:
        check_template(template, ["question_id", "question", "truth", "cluster"])
    assert str(error.value).startswith(says)
    assert "'truth'" not in str(error.value)


def test_good_templates_pass():
    check_template("{{question}} {{ cluster }} {{big name}}", ["question", "truth", "cluster", "big name"])


def test_messages_put_the_system_first():
    row = {"question": "Q?", "topic": "maths"}
    assert messages("{{question}}", None, row) == [{"role": "user", "content": "Q?"}]
    assert messages("{{question}}", "You know {{topic}}.", row) == [
        {"role": "system", "content": "You know maths."},
        {"role": "user", "content": "Q?"},
    ]


@pytest.mark.parametrize(
    ("template", "system", "says"),
    [
        ("none", None, "template: it has no placeholder"),
        ("{{question}} {{hint}}", None, "question 'b' has no hint"),
        ("{{question}}", "{{hint}}", "question 'b' has no hint"),
        ("{{question}}", "{{hints}}", "{{hints}}: no such column. Did you mean 'hint'?"),
        ("{{question}}", "{{truth}}", "{{truth}}: it would reveal"),
        ("{{choices}}", None, "question 'b' has 27 choices"),
    ],
)
def test_what_cannot_be_asked_is_found_before_anything_is(template, system, says):
    questions = table(hint=["h", None], choices=[["c"], ["c"] * 27])
    with pytest.raises(MssimError) as error:
        check_prompts(template, system, questions)
    assert str(error.value).startswith(says)


def test_columns_that_no_template_uses_may_have_gaps():
    check_prompts("{{question}}", "Be brief.", table(hint=["h", None], choices=[["c"], ["c"] * 27]))
