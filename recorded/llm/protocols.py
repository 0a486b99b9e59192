"""Protocols of several agents, played by the models of a recording, and the pool of their runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import mssim
from mssim import Pool, PoolWarning
from mssim.importers import from_table
from mssim.live import run_protocol
from mssim.recorder import Plan
from recorded.llm.server import SLOTS
from recorded.llm.tasks import PROMPTS, SEED, Task, write_questions

__all__ = ["PLAYED", "plan_of_protocols", "play", "publish_runs"]

# About six calls a run each; those of MAD and AgentVerse depend on the judge.
PLAYED = {
    "debate": "debate:gemma,agents=3,rounds=2",
    "mad": "mad:gemma,judge=judge,rounds=2",
    "chateval": "chateval:gemma,roles=public/critic/scientist,turns=2",
    "agentverse": "agentverse:gemma,reviewers=1,rounds=2,reviews=1,recruiter=judge,evaluator=judge",
    "moa": "moa:smol+gemma,layers=2,proposers=5,aggregator=gemma",
    "best-of-n": "best-of-n:gemma,n=5,judge=judge",
}
# A judge is certain, and may write several lines: the recruiter of AgentVerse lists experts.
_JUDGE = {"temperature": 0.0, "stop": ["\n\n"], "max_tokens": 40}


def plan_of_protocols(plan: Plan) -> Plan:
    """Return the plan of a recording for single requests, as many at once as a server has slots, and with a judge."""
    models = [
        replace(model, server=replace(model.server, concurrency=SLOTS), samples_per_request=1, logprobs=False)
        for model in plan.models
    ]
    judges = [
        replace(model, name="judge", settings={**model.settings, **_JUDGE}) for model in models if model.name == "gemma"
    ]
    return replace(plan, models=(*models, *judges))


def play(
    task: Task,
    plan: Plan,
    work: Path,
    runs: int,
    number: int | None = None,
    protocols: Mapping[str, str] = PLAYED,
) -> None:
    """Play the runs of all protocols on a task that are missing.

    Parameters
    ----------
    task : Task
        The task, for which there are prompts.
    plan : Plan
        Plan of its recording.
    work : Path
        Folder of recordings. That of a protocol is TASK-protocols/NAME.
    runs : int
        Number of runs per question.
    number : int, optional
        Number of questions, by default all.
    protocols : mapping of str to str
        Protocols by their names.

    Raises
    ------
    SystemExit
        If runs are missing at the end.
    """
    asked = work / "questions" / f"{task.name}.jsonl"
    write_questions(task, asked, number)
    prompts = PROMPTS / f"{task.name}.toml"
    for name, protocol in protocols.items():
        done = run_protocol(
            asked,
            plan_of_protocols(plan),
            protocol,
            runs,
            work / f"{task.name}-protocols" / name,
            rule=task.rule,
            prompts=prompts,
            called=name,
            retry_failed=True,
            new_server=True,
        )
        for line in done.notes:
            print(line, flush=True)
        if not done.complete:
            raise SystemExit(f"{task.name}, {name}: {done.unfinished} runs are missing. Run the same command again.")
        totals = {key: round(value, 3) for key, value in done.totals().items() if isinstance(value, float)}
        print(f"{task.name}, {name}: {totals}", flush=True)


def publish_runs(work: Path, target: Path, task: Task, protocols: Mapping[str, str] = PLAYED) -> Pool:
    """Join the pools of all protocols on a task to one that ships.

    Parameters
    ----------
    work : Path
        Folder of recordings.
    target : Path
        Folder of the new pool. An existing pool is replaced.
    task : Task
        The task.
    protocols : mapping of str to str
        Protocols by their names.
    """
    folders = [work / f"{task.name}-protocols" / name for name in protocols]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pools = [mssim.load_pool(folder) for folder in folders]
        joined = from_table(folders)
    models = {name: pool.info["models"][name] for name, pool in zip(protocols, pools, strict=True)}
    for model in models.values():
        model["servers"] = ["recorded/llm/server.py"]
    info = {
        "title": f"protocols of small language models, {task.name}",
        "source": f"runs of protocols with mssim {mssim.__version__}, of models that recorded/llm served",
        "licence": "MIT",
        "made_by": "python -m recorded.llm",
        "questions": {"made_by": "recorded/llm/tasks.py", "seed": SEED},
        "models": models,
        "grader": pools[0].info["grader"],
        "tokens": pools[0].info["tokens"] + " Of each call, output_tokens include the end of the text.",
    }
    shipped = replace(joined, info=info)
    shipped = replace(shipped, info={**info, "known_warnings": shipped.warnings()})
    shipped.save(target, overwrite=target.exists())
    (target / "README.md").write_text(_card(shipped, pools, task, protocols), encoding="utf-8")
    return shipped


def _card(pool: Pool, pools: Sequence[Pool], task: Task, protocols: Mapping[str, str]) -> str:
    """Return the data card of a pool of runs."""
    result = mssim.evaluate(pool, [f"{name}@1" for name in protocols], budgets=[1]).to_frame()
    rows = ["| name | protocol | accuracy | 95 % interval | calls | tokens | runs |", "| --- " * 7 + "|"]
    for name, part, row in zip(protocols, pools, result.to_dict("records"), strict=True):
        frame = part.to_frame()
        known = [f"{row['accuracy']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}", f"{frame['calls'].mean():.1f}"]
        known += [f"{row['tokens']:.0f}", f"{len(frame):,}"]
        rows.append(f"| `{name}` | `{protocols[name]}` | {' | '.join(known)} |")
    table = "\n".join(rows)
    return f"""# Protocols of small language models: {task.name}

Runs of protocols of several agents on the questions of [llm-{task.name}](../llm-{task.name}), by the same models. A run
is a sample, with the calls and tokens of all its agents. The protocols are described in
[docs/explanation/protocols.md](../../docs/explanation/protocols.md).

{table}

Accuracy is that of one run, and tokens are those of all its calls, with the prompts. These commands compare runs with
samples:

```bash
mssim import recorded/llm-{task.name} recorded/llm-{task.name}-protocols --out together
mssim evaluate together --strategy sc:gemma --strategy ms:smol+gemma --strategy debate@1 --budgets 4,8
```

`python -m recorded.llm` made this folder. The models are those of llm-{task.name}, and `judge` is `gemma` at
temperature 0. They do not follow instructions, so the prompts are few-shot. They are in
`recorded/llm/prompts/{task.name}.toml`. Each call is a request for one sample and pays its whole prompt, while 8
samples of llm-{task.name} share one. Its output tokens include the end of the text, unlike those of llm-{task.name}.

*Limitation.* The models are small, and their prompts are ours: the results do not say how the protocols work with the
models of their articles. The judge hardly distinguishes answers. In a trial with eight capitals, it named the negative
side of MAD in 14 of 16 debates, although each side was right in half of them.

The licence of the answers is that of llm-{task.name}.
"""
