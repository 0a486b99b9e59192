"""Measurement of time and memory."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

_PROC = Path("/proc/self")
_SLOW = 2.0  # seconds; slower calls have less relative noise and are measured in fewer rounds
_SLOW_ROUNDS = 2


class Timed(NamedTuple):
    """Best time of several rounds, and the results of all rounds."""

    seconds: float
    returned: list[object]


def interleaved(
    calls: Mapping[str, Callable[[int], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Timed]:
    """Time calls in turn for several rounds; each call gets the number of the round.

    The best time of each call counts, because other load on the machine only increases times. Processor time includes
    all threads.
    """
    best, returned = dict.fromkeys(calls, np.inf), {name: list[object]() for name in calls}
    for turn in range(rounds):
        for name, call in calls.items():
            if turn >= _SLOW_ROUNDS and best[name] > _SLOW:
                continue
            start = clock()
            returned[name].append(call(turn))
            best[name] = min(best[name], clock() - start)
    return {name: Timed(best[name], returned[name]) for name in calls}


def best_of(call: Callable[[], object], rounds: int) -> float:
    """Return the best wall-clock time of several runs."""
    return interleaved({"": lambda _: call()}, rounds, time.perf_counter)[""].seconds


def slope(sizes: ArrayLike, values: ArrayLike) -> float:
    """Return the exponent of a fitted power law, the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def extra_memory(call: Callable[[], object]) -> float:
    """Return the increase of resident memory in MB during a call; NaN if the system does not report it.

    Freed memory that the C library keeps is returned first, so that its reuse does not hide an increase.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_PROC / "clear_refs").write_text("5")  # reset the peak
        before = _status("VmRSS")
        call()
        return max(0.0, _status("VmHWM") - before)
    except OSError:
        return float("nan")


def peak_memory() -> float:
    """Return the peak resident memory of this process in MB.

    On Linux, getrusage includes the peak of the parent process, so /proc is preferred.
    """
    with suppress(OSError):
        return _status("VmHWM")
    import resource

    return in_mb(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_mb(maxrss: int) -> float:
    """Convert reported peak memory to MB; macOS reports bytes, other systems kilobytes."""
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _status(field: str) -> float:
    line = next(line for line in (_PROC / "status").read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 2**10


class Used(NamedTuple):
    """Time and memory used by a command."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run_command(arguments: Sequence[object]) -> Used:
    """Run `python -m mssim` with the given arguments."""
    command = [sys.executable, "-m", "mssim", *map(str, arguments)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"mssim {arguments[0]} failed with status {status}")
    return Used(seconds, used.ru_utime + used.ru_stime, in_mb(used.ru_maxrss))
