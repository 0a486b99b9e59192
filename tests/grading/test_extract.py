"""Finding answers in texts, against slow and obvious ways, and on texts that would choke a careless pattern."""

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.grading.extract import (
    choice_in,
    exact_value,
    last_boxed,
    last_date,
    last_number,
    last_number_of_paper,
    padded_date,
    read_choice,
    read_date,
    read_number,
)
from mssim.grading.latex import normal_form

# Boxes ----------------------------------------------------------------------------------------------------------------


def naive_boxed(text):
    """Try every box from the last one on, counting braces."""
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
                return text[begin:i].strip()
            i += 1
    return None


@given(st.lists(st.sampled_from(["\\boxed{", "\\fbox{", "{", "}", "\\{", "\\}", "x", " ", "\\frac"])).map("".join))
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
    ],
)
def test_boxes(text, box):
    assert last_boxed(text) == box


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10-5", "5"),
        ("x=-5", "-5"),
        ("10 - 5", "5"),
        ("(-5)", "-5"),
        ("(3)-5", "5"),
        ("\N{MINUS SIGN}5", "-5"),
        ("$1,234.50.", "1234.50"),
        ("-$5.50", "-5.50"),
        (r"-\$5", "-5"),
        ("$-5", "-5"),
        ("1{,}234", "1234"),
        (r"1,\!234", "1234"),
        ("3.", "3"),
        ("it is .5", ".5"),
        ("v1.2.3", "3"),
        ("1e5", "1e5"),
        ("2e", "2"),
        ("+7", "7"),
        ("50%", "50"),
        ("3/4", "4"),
        ("007", "007"),
        ("\N{BENGALI DIGIT ONE}\N{BENGALI DIGIT TWO}", "12"),
        (r"1 \boxed{2} 3", "2"),
        (r"\boxed{none} 3", None),
        (r"\boxed{} 3", None),
        ("none", None),
        ("", None),
    ],
)
def test_numbers(text, number):
    assert last_number(text) == number


words = st.text(st.characters(categories=["L", "P", "S", "Z"], exclude_characters="-$\\.,{})]\u2212\uff0d"))


@given(words, st.decimals(allow_nan=False, allow_infinity=False, places=3), words)
def test_any_number_comes_back_from_the_words_around_it(before, number, after):
    for written in (f"{number:f}", f"{number:,f}", f"${number:,f}", f"{number:f}.".replace("-", "\N{MINUS SIGN}")):
        assert Decimal(last_number(f"{before} {written} {after}")) == number


numbers = st.from_regex(
    r"-?(\d{1,12}(\.\d{1,9})?|\.\d{1,6})([eE][-+]?\d{1,2})?", fullmatch=True, alphabet="-.eE+0123456789"
)


@given(numbers, numbers)
def test_values_are_equal_if_and_only_if_the_numbers_are(a, b):
    assert (exact_value(a) == exact_value(b)) == (Fraction(a) == Fraction(b))
    assert Fraction(exact_value(a)) == Fraction(a)


@given(st.sampled_from(["7", "-0.5", "120", "0"]), st.integers(0, 5), st.integers(0, 5))
def test_zeros_do_not_change_a_value(number, before, after):
    sign, size = ("-", number[1:]) if number[0] == "-" else ("", number)
    padded = sign + "0" * before + size + ("" if "." in size else ".0") + "0" * after
    assert exact_value(padded) == exact_value(number)


def test_a_value_is_exact_and_never_expanded():
    assert exact_value("0.1") != exact_value("0.1000000000000000055511151231257827")
    assert exact_value("1e999999999") == "1e999999999"
    assert exact_value("-0.00") == exact_value("0") == "0"


@pytest.mark.parametrize(
    ("truth", "number"),
    [
        ("3/4", None),
        ("4 apples", None),
        ("", None),
        ("$1,234.50", "1234.50"),
        (r"\$5", "5"),
        ("18.", "18"),
        (" -3 ", "-3"),
        ("1 000", "1000"),
        ("+7", "7"),
        ("1.2.3", None),
        ("10-5", None),
    ],
)
def test_a_truth_is_one_number_as_a_whole(truth, number):
    assert read_number(truth) == number


def test_the_paper_ends_a_box_at_its_first_brace_and_takes_any_minus():
    assert last_number_of_paper(r"\boxed{-\frac{11}{6}}") == "11"
    assert last_number_of_paper("10-5") == "-5"
    assert last_number_of_paper(r"\boxed{1,234} 5") == "1234"
    assert last_number_of_paper(r"\boxed{7 is cut off") == "7"


# Dates and choices ----------------------------------------------------------------------------------------------------


def test_dates():
    assert last_date("from 01/02/2003 to 1/2/2020.") == "1/2/2020"
    assert last_date("99/99/2020") == "99/99/2020"
    assert last_date("101/02/2003 01/02/20034") is None
    assert padded_date("1/2/2020") == padded_date("01/02/2020") == "01/02/2020"
    assert (read_date(" 1/2/2020 "), read_date("on 1/2/2020")) == ("1/2/2020", None)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"The answer is A. \boxed{B}", "B"),
        (r"\boxed{\text{(C)}}", "C"),
        (r"\boxed{paris}", "B"),
        (r"\boxed{42} The answer is D.", "D"),
        ("The answer is (b).", "B"),
        ("**Answer: D**", "D"),
        ("The answer is Paris.", "B"),
        ("the answer is paris", "B"),
        ("Paris", "B"),
        ("I think it is B. I hope so.", "B"),
        ("B. A reason is its size", "B"),
        ("Option A is correct.", "A"),
        ("I'd say C, not D", "D"),
        ("the answer is E", None),
        ("both are the same", None),  # two choices spell alike
        ("same", None),
        ("it was AB or C2", None),
        ("", None),
    ],
)
def test_choices(text, letter):
    assert choice_in(text, "ABCD", ("London", "Paris", "same", "Same")) == letter


def test_a_truth_is_a_letter_or_the_text_of_a_choice_but_no_index():
    choices = ("London", "Paris")
    assert [read_choice(t, "AB", choices) for t in ("B", "(b)", "Paris", "1", "C", "")] == [
        "B",
        "B",
        "B",
        None,
        None,
        None,
    ]
    assert read_choice("1", "AB", ("0", "1")) == "B"


# Long texts -----------------------------------------------------------------------------------------------------------

N = 200_000
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
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_hundreds_of_thousands_of_characters_take_no_second(name):
    finders = [
        last_boxed,
        last_number,
        read_number,
        last_number_of_paper,
        last_date,
        read_date,
        normal_form,
        lambda text: choice_in(text, "ABCD", ("x", "y")),
    ]
    for find in finders:
        start = time.process_time()
        find(LONG[name])
        assert time.process_time() - start < 1
