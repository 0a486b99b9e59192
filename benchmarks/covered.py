"""Data sets of one law, and how often intervals contain the true value and tests reject it, for the section coverage.

Every function returns rows of a tidy table; percentages of `n_sets` data sets, widths in percentage points.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import comb, stdtrit

from benchmarks.laws import ClusterLaw, Floats, Law, cluster_sizes
from benchmarks.tuned import Candidates, true_scores, tuning
from mssim.results.clusters import cluster_sums
from mssim.results.differences import mean_difference
from mssim.results.intervals import mean_interval, ratio_interval

LEVELS = (0.80, 0.95, 0.99)
ALPHA = 0.05
RECORDED = 16  # samples of each question, for ratios
DISTRACTORS = (0.8, 0.2)  # shares of two wrong answers, for ratios
_BATCH = 20_000  # questions of the data sets of a call, which then fit into the cache of a processor
_CLUSTERED_BATCH = 50  # data sets with the same sizes of clusters
_ROUNDING = 1e-9
Row = dict[str, Any]
Limits = tuple[Floats, Floats]


class Cell(NamedTuple):
    """A law with n questions, or with n clusters whose sizes are of the kind `detail`."""

    table: str
    law: Law | ClusterLaw | Candidates
    n: int
    detail: str = ""

    @property
    def rng(self) -> np.random.Generator:
        """A generator that depends on the cell alone."""
        name = f"{self.table}, {self.law.name}, {self.n}, {self.detail}"
        return np.random.default_rng(zlib.crc32(name.encode()))

    def row(self, what: str, level: float, **found: object) -> Row:
        """Return a row of the table."""
        names = {"table": self.table, "of": what, "law": self.law.name, "detail": self.detail, "n": self.n}
        return {**names, "level": round(100 * level), "assumed": True, **found}


def batches(cell: Cell, n_sets: int) -> Iterator[tuple[Floats, Any]]:
    """Yield values [set, question] and labels of clusters; the sets of one batch have the same clusters."""
    rng = cell.rng
    size = max(10, _BATCH // cell.n) if isinstance(cell.law, Law) else _CLUSTERED_BATCH
    for first in range(0, n_sets, size):
        size = min(size, n_sets - first)
        if isinstance(cell.law, Law):
            yield cell.law.draw(rng, (size, cell.n)), None
        else:
            sizes = cluster_sizes(cell.detail, cell.n, rng)
            yield cell.law.draw(rng, size, sizes), np.repeat(np.arange(cell.n), sizes)


def student_t(values: Floats, level: float, clusters: Any) -> Limits:
    """Return the usual interval, with C - 1 degrees of freedom for C clusters, for comparison."""
    mean = values.mean(axis=-1)
    sums, sizes = cluster_sums(values - mean[:, None], clusters)
    error = np.sqrt(sizes.size / (sizes.size - 1) * (sums**2).sum(axis=-1)) / values.shape[-1]
    half = stdtrit(sizes.size - 1, (1 + level) / 2) * error
    return mean - half, mean + half


def sign_flips(values: Floats, clusters: Any, rng: np.random.Generator, n_flips: int = 999) -> Floats:
    """Return p-values [set] of the sign-flip test, for comparison; all sets share the random signs."""
    sums, _ = cluster_sums(values, clusters)
    signs = rng.choice([-1.0, 1.0], (sums.shape[1], n_flips))
    close = 1e-12 * np.abs(sums).sum(axis=1)
    extreme = np.abs(sums @ signs) >= (np.abs(sums.sum(axis=1)) - close)[:, None]
    return (1 + extreme.sum(axis=1)) / (1 + n_flips)


def percent(found: list[Floats] | Floats) -> float:
    return 100 * float(np.mean(found))


def coverage(pairs: list[Limits], true: float | Floats) -> tuple[float, float]:
    """Return coverage and mean width."""
    low, high = (np.hstack(limits) for limits in zip(*pairs, strict=True))
    return percent((low <= true + _ROUNDING) & (high >= true - _ROUNDING)), percent(high - low)


def means(cell: Cell, n_sets: int) -> list[Row]:
    """Intervals of means from 0 to 1, beside Student's t."""
    drawn, rows = list(batches(cell, n_sets)), []
    for level in LEVELS:
        found = [mean_interval(x, confidence_level=level, clusters=c) for x, c in drawn]
        covers, width = coverage(found, cell.law.mean)
        t_covers, t_width = coverage([student_t(x, level, c) for x, c in drawn], cell.law.mean)
        other = {"t covers": t_covers, "t width": t_width}
        rows.append(cell.row("interval", level, covers=covers, width=width, **other, sets=n_sets))
    return rows


def differences(cell: Cell, n_sets: int) -> list[Row]:
    """Intervals and tests of paired differences, beside Student's t and the sign-flip test."""
    drawn = list(batches(cell, n_sets))
    if isinstance(cell.law, Law):
        return by_method(cell, drawn, n_sets, "gaffke", assumed=True)
    rows = by_method(cell, drawn, n_sets, "t", assumed=cell.law.symmetric)
    return rows + by_method(cell, drawn, n_sets, "gaffke", assumed=True)


def by_method(cell: Cell, drawn: list[tuple[Floats, Any]], n_sets: int, method: str, assumed: bool) -> list[Row]:
    """Rows of one method of `mean_difference`; `assumed` tells whether its assumptions hold."""
    rows = []
    for level in LEVELS:
        found = [mean_difference(x, confidence_level=level, clusters=c, method=method) for x, c in drawn]
        covers, width = coverage([(one.low, one.high) for one in found], cell.law.mean)
        t_covers, t_width = coverage([student_t(x, level, c) for x, c in drawn], cell.law.mean)
        other = {"t covers": t_covers, "t width": t_width, "assumed": assumed}
        rows.append(cell.row(f"{method} interval", level, covers=covers, width=width, **other, sets=n_sets))
    if cell.law.mean == 0:
        rejects = percent(np.hstack([one.p_value for one in found]) <= ALPHA)
        flipped = percent(np.hstack([sign_flips(x, c, cell.rng) for x, c in drawn]) <= ALPHA)
        other = {"sign flips": flipped, "assumed": assumed}
        rows.append(cell.row(f"{method} test", 1 - ALPHA, rejects=rejects, **other, sets=n_sets))
    return rows


def ratios(cell: Cell, n_sets: int) -> list[Row]:
    """Intervals of the accuracy given that all K samples agree, as in `calibration` and `stop_quality`."""
    k, rng = int(cell.detail.removeprefix("K = ")), cell.rng
    right, wrong = cell.law.power(k)
    true = right / (right + wrong * sum(share**k for share in DISTRACTORS))
    p = cell.law.draw(rng, (n_sets, cell.n))[..., None]
    counts = rng.multinomial(RECORDED, np.concatenate([p, *(share * (1 - p) for share in DISTRACTORS)], axis=-1))
    agree = (comb(np.arange(RECORDED + 1), k) / comb(RECORDED, k))[counts]
    part, whole = agree[..., 0], agree.sum(axis=-1)
    some = whole.any(axis=-1)
    parts = np.array_split(np.stack([part[some], whole[some]]), 1 + n_sets * cell.n // _BATCH, axis=1)
    rows = []
    for level in LEVELS:
        covers, width = coverage([ratio_interval(*one, confidence_level=level) for one in parts], true)
        rows.append(cell.row("interval", level, covers=covers, width=width, sets=int(some.sum())))
    return rows


def tuned(cell: Cell, n_sets: int) -> list[Row]:
    """Intervals of held-out accuracy and gain, and the test of the gain where all candidates are equal."""
    rng, true = cell.rng, cell.law.true()
    frames, expected = [], []
    for _ in range(n_sets):
        found = tuning(cell.law.draw(rng, cell.n), cell.law.n_single)
        frames.append(found.to_frame().iloc[0])
        expected.append(true_scores(found, true))
    column = {name: np.array([frame[name] for frame in frames]) for name in frames[0].index}
    held, gain = np.array(expected).T
    rows = []
    for name, limits, target in (("held_out", ("low", "high"), held), ("gain", ("gain_low", "gain_high"), gain)):
        covers, width = coverage([(column[limits[0]], column[limits[1]])], target)
        assumed = name == "held_out" or cell.law.symmetric
        rows.append(cell.row(name, 0.95, covers=covers, width=width, assumed=assumed, sets=n_sets))
    if np.ptp(true) < _ROUNDING:
        rejects = percent(column["p_value"] <= ALPHA)
        rows.append(cell.row("test", 1 - ALPHA, rejects=rejects, assumed=cell.law.symmetric, sets=n_sets))
    return rows


COUNT: dict[str, Callable[[Cell, int], list[Row]]] = {
    "means": means,
    "clusters": means,
    "differences": differences,
    "clustered differences": differences,
    "ratios": ratios,
    "tuning": tuned,
}
