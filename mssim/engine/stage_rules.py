"""Plans that ask models in turn, as their kernel reads them, and their outcomes."""

from __future__ import annotations

import numpy as np

from mssim.engine.blocks import Outcome
from mssim.kernels import stage_votes
from mssim.kernels.bundles import Rules
from mssim.kernels.tally import FIRST, TIE_RULES
from mssim.rules.plan import Floats, Ints, Plan

__all__ = ["rules_of", "skipped", "stage_outcome"]

_WITHIN = {"none": stage_votes.PLAIN, "share": stage_votes.SHARE}
_ENTROPY = {"distinct": stage_votes.ENTROPY_DISTINCT, "samples": stage_votes.ENTROPY_SAMPLES}


def skipped(plan: Plan) -> Ints:
    """Return the draws of each stage's model in earlier stages; plans that repeat a model have one budget."""
    skip = np.zeros(len(plan.models), np.int64)
    for i, model in enumerate(plan.models):
        skip[i] = sum(plan.sizes[j, 0] for j in range(i) if plan.models[j] == model)
    return skip


def rules_of(plan: Plan) -> Rules:
    """Return a plan in the representation of the kernels."""
    # In C order for any choice of budgets, because Numba compiles kernels again for another layout.
    sizes, need = np.ascontiguousarray(plan.sizes), np.ascontiguousarray(plan.need)
    if plan.vote is None:
        prior, kind, highest, ties = np.ones(len(plan.models)), stage_votes.COVERAGE, False, FIRST
    else:
        prior = plan.vote.weights(len(plan.models))
        kind = _WITHIN.get(plan.vote.within, _ENTROPY[plan.vote.normaliser])
        highest, ties = plan.vote.combine == "max", TIE_RULES[plan.vote.ties]
    return Rules(sizes, need, prior, kind, highest, ties, plan.adopt, skipped(plan))


def stage_outcome(plan: Plan, n_replays: int | Ints, right: Floats, stopped: Floats) -> Outcome:
    """Return the outcome of a plan.

    Parameters
    ----------
    plan : Plan
    n_replays : int, or ndarray of int64, shape (n_budgets, n_questions)
        Number of replays.
    right : ndarray, shape (n_budgets, n_questions)
        Replays with a correct answer.
    stopped : ndarray, shape (n_stages, n_budgets, n_questions)
        Replays that stop after each stage.
    """
    before = np.concatenate([np.zeros_like(stopped[:1]), np.cumsum(stopped, axis=0)[:-1]])
    agreed = (stopped * (plan.need >= 0)[:, :, None]).sum(axis=0)
    return Outcome.of(right, plan.sizes[:, :, None] * (n_replays - before), agreed)
