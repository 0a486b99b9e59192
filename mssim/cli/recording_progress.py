"""Progress of commands that request samples: a bar on a terminal, else a line per minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mssim.cli.language import as_options
from mssim.cli.output import printable

if TYPE_CHECKING:
    from mssim.recorder import Progress

__all__ = ["Log", "answered", "duration", "live_line", "progress_line", "reporting"]

_LOG_EVERY = 60.0  # seconds


@contextmanager
def reporting(
    told: set[str],
    line: Callable[[Progress], str],
    share: Callable[[Progress], tuple[int, int]] = lambda p: (p.done + p.failed, p.wanted),
) -> Iterator[Callable[[Progress], None]]:
    """Yield a progress callback: a bar on a terminal, else one log line per minute.

    It adds warnings to `told`. `line` describes the progress, and `share` is what is done and what there is to do.
    """
    if not sys.stderr.isatty():
        yield Log(told, line)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    # A plain Column wraps; the default of TextColumn would cut the line off.
    columns = BarColumn(10), TextColumn("{task.description}", markup=False, table_column=Column())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(p: Progress) -> None:
            for news in _news(p, told):
                bar.console.print(news, markup=False, highlight=False)
            completed, total = share(p)
            bar.update(task, total=total, completed=completed, description=printable(line(p)))

        yield report


def _news(progress: Progress, told: set[str]) -> list[str]:
    """Return the warnings that were not told yet, as lines, and add them to `told`."""
    new = [warning for warning in progress.warnings if warning not in told]
    told.update(new)
    return [f"mssim: warning: {printable(as_options(warning))}" for warning in new]


class Log:
    """Progress callback that prints one line per minute, when a server stops answering, and for each warning."""

    def __init__(self, told: set[str] | None = None, line: Callable[[Progress], str] | None = None) -> None:
        self._told = set() if told is None else told
        self._line = line or progress_line
        self._next = time.monotonic() + _LOG_EVERY
        self._silent: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Print what is new."""
        for line in _news(progress, self._told):
            print(line, file=sys.stderr, flush=True)
        fell_silent = progress.silent_since is not None and self._silent is None
        self._silent = progress.silent_since
        if fell_silent or time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOG_EVERY if fell_silent else self._next + _LOG_EVERY
            line = printable(self._line(progress))
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", file=sys.stderr, flush=True)


def progress_line(progress: Progress) -> str:
    """Format the progress in one line.

    Examples
    --------
    >>> from mssim.recorder import Progress
    >>> progress_line(Progress(1000, 250, 2, arrived=200, seconds=20.0, in_flight=8, cost=1.5, currency="USD"))
    '250 of 1000 samples, 748 left, 2 failed, 10.0/s, 8 in flight, 1.50 USD, 1 min 15 s remaining'
    """
    if progress.writing:
        return f"{progress.done} of {progress.wanted} samples; writing the pool"
    begun = [f"{progress.done} of {progress.wanted} samples", f"{progress.left} left"]
    return _line(begun, progress, progress.left / progress.rate if progress.rate else None)


def answered(progress: Progress) -> tuple[int, int]:
    """Return how many questions or runs of a live run are answered, and how many there are."""
    return getattr(progress, "answered", 0), getattr(progress, "questions", 0)


def live_line(progress: Progress, whole: str, part: str) -> str:
    """Format the progress of a live run in one line; `whole` and `part` name what is answered and what is requested.

    Examples
    --------
    >>> from mssim.live import LiveProgress
    >>> progress = LiveProgress(160, 60, 0, arrived=60, seconds=20.0, in_flight=8, questions=10, answered=4)
    >>> live_line(progress, "questions", "samples")
    '4 of 10 questions, 60 samples, 3.0/s, 8 in flight, 30 s remaining'
    """
    done, total = answered(progress)
    if progress.writing:
        return f"{done} of {total} {whole}; writing the pool"
    begun = [f"{done} of {total} {whole}", f"{progress.arrived} {part}"]
    return _line(begun, progress, progress.seconds * (total - done) / done if done else None)


def _line(begun: list[str], progress: Progress, remaining: float | None) -> str:
    """Continue a line of progress with what all commands print."""
    parts = [*begun, *([f"{progress.failed} failed"] if progress.failed else [])]
    parts += [f"{progress.rate:.1f}/s", f"{progress.in_flight} in flight"]
    parts += [] if progress.cost is None else [f"{progress.cost:.2f} {progress.currency}"]
    parts += [] if remaining is None else [f"{duration(remaining)} remaining"]
    if progress.silent_since is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(progress.silent_since))
        parts += [f"server does not answer since {clock}, waiting ({duration(time.time() - progress.silent_since)})"]
    return ", ".join([*parts, *([f"last error: {progress.trouble}"] if progress.trouble else [])])


def duration(seconds: float) -> str:
    """Return a duration as text, in its two largest units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
