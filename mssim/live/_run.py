"""Function `run`: a strategy against servers, question by question."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from mssim.live.allocating import Allocating
from mssim.live.drawing import Drawing
from mssim.live.graded import differences, untold_truths
from mssim.live.preparing import Recording, export_graded, open_folder, prepare
from mssim.live.results import LiveRun
from mssim.live.setup import read_setup
from mssim.questions import check_questions, read_questions
from mssim.recorder.plan import Plan
from mssim.recorder.preparing import run_to_end
from mssim.recorder.progress import read_status
from mssim.rules.base import Strategy

__all__ = ["run"]


def run(
    questions: str | os.PathLike[str] | pa.Table,
    plan: Plan,
    strategy: str | Mapping[str, Any] | Strategy,
    budget: int,
    out: str | os.PathLike[str],
    *,
    rule: str,
    reasoning: str = "drop",
    seed: int = 0,
    use_recorded: bool = False,
    **recording: Unpack[Recording],
) -> LiveRun:
    """Run a strategy against servers, question by question, and record every sample that it draws.

    The strategy draws samples of a model in the order of their index, so the result depends on the answers of the
    servers and not on the order in which they arrive. Every sample is committed to the journal in `out` before the
    strategy sees it. Calling `run` again requests only the samples that are missing.

    Parameters
    ----------
    questions : path or Table
        Questions with the columns question_id and question, and optionally truth, choices and cluster. Questions
        without a truth are answered, and count for no accuracy.
    plan : Plan
        Models and settings, as in `mssim.recorder.record`. The number of samples is not used.
    strategy : str, mapping or Strategy
        Strategy, as in `parse_strategy`. Its models are in the plan.
    budget : int
        Samples allowed per question.
    out : path
        Pool folder. It is created if it does not exist.
    rule : str
        Rule of grading that decides which answers are equal, as in `mssim.grading.parse_rule`.
    reasoning : str, default "drop"
        Whether reasoning before an answer is dropped or kept, as in `mssim.grading.parse_rule`.
    seed : int, default 0
        Seed of random choices, such as ties or the model of a random router.
    use_recorded : bool, default False
        Whether samples that `mssim.recorder.record` or another strategy recorded in `out` are drawn first. By default,
        such a folder is refused.
    max_requests, max_tokens, max_cost, retry_failed, new_server, retry, sampler, report
        As in `mssim.recorder.record`.

    Returns
    -------
    LiveRun
        Answers, samples used, tokens, cost and latency, per question and in total. If a limit was reached, a server
        failed or the run was interrupted, questions are unfinished and `notes` has the reasons.

    Raises
    ------
    MssimError
        If the strategy needs more than its draws, if the rule is missing, if models or settings do not fit, or if `out`
        has samples of another strategy. Recorded samples are kept.

    Examples
    --------
    Draw from a model in this process instead of a server:

    >>> import tempfile
    >>> import pyarrow as pa
    >>> from mssim.live import run
    >>> from mssim.recorder import Choice, Reply, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2.", "stop"),) * request.n, 10, 4 * request.n)
    ...     async def close(self):
    ...         pass
    >>> questions = pa.table({"question_id": ["q"], "question": ["1 + 1 = ?"], "truth": ["2"]})
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(questions, plan, "sc:parrot", 4, folder, rule="number", sampler=lambda server: Parrot())
    >>> result.accuracy, result.samples_used, result.tokens
    (1.0, 4.0, 56.0)
    """
    is_table = isinstance(questions, pa.Table)
    table = check_questions(questions, truths=False) if is_table else read_questions(questions, truths=False)
    plan = plan.resolve(table)
    setup = read_setup(plan, strategy, budget, rule=rule, reasoning=reasoning, seed=seed)
    folder = Path(out)
    with open_folder(folder, setup, use_recorded=use_recorded) as journal:
        kind = Allocating if setup.is_allocation else Drawing
        drawing = prepare(kind, setup, plan, table.to_pylist(), journal, recording)
        run_to_end(drawing)
        answers = drawing.answers()
        notes = [*drawing.notes(), *untold_truths(answer.truth for answer in answers)]
        notes += export_graded(journal, folder, setup, drawing.progress, recording.get("report"))
        notes += differences(folder, answers, setup.limited)
        status = replace(read_status(journal), noticed=tuple(drawing.progress.warnings))
    return LiveRun(
        str(setup.strategy),
        setup.budget,
        setup.rule.name,
        setup.seed,
        folder,
        tuple(answers),
        status,
        tuple(notes),
        drawing.progress.currency,
    )
