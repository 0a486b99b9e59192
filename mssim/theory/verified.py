"""Draws until a verifier accepts one: what is accepted, what is accepted wrongly, and what remains unsolved."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mssim.engine.evaluate import evaluate_quietly
from mssim.errors import StrategyError
from mssim.pools.pool import Pool
from mssim.rules.parsing import parse_for
from mssim.rules.strategies import UntilVerified

__all__ = ["verified"]


def verified(
    pool: Pool, strategy: str | UntilVerified, budgets: ArrayLike, *, replacement: bool = False
) -> pd.DataFrame:
    """Compute what draws until one is accepted solve, solve wrongly and leave unsolved, in closed form.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    strategy : str or UntilVerified
        The strategy, for example ``"until:M,column=score,threshold=0.5"``.
    budgets : int or sequence of int
        Samples allowed per question.
    replacement : bool, default False
        As in `evaluate`.

    Returns
    -------
    DataFrame, one row per budget
        Columns: strategy, budget; accuracy (share of the questions with a correct answer), accepted (with an accepted
        sample), false_accepts (with an accepted sample that is wrong), unsolved (without an accepted sample);
        samples_used, tokens (means per question; tokens are NaN if they were not recorded); n_questions. All are
        expectations over draws. accuracy + false_accepts + unsolved is 1.

    Raises
    ------
    StrategyError
        If the strategy is not an `UntilVerified`.
    BudgetError, PoolError
        As in `evaluate`.

    Notes
    -----
    A lower threshold accepts more samples: fewer questions remain unsolved, fewer samples are drawn, and more answers
    are wrong. More budget does not make accepted answers better. On each question the share of wrong answers among the
    accepted ones is the same at every budget, because the first accepted draw is equally likely to be any accepted
    sample. Only questions that are solved later change the share over all questions (compare arXiv 2411.17501).

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> from mssim.theory import verified
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": "m", "sample_index": range(4), "answer": ["7", "8", "9", None], "truth": "7",
    ...     "score": [0.9, 0.6, 0.2, 0.0],
    ... }))
    >>> frame = verified(pool, "until:m,column=score,threshold=0.5", [1, 2, 3])
    >>> frame[["budget", "accuracy", "false_accepts", "unsolved", "samples_used"]].round(3)
       budget  accuracy  false_accepts  unsolved  samples_used
    0       1     0.250          0.250     0.500         1.000
    1       2     0.417          0.417     0.167         1.500
    2       3     0.500          0.500     0.000         1.667
    """
    rule = parse_for(strategy, pool.models if isinstance(pool, Pool) else ())
    if not isinstance(rule, UntilVerified):
        raise StrategyError(f"strategy: {rule} does not draw until a sample is accepted. Use e.g. 'until:gpt-4'.")
    found = evaluate_quietly(pool, rule, budgets, method="exact", n_replays=1, seed=0, replacement=replacement)
    accuracy, accepted = found.accuracy[0].mean(axis=1), found.agreed[0].mean(axis=1)
    return pd.DataFrame(
        {
            "strategy": str(rule),
            "budget": found.budgets,
            "accuracy": accuracy,
            "accepted": accepted,
            "false_accepts": np.maximum(accepted - accuracy, 0.0),
            "unsolved": 1 - accepted,
            "samples_used": found.samples_used[0].mean(axis=1),
            "tokens": found.tokens[0].mean(axis=1),
            "n_questions": len(pool.questions),
        }
    )
