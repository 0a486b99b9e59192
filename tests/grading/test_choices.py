"""Choices that texts name, in several languages."""

import pytest

from mssim.grading.choices import choice_in, read_choice

CHOICES = ("London", "Paris", "same", "Same")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"The answer is A. \boxed{B}", "B"),
        (r"\boxed{\text{(C)}}", "C"),
        (r"\boxed{\textbf{(C)}}", "C"),
        (r"\boxed{paris}", "B"),
        (r"\boxed{42} The answer is D.", "D"),
        ("The answer is (b).", "B"),
        ("The answer is b.", "B"),
        ("The answer is a good one: C", "C"),
        ("**Answer: D**", "D"),
        ("Answer: B) Paris", "B"),
        ("The answer is:\n\nB", "B"),
        ("The answer is Paris.", "B"),
        ("the answer is paris", "B"),
        ("Paris", "B"),
        ("I think it is B. I hope so.", "B"),
        ("B. A reason is its size", "B"),
        ("Option A is correct.", "A"),
        ("The correct option is **C**.", "C"),
        ("Therefore, the answer is Option C.", "C"),
        ("The answer is B. I hope this answer helps", "B"),
        ("**B**\n\nBecause A has no river.", "B"),
        ("b) Paris", "B"),
        ("The answer is A or B? I choose B", "B"),
        ("Thus A. (B would be wrong.)", "A"),
        ("To find the answer, I will add 2 and 3", None),
        ("My answer: I think so", None),
        ("The answer is A because it is large", "A"),
        ("Answer: A good one is B", "B"),
        ("Answer: A London", "A"),
        ("The answer is therefore B, since A is small", "B"),
        ("The correct answer is d) Saturn", "D"),
        ("B. Paris. A and C are towns", "B"),
        (r"I pick B. \boxed{A, C}", None),
        (r"I pick B. \boxed{A\text{ and }C}", None),
        (r"I pick B. \boxed{AC}", None),
        ("the answer is E", None),
        ("both are the same", None),  # two choices spell alike
        ("same", None),
        ("it was AB or C2", None),
        ("", None),
    ],
)
def test_choices(text, letter):
    assert choice_in(text, "ABCD", CHOICES) == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("答案是B", "B"),
        ("所以选B。", "B"),
        ("故选：C", "C"),
        ("正确答案：Ｂ", "B"),
        ("选项B正确", "B"),
        ("我认为B选项是对的", "B"),
        ("（Ｂ）", "B"),
        ("答えはCです。", "C"),
        ("正解はBです", "B"),
        ("정답은 C입니다", "C"),
        ("정답: B", "B"),
        ("La réponse est B.", "B"),
        ("La bonne réponse est la lettre C", "C"),
        ("La respuesta correcta es D.", "D"),
        ("La opción correcta es la B", "B"),
        ("Die Antwort ist B", "B"),
        ("Die richtige Antwort lautet C.", "C"),
        ("Ответ: B", "B"),
    ],
)
def test_answers_of_several_languages(text, letter):
    assert choice_in(text, "ABCD", ()) == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B. It is large. The correct answer is not A.", "B"),
        ("The answer is not A but C.", "C"),
        ("The answer isn't B. It is A", "A"),
        ("A is out. The answer is (C), not D.", "C"),
        ("I'd say C, not D", "C"),
        ("It's C. A and B are wrong.", "C"),
        ("C is right; A, B and D are incorrect", "C"),
        ("Answer is B. However, A isn't bad", "B"),
        ("答案不是A，而是B", "B"),
        ("答案：A、B都错，选C", "C"),
        ("정답은 A가 아니라 B이다", "B"),
        ("答えはBではなくCです", "C"),
        ("B, nicht A", "B"),
        ("not A", None),
        ("选B，不选A", "B"),
        ("应选B，不应选A", "B"),
        ("B选项正确，A选项错误", "B"),
        ("排除A，选B。", "B"),
        ("I would choose B over A", "B"),
        ("B is better than A", "B"),
        ("Choose B. We ruled out A", "B"),
        ("C. A, B, and D are wrong", "C"),
        ("The correct answer here is B, A is not", "B"),
        ("D. It isn't A, B, or C.", "D"),
        ("C, neither A nor B", "C"),
        ("C; ni A ni B", "C"),
        ("C, weder A noch B", "C"),
    ],
)
def test_a_negated_choice_is_not_chosen(text, letter):
    assert choice_in(text, "ABCD", ()) == letter


@pytest.mark.parametrize(
    "text",
    [
        "The answer is A and B.",
        "The answer is A, B.",
        "The answer is either A or B.",
        'The answer is "A and B"',
        "Correct answers: A, B and D",
        "I see A. Answer: AC",
        "**A** or **C**",
        "Answer: A/B",
        "答案是A和B",
        "答案：A、B",
        "答案是A或B",
        "정답은 A와 B",
        "答えはAとB",
        "La réponse est A ou B",
        "La respuesta es A y B",
        "Die Antwort ist A oder B",
        r"\boxed{A} or \boxed{B}",
    ],
)
def test_several_letters_are_not_a_choice(text):
    assert choice_in(text, "ABCD", ()) is None


def test_a_letter_after_several_is_a_choice():
    assert choice_in("The answer is A or B? It must be B.", "ABCD", ()) == "B"
    assert choice_in("The answer is B, and A is wrong", "ABCD", ()) == "B"
    assert choice_in("Answer: B, D is wrong", "ABCD", ()) == "B"


def test_a_truth_is_a_letter_or_the_text_of_a_choice_but_no_index():
    choices = ("London", "Paris")
    found = [read_choice(t, "AB", choices) for t in ("B", "(b)", "Ｂ", "Paris", "1", "C", "")]
    assert found == ["B", "B", "B", "B", None, None, None]
    assert read_choice("1", "AB", ("0", "1")) == "B"
