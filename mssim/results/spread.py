"""Distribution over questions and draws of what a question takes: tokens, cost and latency.

Totals of replays are integer multiples of a unit. They are counted in bins: a total T below 4096 has its own bin, and
every power of two above has 2048 bins. With e = max(bit_length(T) - 12, 0), the bin of T is 2048 e + floor(T / 2^e).
Blocks of replays count a total of quantity, budget and bin at place (quantity x n_budgets + budget) x N_BINS + bin.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import ArrayLike, NDArray

from mssim._validation import counted
from mssim.rules.plan import QUANTITIES

__all__ = ["N_BINS", "Histogram", "Spread", "bin_of", "bin_value"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_BINS = 2048 * 36  # of totals below 2**46
_LARGEST = 2**46 - 1
_PER_DOUBLING = 2048
_PENDING = 2**18  # entries that are added before they are summed by place
_ROUNDING = 1e-12  # relative, of sums of weights


def bin_of(totals: ArrayLike) -> Ints:
    """Return the bins of totals.

    Parameters
    ----------
    totals : array_like of int
        Totals in units, from 0 to 2**46 - 1.

    Returns
    -------
    ndarray of int64
        Bins, from 0 to N_BINS - 1.

    Examples
    --------
    >>> bin_of([0, 4095, 4096, 4097, 4098, 2**46 - 1])
    array([    0,  4095,  4096,  4096,  4097, 73727])
    """
    whole = np.asarray(totals, dtype=np.int64)
    # Floats below 2**53 are exact, so the exponent of a total is its number of bits.
    extra = np.maximum(np.frexp(whole.astype(float))[1].astype(np.int64) - 12, 0)
    return np.asarray(extra * _PER_DOUBLING + (whole >> extra))


def bin_value(bins: ArrayLike) -> Floats:
    """Return the total that stands for all totals of a bin: the only one, or the middle.

    Parameters
    ----------
    bins : array_like of int
        Bins, as from `bin_of`.

    Returns
    -------
    ndarray of float64
        Totals in units, which differ from those that were counted by at most 1 in 4096.

    Examples
    --------
    >>> bin_value([7, 4095, 4096, 73727]).tolist()
    [7.0, 4095.0, 4096.5, 70360154243071.5]
    """
    given = np.asarray(bins, dtype=np.int64)
    extra = np.maximum(given // _PER_DOUBLING - 1, 0)
    width = np.left_shift(1, extra)
    return np.asarray((given - extra * _PER_DOUBLING) * width + (width - 1) / 2)


class Histogram:
    """Counts of totals of one plan, summed over blocks that are added in any order.

    Examples
    --------
    >>> histogram = Histogram()
    >>> histogram.add(np.array([[20.0, 1.0], [10.0, 2.0]]))
    >>> histogram.add(np.array([[20.0, 3.0]]))
    >>> histogram.entries().tolist()
    [[10.0, 2.0], [20.0, 4.0]]
    """

    def __init__(self) -> None:
        self._places: Ints = np.empty(0, np.int64)
        self._counts: Ints = np.empty(0, np.int64)
        self._added: list[Floats] = []
        self._n_added = 0

    def add(self, entries: Floats) -> None:
        """Add entries (place, count), [entry, 2], with whole numbers below 2**53; places may repeat."""
        self._added.append(entries)
        self._n_added += len(entries)
        if self._n_added > max(_PENDING, self._places.size):
            self._sum()

    def entries(self) -> Floats:
        """Return the sums (place, count), [entry, 2], in order of place."""
        self._sum()
        return np.column_stack([self._places, self._counts]).astype(float)

    def _sum(self) -> None:
        added = np.concatenate([np.empty((0, 2)), *self._added]).astype(np.int64)
        self._added, self._n_added = [], 0
        places = np.concatenate([self._places, added[:, 0]])
        counts = np.concatenate([self._counts, added[:, 1]])
        self._places, self._counts = _by_place(places, counts)


@dataclass(frozen=True, eq=False, repr=False)
class Spread:
    """Distributions of tokens, cost and latency over questions and draws, as counts in bins.

    Each is over all questions and replays together: what one question may take. Bins have a relative width of 1/2048,
    and totals of fewer than 4096 units have bins of their own, so whole numbers of tokens below 4096 are exact.

    Attributes
    ----------
    units : ndarray of float64, shape (3,)
        Unit of tokens, cost and latency; NaN if unknown.
    sizes : ndarray of int64, shape (n_strategies, n_budgets, 3)
        Number of bins with counts, in this order in `bins` and `weights`; 0 if the distribution is unknown.
    bins : ndarray of int32
        Bins in ascending order for every strategy, budget and quantity; see `bin_value`.
    weights : ndarray of float64
        Counts of question-replays, or sums of counts times chances for a random choice of models.

    See Also
    --------
    mssim.results.evaluation.Evaluation.to_frame : Quantiles and shares beside the means.

    Examples
    --------
    >>> histogram = Histogram()
    >>> histogram.add(np.column_stack([bin_of([100, 200, 200, 3500]), np.ones(4)]))
    >>> spread = Spread.from_histograms([([1], [histogram])], 1, units=[1.0, np.nan, np.nan], n_totals=4)
    >>> spread.quantile(0.5)[0, 0]
    array([200.,  nan,  nan])
    >>> spread.exceeds("tokens", 150)
    array([[0.75]])
    """

    units: Floats
    sizes: Ints
    bins: NDArray[np.int32]
    weights: Floats

    @classmethod
    def from_histograms(
        cls,
        strategies: Iterable[tuple[Sequence[float], Sequence[Histogram]] | None],
        n_budgets: int,
        *,
        units: ArrayLike,
        n_totals: int,
        budgets: Sequence[ArrayLike] | None = None,
    ) -> Spread:
        """Make the distributions of strategies from the histograms of their plans.

        Parameters
        ----------
        strategies : iterable of ((weight, ...), (Histogram, ...)) or None
            Relative chances and histograms of the plans of each strategy; None if its distribution is not a mixture of
            those of its plans.
        n_budgets : int
            Number of budgets.
        units : array_like of float, shape (3,)
            Unit of each quantity; NaN or 0 if unknown.
        n_totals : int
            Number of question-replays of each plan. A distribution that counts any other number is unknown.
        budgets : sequence of array_like of int, optional
            Numbers of the budgets of each strategy, by which its places are counted. By default all budgets.

        Returns
        -------
        Spread
        """
        unit = np.asarray(units, dtype=float)
        known = unit > 0
        shape = (n_budgets, len(QUANTITIES))
        sizes, bins, weights = [], [], []
        for number, strategy in enumerate(strategies):
            own = np.arange(n_budgets) if budgets is None else np.asarray(budgets[number], dtype=np.int64)
            places, amounts = _mixed(strategy, own.size, known, n_totals)
            quantities, at = np.divmod(places // N_BINS, own.size)
            cells = own[at] * len(QUANTITIES) + quantities
            order = np.argsort(cells, kind="stable")
            sizes.append(np.bincount(cells, minlength=math.prod(shape)).reshape(shape))
            bins.append((places % N_BINS)[order].astype(np.int32))
            weights.append(amounts[order])
        return cls(
            np.where(known, unit, np.nan),
            np.array(sizes, dtype=np.int64).reshape(-1, *shape),
            np.concatenate([np.empty(0, np.int32), *bins]),
            np.concatenate([np.empty(0), *weights]),
        )

    def quantile(self, q: float) -> Floats:
        """Return a quantile: the smallest total that at least a share q of the question-replays does not exceed.

        Parameters
        ----------
        q : float
            Share, from 0 to 1.

        Returns
        -------
        ndarray of float64, shape (n_strategies, n_budgets, 3)
            Quantile of tokens, cost and latency, each within 1/4096 of a recorded total; NaN if unknown.

        Notes
        -----
        This is the inverse of the distribution function, as of ``numpy.quantile(..., method="inverted_cdf")``.
        """
        found = np.zeros(self.sizes.size, np.int64)
        for cell, part in self._cells():
            sums = self.weights[part].cumsum()
            at = int(np.searchsorted(sums, sums[-1] * (q * (1 - _ROUNDING))))
            found[cell] = self.bins[part][min(at, sums.size - 1)]
        values = bin_value(found.reshape(self.sizes.shape)) * self.units
        return np.where(self.sizes > 0, values, np.nan)

    def exceeds(self, quantity: str, x: float) -> Floats:
        """Return the share of question-replays that take more than x of a quantity.

        Parameters
        ----------
        quantity : {"tokens", "cost", "latency"}
            The quantity.
        x : float
            Amount, in the unit of the quantity. Totals in the same bin as x do not exceed it.

        Returns
        -------
        ndarray of float64, shape (n_strategies, n_budgets)
            Shares, from 0 to 1; NaN if unknown.
        """
        which = QUANTITIES.index(quantity)
        shares = np.full(self.sizes.size, np.nan)
        total = np.clip(np.nan_to_num(np.floor(x / self.units[which])), -1, _LARGEST)
        most = int(bin_of(total.astype(np.int64)))
        for cell, part in self._cells():
            if cell % len(QUANTITIES) == which:
                weights = self.weights[part]
                above = np.searchsorted(self.bins[part], most, side="right")
                shares[cell] = weights[above:].sum() / weights.sum()
        return shares.reshape(self.sizes.shape)[..., which]

    def _cells(self) -> Iterator[tuple[int, slice]]:
        """Yield the number of every known distribution, and where its bins are."""
        ends = self.sizes.cumsum()
        for cell in np.flatnonzero(self.sizes):
            yield int(cell), slice(int(ends[cell] - self.sizes.flat[cell]), int(ends[cell]))

    def to_bytes(self) -> bytes:
        """Return the distributions as a small Parquet file with checksums."""
        whole = self.weights.astype(np.int64)
        columns = {
            "cell": np.repeat(np.arange(self.sizes.size, dtype=np.int32), self.sizes.ravel()),
            "bin": self.bins,
            "weight": whole if (whole == self.weights).all() else self.weights,
        }
        header = {"units": self.units.tolist(), "shape": self.sizes.shape}
        table = pa.table(columns).replace_schema_metadata({"mssim": json.dumps(header)})
        file = io.BytesIO()
        packed = {name: "DELTA_BINARY_PACKED" for name, values in columns.items() if values.dtype.kind == "i"}
        pa.parquet.write_table(
            table, file, compression="zstd", use_dictionary=False, column_encoding=packed, write_page_checksum=True
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Spread:
        """Return the distributions that `to_bytes` wrote; raise an error of Arrow or Python if they are damaged."""
        table = pa.parquet.read_table(io.BytesIO(data), page_checksum_verification=True)
        header = json.loads(table.schema.metadata[b"mssim"])
        cells, bins, weights = (table[name].to_numpy() for name in ("cell", "bin", "weight"))
        sizes = np.bincount(cells, minlength=math.prod(header["shape"])).reshape(header["shape"])
        return cls(np.array(header["units"]), sizes.astype(np.int64), bins, weights.astype(float))

    def __repr__(self) -> str:
        n_strategies, n_budgets, _ = self.sizes.shape
        known = [name for at, name in enumerate(QUANTITIES) if self.sizes[..., at].any()]
        size = f"{counted(n_strategies, 'strategy', 'strategies')}, {counted(n_budgets, 'budget')}"
        return f"Spread({size}, {', '.join(known) or 'nothing known'})"


def _mixed(
    strategy: tuple[Sequence[float], Sequence[Histogram]] | None,
    n_budgets: int,
    known: NDArray[np.bool_],
    n_totals: int,
) -> tuple[Ints, Floats]:
    """Return places in order and weights of the distributions that are known for all plans of a strategy."""
    whole = np.repeat(known, n_budgets) & (strategy is not None)
    parts = [np.empty((0, 2))]
    for weight, histogram in zip(*(strategy or ((), ())), strict=True):
        entries = histogram.entries()
        cells = (entries[:, 0] // N_BINS).astype(np.int64)
        whole &= np.bincount(cells, entries[:, 1], minlength=whole.size) == n_totals
        parts.append(entries * [1.0, weight])
    entries = np.concatenate(parts)
    places = entries[:, 0].astype(np.int64)
    keep = whole[places // N_BINS] & (entries[:, 1] > 0)
    places, amounts = _by_place(places[keep], entries[keep, 1])
    return places, amounts


def _by_place(places: Ints, amounts: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Return distinct places in order, and the sum of the amounts at each."""
    order = np.argsort(places, kind="stable")
    places = places[order]
    first = np.flatnonzero(np.diff(places, prepend=-1))
    return places[first], np.add.reduceat(amounts[order], first) if first.size else amounts
