"""Group confidences of recorded samples, for strategies whose samples end early."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.errors import PoolError, StrategyError
from mssim.kernels.online import Bar, Traces, lows_of
from mssim.kernels.tally import TIE_RULES
from mssim.pools.pool import Pool
from mssim.pools.row_checks import GROUPS
from mssim.rules.agreement import NEVER
from mssim.rules.plan import Ints, Online, Plan

__all__ = ["Lows", "bar_at", "check_online", "check_traces"]

_TOKENS = "output_tokens"


class Lows(NamedTuple):
    """Groups of a model's samples that are lower than all groups before, which are all that a bar meets first."""

    begins: NDArray[np.int64]  # [sample + 1], samples in the order of questions
    confidences: NDArray[np.float64]  # [low]
    numbers: NDArray[np.int64]  # [low], of the group
    tokens: NDArray[np.float64]  # [question, sample], output tokens of the samples
    lengths: NDArray[np.int32]  # [question], recorded samples

    @classmethod
    def of(cls, pool: Pool, model: str) -> Lows:
        """Return those of a pool with group confidences and output tokens."""
        m = pool.model_index(model)
        return cls(*lows_of(*pool.lists(GROUPS, model)), pool.numbers[_TOKENS][m], pool.lengths[m])

    def traces(self, online: Online, questions: slice, amounts: NDArray[np.int32], fixed: NDArray[np.int32]) -> Traces:
        """Return the groups of some questions as the kernel reads them.

        Parameters
        ----------
        online : Online
            Tokens of the groups.
        questions : slice
            The questions.
        amounts : ndarray of int32, shape (n_quantities, n_questions, n_samples)
            Amounts of whole samples, in units.
        fixed : ndarray of int32, the same shape
            What samples spend however early they end. The rest is in proportion to their output tokens.

        Examples
        --------
        Groups of 4 tokens, each 2 tokens after the one before, in a sample of 10 tokens:

        >>> import pandas as pd
        >>> from mssim import Pool
        >>> frame = pd.DataFrame({
        ...     "question_id": "q", "model": "m", "sample_index": [0], "answer": "7", "truth": "7", "output_tokens": 10,
        ...     "group_confidence": [[17.5, 18.0, 16.0, 12.5]],
        ... })
        >>> lows, amounts = Lows.of(Pool.from_frame(frame), "m"), np.array([[[10]], [[160]]])
        >>> traces = lows.traces(Online(0.1, 16, 0.95, 4, 2), slice(0, 1), amounts, np.array([[[0]], [[60]]]))
        >>> traces.lows.tolist(), traces.spent.tolist()
        ([17.5, 16.0, 12.5], [[4, 8, 10], [100, 140, 160]])
        """
        before = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        begins = self.begins[before[questions.start] : before[questions.stop] + 1]
        part, begins = slice(begins[0], begins[-1]), begins - begins[0]
        recorded = np.arange(self.tokens.shape[1]) < self.lengths[questions, None]
        first, last = np.zeros((2, *recorded.shape), np.int64)
        first[recorded], last[recorded] = begins[:-1], begins[1:] - 1
        lows, lowest = self.confidences[part].copy(), np.zeros(recorded.shape)
        lowest[recorded] = lows[last[recorded]]
        ends = online.window + online.stride * self.numbers[part].astype(np.float64)
        tokens = np.repeat(self.tokens[questions][recorded], np.diff(begins))
        shares = np.where(ends < tokens, ends / np.maximum(tokens, 1), 1.0)
        whole, least = (np.repeat(given[:, recorded], np.diff(begins), axis=1) for given in (amounts, fixed))
        spent = np.rint(least + (whole - least) * shares).astype(np.int32)
        return Traces(lowest, first, last, lows, spent)


def bar_at(online: Online, depth: int) -> Bar:
    """Return where the bar lies among up to `depth` draws.

    The product of share and places is the one of numpy.percentile, so that the bar has the same bits.
    """
    percent = round(100 - 100 * online.keep, 9)  # 100 - 100 x 0.07 is not 93
    places = np.arange(-1, min(online.warmup, depth)).clip(0) * (percent / 100)
    below = np.floor(places).astype(np.int64)
    consensus = 2.0 if online.consensus is None else online.consensus
    return Bar(below, places - below, online.warmup, consensus, TIE_RULES[online.ties])


def check_online(name: str, plan: Plan) -> None:
    """Raise if a plan whose samples end early, which a user's strategy class may have made, does anything else."""
    online = plan.online
    if online is None:
        return
    other = plan.vote is not None or plan.stop is not None or plan.cap or plan.least is not None or plan.max_tokens
    if other or plan.accepts is not None or len(plan.models) != 1 or (plan.need != NEVER).any():
        raise StrategyError(
            f"{name}: its plan has online, which supports only one model that neither votes nor stops otherwise. "
            "Return such a plan, or remove online."
        )
    whole = isinstance(online, Online) and min(online.warmup, online.window, online.stride) >= 1
    if not whole or not 0 < online.keep <= 1 or online.ties not in TIE_RULES or (np.diff(plan.sizes[0]) < 0).any():
        raise StrategyError(
            f"{name}: online of its plan is {online}. Return an Online with warmup, window and stride from 1, keep "
            "above 0 and up to 1, and sizes that do not decrease with the budget."
        )


def check_traces(pool: Pool, name: str, plan: Plan) -> None:
    """Raise if samples do not have the group confidences and the output tokens that a plan reads."""
    if plan.online is None:
        return
    (model,) = plan.models
    try:
        _, offsets = pool.lists(GROUPS, model)
    except PoolError as error:
        raise PoolError(
            f"{name} requires column {GROUPS!r} (a list of numbers for each sample, the confidence of every group of "
            f"tokens): {error} Record it as a column of lists of samples.parquet."
        ) from None
    m = pool.model_index(model)
    recorded = pool.recorded_of(m)
    tokens = pool.numbers[_TOKENS][m] if _TOKENS in pool.numbers else np.full(recorded.shape, np.nan)
    lacking = np.argwhere(recorded & ~np.isfinite(tokens))
    if len(lacking):
        raise PoolError(
            f"{name} requires {_TOKENS} of every sample, but {len(lacking)} of {recorded.sum()} samples of model "
            f"{model!r} have none, first {_sample(pool, lacking[0])}. Record them, because a sample that ends early "
            "spends a part of them."
        )
    _check_ends(pool, name, plan.online, model, np.diff(offsets), tokens)


def _check_ends(pool: Pool, name: str, online: Online, model: str, n_groups: Ints, tokens: NDArray[np.float64]) -> None:
    """Raise if a sample has several groups, of which the last ends after its last token."""
    recorded = pool.recorded_of(pool.model_index(model))
    ends = online.window + online.stride * (n_groups - 1)
    beyond = np.flatnonzero((n_groups > 1) & (ends > tokens[recorded]))
    if beyond.size:
        row = beyond[0]
        raise PoolError(
            f"{name}: the {n_groups[row]} groups of {_sample(pool, np.argwhere(recorded)[row])} of model {model!r} end "
            f"with token {ends[row]} for window={online.window} and stride={online.stride}, but it has "
            f"{tokens[recorded][row]:g} {_TOKENS}. Use the window and the stride with which the groups were recorded."
        )


def _sample(pool: Pool, place: NDArray[np.int64]) -> str:
    return f"sample {place[1]} of question {pool.question_ids[place[0]]!r}"
