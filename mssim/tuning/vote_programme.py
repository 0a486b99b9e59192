"""Mixed-integer programme for the weights under which a vote of infinitely many draws is right most often."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["LEAST_LEAD", "Programme", "Solution", "programme_of", "solve"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Lead from which an answer counts as ahead. The solver accepts violations of 1e-6, which must not make ties right.
LEAST_LEAD = 1e-5
_INFEASIBLE = 2  # status of `milp`
_STRAY = b"HighsMipSolverData::"  # begins a line that HiGHS prints by mistake (jump-dev/HiGHS.jl, issue 312)
_OUTPUT = threading.Lock()  # held while the standard output is redirected


class Programme(NamedTuple):
    """Leads of right over wrong answers: the share of a right answer minus that of a wrong one, for each model.

    Questions with the same leads are a group. A group has a choice for each answer that can be right.
    """

    leads: Floats  # [row, model]
    choice: Ints  # [row], choice that a row belongs to
    group: Ints  # [choice], group that a choice belongs to
    worth: Ints  # [group], number of questions
    fixed: Floats  # [row, model], leads of the questions that are right under all weights
    n_fixed: int  # number of these questions


class Solution(NamedTuple):
    """Weights of the models, an upper bound of the number of right questions, and whether the search was complete."""

    weights: Floats
    bound: int
    complete: bool


def programme_of(shares: Floats, offsets: Ints, correct: Bools, questions: Bools) -> Programme:
    """Return the programme of some questions; those that no weights solve do not enter it.

    Parameters
    ----------
    shares : ndarray of float64, shape (n_models, n_classes)
        Shares of answers, see `answer_shares`.
    offsets, correct
        As `class_offsets` and `class_correct` of a pool.
    questions : ndarray of bool, shape (n_questions,)
        Questions that count.
    """
    groups: dict[tuple[bytes, ...], list[Floats]] = {}
    worth: dict[tuple[bytes, ...], int] = {}
    fixed, n_fixed = [np.empty((0, len(shares)))], 0
    for first, last in zip(offsets[:-1][questions], offsets[1:][questions], strict=True):
        choices = _choices(shares[:, first:last], correct[first:last])
        if len(choices) == 1 and choices[0].min() >= LEAST_LEAD:
            fixed.append(choices[0])
            n_fixed += 1
        elif choices:
            key = tuple(choice.tobytes() for choice in choices)
            groups[key] = choices
            worth[key] = worth.get(key, 0) + 1
    rows = [choice for choices in groups.values() for choice in choices]
    return Programme(
        leads=np.concatenate([np.empty((0, len(shares))), *rows]),
        choice=np.repeat(np.arange(len(rows)), [len(choice) for choice in rows]),
        group=np.repeat(np.arange(len(groups)), [len(choices) for choices in groups.values()]),
        worth=np.array(list(worth.values()), dtype=np.int64),
        fixed=_lowest(np.concatenate(fixed)),
        n_fixed=n_fixed,
    )


def _choices(shares: Floats, correct: Bools) -> list[Floats]:
    """Return the leads of every right answer that can be ahead, each [row, model]."""
    right, wrong = shares[:, correct], shares[:, ~correct]
    if not wrong.shape[1]:
        wrong = np.zeros((len(shares), 1))  # an answer without samples, so that a question without samples is not right
    found = [_lowest(np.round(answer - wrong.T, 12)) for answer in -_lowest(-right.T)]
    return [leads for leads in found if (leads.max(axis=1) >= LEAST_LEAD).all()]


def _lowest(rows: Floats) -> Floats:
    """Return the distinct rows that are not at least another row in every column."""
    rows = np.unique(rows, axis=0)
    higher = np.array((rows[:, None] >= rows).all(axis=2))
    np.fill_diagonal(higher, val=False)
    return np.asarray(rows[~higher.any(axis=1)])


def solve(programme: Programme, seconds: float) -> Solution:
    """Return weights with the most right questions and, among these, the largest margin, found within a time limit.

    The margin is the smallest lead of a right question. The first programme maximises the number of right questions. A
    linear programme then gives the largest margin for these questions. Further programmes ask for as many questions,
    possibly others, with a larger margin, until there are none. This is faster than to maximise the margin directly.
    """
    end = time.perf_counter() + seconds
    n_models, total = programme.fixed.shape[1], int(programme.worth.sum())
    found = _optimise(programme, (LEAST_LEAD, LEAST_LEAD), seconds)
    known = found.mip_dual_bound is not None and np.isfinite(found.mip_dual_bound)
    bound = min(total, int(np.floor(1e-4 - found.mip_dual_bound))) if known else total
    if found.x is None or not bound + programme.n_fixed:
        return Solution(np.full(n_models, 1 / n_models), bound + programme.n_fixed, complete=not bound)
    chosen = found.x[n_models + 1 :].round()
    most = int(_worth(programme) @ chosen)
    while found.x is not None:
        chosen = found.x[n_models + 1 :].round()
        best = _optimise(programme, (0.0, 1.0), np.inf, chosen=chosen).x
        wider = best[n_models] + LEAST_LEAD
        found = _optimise(programme, (wider, wider), max(end - time.perf_counter(), 0.1), least=most)
    weights = best[:n_models].clip(0)
    complete = most == bound and found.status == _INFEASIBLE
    return Solution(weights / weights.sum(), bound + programme.n_fixed, complete)


def _worth(programme: Programme) -> Floats:
    """Return the number of questions of each choice."""
    return np.asarray(programme.worth[programme.group], dtype=float)


def _optimise(
    programme: Programme, margin: tuple[float, float], seconds: float, *, least: int = 0, chosen: Floats | None = None
) -> Any:
    """Maximise the margin between two limits or, if they are equal, the number of right questions.

    With `least`, find any weights with at least this number of right questions. With `chosen`, the choices are given.
    The variables are the weights, the margin and the choices. A row demands that a lead is at least the margin if its
    choice is 1. If it is 0, the row demands nothing: the constant that is subtracted is just large enough, because the
    tolerance of the solver is multiplied by it.
    """
    n_models, worth, top = programme.fixed.shape[1], _worth(programme), margin[1]
    binding = programme.leads.min(axis=1, initial=np.inf) < top
    leads, choice = programme.leads[binding], programme.choice[binding]
    slack = top - leads.min(axis=1, initial=np.inf)
    switched = scipy.sparse.csr_array((-slack, (np.arange(choice.size), choice)), shape=(choice.size, worth.size))
    fixed = programme.fixed[programme.fixed.min(axis=1, initial=np.inf) < top]
    several = np.nonzero(np.bincount(programme.group) > 1)[0]
    blocks: list[list[Any]] = [
        [scipy.sparse.csr_array(leads), scipy.sparse.csr_array(-np.ones((choice.size, 1))), switched],
        [scipy.sparse.csr_array(fixed), scipy.sparse.csr_array(-np.ones((len(fixed), 1))), None],
        [scipy.sparse.csr_array(np.ones((1, n_models))), None, None],
        [None, None, scipy.sparse.csr_array((programme.group == several[:, None]).astype(float))],
        [None, None, scipy.sparse.csr_array(worth[None])],
    ]
    low = np.concatenate([-slack, np.zeros(len(fixed)), [1], np.zeros(several.size), [least]])
    high = np.concatenate([np.full(choice.size + len(fixed), np.inf), [1], np.ones(several.size), [np.inf]])
    lowest = np.concatenate([np.zeros(n_models), margin[:1], np.zeros(worth.size) if chosen is None else chosen])
    highest = np.concatenate([np.ones(n_models), margin[1:], np.ones(worth.size) if chosen is None else chosen])
    wanted = np.concatenate([np.zeros(n_models), [margin[0] < top], worth * (not least and chosen is None)])
    with _without_stray_lines():
        return scipy.optimize.milp(
            -wanted,
            integrality=np.repeat([0, 1], [n_models + 1, worth.size]),
            bounds=scipy.optimize.Bounds(lowest, highest),
            constraints=scipy.optimize.LinearConstraint(scipy.sparse.block_array(blocks, format="csr"), low, high),
            options={"time_limit": seconds, "mip_rel_gap": 0.0},
        )


@contextmanager
def _without_stray_lines() -> Iterator[None]:
    """Remove lines that HiGHS prints by mistake from the standard output; they would break output such as JSON."""
    libc, output = ctypes.CDLL(None), 1
    with _OUTPUT, tempfile.TemporaryFile() as file:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
        libc.fflush(None)
        try:
            kept = os.dup(output)
        except OSError:  # a process without standard output
            yield
            return
        os.dup2(file.fileno(), output)
        try:
            yield
        finally:
            libc.fflush(None)
            os.dup2(kept, output)
            os.close(kept)
            file.seek(0)
            with open(output, "wb", closefd=False) as rest:
                rest.writelines(line for line in file if not line.startswith(_STRAY))
