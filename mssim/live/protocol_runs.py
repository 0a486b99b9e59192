"""Function `run_protocol`: many runs of a protocol against servers, as samples of one model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, Unpack

import pandas as pd
import pyarrow as pa

from mssim._validation import choose_from, printable, shown, whole_number
from mssim.errors import MssimError, RecordError
from mssim.live.calling import Calling
from mssim.live.graded import untold_truths
from mssim.live.played import ProtocolRun, spent_by, table_of
from mssim.live.preparing import Recording, clients, open_journal, options_of
from mssim.live.protocol_pool import write_pool
from mssim.live.protocol_setup import ProtocolSetup, model_of
from mssim.live.protocols import Protocol, parse_protocol, prompts_for, read_prompts
from mssim.live.results import LiveProgress
from mssim.live.setup import read_rule
from mssim.questions import check_questions, read_questions
from mssim.recorder.findings import findings, protocol_of
from mssim.recorder.journal import Cell, Journal
from mssim.recorder.plan import ModelPlan, Plan
from mssim.recorder.preparing import known_of, read_limits, run_to_end, with_spend
from mssim.recorder.settings_hash import differences

__all__ = ["check_same_protocol", "prepare_calls", "read_protocol", "run_protocol"]

_C = TypeVar("_C", bound=Calling)

_MOST_RUNS = 100_000  # samples of a question that the recorder allows


def run_protocol(
    questions: str | os.PathLike[str] | pa.Table,
    plan: Plan,
    protocol: str | Mapping[str, Any] | Protocol,
    runs: int,
    out: str | os.PathLike[str],
    *,
    rule: str,
    reasoning: str = "drop",
    prompts: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    called: str | None = None,
    **recording: Unpack[Recording],
) -> ProtocolRun:
    """Run a protocol of several agents against servers, several times per question, and make a pool of the runs.

    A run is one sample of a model that has the name of the protocol, with the tokens and the cost of all its calls. So
    it can be compared with other strategies by `evaluate`. Every call is committed to the journal in `out` before the
    protocol sees its reply. Calling `run_protocol` again requests only what is missing, and more runs may be added.

    Parameters
    ----------
    questions : path or Table
        Questions, as in `mssim.live.run`.
    plan : Plan
        Models and settings, as in `mssim.recorder.record`. Models of judges with other settings are further entries.
        The number of samples and the samples per request are not used.
    protocol : str, mapping or Protocol
        Protocol, as in `parse_protocol`. Its models are in the plan.
    runs : int
        Number of runs per question.
    out : path
        Pool folder. It is created if it does not exist.
    rule : str
        Rule of grading that decides which answers are equal, as in `mssim.grading.parse_rule`.
    reasoning : str, default "drop"
        Whether reasoning before an answer is dropped or kept, as in `mssim.grading.parse_rule`. If it is dropped, the
        other agents do not see it either.
    prompts : path or mapping, optional
        Templates that replace those of the protocol, as in `read_prompts`.
    called : str, optional
        Name of the model in the pool. By default, it is the text of the protocol.
    max_requests, max_tokens, max_cost, retry_failed, new_server, retry, sampler, report
        As in `mssim.recorder.record`.

    Returns
    -------
    ProtocolRun
        The finished runs and what they used. If a limit was reached, a server failed or the run was interrupted, runs
        are unfinished and `notes` has the reasons.

    Raises
    ------
    MssimError
        If the protocol or its prompts are invalid, if a model is not in the plan, or if `out` has calls of another
        protocol or with other settings. Recorded calls are kept.

    Notes
    -----
    In the journal, a call is a sample of a model such as "gemma3 as round 1, judge", and its index is the number of the
    run. With a seed in the plan, every call has a seed of its own.

    Examples
    --------
    Run a debate of a model in this process instead of a server:

    >>> import tempfile
    >>> import pyarrow as pa
    >>> from mssim import load_pool
    >>> from mssim.live import run_protocol
    >>> from mssim.recorder import Choice, Reply, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2.", "stop"),), 10, 4)
    ...     async def close(self):
    ...         pass
    >>> questions = pa.table({"question_id": ["q"], "question": ["1 + 1 = ?"], "truth": ["2"]})
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=1)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     result = run_protocol(
    ...         questions, plan, "debate:parrot", 4, out, rule="number", sampler=lambda server: Parrot()
    ...     )
    ...     load_pool(out)
    Pool(1 question, 1 model, 4 samples each: debate:parrot)
    >>> result.totals()["calls"], result.totals()["tokens"]
    (6.0, 84.0)
    """
    is_table = isinstance(questions, pa.Table)
    table = check_questions(questions, truths=False) if is_table else read_questions(questions, truths=False)
    setup = read_protocol(plan.resolve(table), protocol, runs, rule, reasoning, prompts)
    name = _name(called, setup.protocol)
    folder, rows = Path(out), table.to_pylist()
    with open_journal(folder) as journal:
        check_same_protocol(journal, setup, rows, recording.get("new_server", False))
        calling = prepare_calls(Calling, setup, plan, table, journal, recording)
        run_to_end(calling)
        calling.progress.writing = True
        if (report := recording.get("report")) is not None:
            report(calling.progress)
        graded = pd.DataFrame(columns=["question_id", "sample_index", "answer", "correct"])
        if played := calling.played():
            graded = write_pool(folder, name, setup, played, calling.rows, journal)
            graded["correct"] = graded["correct"].astype(object)
            graded.loc[graded["question_id"].isin(_without_truth(rows)), "correct"] = None
        return _result(setup, name, folder, calling, rows, table_of(calling.asked(), graded), journal)


def read_protocol(
    plan: Plan,
    protocol: str | Mapping[str, Any] | Protocol,
    runs: int,
    rule: str,
    reasoning: str,
    prompts: str | os.PathLike[str] | Mapping[str, Any] | None,
) -> ProtocolSetup:
    """Check the arguments before the first request."""
    asked = parse_protocol(protocol)
    runs = whole_number("runs", runs, 1, _MOST_RUNS)
    known = {model.name: model for model in plan.models}
    models: dict[str, ModelPlan] = {}
    for model in asked.participants():
        if model not in known:
            raise MssimError(f"model {model!r} of {asked} is not in the plan. {choose_from(model, known)}.")
        models[model] = replace(known[model], samples=runs, samples_per_request=1)
    given = prompts if prompts is None or isinstance(prompts, Mapping) else read_prompts(prompts)
    return ProtocolSetup(asked, prompts_for(asked, given), read_rule(rule, reasoning), runs, models)


def _without_truth(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["question_id"] for row in rows if row["truth"] is None]


def _name(called: str | None, protocol: Protocol) -> str:
    """Return the name of the model in the pool."""
    name = str(protocol) if called is None else called
    if not isinstance(name, str) or not name.strip() or printable(name) != name:
        raise MssimError(f"called={shown(called)} is not a name. Use one line of text, such as 'debate'.")
    return name


def check_same_protocol(journal: Journal, setup: ProtocolSetup, rows: list[dict[str, Any]], new_server: bool) -> None:
    """Raise if the journal has calls of anything else."""
    if not journal.count():
        return
    folder, now = journal.path.parent, setup.identity()
    known = journal.info().get("live", {})
    if protocol_of(journal) is None:
        raise RecordError(f"{folder} has samples that are not calls of a protocol. Use another folder.")
    changed = [name for name in now if name != "models" and known.get(name) != now[name]]
    for model, identity in now["models"].items():
        changed += [f"{model}: {text}" for text in differences(known["models"].get(model, {}), identity)]
    if changed:
        was = f" It has runs of {known['protocol']}." if "protocol" in changed else ""
        raise RecordError(
            f"{folder}: what affects the runs has changed: {'; '.join(changed)}.{was} Restore it, or use another "
            "folder."
        )
    before = {(cell.question, cell.model): cell.settings for cell in journal.cells()}
    for row in rows:
        settings = setup.settings(row)
        if any(before.get((row["question_id"], model), settings) != settings for model in setup.models):
            raise RecordError(
                f"question {row['question_id']!r} has changed since runs of it were recorded in {folder}. Restore it, "
                "give it another question_id, or use another folder."
            )
    servers = {name: one["server"] for name, one in journal.models().items()}
    for name, plan in setup.models.items():
        if servers.get(name, plan.server.base_url) != plan.server.base_url and not new_server:
            raise RecordError(
                f"model {name!r} was asked at {servers[name]}, but the plan names {plan.server.base_url}. If both "
                "serve the same model, pass new_server=True. Otherwise restore the server."
            )


def prepare_calls(
    kind: type[_C], setup: ProtocolSetup, plan: Plan, table: pa.Table, journal: Journal, recording: Recording
) -> _C:
    """Store the plan in the journal, and return what plays the runs."""
    asked = replace(plan, models=tuple(setup.models.values()))
    limits = [recording.get(name) for name in ("max_requests", "max_tokens", "max_cost")]
    budget = read_limits(asked, *limits)  # type: ignore[arg-type]
    rows = table.to_pylist()
    info = {
        "pool": dict(plan.info),
        "prices": budget.prices.describe() if budget.prices else None,
        "live": setup.identity(),
    }
    cells = [Cell(row["question_id"], model, setup.settings(row)) for row in rows for model in setup.models]
    cells += [
        Cell(*row) for row in journal.query("SELECT DISTINCT question, model, settings FROM failures")
    ]  # keep them
    journal.write_plan({name: known_of(one) for name, one in setup.models.items()}, rows, cells, info)
    currency = budget.prices.currency if budget.prices else ""
    runs = len(rows) * setup.runs
    progress = LiveProgress(runs * setup.protocol.calls().most, 0, 0, currency=currency, questions=runs)
    spend = with_spend(budget, journal, asked, lambda name: model_of(name, list(setup.models)))
    asked_ids = {row["question_id"] for row in rows}
    earlier = [row for row in journal.questions() if row["question_id"] not in asked_ids]
    return kind(
        setup,
        [*rows, *earlier],
        len(rows),
        journal,
        clients(setup.models.values(), recording),
        progress,
        **options_of(spend, recording),
    )


def _result(
    setup: ProtocolSetup,
    name: str,
    folder: Path,
    calling: Calling,
    rows: Sequence[Mapping[str, Any]],
    table: pd.DataFrame,
    journal: Journal,
) -> ProtocolRun:
    def model(call: str) -> str:
        return model_of(call, list(setup.models))

    found = [text for texts in findings(journal, model).values() for text in texts]
    return ProtocolRun(
        str(setup.protocol),
        name,
        folder,
        len(rows),
        setup.runs,
        table,
        spent_by(journal.spend(), model),
        pd.DataFrame(journal.reasons(), columns=["model", "reason", "samples"]),
        tuple(calling.notes()),
        tuple(dict.fromkeys([*calling.progress.warnings, *found, *untold_truths(row["truth"] for row in rows)])),
        calling.progress.currency,
    )
