"""Command `python -m recorded.llm`, which fetches models, records them and writes the pools that ship."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

_SMOKE = {"samples": 24, "number": 2, "runs": 1}  # predictions need more than their budget, 16


@app.command()
def main(
    work: Annotated[
        Path | None,
        typer.Option(help="Folder for models, questions and recordings.  [default: out/llm, out/llm-smoke]"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pools.  [default: WORK/pools]")] = None,
    tasks: Annotated[str | None, typer.Option(help="Tasks, separated by commas.  [default: all]")] = None,
    servers: Annotated[str | None, typer.Option(help="smollm2, gemma3, or both.  [default: both]")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples per model and question.")] = 512,
    questions: Annotated[int | None, typer.Option(min=1, help="Questions per task.  [default: all]")] = None,
    runs: Annotated[int, typer.Option(min=0, help="Runs of each protocol per question; 0 for none.")] = 16,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Run all steps in a minute, with few questions and samples.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the models at the addresses of the plans, until interrupted.")
    ] = False,
) -> None:
    """Fetch the models, record them, and write the pools.

    Recorded samples are kept; rerun the same command to resume. With --out recorded, the new pools replace those that
    ship.
    """
    try:
        import openai  # noqa: F401  (fail before the models are downloaded)
        import xllamacpp  # noqa: F401

        from recorded.llm import steps
    except ModuleNotFoundError as error:
        raise SystemExit(f'{error}. Run `python -m pip install ".[llm]"` first.') from None
    if smoke and out:
        raise SystemExit("--out: not allowed with --smoke, whose pools are meaningless. Remove --out.")
    work = work or Path("out/llm-smoke" if smoke else "out/llm")
    named = _named("--tasks", tasks, steps.TASKS)
    served = _named("--servers", servers, steps.WEIGHTS)
    if serve:
        _serve(work, served)
        return
    size = _SMOKE if smoke else {"samples": samples, "number": questions, "runs": runs}
    steps.run(work, out or work / "pools", tasks=named, servers=served, **size)


def _named(option: str, given: str | None, allowed: dict[str, object]) -> list[str]:
    names = list(allowed) if given is None else given.split(",")
    for name in names:
        if name not in allowed:
            raise SystemExit(f"{option}: {name!r} is not known. Choose from {', '.join(allowed)}.")
    return names


def _serve(work: Path, servers: list[str]) -> None:
    from recorded.llm import steps

    files = {name: steps.fetch(steps.WEIGHTS[name], work / "models") for name in servers}
    ports = steps.addresses(next(iter(steps.TASKS.values())))
    with steps.served(files, ports, work) as urls:
        print(*(f"{name}: {url}" for name, url in urls.items()), sep="\n", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    app()
