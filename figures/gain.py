"""What models together gain over the best single model at the same budget."""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis import equal_budget
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "What ModelSwitch gains over the best single model"
READING = (
    "Paired differences over questions, in percentage points, with 95 % intervals. Above zero, models together are "
    "better than the best of them alone with the same budget. Where an interval contains zero, no difference was "
    "found. The best single model is chosen on the same questions, which favours it. ModelSwitch to itself asks the "
    "model twice that is the strongest with one sample: it saves samples, and gains nothing over this model."
)
NAMES = ("ModelSwitch", "mix", equal_budget.SELF)


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name: none, because the paper has such numbers itself."""
    return {}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw one panel per source."""
    figure, axes = style.panels(len(sources), height=1.5, extra=0.45)
    looks = [style.looks(5)[number] for number in (2, 4, 0)]
    for i, (ax, source) in enumerate(zip(axes, sources, strict=True)):
        frame = tables(equal_budget.run, source)
        frame = frame[frame["budget"] > 1]
        budgets = sorted(set(frame["budget"]))
        for number, (name, look) in enumerate(zip(NAMES, looks, strict=True)):
            some = frame[frame["strategy"] == name]
            at = [budgets.index(budget) + 0.2 * (number - 1) for budget in some["budget"]]
            style.marks(ax, at, some[["difference", "difference_low", "difference_high"]], look)
        ax.axhline(0, color="#555555", linewidth=0.8, zorder=1)
        style.named(ax, source.title, "budget (samples)", first=False)
        if i % 2 == 0:
            ax.set_ylabel("difference (points)")
        ax.set_xticks(range(len(budgets)), [str(budget) for budget in budgets])
    keys = [style.key(name, look | {"linestyle": "none"}) for name, look in zip(NAMES, looks, strict=True)]
    style.legend_below(figure, keys, columns=3)
    return figure
