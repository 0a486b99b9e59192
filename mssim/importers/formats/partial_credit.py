"""Verdicts that may be fractions, such as marks of a judge. Samples of a pool are right or wrong."""

from __future__ import annotations

from mssim._validation import counted
from mssim.errors import MssimError, PoolError
from mssim.importers.fields import Fields
from mssim.importers.sink import Sink

__all__ = ["PartialCredit", "verdict_of"]

_FLAGS = {"true": 1.0, "false": 0.0}
_MOST_NAMES = 8  # that a message has


def verdict_of(record: Fields, name: str) -> float | None:
    """Return a verdict between 0 (wrong) and 1 (correct), or None if the sample was not judged.

    Examples
    --------
    >>> verdict_of(Fields({"score": 0.75}, "line 1"), "score"), verdict_of(Fields({"score": True}, "line 1"), "score")
    (0.75, 1.0)
    """
    value = record.value.get(name)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.strip().lower() in _FLAGS:
        return _FLAGS[value.strip().lower()]
    verdict = record.number(name)
    if verdict is not None and not 0 <= verdict <= 1:
        record.refuse(f"{name!r} is {verdict:.17g}. A verdict is between 0 (wrong) and 1 (correct).")
    return verdict


class PartialCredit:
    """What becomes of tasks whose verdicts include fractions.

    Rounding would change the accuracy of such a task, and leaving out only its fractions would select samples. Without
    a pass mark, the whole task is left out.

    Parameters
    ----------
    pass_mark : float, optional
        The least verdict that is correct, above 0 and at most 1.
    """

    def __init__(self, pass_mark: float | None = None) -> None:
        if pass_mark is not None and not (
            isinstance(pass_mark, int | float) and not isinstance(pass_mark, bool) and 0 < pass_mark <= 1
        ):
            raise MssimError(f"pass_mark: {pass_mark!r:.80} is not a number above 0 and at most 1, such as 0.5 or 1.")
        self._mark = pass_mark
        self._tasks: dict[str, int] = {}  # with fractions, and the number of their samples that are left out

    def see(self, task: str, verdict: float | None) -> None:
        """Note a verdict of a task. All verdicts must be seen before the first sample is kept."""
        if verdict not in (None, 0, 1):
            self._tasks.setdefault(task, 0)

    def omits(self, task: str) -> bool:
        """Return whether the samples of a task are left out."""
        return self._mark is None and task in self._tasks

    def omit(self, task: str, number: int = 1) -> None:
        """Count samples that are left out."""
        self._tasks[task] += number

    def is_correct(self, verdict: float) -> bool:
        """Return whether a sample with this verdict is correct."""
        return verdict >= (1 if self._mark is None else self._mark)

    def report(self, sink: Sink, *, kept: int) -> None:
        """Count and name what was left out or judged by the pass mark. Raise if nothing was kept."""
        names = ", ".join(list(self._tasks)[:_MOST_NAMES])
        more = len(self._tasks) - _MOST_NAMES
        names += f" and {more} more" if more > 0 else ""
        if self._tasks and self._mark is not None:
            sink.remarks.append(
                f"verdicts between 0 and 1, which {names} have, are correct from {self._mark:g} (pass mark)."
            )
        omitted = sum(self._tasks.values())
        if not omitted:
            return
        note = (
            f"{counted(omitted, 'sample is', 'samples are')} left out, because verdicts of {names} are fractions, "
            "neither right nor wrong. To keep these tasks, pass pass_mark=NUMBER, the least verdict that is "
            "correct, such as 0.5 or 1."
        )
        if not kept:
            raise PoolError(f"The files contain no samples that are right or wrong: {note}")
        sink.fail("verdict between 0 and 1", omitted)
        sink.note(note)
