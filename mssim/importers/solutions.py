"""Final answers of worked solutions, which many data sets have as truths."""

from __future__ import annotations

from mssim.grading.boxes import last_boxed

__all__ = ["final_answer"]


def final_answer(solution: str | None) -> str | None:
    r"""Return the final answer of a worked solution: after its last ####, in its last box, or all of it.

    Examples
    --------
    >>> final_answer("So it is 3 + 4 = 7.\n#### 7"), final_answer(r"Hence $x = \boxed{7}$."), final_answer("7")
    ('7', '7', '7')
    """
    if solution is None:
        return None
    _, marked, answer = solution.rpartition("####")
    return answer.strip() if marked and answer.strip() else last_boxed(solution) or solution
