"""Answers beside verdicts that the files record, made consistent: one answer to a question is correct or wrong."""

from __future__ import annotations

from mssim._validation import counted
from mssim.importers.sink import Sink
from mssim.pools.texts import normal

__all__ = ["VerdictAnswers"]


class VerdictAnswers:
    """Answer classes that agree with recorded verdicts.

    A judge of whole responses can find the same extracted answer correct in one response and wrong in another, and can
    find a response correct from which no answer was extracted. Such samples keep their verdict and get an answer of
    their own, so that the accuracy of a pool is the mean of the verdicts.
    """

    def __init__(self) -> None:
        self._verdicts: dict[int, bool] = {}  # by hash of question and answer
        self._both = self._none = 0

    def answer(self, question_id: str, answer: str | None, correct: bool) -> str | None:
        """Return the answer of a sample, which differs from the given one only if its verdict requires that.

        Parameters
        ----------
        question_id : str
            The question.
        answer : str, optional
            What was extracted from the response. Blank or None means that there is no answer.
        correct : bool
            The recorded verdict.

        Examples
        --------
        >>> answers = VerdictAnswers()
        >>> [answers.answer("q1", "7", True), answers.answer("q1", "7", False), answers.answer("q1", "", False)]
        ['7', '7 (judged wrong)', None]
        """
        plain = normal(answer or "")
        if not plain:
            self._none += correct
            return "no answer (judged correct)" if correct else None
        if self._verdicts.setdefault(hash((question_id, plain)), correct) == correct:
            return answer
        self._both += 1
        return f"{plain} (judged {'correct' if correct else 'wrong'})"

    def report(self, sink: Sink) -> None:
        """Add warnings about answers that were changed."""
        if self._both:
            sink.note(
                f"{counted(self._both, 'sample has', 'samples have')} an answer that is judged both correct and wrong "
                "for the same question. They have answers of their own, such as '7 (judged wrong)', and vote apart."
            )
        if self._none:
            sink.note(
                f"{counted(self._none, 'sample is', 'samples are')} judged correct without an answer. They vote "
                "together as 'no answer (judged correct)'."
            )
