"""How time and memory are measured."""

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
_SLOW = 2.0  # seconds; what takes longer is less at the mercy of noise and is measured in fewer rounds
_SLOW_ROUNDS = 2


class Timed(NamedTuple):
    """The best time of several rounds, and what every round returned."""

    seconds: float
    returned: list[object]


def interleaved(
    calls: Mapping[str, Callable[[int], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Timed]:
    """Time calls in turn, round after round, each given the number of the round.

    The best time of each counts: what else the machine does only ever adds. Processor time is that of all threads.
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
    """Best time of several runs, by the clock on the wall."""
    return interleaved({"": lambda _: call()}, rounds, time.perf_counter)[""].seconds


def slope(sizes: ArrayLike, values: ArrayLike) -> float:
    """Exponent of the power law nearest to some values: the slope of a line through their logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def extra_memory(call: Callable[[], object]) -> float:
    """By how many MB a call raises the resident memory of this process; NaN where the system does not say.

    What the C library keeps of memory that was freed is given back before, or it would be used unseen.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_PROC / "clear_refs").write_text("5")  # forget the peak so far
        before = _status("VmRSS")
        call()
        return max(0.0, _status("VmHWM") - before)
    except OSError:
        return float("nan")


def peak_memory() -> float:
    """Peak resident memory of this process in MB.

    Where it can, not from getrusage: on Linux that begins with the peak of the process that started this one.
    """
    with suppress(OSError):
        return _status("VmHWM")
    import resource

    return in_mb(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_mb(maxrss: int) -> float:
    """Convert the peak memory that the system reports; macOS counts bytes, others kilobytes."""
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _status(field: str) -> float:
    line = next(line for line in (_PROC / "status").read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 2**10


class Used(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run_command(arguments: Sequence[object]) -> Used:
    """Run `python -m mssim` with these arguments in a process of its own."""
    command = [sys.executable, "-m", "mssim", *map(str, arguments)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"mssim {arguments[0]} ended with status {status}")
    return Used(seconds, used.ru_utime + used.ru_stime, in_mb(used.ru_maxrss))
