"""Plot of accuracy over the output tokens at which samples are cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mssim._drawing import COLOURS, DASHES, MARKERS, name_lines, pool_title, set_title, short_name, styled
from mssim._fonts import families
from mssim.errors import MssimError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from mssim.pools.pool import Pool

__all__ = ["plot_length_limits"]


def plot_length_limits(frame: pd.DataFrame, pool: Pool, *, ax: Axes | None = None) -> Axes:
    """Plot accuracy over the number of output tokens at which samples are cut off.

    Parameters
    ----------
    frame : DataFrame
        Table of `mssim.theory.length_limits`, or several of them, one below the other.
    pool : Pool
        Pool of the table, for the title.
    ax : Axes, optional
        Axes to draw on. By default a new figure is created.

    Returns
    -------
    Axes
        The axes. Each strategy and budget has a line with its confidence band. A vertical dashed line marks where the
        recording itself cut off samples; points beyond it are open.

    Raises
    ------
    MssimError
        If the table has no rows.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.plots import plot_length_limits
    >>> from mssim.theory import length_limits
    >>> pool = load_pool("recorded/llm-products")
    >>> plot_length_limits(length_limits(pool, "sc:gemma", [2, 3, 4], 8), pool).get_xlabel()
    'max_tokens (output tokens of a sample)'
    """
    import matplotlib.pyplot as plt

    if not len(frame):
        raise MssimError("frame: no rows to draw. Pass a table of mssim.theory.length_limits.")
    groups = frame.groupby(["strategy", "budget"], sort=False)
    series = {f"{short_name(str(name))}, budget {budget}": rows for (name, budget), rows in groups}
    title = pool_title(pool.info, len(pool.questions))
    fonts = families([*series, title])
    with styled(fonts):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        lines = [_draw_line(ax, rows.sort_values("max_tokens"), number) for number, rows in enumerate(series.values())]
        names = list(series)
        for limit in sorted(set(frame["recorded_limit"].dropna())):
            lines.append(ax.axvline(limit, color="#555555", linestyle="--", linewidth=1.2, zorder=1.5))
            names.append(f"cut off by the recording from {limit:g} tokens")
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.set_xlabel("max_tokens (output tokens of a sample)")
        ax.set_ylabel("accuracy (%)")
        name_lines(ax, lines, names, "band: interval over questions")
        set_title(ax, title, fonts)
    return ax


def _draw_line(ax: Axes, rows: pd.DataFrame, number: int) -> Line2D:
    """Draw one curve, and white points over those beyond the recording."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    dashes = DASHES[number // len(COLOURS) % len(DASHES)]
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.4}
    line = ax.plot(rows["max_tokens"], 100 * rows["accuracy"], linestyle=dashes, **look)[0]
    beyond = rows[rows["beyond"]]
    ax.plot(beyond["max_tokens"], 100 * beyond["accuracy"], **look | {"linewidth": 0}, markerfacecolor="white")
    low, high = 100 * rows["low"], 100 * rows["high"]
    ax.fill_between(rows["max_tokens"], low, high, color=colour, alpha=0.15, linewidth=0)
    return line
