"""Data cards of the pools that ship with mssim. All numbers are computed from the pool."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context

import mssim
from mssim import Pool, load_pool
from mssim.plots import STYLE, plot_curves
from recorded.llm.pairs import BUDGET, best_pair, shown, switching, verdict
from recorded.llm.server import SLOTS
from recorded.llm.tasks import Task
from recorded.llm.weights import WEIGHTS

__all__ = ["card", "families", "models", "speeds", "write_card"]

_CARD = Path(__file__).with_name("card.md")
_WIDTH = 120
_CURVES = [1, 2, 4, 8, 16, 32, 64, 128, 256]
_LIVE = """\
`live.csv` has live runs of three strategies with other seeds, a row per strategy and question. This command compares
them with what replays of the samples predict:

```bash
python -m analysis live --pool recorded/{name}
```"""
_LICENCES = {
    "smollm2": "SmolLM2 is under the Apache License 2.0, which states no conditions on what a model writes.",
    "gemma3": "Gemma has the [Gemma Terms of Use](https://ai.google.dev/gemma/terms). By section 1.1 (e), "
    "what the model writes is not a derivative of it. By section 3.3, Google claims no rights in this text. A model "
    "that is trained on these answers to resemble Gemma is a derivative by the same section 1.1 (e). "
    "The terms apply to it. Whoever downloads the model with `python -m recorded.llm` accepts the terms.",
}


def write_card(folder: Path, task: Task) -> None:
    """Write README.md and curves.png to the folder of a pool."""
    pool = load_pool(folder)
    pairs = switching(pool)
    _draw(pool, folder / "curves.png")
    text = card(folder.name, pool, task, pairs, live=(folder / "live.csv").is_file())
    (folder / "README.md").write_text(text, encoding="utf-8")


def models(pool: Pool) -> pd.DataFrame:
    """Return a table of models with accuracy of one sample and of the plurality of all samples."""
    described = pool.describe().set_index("model")
    most = int(pool.lengths.min())
    alone = mssim.evaluate(pool, {name: mssim.SelfConsistency(name) for name in pool.models}, budgets=[most])
    plurality = alone.to_frame().set_index("strategy")["accuracy"]
    frame = pool.to_frame()
    cut = (frame["finish_reason"] == "length").groupby(frame["model"]).mean()
    tokens = frame.groupby("model")["output_tokens"].mean()
    return pd.DataFrame(
        {
            "model": f"`{name}`",
            "weights": pool.info["models"][name]["model_id"],
            "temperature": pool.info["models"][name]["settings"]["temperature"],
            "one sample": f"{described.loc[name, 'accuracy']:.1%}",
            f"plurality of {most}": f"{plurality[name]:.1%}",
            "agreement": f"{described.loc[name, 'top_share']:.1%}",
            "answers per question": f"{described.loc[name, 'distinct_answers']:.0f}",
            "no answer": f"{described.loc[name, 'no_answer']:.2%}",
            "cut off": f"{cut[name]:.2%}",
            "tokens": f"{tokens[name]:.1f}",
        }
        for name in pool.models
    )


def families(pool: Pool) -> str:
    """Return a table of the accuracy of one sample by family of questions, or nothing without families."""
    if "family" not in pool.questions:
        return ""
    rows = []
    for family in dict.fromkeys(pool.questions["family"]):
        part = pool.select(where={"family": family})
        accuracy = part.describe().set_index("model")["accuracy"]
        own = {f"`{model}`": f"{accuracy[model]:.1%}" for model in pool.models}
        rows.append({"family": family, "questions": len(part.questions), **own})
    return f" The next table shows the accuracy of one sample:\n\n{_markdown(pd.DataFrame(rows))}"


def speeds(pool: Pool) -> pd.DataFrame:
    """Return a table of samples, hours and tokens per second by model."""
    return pd.DataFrame(
        {
            "model": f"`{name}`",
            "samples": f"{of['samples']:,}",
            "hours": f"{of['server_seconds'] / 3600:.2f}",
            "samples per minute": f"{60 * of['samples'] / of['server_seconds']:,.0f}",
            "output tokens per second": f"{of['output_tokens_per_second']:.0f}",
        }
        for name, of in pool.info["speeds"].items()
    )


def card(name: str, pool: Pool, task: Task, pairs: pd.DataFrame, *, live: bool) -> str:
    """Return the text of a data card; `live` is whether live runs lie beside the pool."""
    info, best = pool.info, best_pair(pairs)
    used = [weights for weights in WEIGHTS if WEIGHTS[weights].name in info["weights"]]
    strategy, first, second = f"ms:{best['first']}+{best['second']}", f"sc:{best['first']}", f"sc:{best['second']}"
    command = (
        f"mssim evaluate recorded/{name} --strategy {strategy} \\\n"
        f"  --strategy {first} --strategy {second} --budgets {BUDGET} --out curves.parquet\n"
        f"mssim compare curves.parquet {strategy} {first} --budget {BUDGET}\n"
        f"mssim compare curves.parquet {strategy} {second} --budget {BUDGET}"
    )
    noticed = [f"- `mssim info` warns: {message}" for message in pool.warnings()]
    return _CARD.read_text(encoding="utf-8").format(
        title=str(info["title"]).capitalize(),
        about=fill(task.about, _WIDTH),
        limitation=task.limitation,
        questions=len(pool.questions),
        n_models=len(pool.models),
        samples=int(pool.lengths.min()),
        rows=int(pool.lengths.sum()),
        models=_markdown(models(pool)),
        families=families(pool),
        verdict=verdict(pairs),
        pairs=_markdown(shown(pairs)),
        n_intervals=2 * len(pairs),
        budget=BUDGET,
        command=command,
        recorded=_days(info["recorded"]),
        versions=_versions(info["versions"]),
        weights=_item(" ".join(_weights(weights) for weights in used)),
        seed=info["questions"]["seed"],
        prompt=next(iter(info["models"].values()))["template"].replace("{{question}}", pool.questions["question"][0]),
        settings=_item(_settings(info["models"])),
        slots=SLOTS,
        per_request=next(iter(info["models"].values()))["samples_per_request"],
        speeds=_markdown(speeds(pool)),
        rule=info["grader"]["rule"],
        described=", ".join(name for name in ("question", "truth", "family", "cluster") if name in pool.questions),
        live=f"\n\n{_LIVE.format(name=name)}" if live else "",
        warnings="\n".join(noticed) if noticed else "- `mssim info` prints no warnings.",
        licences="\n\n".join(fill(_LICENCES[weights], _WIDTH) for weights in used),
    )


def _markdown(frame: pd.DataFrame) -> str:
    """Return a table in Markdown, with all columns but the first aligned to the right."""
    head = ["| " + " | ".join(frame.columns) + " |", "| --- |" + " ---: |" * (frame.shape[1] - 1)]
    return "\n".join(head + ["| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False)])


def _item(text: str) -> str:
    """Break the text of a list item, which begins behind its name, into lines."""
    return fill(text, _WIDTH, initial_indent=" " * 14, subsequent_indent="  ", break_on_hyphens=False).strip()


def _days(times: list[str]) -> str:
    days = list(dict.fromkeys(time[:10] for time in times))
    return f"from {days[0]} to {days[-1]}" if len(days) > 1 else f"on {days[0]}"


def _versions(versions: dict[str, str]) -> str:
    said = ", ".join(f"{what} {version}" for what, version in versions.items() if what != "machine")
    return f"{said}, on {versions['machine']}"


def _weights(name: str) -> str:
    weights = WEIGHTS[name]
    packages = ", ".join(f"`{package}`" for package in weights.packages)
    return f"{weights.about}: `{weights.name}.gguf` from {packages}, SHA-256 `{weights.sha256}`."


def _settings(described: dict[str, Any]) -> str:
    common, *others = (model["settings"] for model in described.values())
    shared = {key: value for key, value in common.items() if all(other.get(key) == value for other in others)}
    own = "; ".join(
        f"`{name}`: " + ", ".join(f"{key} {value}" for key, value in model["settings"].items() if key not in shared)
        for name, model in described.items()
        if model["settings"] != shared
    )
    said = ", ".join(f"{key} {value!r}" for key, value in shared.items())
    return f"{said}. {own}." if own else f"{said}."


def _draw(pool: Pool, path: Path) -> None:
    strategies = [f"sc:{model}" for model in pool.models]
    if {"smol", "gemma"} <= set(pool.models):
        strategies += ["ms:smol+gemma", "ms:gemma+smol"]
    budgets = [budget for budget in _CURVES if budget <= pool.lengths.min()]
    result = mssim.evaluate(pool, strategies, budgets=budgets)
    with context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        plot_curves(result, ax=figure.add_subplot())
        figure.savefig(path, metadata={"Software": None})
