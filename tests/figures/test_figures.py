"""Figures: drawn as their tables say, legible at the width of a column and in grey, and written so that all is found.

Nothing is fitted here: what stands for the paper's pools is drawn from one plain answer model with the paper's names.
"""

import importlib
import itertools
import re
import runpy
import sys
from pathlib import Path
from urllib.parse import unquote

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis import (
    by_cost,
    consistency,
    equal_budget,
    number_and_order,
    protocols,
    published,
    reward,
    running,
    scaling,
    simulated,
    sources,
    theory,
)
from analysis.options import plain_errors
from analysis.running import Tables
from analysis.sources import Source
from figures import drawing, style
from figures.__main__ import app
from mssim import MssimError
from mssim.simulate import AnswerModel
from tests.analysis import stand_ins

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "tests" / "demo-synthetic"
LONG = [f"some-organisation/a-language-model-with-a-very-long-name-{i}b-instruct-v0.{i}" for i in range(9)]
LONG_PROTOCOLS = {f"{kind}:{LONG[0]},rounds=2": (6, 1234) for kind in ("mad", "debate", "agentverse", "best-of-n")} | {
    f"debate:{LONG[2]}": (9, 70)
}
DPI = 300

# Sources --------------------------------------------------------------------------------------------------------------


def source(name, models, *, dataset=None, pair=None, title=None, n=24, k=16, separation=None):
    """Few questions, the strongest model first."""
    law = {"sure": np.linspace(0.6, 0.3, len(models)).tolist(), "a": 0.8, "b": 1.2, "spread": 1.5}
    model = AnswerModel(models, **law, correlation=0.6, shared_distractors=0.5, separation=separation)
    pool = model.draw(n, k, seed=1, evenly=True)
    title = title or f"{dataset} (simulated)"
    return Source(name, title, tuple(models), pool.fingerprint, lambda: pool, dataset, pair)


def pair(dataset, kind, k=16):
    return source(f"{dataset}-{kind}", published.pair(dataset, kind), dataset=dataset, pair=kind, k=k)


def debaters(dataset):
    models = published.points(figure="fig5", dataset=dataset, strategy="ModelSwitch")["models"].iloc[0]
    return source(dataset, models.split("+"), dataset=dataset)


def six(dataset):
    return source(dataset, simulated.six_models(), dataset=dataset)


def scored(name="scored", models=("a", "b"), **options):
    return source(name, models, separation=1.0, **options)


PAPER = {
    "fig1": lambda: [pair("MATH", "closed", k=512), pair("MathBench", "open", k=512)],
    "fig3": lambda: [six("MATH"), six("MathBench")],
    "fig4-closed": lambda: [pair(dataset, "closed") for dataset in simulated.DATASETS],
    "fig4-open": lambda: [pair(dataset, "open") for dataset in simulated.DATASETS],
    "fig5": lambda: [debaters(dataset) for dataset in simulated.DATASETS],
    "fig6": lambda: [six(dataset) for dataset in ("MathBench", "DATE")],
    "fig7": lambda: [scored("MathBench", published.pair("MathBench", "closed"), dataset="MathBench")],
    "theory": lambda: [pair("MathBench", "closed")],
}


def user_pools():
    """Pools that a user may name: long titles and names, one to nine models, few samples, scores."""
    title = "recorded answers to a benchmark with a very long title, part {} (synthetic)"
    return [
        source("nine", LONG, title=title.format(1)),
        source("two", LONG[:2], title=title.format(2)),
        sources.named(DEMO),
        source("few", LONG[:3], title=title.format(4), k=3),
        scored("scored", LONG[:3], title="simulated pool with scores at $0.01 or $0.02"),
        source("one", LONG[:1], title=title.format(6)),
        source("four", ["a", "b", "c"], title="simulated", k=4),
        scored("scored-few", ["x", "y"], title=title.format(8), k=3),
        scored(
            "scored-long", LONG[:2], title="a very long title of a pool with simulated scores and simulated answers"
        ),
        stand_ins.source("protocols", controls={"weak": "strong"}),
        stand_ins.source("long-protocols", LONG[:2], protocols=LONG_PROTOCOLS, title=title.format(11), k=8),
        stand_ins.source("one-protocol", ["a", "b"], protocols={"own:a": (3, 12_345)}, title="simulated"),
    ]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return Tables(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def paper(tables):
    """Sources that stand for the paper's, and the figure drawn of them."""
    made = {}

    def get(name):
        if name not in made:
            given = PAPER[name]()
            made[name] = given, draw(name.partition("-")[0], tables, given)
        return made[name]

    return get


@pytest.fixture(scope="module")
def pools():
    return user_pools()


@pytest.fixture(scope="module")
def users(tables, pools):
    """A figure of all pools of users that suit it."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = draw(name, tables, suited(name, pools))
        return made[name]

    return get


def draw(name, tables, given):
    with style.in_style():
        return importlib.import_module(f"figures.{drawing.FIGURES[name]}").draw(tables, given)


def suited(name, given):
    return [one for one in given if importlib.import_module(f"figures.{drawing.FIGURES[name]}").suits(one)]


# Layout ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rendered(monkeypatch):
    """Lay a figure out as Agg would; returns the texts that would really be drawn, and the renderer."""

    def render(figure):
        shown, plain = [], Text.draw

        def record(text, *args, **options):
            if text.get_visible() and text.get_text().strip():
                shown.append(text)
            return plain(text, *args, **options)

        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        with monkeypatch.context() as patch, style.in_style():
            patch.setattr(Text, "draw", record)
            figure.draw_without_rendering()
        return list(dict.fromkeys(shown)), canvas.get_renderer()

    return render


def corners(text, renderer):
    """Corners of a text's box, turned as the text is: ndarray (4, 2) of pixels."""
    box, angle = text.get_window_extent(renderer), text.get_rotation()
    text.set_rotation(0)
    flat = text.get_window_extent(renderer)
    text.set_rotation(angle)
    half, turn = np.array([flat.width, flat.height]) / 2, np.radians(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return (box.min + box.max) / 2 + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) @ matrix


def gap(a, b):
    """Pixels between two rectangles along the best of their sides; negative where they overlap."""
    best = -np.inf
    for box in (a, b):
        for side in (box[1] - box[0], box[2] - box[1]):
            normal = np.array([side[1], -side[0]]) / np.hypot(*side)
            first, second = a @ normal, b @ normal
            best = max(best, first.min() - second.max(), second.min() - first.max())
    return best


def faults(figure, rendered):
    """What is wrong with the layout of a figure, in words."""
    texts, renderer = rendered(figure)
    width, height = figure.get_size_inches() * DPI
    boxes = [corners(text, renderer) for text in texts]
    found = [] if width == pytest.approx(3.3 * DPI) else [f"{width / DPI} inches wide"]
    for text, box in zip(texts, boxes, strict=True):
        if box.min() < -0.5 or (box.max(axis=0) > (width + 0.5, height + 0.5)).any():
            found.append(f"{text.get_text()!r} leaves the figure")
        if text.get_fontsize() < 5:
            found.append(f"{text.get_text()!r} has {text.get_fontsize()} points")
    for i, j in near(boxes):
        if gap(boxes[i], boxes[j]) < 0:
            found.append(f"{texts[i].get_text()!r} and {texts[j].get_text()!r} overlap")
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend and not contains(ax.get_window_extent(renderer), legend.get_window_extent(renderer)):
            found.append(f"the legend of {ax.get_title('left')!r} leaves its panel")
    return found


def near(boxes):
    """Pairs of rectangles that could overlap, for what is around them does."""
    low, high = np.min(boxes, axis=1), np.max(boxes, axis=1)
    overlap = (low[:, None] < high[None]).all(axis=2)
    return np.argwhere(np.triu(overlap & overlap.T, 1))


def contains(outer, inner):
    return bool((inner.min >= outer.min - 0.5).all() and (inner.max <= outer.max + 0.5).all())


@pytest.mark.parametrize("name", PAPER)
def test_layout_of_the_papers_figures(paper, rendered, name):
    _, figure = paper(name)
    assert faults(figure, rendered) == []


# Every figure with most pools and, in turn, with one of the other numbers of rows and columns.
@pytest.mark.parametrize(("name", "n"), [(f, n) for i, f in enumerate(drawing.FIGURES) for n in ((2, 3, 5)[i % 3], 7)])
def test_layout_of_any_pools(tables, pools, rendered, name, n):
    given = suited(name, pools)
    assert len(given) >= 3
    shown = (given * 3)[:n]
    assert faults(draw(name, tables, shown), rendered) == []


@pytest.mark.parametrize("which", ["one", "two", "nine", "few", "scored-few", "scored-long"])
def test_layout_of_odd_pools_alone(tables, pools, rendered, which):
    (odd,) = [one for one in pools if one.name == which]
    names = [name for name in drawing.FIGURES if suited(name, [odd])]
    assert names
    assert {name: faults(draw(name, tables, [odd]), rendered) for name in names} == {name: [] for name in names}


def test_faults_of_a_layout_are_found(rendered):
    """The judge itself: a figure that is bad in every way."""
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots(1, 2)[0]
    ax.text(0, 0.5, "one", fontsize=4)
    ax.text(0, 0.5, "two", rotation=30)
    ax.text(0.9, 0, "far away" * 20)
    ax.plot([0], [0], label="a label wider than its panel")
    ax.legend()
    found = " ".join(faults(figure, rendered))
    for fault in ("3.0 inches", "4.0 points", "'one' and 'two' overlap", "leaves the figure", "leaves its panel"):
        assert fault in found


def test_turned_texts_are_told_apart(rendered):
    figure = Figure()
    ax = figure.subplots()
    for x in (0.3, 0.36):
        ax.text(x, 0.2, "a turned text", rotation=60)
    texts, renderer = rendered(figure)
    a, b = [text for text in texts if text.get_text() == "a turned text"]
    assert a.get_window_extent(renderer).overlaps(b.get_window_extent(renderer))
    assert gap(corners(a, renderer), corners(b, renderer)) > 0
    assert gap(corners(a, renderer), corners(a, renderer)) < 0


# Grey -----------------------------------------------------------------------------------------------------------------


def luminance(colour):
    return np.dot(to_rgb(colour), [0.299, 0.587, 0.114])


def test_looks_differ_in_marker_and_dash_and_lightness():
    """Of a scale from 0 to 1: any two of the four that are used by at least 0.05, neighbours by 0.1."""
    looks = style.looks(4)
    for a, b in itertools.combinations(looks, 2):
        assert a["marker"] != b["marker"]
        assert a["linestyle"] != b["linestyle"]
        assert abs(luminance(a["color"]) - luminance(b["color"])) > 0.05
    grey = [luminance(look["color"]) for look in looks]
    assert min(abs(np.diff(grey))) > 0.1
    assert max(grey) < 0.75  # none is lost on white


@pytest.mark.parametrize(("name", "n"), [("fig1", 3), ("fig4-closed", 3), ("fig7", 4)])
def test_curves_of_a_panel_can_be_told_apart_without_colour(paper, name, n):
    for ax in paper(name)[1].axes:
        lines = filled(ax)
        assert len({line.get_marker() for line in lines}) == n
        assert len({str(line._dash_pattern) for line in lines}) == n


def test_reference_lines_differ_in_dash(paper):
    lines = [line for ax in paper("fig4-closed")[1].axes + paper("fig4-open")[1].axes for line in references(ax)]
    dashes = {line.get_label(): str(line._dash_pattern) for line in lines}
    assert len(dashes) == len(set(dashes.values())) == 3


def test_bars_differ_in_hatch_or_lightness(paper):
    _, figure = paper("fig5")
    for ax in figure.axes:
        bars = bar_sets(ax)
        white = [bar for bar in bars if to_hex(bar[0].get_facecolor()) == "#ffffff"]
        assert len(white) == len({bar[0].get_hatch() for bar in white}) == 5
        ours = sorted(luminance(bar[0].get_facecolor()[:3]) for bar in bars if bar not in white)
        assert len(ours) == 2
        assert np.diff([*ours, 1.0]).min() > 0.2


# What is drawn is the table -------------------------------------------------------------------------------------------


def filled(ax):
    """Curves, in the order in which they were drawn."""
    return [line for line in ax.lines if line.get_marker() in list("os*D") and line.get_markerfacecolor() != "white"]


def hollow(ax):
    """All points with a white face: rows of marker, x, y."""
    lines = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert all(line.get_linestyle() == "None" for line in lines)
    return points((line.get_marker(), line.get_xdata(), line.get_ydata()) for line in lines)


def points(series):
    return sorted((m, *np.round(xy, 6).tolist()) for m, x, y in series for xy in zip(x, y, strict=True))


def references(ax):
    return [line for line in ax.lines if line.get_label().endswith(", 1 sample")]


def bar_sets(ax):
    return [container for container in ax.containers if isinstance(container, BarContainer)]


def ends(bars):
    """Ends of error bars: ndarray (n, 2)."""
    return np.array([segment[:, 1] for segment in bars.get_segments()])


def percent(frame, *columns):
    return pytest.approx(100 * frame[list(columns)].to_numpy())


def assert_curve(line, band, frame, x):
    assert line.get_xydata() == pytest.approx(np.column_stack([frame[x], 100 * frame["accuracy"]]))
    (path,) = band.get_paths()
    edge = np.concatenate([np.column_stack([frame[x], 100 * frame[side]]) for side in ("band_low", "band_high")])
    assert np.unique(path.vertices.round(6), axis=0) == pytest.approx(np.unique(edge.round(6), axis=0))


CURVES = {
    "fig1": (scaling.run, lambda source: [*source.models[:2], "ModelSwitch, > 85 %"]),
    "fig4": (equal_budget.run, lambda source: [*source.models[:2], "ModelSwitch"]),
    "fig7": (reward.run, lambda source: [source.models[0], "best of N", "ModelSwitch", "ModelSwitch + best of N"]),
}


def assert_curves(name, given, figure):
    analysis, strategies = CURVES[name]
    assert len(figure.axes) == len(given)
    for ax, one in zip(figure.axes, given, strict=True):
        frame, names = analysis(one), strategies(one)
        curves = [frame[frame["strategy"] == strategy] for strategy in names]
        for line, band, curve in zip(filled(ax), ax.collections, curves, strict=True):
            assert len(curve) > 1
            assert_curve(line, band, curve, "samples_used")
        assert ax.get_xlabel() == "samples used per question"


@pytest.mark.parametrize("name", CURVES)
def test_lines_and_bands_are_the_table(tables, pools, name):
    given = suited(name, pools)[:3]
    assert_curves(name, given, draw(name, tables, given))


@pytest.mark.parametrize("name", ["fig4-closed", "fig7"])
def test_lines_and_bands_beside_published_numbers_are_the_table(paper, name):
    given, figure = paper(name)
    assert_curves(name.partition("-")[0], given[:3], figure_of(figure, 3))


@pytest.mark.parametrize("name", PAPER)
def test_the_legend_says_that_bands_are_simultaneous(paper, name):
    _, figure = paper(name)
    fills = [one for ax in figure.axes for one in ax.collections if isinstance(one, PolyCollection)]
    assert bool(fills) == name.startswith(("fig1", "fig4", "fig6", "fig7"))
    assert legend_texts(figure).count("95 % simultaneous band") == bool(fills)


def figure_of(figure, n):
    """The first panels of a figure."""
    return type("Part", (), {"axes": figure.axes[:n]})


@pytest.mark.parametrize(
    ("name", "number"), [("fig1", "fig1"), ("fig4-closed", "fig4"), ("fig4-open", "fig4-open"), ("fig7", "fig7")]
)
def test_hollow_markers_are_the_published_points(paper, name, number):
    given, figure = paper(name)
    markers: dict[str, str] = {}  # of each model in all panels
    for ax, one in zip(figure.axes, given, strict=True):
        frame = published.points(figure=number, dataset=one.dataset)
        single = frame[frame["strategy"] == "single"]
        rest = frame.drop(single.index)
        first, second = one.models[:2]
        if name == "fig7":
            kinds = rest["strategy"].map(dict(zip(CURVES["fig7"][1](one)[1:], "s*D", strict=True))).fillna("o")
        else:
            pair = {model: markers.setdefault(model, marker) for model, marker in ((first, "o"), (second, "s"))}
            kinds = rest["models"].map(pair | {f"{first}+{second}": "*"})
        expected = points(
            zip(kinds, rest[["samples_used"]].to_numpy(), 100 * rest[["accuracy"]].to_numpy(), strict=True)
        )
        assert hollow(ax) == expected
        assert len(expected) >= 14
        assert sorted(line.get_ydata()[0] for line in references(ax)) == pytest.approx(sorted(100 * single["accuracy"]))
    assert "published" in legend_texts(figure)


def legend_texts(figure):
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    return [text.get_text() for legend in legends for text in [*legend.get_texts(), legend.get_title()]]


def test_figure_3_is_the_table(paper):
    given, figure = paper("fig3")
    frames = [(one.models, consistency.points(one), consistency.run(one)) for one in given]
    shown = [(model, points, found) for models, points, found in frames for model in models]
    for ax, (model, frame, found) in zip(figure.axes, shown, strict=True):
        frame = frame[frame["model"] == model]
        (dots,) = ax.lines
        assert dots.get_xydata() == pytest.approx(np.column_stack([frame["entropy"], 100 * frame["accuracy"]]))
        low, high = ax.get_xlim()
        assert low < frame["entropy"].min()
        assert high > frame["entropy"].max()
        found = found[(found["model"] == model) & (found["statistic"] == "pearson")].set_index("version")
        _, name, *lines = ax.get_title("left").replace("\N{MINUS SIGN}", "-").split("\n")
        assert name == style.short(model)
        for version, line in zip(("same samples", "split half"), lines, strict=True):
            numbers = [float(number) for number in re.findall(r"-?\d*\.\d\d", line)]
            assert numbers == found.loc[version, ["r", "low", "high"]].astype(float).round(2).tolist()


def test_figure_5_is_the_table_beside_published_bars(paper):
    given, figure = paper("fig5")
    for ax, some in zip(figure.axes, (given[:3], given[3:]), strict=True):
        frames = pd.concat([equal_budget.three_models(one) for one in some])
        bars = bar_sets(ax)
        heights = [[bar.get_height() for bar in one] for one in bars]
        for height, strategy in zip(heights, ("best single", "MAD", "ChatEval", "MOA", "ModelSwitch"), strict=False):
            expected = [published.point(figure="fig5", dataset=one.dataset, strategy=strategy) for one in some]
            assert height == pytest.approx([100 * row["accuracy"] for row in expected])
        errors = [one for one in ax.collections if isinstance(one, LineCollection)]
        for height, error, strategy in zip(heights[5:], errors, ("Self-Consistency", "ModelSwitch"), strict=True):
            found = frames[frames["strategy"] == strategy]
            assert height == pytest.approx((100 * found["accuracy"]).tolist())
            assert ends(error) == percent(found, "low", "high")
        assert min(min(height) for height in heights) > ax.get_ylim()[0]
        assert min(ends(error).min() for error in errors) > ax.get_ylim()[0]
        for label, one in zip(ax.get_xticklabels(), some, strict=True):
            assert label.get_text() == f"{one.dataset}\n(simulated)\n3 models, B = 15"
    names = ["best single (1)", "MAD", "ChatEval", "MOA", "ModelSwitch", "Self-Consistency", "ModelSwitch"]
    assert legend_texts(figure) == [*names, "white: published; filled: ours, with interval"]


def test_protocols_are_the_table_beside_published_bars(tables):
    given = [stand_ins.source("llm-capitals"), stand_ins.source("llm-products", seed=3)]  # names of pools that ship
    figure = draw("protocols", tables, given)
    *panels, bars = figure.axes
    for ax, (one, unit) in zip(panels, itertools.product(given, protocols.UNITS), strict=True):
        frame = protocols.run(one)
        frame = frame[frame["unit"] == unit]
        for container, (_, some) in zip(ax.containers, frame.groupby("strategy", sort=False), strict=True):
            assert isinstance(container, ErrorbarContainer)
            assert container[0].get_ydata() == pytest.approx(100 * some["accuracy"].to_numpy())
            (errors,) = container[2]
            ends = np.array([[low, high] for (_, low), (_, high) in errors.get_segments()])
            assert ends == pytest.approx(100 * some[["low", "high"]].to_numpy())
        spent = frame[frame["strategy"] == "protocol"][unit]
        ticks = [label.get_text() for label in ax.get_xticklabels()]
        assert [tick.rpartition(" ")[2] for tick in ticks] == [f"({number:,.0f})" for number in spent]
    heights = [[bar.get_height() for bar in one] for one in bar_sets(bars)]
    for height, strategy in zip(heights, ("best single", "MAD", "ChatEval", "MOA", "ModelSwitch"), strict=True):
        expected = [published.point(figure="fig5", dataset=name, strategy=strategy) for name in simulated.DATASETS]
        assert height == pytest.approx([100 * row["accuracy"] for row in expected])


def test_gains_are_the_table(tables, pools):
    given = suited("gain", pools)[:2]
    for ax, one in zip(draw("gain", tables, given).axes, given, strict=True):
        frame = equal_budget.run(one)
        frame = frame[frame["budget"] > 1]
        for container, name in zip(ax.containers, ("ModelSwitch", "mix", equal_budget.SELF), strict=True):
            some = frame[frame["strategy"] == name]
            assert container[0].get_ydata() == pytest.approx(100 * some["difference"].to_numpy())
            (errors,) = container[2]
            ends = np.array([[low, high] for (_, low), (_, high) in errors.get_segments()])
            assert ends == pytest.approx(100 * some[["difference_low", "difference_high"]].to_numpy())


def test_curves_are_the_table_over_samples_and_tokens(tables):
    one = stand_ins.source("llm-a", ("strong", "weak", "cold"), controls={"cold": "strong"})
    frame = by_cost.run(one)
    figure = draw("curves", tables, [one])
    names = ["strong", "weak", "cold", "ModelSwitch", "mix", "ModelSwitch to control"]
    for ax, x in zip(figure.axes, ("samples_used", "tokens"), strict=True):
        for line, name in zip(ax.get_lines(), names, strict=True):
            some = frame[frame["strategy"] == name]
            assert line.get_xydata() == pytest.approx(np.column_stack([some[x], 100 * some["accuracy"]]))
        assert len([band for band in ax.collections if isinstance(band, PolyCollection)]) == 2


def test_figure_6_is_the_table_beside_published_points(paper):
    given, figure = paper("fig6")
    shown = [(one, order) for one in given for order in ("closed first", "open first")]
    drawn = {}
    for ax, (one, order) in zip(figure.axes, shown, strict=True):
        frame = number_and_order.run(one)
        frame = frame[frame["order"] == order]
        (bars,) = bar_sets(ax)
        assert [bar.get_height() for bar in bars] == pytest.approx((100 * frame["alone"]).tolist())
        error, band = ax.collections
        assert ends(error) == percent(frame, "alone_low", "alone_high")
        assert ends(error).min() > ax.get_ylim()[0]
        assert_curve(filled(ax)[0], band, frame, "n_models")
        assert ax.get_title("left") == f"{one.title}\n{order}"
        listed = frame["added"].tolist()
        numbers = published.points(figure="fig6", dataset=one.dataset).set_index(["strategy", "models"])["accuracy"]
        alone = [("s", n, 100 * numbers["single", model]) for n, model in enumerate(listed, 1)]
        switch = [("o", n, 100 * numbers["ModelSwitch", "+".join(listed[:n])]) for n in range(1, 7)]
        assert hollow(ax) == sorted((marker, float(n), round(value, 6)) for marker, n, value in alone + switch)
        drawn.setdefault(one.dataset, set()).update("+".join(listed[:n]) for n in range(1, 7))
    for dataset, models in drawn.items():  # none is left out
        assert models == set(published.points(figure="fig6", dataset=dataset, strategy="ModelSwitch")["models"])


def test_a_model_looks_alike_in_all_panels(tables):
    given = [stand_ins.source(name, models) for name, models in (("one", ["a", "b"]), ("two", ["b", "a"]))]
    for name in ("curves", "fig1", "fig4"):
        figure = draw(name, tables, given)
        axes = figure.axes[:: len(figure.axes) // 2]
        looks = [{line.get_label(): (line.get_color(), line.get_marker()) for line in ax.get_lines()} for ax in axes]
        assert looks[0]["a"] == looks[1]["a"] != looks[0]["b"] == looks[1]["b"]
        assert legend_texts(figure).count("a") == (1 if name == "curves" else 2)
    other = [given[0], stand_ins.source("three", ["c", "b"])]  # other models: each panel has its legend
    figure = draw("curves", tables, other)
    assert [text.get_text() for text in figure.axes[2].get_legend().get_texts()] == ["c", "b"]


def test_theory_is_the_table_beside_published_points(paper):
    (given,), figure = paper("theory")
    frame = theory.run(given)
    order = [*given.models, "ModelSwitch"]
    for ax, budget in zip(figure.axes, (10, 16), strict=True):
        sets = [one for one in ax.containers if isinstance(one, ErrorbarContainer)]
        for number, (bars, way) in enumerate(zip(sets, ("one pass", "replays", "exact", "infinite pool"), strict=True)):
            found = frame[(frame["budget"] == budget) & (frame["way"] == way)]
            assert found["strategy"].tolist() == order
            at = np.arange(3) + 0.17 * (number - 1.5)
            assert bars.lines[0].get_xydata() == pytest.approx(np.column_stack([at, 100 * found["accuracy"]]))
            assert ends(bars.lines[2][0]) == percent(found, "low", "high")
        expected = []
        for kind, marker, shift in (("experiment", "o", -1.5), ("theory", "D", 1.5)):
            rows = published.points(figure="theory", dataset="MathBench", budget=budget, kind=kind)
            assert len(rows) == 3
            names = rows["models"].where(rows["strategy"] == "SC", "ModelSwitch")
            at = [order.index(name) + 0.17 * shift for name in names]
            expected.append((marker, at, 100 * rows["accuracy"]))
        assert hollow(ax) == points(expected)
        assert ax.get_title("left") == f"MathBench (simulated)\nbudget {budget}"


@pytest.mark.parametrize("name", drawing.FIGURES)
def test_nothing_is_published_of_a_users_pools(users, name):
    figure = users(name)
    assert [text for text in legend_texts(figure) if "published" in text] == []
    for ax in figure.axes:
        assert hollow(ax) == []
        assert references(ax) == []
        assert all(to_hex(bar.get_facecolor()) != "#ffffff" for bar in ax.patches)


@pytest.mark.parametrize("name", drawing.FIGURES)
def test_panels_say_that_nothing_was_asked(paper, users, name):
    """All these pools are synthetic; a title that is cut still says so."""
    for figure in [users(name), *(paper(key)[1] for key in PAPER if key.startswith(name))]:
        for ax in figure.axes:
            titles = [ax.get_title("left")] if name != "fig5" else [label.get_text() for label in ax.get_xticklabels()]
            assert titles
            assert all("simulated" in title or "synthetic" in title for title in titles)


def test_names_are_cut_where_they_say_least():
    assert style.short("Gemini 1.5 Flash") == "Flash"
    assert style.short("meta/short-name") == "short-name"
    cut = [style.short(name, 40) for name in LONG]
    assert len(set(cut)) == len(LONG)
    assert all(name.startswith("a-l") and name.endswith(f".{i}") and "…" in name for i, name in enumerate(cut))
    assert style.fitted("short", 92) == "short"
    assert re.fullmatch(r"a very long .*\w… \(synthetic\)", style.fitted("a very long title " * 3 + "(synthetic)", 92))
    assert re.fullmatch(r"synthetic .*\w…", style.fitted("synthetic pool of a very long title " * 3, 92))
    assert re.fullmatch(r"a very long .*\w…", style.fitted("a very long title " * 3, 92))


# Sheets, files, cache -------------------------------------------------------------------------------------------------


def names(*args):
    return [sheet.name for sheet in drawing.sheets(*args)]


def test_sheets():
    simulated_ones = ["fig1", "fig3", "fig4-closed", "fig4-open", "fig5", "fig6", "fig7", "theory"]
    assert [name for name in names() if not name.endswith("-llm")] == simulated_ones
    assert names()[-len(simulated_ones) :] == simulated_ones
    assert {"fig1-llm", "fig3-llm", "fig4-llm", "theory-llm"} <= set(names())
    of_fig4 = ["fig4-llm", "theory", "fig4-closed", "fig4-open"]
    assert names(["theory", "fig4", "fig4"]) == ["theory-llm", *of_fig4]


def test_sheets_of_pools_hold_those_that_suit(pools):
    plain = [figure for figure in drawing.FIGURES if figure not in ("curves", "protocols")]
    assert names(None, pools[:1]) == [f"{figure}-nine" for figure in plain if figure != "fig7"]
    assert names(None, [scored()]) == [f"{figure}-scored" for figure in plain if figure != "fig6"]
    of_runs = ["curves-llm", "protocols-llm", "fig5-llm"]
    assert names(["curves", "protocols", "fig5", "fig6"], [stand_ins.source("llm")]) == of_runs
    (sheet,) = drawing.sheets(["fig6"], pools[:3])
    assert sheet.name == "fig6-nine+two+demo-synthetic"
    assert [one.name for one in sheet.sources] == ["nine", "demo-synthetic"]
    many = [source(f"{'long' * 5}{i}", ["a", "b"], n=2, k=2) for i in range(20)]
    assert names(["fig4"], many) == [f"fig4-{many[0].name}+19-more"]


def test_unknown_figures_and_pools_that_suit_none(pools):
    with pytest.raises(MssimError, match=r"^no figure 'fig44'\. Did you mean .*'fig4'.*Choose from 'curves', 'gain'"):
        drawing.sheets(["fig44"])
    one = [pool for pool in pools if pool.name == "one"]
    assert names(None, one) == ["fig3-one"]
    message = (
        r"^fig4, fig7: the pools do not have the required data\. .* 4 samples .* 2 models, fig6 3, .* column 'score'"
    )
    with pytest.raises(MssimError, match=message):
        drawing.sheets(["fig4", "fig7"], one)


@pytest.fixture
def wanted():
    pool = source("my pool (1)", ["a", "b", "c"], title="simulated", n=8, k=4)
    return drawing.sheets(["fig4", "fig6"], [pool])


def no_analysis(*_, **__):
    raise AssertionError("a table was made again")


def test_files_gallery_and_a_second_run_from_the_cache(tmp_path, wanted, monkeypatch):
    out, done = tmp_path / "new" / "out", []
    files = drawing.draw_all(wanted, out, progress=lambda *at: done.append(at))
    stems = ["fig4-my pool (1)", "fig6-my pool (1)"]
    assert [file.name for file in files] == [*(f"{stem}.png" for stem in stems), "contact-sheet.png"]
    assert done == [(1, 2), (2, 2)]
    for stem in stems:
        assert matplotlib.image.imread(out / f"{stem}.png").shape[1] == 990
        assert "<svg" in (out / f"{stem}.svg").read_text(encoding="utf-8")
    assert matplotlib.image.imread(files[-1]).shape[1] == 1500
    text = (out / "README.md").read_text(encoding="utf-8")
    assert text == drawing.gallery(wanted)
    assert_gallery(text, out, wanted)
    assert len(list((out / "cache").iterdir())) == 2
    assert {file.name for file in out.iterdir()} == {
        *(f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")),
        *("README.md", "cache", "contact-sheet.png"),
    }
    before = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    for module in (equal_budget, number_and_order):
        monkeypatch.setattr(module, "evaluate", no_analysis)
    drawing.draw_all(wanted, out)
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()} == before
    with pytest.raises(AssertionError, match="made again"):
        drawing.draw_all(wanted, tmp_path / "elsewhere")


def assert_gallery(text, folder, sheets):
    links = [unquote(link) for link in re.findall(r"^!\[.*\]\(([^() ]*)\)$", text, re.MULTILINE)]
    assert links == [f"{sheet.name}.png" for sheet in sheets]
    assert [link for link in links if not (folder / link).is_file()] == []
    for module in {sheet.module for sheet in sheets}:
        assert text.count(f"## {module.TITLE}\n\n{module.READING}\n") == text.count(module.READING) == 1
        assert re.fullmatch(r"[A-Z].*\.", module.READING)


def test_the_gallery_that_ships():
    folder = ROOT / "figures"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == drawing.gallery(drawing.sheets())
    assert_gallery(text, folder, drawing.sheets())


def test_tables_are_kept_under_all_that_they_depend_on(tmp_path, monkeypatch):
    calls = []

    def analysis(given):
        calls.append(given.name)
        return pd.DataFrame({"source": [given.name], "accuracy": [0.1]})

    def other(given):
        return analysis(given)

    tables, one, two = Tables(tmp_path / "cache"), source("one", ["a", "b"], n=2), source("two", ["a", "b"], n=3)
    first = tables(analysis, one)
    pd.testing.assert_frame_equal(first, analysis(one))
    calls.clear()
    pd.testing.assert_frame_equal(tables(analysis, one), first)
    assert calls == []
    for given in (two, Source("one", "t", ("b", "a"), one.fingerprint, one.make)):
        tables(analysis, given)
        assert calls.pop() == given.name
    tables(other, one)
    assert calls.pop() == "one"
    monkeypatch.setattr(running, "_code", lambda: "other code")
    tables(analysis, one)
    assert calls == ["one"]
    assert len(list(tables.folder.iterdir())) == 5


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more"])
def test_a_damaged_table_is_made_again(tmp_path, damage):
    tables, one = Tables(tmp_path), source("one", ["a", "b"], n=4, k=2)
    first = tables(equal_budget.run, one)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    pd.testing.assert_frame_equal(tables(equal_budget.run, one), first)
    assert kept.read_bytes() == whole


# Command line ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `python -m figures` in this process; returns exit code, stdout and stderr."""

    def in_process(*args):
        monkeypatch.setattr(sys, "argv", ["figures", *map(str, args)])
        with pytest.raises(SystemExit) as exit_:
            plain_errors(app, "figures")
        return exit_.value.code, *capsys.readouterr()

    return in_process


def test_command_line(run, tmp_path):
    pool = tmp_path / "mine"
    source("mine", ["a", "b"], n=6, k=4).pool.save(pool)
    out = tmp_path / "drawn"
    options = ("--only", "fig4", "--only", "theory", "--pool", pool, "--out", out)
    assert run(*options) == (0, f"Drew 2 figures. Overview: {out / 'contact-sheet.png'}\n", "")
    assert {file.stem for file in out.glob("*.png")} == {"fig4-mine", "theory-mine", "contact-sheet"}
    assert "## ModelSwitch against Self-Consistency" in (out / "README.md").read_text(encoding="utf-8")
    code, _, err = run(*options, "--models", "b,a", "--min-samples", "4")
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--only", "fig2", "--pool", DEMO), "no figure 'fig2'. Did you mean .*Choose from 'curves'"),
        (("--models", "a,b"), "--models, --where: these select from a pool, but no --pool is given. Add --pool PATH"),
        (("--only", "fig7", "--pool", DEMO), "fig7: the pools do not have the required data. .*column 'score'"),
        (("--pool", "nowhere"), "nowhere does not exist. Use the path of a pool folder or"),
        (("--pool", DEMO, "--models", "strog,weak"), "no model 'strog' in this pool. Did you mean 'strong'"),
        (
            ("--pool", DEMO, "--min-samples", "65"),
            "no question has at least 65 samples of each of .* Lower --min-samples",
        ),
    ],
)
def test_bad_input_ends_with_one_line(run, tmp_path, args, message):
    code, text, err = run(*args, "--out", tmp_path / "out")
    assert (code, text) == (2, "")
    assert re.fullmatch(f"figures: error: .*{message}.*\n", err)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run("--only", "fig4", "--pool", DEMO, "--out", tmp_path / "file")
    assert code == 2
    assert re.fullmatch(r"figures: error: --out: .*file cannot be created \(.*\)\. Choose another folder\.\n", err)


def test_help_shows_the_example(run):
    code, text, err = run("--help")
    assert (code, err) == (0, "")
    assert "Example: python -m figures --only fig4 --pool recorded/llm-products --out out" in " ".join(text.split())


def test_exit_code_of_the_module(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["figures", "--only", "fig2", "--out", str(tmp_path)])
    monkeypatch.delitem(sys.modules, "figures.__main__")
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("figures", run_name="__main__")
    out, err = capfd.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert re.fullmatch("figures: error: no figure 'fig2'.*\n", err)
