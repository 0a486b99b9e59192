"""`mssim record`: record samples of language models into a pool."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import counted
from mssim.cli.language import as_options
from mssim.cli.options import Format, Json, read_format
from mssim.cli.output import print_frame, printable
from mssim.cli.recording_progress import Log as _Log  # noqa: F401
from mssim.cli.recording_progress import duration as _duration  # noqa: F401
from mssim.cli.recording_progress import progress_line, reporting
from mssim.cli.servers import (
    OF_PLAN,
    BaseUrl,
    Concurrency,
    KeyEnv,
    Logprobs,
    MaxCost,
    MaxRequests,
    MaxTokensInAll,
    Models,
    NewServer,
    PlanFile,
    PricesOfPlan,
    RetryFailed,
    SampleSeed,
    SamplesPerRequest,
    Settings,
    System,
    Template,
    Timeout,
    plan_of,
)
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mssim.recorder import Plan, Status


def record(
    out: Annotated[Path, typer.Option(help="Pool folder. An interrupted recording resumes there.")],
    questions: Annotated[
        Path | None,
        typer.Argument(
            help="JSONL, CSV or Parquet file with question_id, question, truth; optionally choices, cluster."
        ),
    ] = None,
    model: Models = None,
    base_url: BaseUrl = None,
    samples: Annotated[int | None, typer.Option(help="Samples per model and question. [default: 512]")] = None,
    samples_per_request: SamplesPerRequest = None,
    template: Template = None,
    system: System = None,
    setting: Settings = None,
    logprobs: Logprobs = None,
    seed: SampleSeed = None,
    key_env: KeyEnv = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    prices: PricesOfPlan = None,
    plan: PlanFile = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokensInAll = None,
    max_requests: MaxRequests = None,
    retry_failed: RetryFailed = False,
    new_server: NewServer = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the first prompts; send no request.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Print the progress; send no request.")] = False,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Record samples of language models from OpenAI-compatible servers into a pool.

    Every sample is written to disk as it arrives. After an interruption, rerun the same command to record the
    missing samples. The exit code is 0 if the recording is complete and 1 if samples are missing. At the end, warnings
    count samples that were cut off or are empty. If a server stops answering, the recorder waits for it for an hour.

    Example: mssim record questions.jsonl --model llama=meta-llama/Llama-3.1-8B-Instruct --base-url
    http://127.0.0.1:8000/v1 --samples 512 --out my-pool
    """
    form = read_format(json, format_)

    from mssim import recorder
    from mssim.recorder.findings import left_to_server

    if status:
        _show(recorder.status(out), form=form)
        return
    if questions is None:
        raise MssimError(
            "QUESTIONS: missing. Add a JSONL, CSV or Parquet file of questions, or --status to print the progress."
        )
    of_plan = (samples_per_request, template, system, setting, logprobs, seed, key_env, concurrency, timeout, prices)
    options = dict(zip(OF_PLAN, of_plan, strict=True))
    asked = plan_of(
        plan,
        model,
        base_url,
        options,
        samples=samples,
        default=512,
        besides="Only --samples can be combined with --plan.",
    )
    for warning in asked.warnings():
        print(f"mssim: warning: {as_options(warning)}", file=sys.stderr)
    if dry_run:
        _show_prompts(questions, asked)
        return
    told: set[str] = set()
    with reporting(told, progress_line) as report:
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
    _show(found, form=form, told=told, left=left)


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
    found: Status, *, form: str, told: Collection[str] = (), left: Mapping[str, str | None] | None = None
) -> None:
    """Print a status. `told` are warnings that were printed, `left` the settings that servers choose, by model."""
    frame = found.to_frame()
    if form != "table":
        print_frame(frame.assign(warnings=frame["model"].map(lambda m: list(found.findings.get(m, ())))), form)
    else:
        print_frame(frame[["model", "questions", "samples", "wanted", "recorded", "failed", "missing"]])
        for row in frame.to_dict("records"):
            print(printable(spent(row)))
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


def spent(row: Mapping[Any, Any]) -> str:
    """Summarise requests, tokens, cost and latency of a model in one line."""
    parts = [f"{counted(row['requests'], 'request')}, {row['refused']} refused"]
    parts += [f"{counted(row['input_tokens'], 'input token')}, {counted(row['output_tokens'], 'output token')}"]
    parts += [] if row["cost"] != row["cost"] else [f"cost {row['cost']:.4f}"]
    parts += [] if row["latency"] != row["latency"] else [f"{row['latency']:.2f} s per request"]
    return f"{row['model']}: {'; '.join(parts)}"
