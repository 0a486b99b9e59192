"""Boxes in texts, against a slow and obvious way, and on texts that would choke a careless pattern."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.grading.boxes import last_boxed, minerva_answer
from mssim.grading.choices import choice_in
from mssim.grading.dates import last_date, read_date
from mssim.grading.latex import normal_form
from mssim.grading.numbers import first_number, last_number, number_in, read_number
from mssim.grading.paper import last_number_of_paper, read_number_of_paper
from mssim.grading.reasoning import answer_part


def naive_boxed(text):
    """Try every box from the last one on, counting braces. Boxes that are empty count only if all are."""
    empty = False
    for start in range(len(text) - 1, -1, -1):
        if not text.startswith(("\\boxed{", "\\fbox{"), start):
            continue
        depth, i = 0, text.index("{", start)
        begin = i + 1
        while i < len(text):
            if text[i] == "\\" and text[i + 1 : i + 2] in ("\\", "{", "}"):
                i += 2
                continue
            depth += (text[i] == "{") - (text[i] == "}")
            if depth == 0:
                break
            i += 1
        if i < len(text) and text[begin:i].strip():
            return text[begin:i].strip()
        empty = empty or i < len(text)
    return "" if empty else None


@given(st.lists(st.sampled_from(["\\boxed{", "\\fbox{", "{", "}", "\\{", "\\}", "x", "\n.", "\\frac"])).map("".join))
def test_the_last_closed_box_is_that_of_counting_braces(text):
    assert last_boxed(text) == naive_boxed(text)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("no box", None),
        (r"\boxed{", None),
        (r"\boxed{}", ""),
        (r"\boxed {7}", "7"),
        (r"\\boxed{7}", "7"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{1} \boxed{2", "1"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\fbox{\frac{1}{2}}", r"\frac{1}{2}"),
        ("\\boxed{a\nb}", "a\nb"),
        (r"}}{{\boxed{\text{x \\ y}}", r"\text{x \\ y}"),
        ("boxed{7}", None),
        (r"\boxedfoo{7}", None),
        (r"\boxed 5", "5"),
        (r"So $\boxed 5$, since $x = 3$.", "5"),
        (r"So $\boxed x = 5$.", "x = 5"),
        (r"\boxed 5. Thus $x = 3$.", "5"),
        (r"\boxed\frac12.", r"\frac12"),
        (r"\boxed", None),
        (r"\boxed{7}, that is \boxed{}", "7"),
        (r"$\boxed{1}$ and $\boxed{2}$", "1, 2"),
        (r"\boxed{1}, \boxed{2}, \boxed{3}", "1, 2, 3"),
        (r"\boxed{x=1}\text{ or }\boxed{x=2}", "x=1, x=2"),
        (r"$\boxed{3}$和$\boxed{4}$", "3, 4"),
        (r"\boxed{7}, \boxed{7}", "7"),
        ("\\boxed{1}\n\\boxed{2}", "2"),
        (r"\boxed{1}. No: \boxed{2}", "2"),
        ("<|begin_of_box|>7<|end_of_box|>", "7"),
    ],
)
def test_boxes(text, box):
    assert last_boxed(text) == box


def test_the_final_answer_of_minerva_stands_for_a_box():
    text = "Final Answer: The final answer is $\\frac{1}{2}$. I hope it is correct.\n\nProblem: 3"
    assert minerva_answer(text) == r"\frac{1}{2}"
    assert minerva_answer("The final answer is 3.5. I hope it is correct.") == "3.5"
    assert minerva_answer("The final answer is 3.") is None
    assert minerva_answer(r"The final answer is \(5\). I hope it's correct.") == "5"
    assert minerva_answer("**Final Answer:** The final answer is **$5$**. I hope it is correct.") == "5"
    assert minerva_answer("The final answer is 3? No. The final answer is 4. I hope it is correct.") == "4"
    assert minerva_answer("I hope it is correct. The final answer is 4. I hope this is correct.") == "4"


# Long texts -----------------------------------------------------------------------------------------------------------

N = 100_000
LONG = {
    "boxes": "\\boxed{" * (N // 7),
    "nested boxes": "\\boxed{" * (N // 8) + "}" * (N // 8),
    "digits": "1" * N,
    "digits and commas": "1," * (N // 2),
    "digits and points": "1." * (N // 2),
    "exponents": "1e" * (N // 2),
    "spaces": " " * N,
    "a box and spaces": "\\boxed" + " " * N,
    "backslashes": "\\" * N,
    "signs": "-" * N,
    "slashes": "1/" * (N // 2),
    "answers": "answer is " * (N // 10),
    "an answer and colons": "answer" + " :" * (N // 2),
    "an answer and brackets": "answer is " + "(" * N,
    "letters": "A " * (N // 2),
    "indices": "x_1 " * (N // 4),
    "a unit": "5 " + "a" * N + "1",
    "units": "5 " + "km. " * (N // 4) + "1",
    "negated letters": "not A and " * (N // 10),
    "starts of reasoning": "<think>" * (N // 7),
    "boxes in a row": "\\boxed{1}, " * (N // 11),
    "boxes without braces": "\\boxed 1 $" * (N // 10),
    "boxes in a formula": "$" + "\\boxed 1 " * (N // 9),
    "fractions": "\\frac{1}{2}" * (N // 11),
    "groups": "1 " + "000 " * (N // 4),
    "thin spaces": "1" + "\u202f000" * (N // 4),
    "powers": "10^" * (N // 3),
    "fullwidth": "１" * (N // 2),
    "superscripts": "³" * N,
    "leads in Korean": "정답은 " * (N // 4),
    "joined letters": "A or B, " * (N // 8),
    "marked letters": "B) " * (N // 3),
    "fractions with over": r"{1\over" * (N // 7),
    "commas of lists": "1，" * (N // 2),
    "colors": "\\color{" * (N // 7),
    "hopes": "the final answer is I hope it is correct " * (N // 41),
    "final answers": "The final answer is 1. " * (N // 23) + "I hope",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_hundred_thousand_characters_take_no_minutes(name):
    finders = [
        last_boxed,
        minerva_answer,
        answer_part,
        last_number,
        first_number,
        number_in,
        read_number,
        last_number_of_paper,
        read_number_of_paper,
        last_date,
        read_date,
        normal_form,
        lambda text: choice_in(text, "ABCD", ("x", "y")),
    ]
    for find in finders:
        start = time.process_time()
        find(LONG[name])
        assert time.process_time() - start < 5  # a search that begins anew at every character takes minutes
