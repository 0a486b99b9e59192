"""`mssim live`: run a strategy, or a protocol of several agents, against servers, question by question."""

from __future__ import annotations

import json as to_json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import counted, whole_number
from mssim.cli.formats import json_rows
from mssim.cli.language import as_options
from mssim.cli.live_protocol import OF_RUNS, check_kind, play, print_how_to_resume, show_runs
from mssim.cli.options import Format, Json, ReasoningOption, check_table, read_format
from mssim.cli.output import print_frame, print_tables, printable
from mssim.cli.predicting import compared, prediction_rows, print_prediction, read_recording, warn_before
from mssim.cli.record import spent
from mssim.cli.recording_progress import answered, live_line, reporting
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
    SamplesPerRequest,
    Settings,
    System,
    Template,
    Timeout,
    plan_of,
)
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mssim.live import LiveRun, Prediction
    from mssim.recorder import Plan

_OF_QUESTIONS = ("totals", "stops", "questions", "models")  # names of tables
_SHOWN = 10  # rows of the table of questions
_OF_PLAN = [name for name in OF_PLAN if name != "seed"]  # --seed is that of random choices


def live(
    questions: Annotated[
        Path, typer.Argument(help="JSONL, CSV or Parquet file with question_id, question; optionally truth, choices.")
    ],
    out: Annotated[Path, typer.Option(help="Pool folder. An interrupted run resumes there.")],
    strategy: Annotated[str | None, typer.Option(help="Strategy, e.g. ms:strong+weak,agreement=0.75.")] = None,
    budget: Annotated[int | None, typer.Option(help="Samples allowed per question.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Protocol instead of a strategy: debate:a+b, mad:a, chateval:a, agentverse:a, moa:a+b, best-of-n:a."
        ),
    ] = None,
    runs: Annotated[int | None, typer.Option(help="Runs of the protocol per question.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="TOML file with templates that replace those of the protocol.")
    ] = None,
    called: Annotated[
        str | None, typer.Option(help="Name of the runs in the pool. [default: the text of the protocol]")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help="Rule of grading that decides which answers are equal, as in mssim grade.")
    ] = None,
    reasoning: ReasoningOption = "drop",
    seed: Annotated[int, typer.Option(help="Seed of random choices, such as ties.")] = 0,
    use_recorded: Annotated[
        bool, typer.Option("--use-recorded", help="Draw samples first that other commands recorded in --out.")
    ] = False,
    plan: PlanFile = None,
    sample_seed: Annotated[
        int | None, typer.Option(help="Base seed of samples, as --seed of mssim record. Overrides that of the plan.")
    ] = None,
    model: Models = None,
    base_url: BaseUrl = None,
    samples_per_request: SamplesPerRequest = None,
    template: Template = None,
    system: System = None,
    setting: Settings = None,
    logprobs: Logprobs = None,
    key_env: KeyEnv = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    prices: PricesOfPlan = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokensInAll = None,
    max_requests: MaxRequests = None,
    retry_failed: RetryFailed = False,
    new_server: NewServer = False,
    predict: Annotated[
        str | None,
        typer.Option(help="Pool of an independent recording. Compare the run with what its replays predict."),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="Print only one of the tables: totals, stops, questions, models, with --predict also prediction; with "
            "--protocol totals, ends, runs, models."
        ),
    ] = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Run a strategy or a protocol against OpenAI-compatible servers, question by question.

    Every sample is written to disk before the strategy sees it. After an interruption, rerun the same command to
    resume; no sample is paid twice. Questions are answered at the same time. The exit code is 0 if all questions are
    answered and 1 if some are unfinished. The folder is graded at the end, so that mssim evaluate can replay it.

    Example: mssim live questions.jsonl --plan plan.toml --strategy ms:smol+gemma,agreement=0.75 --budget 16
    --rule number --out live-pool

    With --protocol, agents discuss every question --runs times. A run is a sample of one model in the pool, with the
    tokens and cost of all its calls.

    Example: mssim live questions.jsonl --plan plan.toml --protocol debate:smol+gemma,rounds=2 --runs 8 --rule number
    --out debates
    """
    form = read_format(json, format_)
    check_table(table, form, _tables_of(protocol, predict))  # before anything is paid

    from mssim.live import run

    kinds = {"strategy": strategy, "budget": budget, "use_recorded": use_recorded, "seed": seed, "predict": predict}
    check_kind({**kinds, "protocol": protocol, "runs": runs, "prompts": prompts, "called": called})
    of_plan = (samples_per_request, template, system, setting, logprobs, key_env, concurrency, timeout, prices)
    asked = plan_of(
        plan,
        model,
        base_url,
        dict(zip(_OF_PLAN, of_plan, strict=True)),
        samples=max(budget or 1, 1),
        default=1,
        besides="Only --sample-seed can be combined with --plan.",
    )
    asked = _with_seed(asked, sample_seed)
    recording = None
    told: set[str] = set()
    if predict is not None and strategy is not None and budget is not None:
        recording = read_recording(predict, strategy, budget)
        warn_before(recording, asked, rule or "", reasoning, told)
    options: dict[str, Any] = {"rule": rule or "", "reasoning": reasoning, "retry_failed": retry_failed}
    options |= {"max_requests": max_requests, "max_tokens": max_tokens, "max_cost": max_cost, "new_server": new_server}
    if protocol is not None:
        options |= {"prompts": prompts, "called": called}
        show_runs(play(questions, asked, protocol, runs or 0, out, told=told, **options), form, table=table, told=told)
        return
    assert strategy is not None
    with reporting(told, lambda p: live_line(p, "questions", "samples"), answered) as report:
        options |= {"seed": seed, "use_recorded": use_recorded, "report": report}
        result = run(questions, asked, strategy, budget or 0, out, **options)
    try:
        prediction = compared(result, recording, told)
    except MssimError:  # the run was paid
        show(result, form, table=table, told=told)
        raise
    show(result, form, table=table, told=told, prediction=prediction)


def _with_seed(plan: Plan, seed: int | None) -> Plan:
    if seed is None:
        return plan
    seed = whole_number("sample_seed", seed, 0, 2**63 - 1)
    return replace(plan, models=tuple(replace(model, seed=seed) for model in plan.models))


def _tables_of(protocol: str | None, predict: str | None) -> tuple[str, ...]:
    if protocol is not None:
        return OF_RUNS
    return _OF_QUESTIONS if predict is None else (*_OF_QUESTIONS, "prediction")


def show(
    result: LiveRun,
    form: str = "table",
    *,
    table: str | None = None,
    told: Collection[str],
    prediction: Prediction | None = None,
) -> None:
    """Print a result; raise `typer.Exit` if questions are unfinished. `told` are warnings that were printed."""
    if form != "table" or table is not None:
        _print_tables(result, prediction, form, table)
    elif any(answer.draws for answer in result.answers):  # else no server sent anything
        _print_summary(result, prediction)
    for warning in result.warnings:
        if warning not in told:
            print(f"mssim: warning: {printable(as_options(warning))}", file=sys.stderr)
    for model, reason, samples in result.status.reasons.head(10).itertuples(index=False):
        print(printable(f"mssim: {samples} samples of {model} failed: {reason}"), file=sys.stderr)
    for note in result.notes:
        print(f"mssim: {printable(as_options(note))}", file=sys.stderr)
    if not result.complete:
        print_how_to_resume(result.unfinished, "question", failed=len(result.status.reasons) > 0)
        raise typer.Exit(1)


def _print_summary(result: LiveRun, prediction: Prediction | None) -> None:
    from mssim.live.results import describe_draws

    print_frame(_tables(result)["totals"])
    for stopped, stage, questions in result.stops().itertuples(index=False):
        of = f"{questions} of {counted(len(result.answers), 'question')}"
        print(f"{of} ended at turn {stage + 1}: {stopped}")
    frame = result.to_frame()
    print_frame(frame.head(_SHOWN).assign(drawn=frame["drawn"].map(describe_draws)))
    if len(frame) > _SHOWN:
        print(f"{len(frame) - _SHOWN} more questions are in --table questions")
    for row in result.status.to_frame().to_dict("records"):
        print(printable(spent(row)))
    if prediction is not None:
        print_prediction(prediction)
    if result.complete:
        print(_how_to_replay(result))


def _how_to_replay(result: LiveRun) -> str:
    """Say how to replay strategies over the pool, which a strategy that stops early leaves incomplete."""
    evaluate = f"mssim evaluate {shlex.quote(str(result.out))} --strategy {shlex.quote(result.strategy)}"
    most = result.most_drawn()
    if all(answer.drawn() == most for answer in result.answers):
        return f"To replay it: {evaluate} --budgets 1-{result.budget}"
    return (
        "The strategy drew different numbers of samples from different questions. To replay it, first record the "
        f"others: mssim record with the same models, --samples {max(most.values())} and --out "
        f"{shlex.quote(str(result.out))}. Then: {evaluate} --budgets 1-{result.budget}"
    )


def _tables(result: LiveRun) -> dict[str, pd.DataFrame]:
    import pandas as pd

    spending = ["model", "requests", "refused", "input_tokens", "output_tokens", "cost", "latency"]
    frames = (pd.DataFrame([result.totals()]), result.stops(), result.to_frame(), result.status.to_frame()[spending])
    return dict(zip(_OF_QUESTIONS, frames, strict=True))


def _print_tables(result: LiveRun, prediction: Prediction | None, form: str, table: str | None) -> None:
    """Print all tables or one, complete; JSON of all has warnings and notes too."""
    tables = _tables(result)
    if form == "json" and table is None:
        report = {
            **{name: json_rows(frame) for name, frame in tables.items()},
            "totals": json_rows(tables["totals"])[0],
            "warnings": [as_options(warning) for warning in result.warnings],
            "notes": [as_options(note) for note in result.notes],
            **({} if prediction is None else {"prediction": prediction_rows(prediction)}),
        }
        print(to_json.dumps(report, indent=1))
        return
    print_tables(tables | ({} if prediction is None else {"prediction": prediction.to_frame()}), form, name=table)
