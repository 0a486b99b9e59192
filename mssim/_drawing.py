"""Style, titles and axes that all plots share."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from mssim._validation import printable

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

    from mssim.results.evaluation import Evaluation
    from mssim.tuning._tune import Tuning

__all__ = [
    "AXES",
    "COLOURS",
    "DASHES",
    "MARKERS",
    "STYLE",
    "axis_label",
    "name_lines",
    "pool_title",
    "scale_x",
    "set_title",
    "short_name",
    "styled",
    "title_of",
]

# Okabe & Ito's palette without yellow, which is hard to see on white; neighbours differ in lightness.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#000000", "#CC79A7", "#D55E00")
MARKERS = "osD^vPX"
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "text.parse_math": False,  # names of models and pools can contain "$", "_" and "^"
    "text.usetex": False,
}

AXES = {
    "samples_used": "samples used per question (mean)",
    "budget": "budget (samples per question)",
    "tokens": "tokens per question (mean)",
    "cost": "cost per question (mean)",
    "latency": "seconds per question (mean)",
}

_LONGEST = 70  # letters of a name


def styled(fonts: list[str]) -> AbstractContextManager[None]:
    """Return a context in which figures have the common style and these fonts."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    # Load the backend first: that of notebooks turns on interactive mode, which the end of the context would turn off
    # again, and the next figure would not be shown.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call]
    return mpl.rc_context(STYLE | {"font.family": fonts})


def axis_label(x: str, provenance: Mapping[str, Any]) -> str:
    """Return the label of an x-axis, with the currency of a table of prices."""
    prices = provenance.get("prices")
    currency = prices.get("currency") if isinstance(prices, Mapping) else None
    return f"{AXES[x][:-1]}, {printable(currency)})" if x == "cost" and isinstance(currency, str) else AXES[x]


def name_lines(owner: Axes | Figure, lines: list[Line2D], names: list[str], title: str, **options: Any) -> Legend:
    """Add a legend of all lines."""
    labels = [f"strategy {number}" for number in range(len(lines))]
    look: dict[str, Any] = {"fontsize": "small", "title_fontsize": "small", "handlelength": 3, "title": title}
    legend = owner.legend(lines, labels, **look, **options)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)  # Matplotlib would leave out labels that begin with "_"
    return legend


def scale_x(ax: Axes, values: np.ndarray[Any, Any]) -> None:
    """Use a logarithmic x-axis with plain numbers as labels if the values span a wide range."""
    if values.min() <= 0 or values.max() < 12 * values.min():
        return
    if values.min() >= 0.5:
        ax.set_xscale("log", base=2)
    else:  # powers of two below 1 are long numbers
        from matplotlib.ticker import LogLocator, NullLocator

        ax.set_xscale("log", base=10)
        ratio = values.max() / values.min()
        ax.xaxis.set_major_locator(LogLocator(10, (1, 2, 5) if ratio < 100 else (1, 3) if ratio < 10_000 else (1,)))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def set_title(ax: Axes, title: str, fonts: list[str]) -> None:
    """Set the title as it is written. The axes that a user gives have texts of another style."""
    ax.set_title(title, fontsize="medium", loc="left", fontfamily=fonts, parse_math=False, usetex=False)


def title_of(evaluation: Evaluation | Tuning) -> str:
    """Return the title of a plot of results."""
    return pool_title(evaluation.provenance.get("pool", {}), len(evaluation.questions))


def pool_title(pool: Mapping[str, Any], n: int) -> str:
    """Return the title of a plot about n questions of a pool; that of a synthetic pool says so."""
    parts = [short_name(pool.get("title", "")), f"{n} question{'' if n == 1 else 's'}"]
    title = ", ".join(part for part in parts if part)
    return f"SYNTHETIC DATA: {title}" if pool.get("synthetic") else title


def short_name(name: str) -> str:
    """Return a name as one line that is not wider than a figure; the middle of long names is left out."""
    text = printable(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-(_LONGEST // 2) :]}"
