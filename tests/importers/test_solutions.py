"""Final answers of worked solutions."""

import pytest

from mssim.importers.solutions import final_answer


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (None, None),
        ("84", "84"),
        (" 84 ", " 84 "),
        ("It is <<12*7=84>>84.\n#### 84", "84"),
        ("#### 1\n#### 2 ", "2"),
        ("#### ", "#### "),
        (r"First \boxed{1}, then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1} #### 2", "2"),
        (r"\boxed{}", r"\boxed{}"),
    ],
)
def test_the_final_answer_is_marked_or_the_whole(solution, answer):
    assert final_answer(solution) == answer
