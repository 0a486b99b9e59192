"""`mssim record`: record samples of language models into a pool."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.language import as_options, keep_names
from mssim.cli.options import Json
from mssim.cli.output import print_frame, printable
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mssim.recorder import Plan, Progress, Status

_LOG_EVERY = 60.0  # seconds
_OF_PLAN: tuple[str, ...] = (
    "samples_per_request",
    "template",
    "system",
    "settings",
    "logprobs",
    "seed",
    "key_env",
    "concurrency",
)
_OF_PLAN += ("timeout", "prices")  # arguments that a plan file sets under the same names


def record(
    out: Annotated[Path, typer.Option(help="Pool folder. An interrupted recording resumes there.")],
    questions: Annotated[
        Path | None,
        typer.Argument(
            help="JSONL, CSV or Parquet file with question_id, question, truth; optionally choices, cluster."
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="NAME in the pool, or NAME=MODEL_ID if the server's differs. Repeatable.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL of the server, e.g. http://127.0.0.1:8000/v1.")] = None,
    samples: Annotated[int | None, typer.Option(help="Samples per model and question. [default: 512]")] = None,
    samples_per_request: Annotated[
        int | None, typer.Option(help="Samples per request (n). Fewer if the server refuses so many. [default: 1]")
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(help="Prompt template: a text file with {{question}}, {{choices}} or any other column."),
    ] = None,
    system: Annotated[Path | None, typer.Option(help="Text file with the system prompt.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE to send with each request. Repeatable. [default: temperature=1.0]"),
    ] = None,
    logprobs: Annotated[
        bool | None, typer.Option("--logprobs", help="Record the mean log-probability as confidence.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Base seed; every sample gets its own seed derived from it.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the API key. [default for openai.com: OPENAI_API_KEY]")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Concurrent requests. [default: 32]")] = None,
    timeout: Annotated[float | None, typer.Option(help="Timeout of one whole reply in seconds. [default: 600]")] = None,
    prices: Annotated[Path | None, typer.Option(help="TOML file with dated prices of tokens.")] = None,
    plan: Annotated[Path | None, typer.Option(help="TOML file with these settings for several models.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Cost limit over all runs of this pool.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Token limit over all runs, prompts included.")] = None,
    max_requests: Annotated[int | None, typer.Option(help="Request limit over all runs.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry samples that were given up.")] = False,
    new_server: Annotated[bool, typer.Option("--new-server", help="Accept a changed server address.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the first prompts; send no request.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Print the progress; send no request.")] = False,
    json: Json = False,
) -> None:
    """Record samples of language models from OpenAI-compatible servers into a pool.

    Every sample is written to disk as it arrives. After an interruption, rerun the same command to record the
    missing samples. The exit code is 0 if the recording is complete and 1 if samples are missing. At the end, warnings
    count samples that were cut off or are empty. If a server stops answering, the recorder waits for it for an hour.

    Example: mssim record questions.jsonl --model llama=meta-llama/Llama-3.1-8B-Instruct --base-url
    http://127.0.0.1:8000/v1 --samples 512 --out my-pool
    """
    from mssim import recorder
    from mssim.recorder.findings import left_to_server

    if status:
        _show(recorder.status(out), as_json=json)
        return
    if questions is None:
        raise MssimError(
            "QUESTIONS: missing. Add a JSONL, CSV or Parquet file of questions, or --status to print the progress."
        )
    of_plan = (samples_per_request, template, system, setting, logprobs, seed, key_env, concurrency, timeout, prices)
    options: dict[str, Any] = dict(zip(_OF_PLAN, of_plan, strict=True))
    asked = _plan(plan, model, base_url, samples, {k: v for k, v in options.items() if v is not None})
    for warning in asked.warnings():
        print(f"mssim: warning: {as_options(warning)}", file=sys.stderr)
    if dry_run:
        _show_prompts(questions, asked)
        return
    told: set[str] = set()
    with _reporting(told) as report:
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
    left = {model.name: left_to_server(model.settings) for model in asked.models}
    _show(found, as_json=json, told=told, left=left)


def _plan(
    path: Path | None, models: list[str] | None, base_url: str | None, samples: int | None, options: dict[str, Any]
) -> Plan:
    from mssim.recorder import plan_from_options, read_plan

    if path is None:
        if not models or base_url is None:
            raise MssimError(
                "--model, --base-url: both are required without --plan. Add --model NAME and --base-url URL, or use "
                "--plan FILE for several servers."
            )
        return plan_from_options(models, base_url=base_url, samples=512 if samples is None else samples, **options)
    if models or base_url is not None:
        raise MssimError(f"--plan: {path} already names models and servers. Remove --model and --base-url.")
    if options:
        name = "set" if "settings" in options else next(iter(options)).replace("_", "-")
        raise MssimError(
            f"--{name}: not allowed with --plan. Set it in {path}. Only --samples can be combined with --plan."
        )
    keep_names(["base_url", "model_id", *(["samples"] if samples is None else []), *_OF_PLAN])
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
            print(f"-- {message['role']}")
            for line in message["content"].expandtabs().split("\n"):
                print(printable(line))


def _show(
    found: Status, *, as_json: bool, told: Collection[str] = (), left: Mapping[str, str | None] | None = None
) -> None:
    """Print a status. `told` are warnings that were printed, `left` the settings that servers choose, by model."""
    frame = found.to_frame()
    if as_json:
        print_frame(frame.assign(warnings=frame["model"].map(lambda m: list(found.findings.get(m, ())))), as_json=True)
    else:
        print_frame(frame[["model", "questions", "samples", "wanted", "recorded", "failed", "missing"]], as_json=False)
        for row in frame.to_dict("records"):
            print(printable(_spent(row)))
        for model, settings in (left or {}).items():
            if settings:
                print(printable(f"{model}: {settings}"))
    for warning in found.warnings:
        if warning not in told:
            print(f"mssim: warning: {printable(as_options(warning))}", file=sys.stderr)
    for model, reason, samples in found.reasons.head(10).itertuples(index=False):
        print(printable(f"mssim: {samples} samples of {model} failed: {reason}"), file=sys.stderr)
    if len(found.reasons):
        print("mssim: rerun the same command with --retry-failed to retry them", file=sys.stderr)
    for note in found.notes:
        print(f"mssim: {printable(as_options(note))}", file=sys.stderr)
    if not found.complete:
        raise typer.Exit(1)


def _spent(row: Mapping[Any, Any]) -> str:
    """Summarise requests, tokens, cost and latency of a model in one line."""
    parts = [f"{row['requests']} requests, {row['refused']} refused"]
    parts += [f"{row['input_tokens']} input tokens, {row['output_tokens']} output tokens"]
    parts += [] if row["cost"] != row["cost"] else [f"cost {row['cost']:.4f}"]
    parts += [] if row["latency"] != row["latency"] else [f"{row['latency']:.2f} s per request"]
    return f"{row['model']}: {'; '.join(parts)}"


@contextmanager
def _reporting(told: set[str]) -> Iterator[Callable[[Progress], None]]:
    """Yield a progress callback: a bar on a terminal, else one log line per minute. It adds warnings to `told`."""
    if not sys.stderr.isatty():
        yield _Log(told)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    # A plain Column wraps; the default of TextColumn would cut the line off.
    columns = BarColumn(10), TextColumn("{task.description}", markup=False, table_column=Column())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(p: Progress) -> None:
            for line in _news(p, told):
                bar.console.print(line, markup=False, highlight=False)
            bar.update(task, total=p.wanted, completed=p.done + p.failed, description=printable(_line(p)))

        yield report


def _news(progress: Progress, told: set[str]) -> list[str]:
    """Return the warnings that were not told yet, as lines, and add them to `told`."""
    new = [warning for warning in progress.warnings if warning not in told]
    told.update(new)
    return [f"mssim: warning: {printable(as_options(warning))}" for warning in new]


class _Log:
    """Progress callback that prints one line per minute, when a server stops answering, and for each warning."""

    def __init__(self, told: set[str] | None = None) -> None:
        self._told = set() if told is None else told
        self._next = time.monotonic() + _LOG_EVERY
        self._silent: float | None = None

    def __call__(self, progress: Progress) -> None:
        for line in _news(progress, self._told):
            print(line, file=sys.stderr, flush=True)
        fell_silent = progress.silent_since is not None and self._silent is None
        self._silent = progress.silent_since
        if fell_silent or time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOG_EVERY if fell_silent else self._next + _LOG_EVERY
            line = printable(_line(progress))
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _line(progress: Progress) -> str:
    """Format the progress in one line.

    Examples
    --------
    >>> from mssim.recorder import Progress
    >>> _line(Progress(1000, 250, 2, arrived=200, seconds=20.0, in_flight=8, cost=1.5, currency="USD"))
    '250 of 1000 samples, 748 left, 2 failed, 10.0/s, 8 in flight, 1.50 USD, 1 min 15 s remaining'
    """
    if progress.writing:
        return f"{progress.done} of {progress.wanted} samples; writing the pool"
    parts = [f"{progress.done} of {progress.wanted} samples", f"{progress.left} left"]
    parts += [f"{progress.failed} failed"] if progress.failed else []
    parts += [f"{progress.rate:.1f}/s", f"{progress.in_flight} in flight"]
    parts += [] if progress.cost is None else [f"{progress.cost:.2f} {progress.currency}"]
    parts += [f"{_duration(progress.left / progress.rate)} remaining"] if progress.rate else []
    if progress.silent_since is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(progress.silent_since))
        parts += [f"server does not answer since {clock}, waiting ({_duration(time.time() - progress.silent_since)})"]
    parts += [f"last error: {progress.trouble}"] if progress.trouble else []
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
