r"""tau-bench and tau2-bench: rewards of simulated conversations between an agent and a user.

tau-bench (github.com/sierra-research/tau-bench) writes a JSON list of runs with task_id, trial, reward, info and traj,
see tau_bench/run.py and tau_bench/types.py. Its files are named
STRATEGY-MODEL-TEMPERATURE_range_START-END_user-MODEL-STRATEGY_TIME.json, and MODEL-DOMAIN.json in
historical_trajectories. A run that ended with an exception has reward 0 and the member `error` in info.

tau2-bench (github.com/sierra-research/tau2-bench) writes a JSON object with info, tasks and simulations, or a folder
with results.json and one file per simulation in simulations/, see src/tau2/data_model/simulation.py. A simulation has
task_id, trial, reward_info, agent_cost, user_cost, duration, termination_reason and messages.

A run succeeds if its reward is 1 within 1e-6: is_successful in tau_bench/run.py and src/tau2/metrics/agent_metrics.py,
which also omits simulations that ended with an infrastructure_error.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mssim._validation import counted
from mssim.importers.fields import Fields, as_text
from mssim.importers.glance import beginning
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_tau_bench"]

TOOL = "tau-bench and tau2-bench"
VOTES = "none: rewards only"
EXAMPLE = "mssim import tau-bench results/ --out my-pool"
PATTERNS = ("*.json",)

_NAME = re.compile(r"(tool-calling|act|react|few-shot)-(.+)-(\d+(?:\.\d+)?)_range_\d+--?\d+_user-(.+)-[a-z]+_\d+")
_DOMAIN = re.compile(r"(?P<model>.+)[-_](?P<domain>airline|retail)")
_NEAR = 1e-6  # distance from 1 at which a reward is a success
_ENDED = ("user_stop", "agent_stop")  # usual ends of a conversation, which is judged afterwards
_ERROR = "with an error before they were judged, for which tau-bench has reward 0"


def from_tau_bench(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import results of tau-bench or tau2-bench, which have verdicts but no answers to vote on.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them. Each file has the trials of one agent in one domain.
    model : str, optional
        Name of the model, for all files. By default it is the model of the agent: in the name of a file of tau-bench,
        in the file itself for tau2-bench. If runs of one model differ in strategy, temperature or model of the user,
        what differs is added to the name, as in "gpt-4o act".
    **common
        The options where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool. The column cost has the cost of the agent. The total cost of the simulated user is in
        ``info["user_cost"]``.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or if a trial of a task appears twice in a file.

    Notes
    -----
    A sample is correct if its reward is 1, as in pass^k of tau-bench; `mssim.pass_at_k` and costs are meaningful,
    votes are not. A run that ended with an exception or an infrastructure error, or without a reward, is a failed
    sample. Tasks are identified by domain and task_id.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_tau_bench
    >>> runs = [{"task_id": 0, "trial": i, "reward": float(i), "info": {}, "traj": []} for i in range(2)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "gpt-4o-airline.json"
    ...     _ = path.write_text(json.dumps(runs))
    ...     from_tau_bench(path)
    Pool(1 question, 1 model, 2 samples each: gpt-4o)
    """
    return to_pool("tau-bench", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has runs of tau-bench, or a simulation or the results of tau2-bench."""
    first, outer = source.first, source.outer  # a simulation has one list of objects: its messages
    head = beginning(source)
    info = head.get("info") if isinstance(head, dict) else None
    if isinstance(info, dict) and {"agent_info", "user_info"} <= info.keys():
        return True
    ran = "task_id" in first and "trial" in first
    simulated = {"task_id", "trial", "termination_reason"} <= set(outer)
    return simulated or (ran and (("reward" in first and "info" in first) or "reward_info" in first))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all runs of each file."""
    reader = _Reader(sink)
    sink.tell_apart = "Put the files of each domain into a folder airline or retail"
    runs = list(_runs(sources))
    for run, name in zip(runs, _names(runs) if model is None else [model] * len(runs), strict=True):
        reader.add(run, name)
    reader.end()


# Files ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """A file of results, and the files of its simulations if it has none itself."""

    source: Source
    simulations: tuple[Source, ...]
    model: str
    domain: str | None
    differing: tuple[str, ...]  # what tells runs of one model apart
    temperature: float | None

    def records(self) -> Iterator[Fields]:
        """Iterate over the runs of the file."""
        if self.source.starts_with(b"["):
            yield from self.source.items()
            return
        for simulation in self.simulations:
            yield Fields.of(simulation.document(), str(simulation))
        found = bool(self.simulations)
        for member in ("simulations", "simulation_index"):
            for record in () if found else self.source.items(member):
                found = True
                yield record
        if not found:
            self.source.refuse("has no simulations. Pass the folder that contains the results and the simulations.")


def _runs(sources: Sequence[Source]) -> Iterator[_Run]:
    """Describe each file of results."""
    paths, inside = {source.path for source in sources}, defaultdict[Path, list[Source]](list)
    for source in sources:
        results = source.path.parent.parent / "results.json"
        of_other = source.path.parent.name == "simulations" and results in paths
        inside[results if of_other else source.path].append(source)
    for source in sources:
        if source not in (found := inside[source.path]):
            continue
        found.remove(source)
        yield _of_name(source) if source.starts_with(b"[") else _of_info(source, tuple(found))


def _of_name(source: Source) -> _Run:
    """Describe a file of tau-bench by its name."""
    stem = as_text(source.path.stem, str(source))
    domain = next((part for part in reversed(source.path.parts[:-1]) if part in ("airline", "retail")), None)
    if found := _NAME.fullmatch(stem):
        strategy, model, temperature, user = found.groups()
        differing = (strategy, f"temperature-{temperature}", f"user-{user}")
        return _Run(source, (), model, domain, differing, float(temperature))
    if found := _DOMAIN.fullmatch(stem):
        return _Run(source, (), found["model"], found["domain"], ("", "", ""), None)
    return _Run(source, (), stem, domain, ("", "", ""), None)


def _of_info(source: Source, simulations: tuple[Source, ...]) -> _Run:
    """Describe a file of tau2-bench by its member info."""
    info = source.part("info")
    if "agent_info" not in info:
        source.refuse(
            "has no 'agent_info' in 'info'. Pass a file of tau-bench, or the folder of results.json of tau2-bench."
        )
    agent, user = info.part("agent_info"), info.part("user_info")
    model = agent.text("llm") or agent.name("implementation")
    temperature = agent.part("llm_args").number("temperature")
    differing = (agent.text("implementation") or "", f"temperature-{temperature}", f"user-{user.text('llm')}")
    return _Run(source, simulations, model, info.part("environment_info").text("domain_name"), differing, temperature)


def _names(runs: Sequence[_Run]) -> Iterator[str]:
    """Return the name of the model of each run, with what differs between runs of the same model."""
    of_model = defaultdict[str, list[tuple[str, ...]]](list)
    for run in runs:
        of_model[run.model].append(run.differing)
    for run in runs:
        values = zip(*of_model[run.model], strict=True)
        told = [part for part, known in zip(run.differing, values, strict=True) if part and len(set(known)) > 1]
        yield " ".join([run.model, *told])


# Runs -----------------------------------------------------------------------------------------------------------------


class _Reader:
    """Adds runs to a sink and counts what is reported at the end."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._user_cost = defaultdict[str, float](float)  # by model
        self._judged = self._partial = 0
        self._rewards = 0.0

    def add(self, run: _Run, model: str) -> None:
        """Add all runs of a file."""
        seen = set[tuple[str, int]]()
        for record in run.records():
            task_id, trial = record.name("task_id"), record.count("trial")
            if trial is not None and (task_id, trial) in seen:
                record.refuse(f"trial {trial} of task {task_id!r} appears twice in this file. Remove one of them.")
            seen.add((task_id, trial or 0))
            self._add(record, f"{run.domain}/{task_id}" if run.domain else task_id, model, run)

    def _add(self, record: Fields, question_id: str, model: str, run: _Run) -> None:
        info = record.part("info")
        cost, user_cost = (_number(name, record, info) for name in ("agent_cost", "user_cost"))
        self._user_cost[model] += user_cost or 0
        reward, reason = _number("reward", record, record.part("reward_info")), record.text("termination_reason")
        if reason == "infrastructure_error" or reward is None:
            self._sink.fail("without a reward" if reason in (None, *_ENDED) else reason)
            return
        if reason is None and "error" in info and not record.value.get("traj"):
            self._sink.fail(_ERROR)
            return
        self._judged += 1
        self._rewards += reward
        self._partial += min(abs(reward), abs(reward - 1)) > _NEAR
        sample = {"text": _said(record), "correct": abs(reward - 1) <= _NEAR, "cost": cost, "finish_reason": reason}
        sample["latency"] = record.number("duration")
        question = {"question": info.part("task").text("instruction"), "domain": run.domain}
        self._sink.add(question_id, model, [sample], question=question, settings={"temperature": run.temperature})

    def end(self) -> None:
        """Report what concerns all files."""
        self._sink.apart("domain")
        paid = {model: cost for model, cost in self._user_cost.items() if cost}
        if paid:
            self._sink.info["user_cost"] = paid
            self._sink.remarks.append(
                f"the simulated users cost {sum(paid.values()):.4g} in total. The column cost has only the cost of the "
                "agent; pool.json has the cost of the users by model."
            )
        if self._partial:
            self._sink.note(
                f"{counted(self._partial, 'reward is', 'rewards are')} neither 0 nor 1. As in pass^k of tau-bench, "
                f"only the reward 1 is a success. The mean reward is {self._rewards / self._judged:.4g}."
            )


def _number(name: str, record: Fields, inside: Fields) -> float | None:
    """Return a number of a record or of one of its parts."""
    return record.number(name) if name in record else inside.number(name)


def _said(record: Fields) -> str | None:
    """Return all texts of the agent."""
    said = []
    for message in record.parts("traj" if "traj" in record else "messages"):
        content = message.value.get("content")
        if message.value.get("role") == "assistant" and isinstance(content, str) and content.strip():
            said.append(as_text(content, message.place))
    return "\n\n".join(said) or None
