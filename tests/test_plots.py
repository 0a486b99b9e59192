"""Curves draw exactly the table that can be asked for, in a style that survives grey print."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from mssim import MssimError, Pool, evaluate, tune
from mssim.plots import COLOURS, STYLE, plot_curves, plot_extrapolation, plot_frontier, plot_panels, plot_plan
from mssim.results.planning import Prices, Variances, plan
from mssim.theory import extrapolate
from tests.engine.test_evaluate import random_pool
from tests.results.test_evaluation import result
from tests.results.test_planning import pilot


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("x", "options", "title"),
    [
        ("samples_used", {}, "band: 80% interval over questions"),
        ("budget", {"band": "pointwise"}, "band: 80% interval over questions"),
        ("cost", {"band": "simultaneous"}, "80% simultaneous band over questions"),
    ],
)
def test_lines_and_bands_are_the_frame(x, options, title):
    evaluation = result()
    frame = evaluation.to_frame(confidence_level=0.8, **options)
    ax = plot_curves(evaluation, x, confidence_level=0.8, **options)
    for line, band, (name, curve) in zip(ax.lines, ax.collections, frame.groupby("strategy", sort=False), strict=True):
        assert line.get_label() == name
        assert line.get_xydata() == pytest.approx(np.column_stack([curve[x], 100 * curve["accuracy"]]))
        edge = band.get_paths()[0].vertices
        assert edge[:, 1].min() == pytest.approx(100 * curve["low"].min())
        assert edge[:, 1].max() == pytest.approx(100 * curve["high"].max())
    assert ax.get_legend().get_title().get_text() == title
    assert ax.get_ylabel() == "accuracy (%)"
    assert "per question" in ax.get_xlabel()


def spent():
    """Results with all quantities, which do not rise with the budget of the second strategy."""
    evaluation = result()
    rising = evaluation.samples_used * 3
    falling = rising[:, ::-1].copy()
    return replace(
        evaluation, tokens=np.stack([rising[0], falling[1]]), latency=evaluation.samples_used / 4,
        provenance={**evaluation.provenance, "prices": {"currency": "EUR"}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("x", "label"),
    [
        ("tokens", "tokens per question (mean)"),
        ("cost", "cost per question (mean, EUR)"),
        ("latency", "seconds per question (mean)"),
    ],
)
def test_what_samples_spend_is_drawn_in_the_order_of_budgets(x, label):
    evaluation = spent()
    ax = plot_curves(evaluation, x)
    frame = evaluation.to_frame()
    for line, (_, curve) in zip(ax.lines, frame.groupby("strategy", sort=False), strict=True):
        assert line.get_xdata().tolist() == curve[x].tolist()
    assert ax.get_xlabel() == label


def test_curves_have_the_budgets_of_their_strategies():
    evaluation = replace(result(), accuracy=result().accuracy.copy())
    evaluation.accuracy[0, 1] = evaluation.accuracy[1, 1:] = np.nan
    ax = plot_curves(evaluation, "budget", band="simultaneous")
    assert [line.get_xdata().tolist() for line in ax.lines] == [[2, 12], [2]]


def test_the_interval_of_a_single_budget_is_a_line():
    evaluation = evaluate(random_pool(), ["sc:x@1,4", "sc:y@6"], n_replays=5)
    ax = plot_curves(evaluation, "budget")
    row = evaluation.to_frame().iloc[-1]
    assert ax.lines[1].get_xydata().tolist() == [[6, 100 * row["accuracy"]]]
    (segment,) = ax.collections[1].get_segments()
    assert segment.tolist() == [[6, 100 * row["low"]], [6, 100 * row["high"]]]


def test_panels_draw_the_same_curves_with_one_legend():
    evaluation = spent()
    names = ["samples_used", "tokens", "latency"]
    axes = plot_panels(evaluation, names, confidence_level=0.8, band="simultaneous")
    assert len(axes) == 3
    for ax, x in zip(axes, names, strict=True):
        alone = plot_curves(evaluation, x, confidence_level=0.8, band="simultaneous")
        assert ax.get_xlabel() == alone.get_xlabel()
        assert ax.get_legend() is None
        for line, other in zip(ax.lines, alone.lines, strict=True):
            assert (line.get_xydata() == other.get_xydata()).all()
            assert line.get_color() == other.get_color()
        for band, other in zip(ax.collections, alone.collections, strict=True):
            assert (band.get_paths()[0].vertices == other.get_paths()[0].vertices).all()
        assert ax.get_ylim() == axes[0].get_ylim()
    figure = axes[0].figure
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["SC", "MS"]
    assert legend.get_title().get_text() == "80% simultaneous band over questions"
    assert [ax.get_ylabel() for ax in axes] == ["accuracy (%)", "", ""]
    assert [ax.get_title("left") for ax in axes] == ["30 questions", "", ""]
    figure.canvas.draw()  # a warning that the layout failed is an error


def test_panels_of_what_is_unknown_are_refused():
    for x in ("tokens", [], (), 3):
        with pytest.raises(MssimError, match="is not a list of quantities"):
            plot_panels(spent(), x)
    with pytest.raises(MssimError, match="x='token' is not valid"):
        plot_panels(spent(), ["budget", "token"])
    with pytest.raises(MssimError, match="x='tokens': the results have no tokens"):
        plot_panels(result())
    assert not plt.get_fignums()


def test_it_draws_on_the_axes_it_is_given_and_returns_them():
    _, axes = plt.subplots(1, 2)
    assert plot_curves(result(), ax=axes[1]) is axes[1]
    assert not axes[0].lines


def test_many_strategies_can_be_told_apart_without_colour():
    evaluation = evaluate(random_pool(), {f"s{i}": "sc:x" for i in range(7)}, [1, 2], n_replays=5)
    lines = plot_curves(evaluation).lines
    assert len({(line.get_color()) for line in lines}) == 7
    assert len({(line.get_marker(), str(line.get_linestyle())) for line in lines}) == 7
    grey = [np.dot(to_rgb(colour), [0.299, 0.587, 0.114]) for colour in COLOURS]
    assert min(abs(np.diff(grey))) > 0.1


def test_doublings_are_drawn_on_a_logarithmic_axis_with_plain_numbers():
    pool = random_pool()
    ax = plot_curves(evaluate(pool, "sc:x", [1, 2, 4, 8, 16], n_replays=5))
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()
    assert {"1", "2", "4", "8", "16"} <= {label.get_text() for label in ax.get_xticklabels()}
    assert plot_curves(evaluate(pool, "sc:x", [8, 16], n_replays=5)).get_xscale() == "linear"


@pytest.mark.parametrize(("budgets", "scale"), [([1, 11], "linear"), ([2, 23], "linear"), ([2, 24], "log")])
def test_the_axis_is_logarithmic_from_twelvefold(budgets, scale):
    ax = plot_curves(evaluate(random_pool(1), "sc:x", budgets, n_replays=5), "budget")
    assert ax.get_xscale() == scale


def test_an_axis_that_begins_at_zero_is_linear():
    ax = plot_curves(evaluate(random_pool(1), "sc:x", [1, 24], n_replays=5, prices={"x": 0}), "cost")
    assert ax.get_xscale() == "linear"


def test_the_eighth_strategy_has_the_colour_of_the_first_and_other_dashes():
    evaluation = evaluate(random_pool(1), {f"s{i}": "sc:x" for i in range(8)}, [1, 2], n_replays=5)
    lines = plot_curves(evaluation).lines
    assert lines[7].get_color() == lines[0].get_color()
    assert lines[7].get_linestyle() != lines[0].get_linestyle()


def test_synthetic_pools_are_labelled():
    pool = random_pool()
    made = Pool.from_frame(pool.to_frame(), info={"synthetic": True, "title": "a toy"})
    assert (
        plot_curves(evaluate(made, "sc:x", 2, n_replays=5)).get_title("left") == "SYNTHETIC DATA: a toy, 12 questions"
    )
    assert plot_curves(evaluate(pool, "sc:x", 2, n_replays=5)).get_title("left") == "12 questions"


def test_an_unknown_axis_and_an_unknown_cost_are_refused():
    with pytest.raises(MssimError, match=r"x='samples' is not valid\. Did you mean 'samples_used'"):
        plot_curves(result(), "samples")
    with pytest.raises(MssimError, match=r"band='both' is not valid\. Choose from 'pointwise', 'simultaneous'"):
        plot_curves(result(), band="both")
    with pytest.raises(
        MssimError, match=r"the results have no costs\. Record a column 'cost' or use evaluate\(..., prices="
    ):
        plot_curves(evaluate(random_pool(), "sc:x", 2, n_replays=5), "cost")
    assert not plt.get_fignums()


def test_the_style_of_the_user_is_left_alone():
    before = {name: plt.rcParams[name] for name in STYLE}
    plot_curves(result())
    plot_frontier(tuned())
    plot_plan(planned())
    assert {name: plt.rcParams[name] for name in STYLE} == before


# What tuning found --------------------------------------------


def tuned(strategies=("sc:x", "sc:y", "ms:x+y"), budgets=(1, 2, 4, 8, 16), **options):
    return tune(random_pool(**options), strategies, budgets, n_replays=50)


def drawn(ax):
    """What the legend names, and where it is: {label: [[x, y], ...]}, the line of an error bar for the whole."""
    return {label: getattr(mark, "lines", [mark])[0].get_xydata() for mark, label in zip(*handles(ax), strict=True)}


def handles(ax):
    return ax.get_legend_handles_labels()


def percent(frame, x, y):
    return np.column_stack([frame[x], 100 * frame[y]])


def test_candidates_frontier_and_choices_are_the_frames():
    tuning = tuned()
    frame = tuning.to_frame(confidence_level=0.8)
    ax = plot_frontier(tuning, confidence_level=0.8)
    marks = drawn(ax)
    assert len(marks) == len(ax.get_legend().get_texts()) == 4
    chosen = "choice, held-out (80% interval)"
    assert marks[chosen] == pytest.approx(percent(frame, "held_out_spend", "held_out"))
    single = "best single model, held-out"
    assert marks[single] == pytest.approx(percent(frame, "control_spend", "control_held_out"))
    assert marks["frontier, in-sample"] == pytest.approx(percent(tuning.frontier(), "spend", "in_sample"))
    assert marks["candidates, in-sample"] == pytest.approx(percent(tuning.candidates(), "spend", "in_sample"))
    bars = dict(zip(*reversed(handles(ax)), strict=True))[chosen].lines[2][0]
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    assert ends == pytest.approx(100 * frame[["low", "high"]].to_numpy())
    assert ax.get_ylim()[0] < ends.min()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "samples used per question (mean)"
    assert ax.get_title("left") == "12 questions"


def test_without_a_single_model_no_control_is_drawn():
    _, axes = plt.subplots(1, 2)
    ax = plot_frontier(tuned("ms:x+y"), ax=axes[1])
    assert ax is axes[1]
    assert not axes[0].lines
    assert "best single model, held-out" not in drawn(ax)


def test_a_frontier_by_cost_of_synthetic_data_says_so():
    pool = random_pool(cost=0.5)
    made = Pool.from_frame(pool.to_frame(), info={"synthetic": True, "title": "a toy"})
    ax = plot_frontier(tune(made, ["sc:x", "sc:y"], [2, 4], spend="cost"))
    assert ax.get_xlabel() == "cost per question (mean)"
    assert ax.get_title("left") == "SYNTHETIC DATA: a toy, 12 questions"
    assert ax.get_xscale() == "linear"


@pytest.mark.parametrize("name", ["_private", "$5 $x^{$", "a_b^2", "\\frac{1}{", "x" * 60])
def test_names_and_titles_are_drawn_as_they_are_written(name):
    evaluation = evaluate(random_pool(), {name: "sc:x", "b": "sc:y"}, [1])
    evaluation.provenance["pool"]["title"] = f"{name}\x1b[31m\n"
    _, given = plt.subplots()
    for ax in (plot_curves(evaluation), plot_curves(evaluation, ax=given)):
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [name, "b"]
        assert ax.get_title(loc="left") == f"{name}\\x1b[31m\\n, 12 questions"
        ax.figure.canvas.draw()
        assert not any(text.get_parse_math() for text in (*ax.get_legend().get_texts(), ax._left_title))


def test_long_names_are_shortened_so_that_they_fit():
    evaluation = evaluate(random_pool(), {f"{'x' * 200}{'y' * 200}": "sc:x"}, [1])
    evaluation.provenance["pool"]["title"] = "W" * 70
    ax = plot_curves(evaluation)
    ax.figure.canvas.draw()  # a warning that the layout failed is an error
    assert ax.get_legend().get_texts()[0].get_text() == f"{'x' * 35}…{'y' * 35}"


# Plans -----------------------------------------------------


def planned(source=None, **options):
    return plan(source or Variances(0.09, 0.2, 0.15), [0.03, 0.05], runs=[1, 2, 8, 16], **options)


def test_a_plan_is_drawn_with_the_budget_and_the_best_split():
    made = planned(prices=Prices(0.5, 0.01, 0.01), money=200)
    frame, best = made.to_frame(), made.best
    ax = plot_plan(made)
    marks = drawn(ax)
    for difference, label in ((0.03, "needed for 3 points"), (0.05, "needed for 5 points")):
        rows = frame[(frame["difference"] == difference) & ~frame["best"]]
        assert marks[label] == pytest.approx(rows[["runs", "questions"]].to_numpy())
    assert marks["affordable with 200"] == pytest.approx(made.affordable()[["runs", "questions"]].to_numpy())
    assert marks[f"best split: {100 * best.difference:.3g} points"].tolist() == [[best.runs, best.questions]]
    assert len(marks) == 4
    assert not ax.collections
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_legend().get_title().get_text() == "power 0.8"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("runs of each strategy per question", "questions")


def test_the_interval_of_a_pilots_plan_is_a_band():
    made = planned(pilot(), confidence_level=0.9)
    _, axes = plt.subplots(1, 2)
    ax = plot_plan(made, title="SYNTHETIC DATA", ax=axes[1])
    assert ax is axes[1]
    assert not axes[0].lines
    for band, (_, rows) in zip(ax.collections, made.to_frame().groupby("difference"), strict=True):
        edge = band.get_paths()[0].vertices[:, 1]
        assert edge.min() == pytest.approx(rows["questions_low"].min())
        assert edge.max() == pytest.approx(rows["questions_high"].max())
    assert ax.get_legend().get_title().get_text() == "power 0.8, band: 90% interval"
    assert ax.get_title("left") == "SYNTHETIC DATA"
    assert len(drawn(ax)) == 2
    ax.figure.canvas.draw()
    labels = [tick.label1.get_text() for tick in (*ax.yaxis.get_major_ticks(), *ax.yaxis.get_minor_ticks())]
    assert {"1000", "2000"} <= set(labels)


# Extrapolation --------------------------------------------------------------------------------------------------------


def extrapolated(pool, budgets):
    frames = [extrapolate(pool, "x", budgets, quantity=quantity, n_resamples=20) for quantity in ("pass", "maj")]
    return pd.concat(frames, ignore_index=True)


def test_what_was_not_recorded_is_dashed():
    pool = random_pool()
    n = int(pool.lengths.min())
    frame = extrapolated(pool, [n // 2, n, 2 * n, 4 * n])
    ax = plot_extrapolation(frame, pool)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["x, pass@k", "x, maj@k", f"extrapolated (more than {n} samples)"]
    for i, (_, rows) in enumerate(frame.groupby("quantity", sort=False)):
        solid, dashed = ax.lines[2 * i : 2 * i + 2]
        assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
        points = np.column_stack([rows["budget"], 100 * rows["accuracy"]])
        assert solid.get_xydata() == pytest.approx(points[:2])
        assert dashed.get_xydata() == pytest.approx(points[1:])
        for band, part in zip(ax.collections[2 * i : 2 * i + 2], (rows[:2], rows[1:]), strict=True):
            edge = band.get_paths()[0].vertices[:, 1]
            assert (edge.min(), edge.max()) == pytest.approx((100 * part["low"].min(), 100 * part["high"].max()))
    _, given = plt.subplots()
    assert plot_extrapolation(frame, pool, ax=given) is given


def test_only_recorded_or_only_extrapolated_budgets_can_be_drawn():
    pool = random_pool()
    n = int(pool.lengths.min())
    texts = [text.get_text() for text in plot_extrapolation(extrapolated(pool, [1, n]), pool).get_legend().get_texts()]
    assert texts == ["x, pass@k", "x, maj@k"]
    ax = plot_extrapolation(extrapolated(pool, [2 * n, 3 * n]), pool)
    assert ax.lines[1].get_xdata().tolist() == [2 * n, 3 * n]
    assert not ax.lines[0].get_xdata().size
    with pytest.raises(MssimError, match="frame: no rows to draw"):
        plot_extrapolation(extrapolated(pool, [1]).iloc[:0], pool)


def test_extrapolation_of_synthetic_samples_says_so():
    pool = random_pool()
    synthetic = Pool.from_frame(pool.to_frame(), info={"synthetic": True, "title": "drawn"})
    frame = extrapolated(synthetic, [2, 100])
    assert (
        plot_extrapolation(frame, synthetic).get_title("left")
        == f"SYNTHETIC DATA: drawn, {len(pool.questions)} questions"
    )
