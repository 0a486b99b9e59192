"""`mssim record`: ask servers for samples, once, and keep every one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.options import Json
from mssim.cli.output import print_frame
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mssim.recorder import Plan, Progress, Status

_LOG_EVERY = 60.0  # seconds


def record(
    out: Annotated[Path, typer.Option(help="Pool folder; recording goes on where it stopped.")],
    questions: Annotated[
        Path | None,
        typer.Argument(help="JSONL, CSV or Parquet: question_id, question, truth, optional choices and cluster."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="NAME in the pool, or NAME=MODEL_ID if the server has another. Repeat it.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Of the server, e.g. http://127.0.0.1:8000/v1.")] = None,
    samples: Annotated[int | None, typer.Option(help="Per model and question.  [default: 512]")] = None,
    samples_per_request: Annotated[
        int | None, typer.Option(help="Ask for so many at once (n), if the server can.  [default: 1]")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="Prompt: a text file with {{question}}, {{choices}} or any other column.")
    ] = None,
    system: Annotated[Path | None, typer.Option(help="System prompt, a text file.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, sent with each request. Repeat it.  [default: temperature=1.0]"),
    ] = None,
    logprobs: Annotated[
        bool | None, typer.Option("--logprobs", help="Record the mean log-probability, as confidence.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Base from which every sample gets a seed of its own.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the key.  [default: OPENAI_API_KEY, for openai.com]")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at a time.  [default: 32]")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for one request.  [default: 600]")] = None,
    prices: Annotated[Path | None, typer.Option(help="TOML file: what tokens cost, and at what date.")] = None,
    plan: Annotated[Path | None, typer.Option(help="TOML file that says all this for several models, servers.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Stop before all runs together cost more.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Stop before they take more tokens, with prompts.")] = None,
    max_requests: Annotated[int | None, typer.Option(help="Stop before they make more requests.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask again for samples given up.")] = False,
    new_server: Annotated[bool, typer.Option("--new-server", help="A model has moved to another address.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the first prompts and ask for nothing.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show how far it is and ask for nothing.")] = False,
    json: Json = False,
) -> None:
    """Record samples of language models, from any server that speaks OpenAI's protocol, into a pool.

    Every sample is stored before it counts: stop it, kill it, run the same command again, and it asks for what is
    missing. Exit code 0 means that nothing is missing, 1 that something is.

    Example: mssim record questions.jsonl --model llama=meta-llama/Llama-3.1-8B-Instruct --base-url
    http://127.0.0.1:8000/v1 --samples 512 --out my-pool
    """
    from mssim import recorder

    if status:
        _show(recorder.status(out), as_json=json)
        return
    if questions is None:
        raise MssimError("give a file of questions, or --status to see how far a recording is")
    options: dict[str, Any] = {"samples_per_request": samples_per_request, "template": template, "system": system}
    options |= {"settings": setting, "logprobs": logprobs, "seed": seed, "key_env": key_env}
    options |= {"concurrency": concurrency, "timeout": timeout, "prices": prices}
    asked = _plan(plan, model, base_url, samples, {k: v for k, v in options.items() if v is not None})
    for warning in asked.warnings():
        print(f"mssim: warning: {warning}", file=sys.stderr)
    if dry_run:
        _show_prompts(questions, asked)
        return
    with _reporting() as report:
        found = recorder.record(
            questions,
            asked,
            out,
            max_requests=max_requests,
            max_tokens=max_tokens,
            max_cost=max_cost,
            retry_failed=retry_failed,
            new_server=new_server,
            report=report,
        )
    _show(found, as_json=json)


def _plan(
    path: Path | None, models: list[str] | None, base_url: str | None, samples: int | None, options: dict[str, Any]
) -> Plan:
    from mssim.recorder import plan_from_options, read_plan

    if path is None:
        if not models or base_url is None:
            raise MssimError("give --model NAME and --base-url URL, or --plan FILE for several servers")
        return plan_from_options(models, base_url=base_url, samples=512 if samples is None else samples, **options)
    if models or base_url is not None:
        raise MssimError("--plan names the models and servers; leave --model and --base-url out")
    if options:
        name = "set" if "settings" in options else next(iter(options)).replace("_", "-")
        raise MssimError(f"--{name}: write it into {path}; of what --plan says only --samples can be given beside it")
    return read_plan(path, samples=samples)


def _show_prompts(questions: Path, asked: Plan) -> None:
    from mssim.questions import read_questions
    from mssim.recorder.prompts import messages

    table = read_questions(questions)
    first = table.slice(0, 1).to_pylist()[0]
    for model in asked.resolve(table).models:
        wanted = table.num_rows * model.samples
        print(
            f"== {model.name}: {table.num_rows} questions x {model.samples} samples = {wanted} samples, "
            f"{table.num_rows * -(-model.samples // model.samples_per_request)} requests to {model.server.base_url}\n"
            f"settings: {dict(model.settings)}"
        )
        assert model.template is not None
        for message in messages(model.template, model.system, first):
            print(f"-- {message['role']}\n{message['content']}")


def _show(found: Status, *, as_json: bool) -> None:
    frame = found.to_frame()
    if as_json:
        print_frame(frame, as_json=True)
    else:
        print_frame(frame[["model", "questions", "samples", "wanted", "recorded", "failed", "missing"]], as_json=False)
        for row in frame.to_dict("records"):
            print(_spent(row))
    for model, reason, samples in found.reasons.head(10).itertuples(index=False):
        print(f"mssim: {samples} samples of {model} were given up: {reason}", file=sys.stderr)
    if len(found.reasons):
        print("mssim: run the same command with --retry-failed to ask for them again", file=sys.stderr)
    for note in found.notes:
        print(f"mssim: {note}", file=sys.stderr)
    if not found.complete:
        raise typer.Exit(1)


def _spent(row: Mapping[Any, Any]) -> str:
    """Say in one line what a model took so far."""
    parts = [f"{row['requests']} requests, {row['refused']} of them refused"]
    parts += [f"{row['input_tokens']} tokens in, {row['output_tokens']} out"]
    parts += [] if row["cost"] != row["cost"] else [f"cost {row['cost']:.4f}"]
    parts += [] if row["latency"] != row["latency"] else [f"{row['latency']:.2f} s each"]
    return f"{row['model']}: {'; '.join(parts)}"


@contextmanager
def _reporting() -> Iterator[Callable[[Progress], None]]:
    """Yield what shows progress: a bar on a terminal, a line a minute elsewhere."""
    if not sys.stderr.isatty():
        yield _Log()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    columns = BarColumn(10), TextColumn("{task.description}", markup=False, table_column=Column())  # which wraps
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda p: bar.update(task, total=p.wanted, completed=p.done + p.failed, description=_line(p))


class _Log:
    """Prints a line a minute."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LOG_EVERY

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next += _LOG_EVERY
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {_line(progress)}", file=sys.stderr, flush=True)


def _line(progress: Progress) -> str:
    """Say how far it is, in one line.

    Examples
    --------
    >>> from mssim.recorder import Progress
    >>> _line(Progress(1000, 250, 2, arrived=200, seconds=20.0, in_flight=8, cost=1.5, currency="USD"))
    '250 of 1000 samples, 748 left, 2 failed, 10.0/s, 8 under way, 1.50 USD, 1 min 15 s to go'
    """
    if progress.writing:
        return f"{progress.done} of {progress.wanted} samples; writing the files of the pool"
    parts = [f"{progress.done} of {progress.wanted} samples", f"{progress.left} left"]
    parts += [f"{progress.failed} failed"] if progress.failed else []
    parts += [f"{progress.rate:.1f}/s", f"{progress.in_flight} under way"]
    parts += [] if progress.cost is None else [f"{progress.cost:.2f} {progress.currency}"]
    parts += [f"{_duration(progress.left / progress.rate)} to go"] if progress.rate else []
    parts += [f"trouble: {progress.trouble}"] if progress.trouble else []
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
