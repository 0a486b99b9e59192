"""Data cards of the pools that ship with mssim. All numbers are computed from the pool."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context

import mssim
from mssim import Pool, load_pool
from mssim.plots import STYLE, plot_curves
from recorded.tiny.tasks import Task

BUDGET = 16
_KINDS = {
    "transformer": "decoder-only transformer",
    "lstm": "LSTM below transformer blocks",
    "gru": "GRU below transformer blocks",
}
_CARD = Path(__file__).with_name("card.md")
# Pools graded by the rule number of mssim 0.1.0. Scores were computed for their answers, so they are not graded again.
_OLD_NUMBERS = """
- The answers were graded by mssim 0.1.0. Since 0.2.0, the rule `number` reads fractions and groups of digits, and so it
  reads 17 of the 614,400 texts otherwise: in `340/285` it found 285 and finds 340/285, in `2700+90=2 600` it found 600
  and finds 2600. None of them is correct in either reading. Answers and scores are left as recorded."""
_CURVES = [1, 2, 4, 8, 16, 32, 64]


def write_card(folder: Path, task: Task) -> None:
    """Write README.md and curves.png to the folder of a pool."""
    pool = load_pool(folder)
    pairs = switching(pool)
    best = best_pair(pairs)
    _draw(pool, best["first"], best["second"], folder / "curves.png")
    (folder / "README.md").write_text(card(folder.name, pool, task, pairs), encoding="utf-8")


def models(pool: Pool) -> pd.DataFrame:
    """Return a table of models with size, accuracy of one sample and accuracy of the plurality of all samples."""
    described = pool.describe().set_index("model")
    most = int(pool.lengths.min())
    alone = mssim.evaluate(pool, {name: mssim.SelfConsistency(name) for name in pool.models}, budgets=[most])
    plurality = alone.to_frame().set_index("strategy")["accuracy"]
    training = pool.info["training"]
    rows = []
    for name in pool.models:
        trained, numbers = training[name], described.loc[name]
        rows.append(
            {
                "model": f"`{name}`",
                "parameters": f"{trained['parameters']:,}",
                "one sample": f"{numbers['accuracy']:.1%}",
                f"plurality of {most}": f"{plurality[name]:.1%}",
                "agreement": f"{numbers['top_share']:.1%}",
                "no answer": f"{numbers['no_answer']:.2%}",
                "answers per question": f"{numbers['distinct_answers']:.0f}",
            }
        )
    return pd.DataFrame(rows)


def families(pool: Pool) -> pd.DataFrame:
    """Return the accuracy of one sample by family of questions (row) and model (column)."""
    rows = []
    for family in dict.fromkeys(pool.questions["family"]):
        part = pool.select(where={"family": family})
        accuracy = part.describe().set_index("model")["accuracy"]
        rows.append(
            {
                "family": family,
                "questions": len(part.questions),
                **{f"`{m}`": f"{accuracy[m]:.1%}" for m in pool.models},
            }
        )
    return pd.DataFrame(rows)


def switching(pool: Pool, n_replays: int = 10_000) -> pd.DataFrame:
    """Compare ModelSwitch of every ordered pair with both of its models alone, at the same budget.

    Returns
    -------
    DataFrame
        One row per pair, sorted by the smaller of its two differences, in descending order. The columns are first,
        second, accuracy, samples_used, and over_first and over_second, the differences of accuracy paired over
        questions, with their intervals (low, high). All intervals hold together with 95 % confidence (Bonferroni).
    """
    ordered = list(permutations(pool.models, 2))
    alone = {name: f"sc:{name}" for name in pool.models}
    switched = {pair: f"ms:{pair[0]}+{pair[1]}" for pair in ordered}
    result = mssim.evaluate(pool, [*alone.values(), *switched.values()], budgets=[BUDGET], n_replays=n_replays)
    frame = result.to_frame().set_index("strategy")
    level = 1 - 0.05 / (2 * len(ordered))
    rows = []
    for pair, name in switched.items():
        row: dict[str, Any] = {"first": pair[0], "second": pair[1], **frame.loc[name, ["accuracy", "samples_used"]]}
        for place, model in zip(("first", "second"), pair, strict=True):
            found = result.compare(name, alone[model], budget=BUDGET, confidence_level=level)
            row |= {f"over_{place}": found.difference, f"low_{place}": found.low, f"high_{place}": found.high}
        rows.append(row)
    least = [min(row["over_first"], row["over_second"]) for row in rows]
    return pd.DataFrame(rows).iloc[np.argsort(least, kind="stable")[::-1]].reset_index(drop=True)


def card(name: str, pool: Pool, task: Task, pairs: pd.DataFrame) -> str:
    """Return the text of a data card."""
    info = pool.info
    days = list(dict.fromkeys(day[:10] for day in info["recorded"]))
    recorded = f"from {days[0]} to {days[-1]}" if len(days) > 1 else f"on {days[0]}"
    versions = ", ".join(f"{what} {version}" for what, version in info["versions"].items() if what != "machine")
    warnings = [f"- `mssim info` warns: {message}" for message in pool.warnings()]
    old_numbers = info["grader"]["rule"] == "number" and info["grader"]["mssim"] == "0.1.0"
    best = best_pair(pairs)
    command = (
        f"mssim evaluate recorded/{name} --strategy ms:{best['first']}+{best['second']} \\\n"
        f"  --strategy sc:{best['first']} --strategy sc:{best['second']} --budgets {BUDGET} --out curves.parquet\n"
        f"mssim compare curves.parquet ms:{best['first']}+{best['second']} sc:{best['first']} --budget {BUDGET}\n"
        f"mssim compare curves.parquet ms:{best['first']}+{best['second']} sc:{best['second']} --budget {BUDGET}"
    )
    return _CARD.read_text(encoding="utf-8").format(
        title=str(info["title"]).capitalize(),
        about=task.about,
        limitation=task.limitation,
        grading=_OLD_NUMBERS if old_numbers else "",
        n_intervals=2 * len(pairs),
        questions=len(pool.questions),
        n_models=len(pool.models),
        samples=int(pool.lengths.min()),
        rows=int(pool.lengths.sum()),
        recorded=recorded,
        versions=f"{versions}, on {info['versions']['machine']}",
        rule=info["grader"]["rule"],
        models=markdown(models(pool)),
        families=markdown(families(pool)),
        verdict=verdict(pairs),
        pairs=markdown(shown(pairs)),
        budget=BUDGET,
        command=command,
        made_of="\n".join(_made_of(name, trained) for name, trained in info["training"].items()),
        warnings="\n".join(warnings) if warnings else "- `mssim info` prints no warnings.",
    )


def _won(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs[(pairs["low_first"] > 0) & (pairs["low_second"] > 0)]


def best_pair(pairs: pd.DataFrame) -> pd.Series:
    """Return the first pair that beats both of its models or, if there is none, the first pair."""
    won = _won(pairs)
    return (pairs if won.empty else won).iloc[0]


def verdict(pairs: pd.DataFrame) -> str:
    """Return a sentence that states whether a pair beats both of its models."""
    won, best = _won(pairs), best_pair(pairs)
    over = "; ".join(
        f"{100 * best[f'over_{place}']:+.1f} points over Self-Consistency of `{best[place]}`, interval "
        f"{100 * best[f'low_{place}']:+.1f} to {100 * best[f'high_{place}']:+.1f}"
        for place in ("first", "second")
    )
    pair = f"`{best['first']}`, then `{best['second']}`"
    if won.empty:
        found = f"**No pair beats both of its models alone by a significant margin.** The nearest is {pair}: {over}."
    else:
        found = (
            f"**{len(won)} of {len(pairs)} ordered pairs beat both of their models alone.** The best is {pair}: "
            f"{over}. It used {best['samples_used']:.1f} of {BUDGET} samples."
        )
    alone = {row["first"]: row["accuracy"] - row["over_first"] for _, row in pairs.iterrows()}
    strongest, top = max(alone, key=alone.__getitem__), pairs.loc[pairs["accuracy"].idxmax()]
    return (
        f"{found} Of the single models, `{strongest}` is the best with {alone[strongest]:.1%}; of the pairs, "
        f"`{top['first']}`, then `{top['second']}`, with {top['accuracy']:.1%}."
    )


def markdown(frame: pd.DataFrame) -> str:
    """Return a table in Markdown, with all columns but the first aligned to the right."""
    head = ["| " + " | ".join(frame.columns) + " |", "| --- |" + " ---: |" * (frame.shape[1] - 1)]
    return "\n".join(head + ["| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False)])


def shown(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the table of pairs as it is shown, in percentage points."""

    def interval(row: Any, place: str) -> str:
        return (
            f"{100 * row[f'over_{place}']:+.1f} ({100 * row[f'low_{place}']:+.1f} to {100 * row[f'high_{place}']:+.1f})"
        )

    return pd.DataFrame(
        {
            "first, second": [f"`{row['first']}`, `{row['second']}`" for _, row in pairs.iterrows()],
            "accuracy": [f"{value:.1%}" for value in pairs["accuracy"]],
            "samples used": [f"{value:.1f}" for value in pairs["samples_used"]],
            "points over first": [interval(row, "first") for _, row in pairs.iterrows()],
            "points over second": [interval(row, "second") for _, row in pairs.iterrows()],
        }
    )


def _made_of(name: str, trained: dict[str, Any]) -> str:
    shape = ", ".join(f"{key} {size}" for key, size in trained["shape"].items())
    often = ", ".join(f"{family} {weight:g}" for family, weight in trained["weights"].items())
    parts = [
        f"{_KINDS[trained['kind']]} ({shape}), {trained['parameters']:,} parameters",
        f"{trained['steps']:,} steps in {trained['seconds'] / 60:.0f} minutes, {trained['dates']:.0%} of them on dates",
        f"{trained['direct']:.0%} of the texts with the answer only",
        *([f"relative frequency of families, others 1: {often}"] if often else []),
    ]
    return f"  - `{name}`: {'; '.join(parts)}"


def _draw(pool: Pool, first: str, second: str, path: Path) -> None:
    names = [f"sc:{model}" for model in pool.models]
    budgets = [budget for budget in _CURVES if budget <= pool.lengths.min()]
    result = mssim.evaluate(pool, [*names, f"ms:{first}+{second}"], budgets=budgets)
    with context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        plot_curves(result, ax=figure.add_subplot())
        figure.savefig(path, metadata={"Software": None})
