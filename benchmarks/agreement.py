"""Agreement of closed forms and replays.

This section compares closed forms with replays on the pools in recorded/, for every rule in the table of `Strategy` and
for unequal prior weights, under all tie rules. If both methods are correct, every z is approximately standard normal.
The table shows the largest |z| over the budgets.

- "z, mean" is the difference of mean accuracy over questions, in standard errors of the replays.
- "z, spread" detects small errors on many questions. It is the sum over questions of squared differences divided by
  their variance, centred, in standard deviations. It is infinite if the replays of any question have a probability
  below 1e-10.
- "z, samples" is the difference of mean samples used, in standard errors of 64 runs. It is empty if they do not vary.
- "budgets" is the number of budgets at which accuracy has a closed form. At the others, only samples used have one.

Replays of routers are means or maxima of replays of single models. Their "z, mean" is therefore too small or slightly
biased, and they have no "z, spread". Rules without any closed form, and rules that need a column that these pools do
not have, are excluded. So are rules by a question column.
"""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import binom

from mssim import Pool, StrategyError, catalogue, evaluate, load_pool
from mssim.engine.exact import MOST_CELLS, nothing_known, obstacles
from mssim.rules.parsing import parse_strategy

FURTHEST, FEW, IMPOSSIBLE = 5.0, 5.0, 1e-10
POOLS = {"llm-products": ["gemma", "smol"], "llm-capitals": ["smol-cool", "gemma"]}
ROUTERS = ("random:", "oracle:", "route:")
BUDGETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
PRIORS = ("2/1", "1/2", "5/1", "0.5/3", "1e6/1")


def examples() -> list[str]:
    """Return rules of the catalogue that need only answers, with the models M1 and M2."""
    rows = [row.rule for row in catalogue() if row.column == "-"]
    rows = [row for row in rows if "by=topic" not in row and "difficulty=" not in row]
    return [re.sub(r"\bM\b", "M1", re.sub(r"\bM\+M\b", "M1+M2", row)) for row in rows]


def rules() -> list[list[str]]:
    """Return groups of rules that differ only in ties."""
    given = [f"{kind}:M1+M2,vote=plurality,prior={prior}" for kind, prior in product(("mix", "ms"), PRIORS)]
    return [_with_ties(rule) for rule in dict.fromkeys([*examples(), *given])]


def _with_ties(rule: str) -> list[str]:
    every = [f"{rule},ties={ties}" for ties in ("first", "random", "wrong")]
    try:
        parse_strategy(every[0])
    except StrategyError:  # no vote
        return [rule]
    return every


def furthest(off: np.ndarray, error: np.ndarray) -> float:
    """Return the largest |off| / error; infinite if there is a difference without error."""
    varies = error > 1e-12
    if np.abs(off[~varies]).max(initial=0) > 1e-12:
        return np.inf
    return float(np.abs(off[varies] / error[varies]).max()) if varies.any() else np.nan


def accuracies(pool: Pool, rule: str, budgets: list[int], n_replays: int) -> dict[str, float]:
    """Compare the accuracies of closed forms and replays."""
    exact = evaluate(pool, rule, budgets, method="exact")
    replayed = evaluate(pool, rule, budgets, method="monte_carlo", n_replays=n_replays)
    p, off = exact.accuracy[0], replayed.accuracy[0] - exact.accuracy[0]
    found = {"z, mean": furthest(off.mean(axis=1), exact.to_frame()["replay_sd"].to_numpy() / np.sqrt(n_replays))}
    if not rule.startswith(ROUTERS):  # replays of routers are not 0 or 1
        right = np.rint(replayed.accuracy[0] * n_replays)
        tail = np.minimum(binom.cdf(right, n_replays, p), binom.sf(right - 1, n_replays, p))
        varies = n_replays * p * (1 - p) > FEW  # rarer events are not approximately normal
        variance = np.where(varies, p * (1 - p), 1.0)
        squares = np.where(varies, off**2 * n_replays / variance - 1, 0.0)
        of_squares = np.where(
            varies, 2 + (1 - 6 * variance) / (n_replays * variance), 0.0
        )  # fourth moment of the binomial distribution
        found["z, spread"] = furthest(squares.sum(axis=1), np.sqrt(of_squares.sum(axis=1)))
        if tail.min() < IMPOSSIBLE:  # of a single question, including questions without variance
            found["z, spread"] = np.inf
    return found


def samples_used(pool: Pool, rule: str, n_seeds: int, n_replays: int) -> dict[str, float]:
    """Compare the samples used of closed forms and replays."""
    expected = evaluate(pool, rule, BUDGETS, n_replays=2).samples_used[0].mean(axis=1)
    runs = [
        evaluate(pool, rule, BUDGETS, method="monte_carlo", n_replays=n_replays, seed=seed).samples_used[0]
        for seed in range(n_seeds)
    ]
    means = np.array([run.mean(axis=1) for run in runs])
    return {"z, samples": furthest(means.mean(axis=0) - expected, means.std(axis=0, ddof=1) / np.sqrt(n_seeds))}


def compared(name: str, pool: Pool, alike: list[str], n_seeds: int, n_replays: int) -> list[dict[str, object]]:
    """Return rows of rules that differ only in ties, which do not affect samples used."""
    rows: list[dict[str, object]] = []
    for rule in alike:
        text = rule.replace("M1", POOLS[name][0]).replace("M2", POOLS[name][1])
        plans = parse_strategy(text).plans(np.array(BUDGETS))
        if any(nothing_known(plan) for plan in plans):
            continue
        known = np.all(
            [[reason is None for reason in obstacles(plan, most_cells=MOST_CELLS)] for plan in plans], axis=0
        )
        budgets = np.array(BUDGETS)[known].tolist()
        row: dict[str, object] = {"rule": rule, "pool": name, "budgets": len(budgets)}
        if not rows:
            row |= samples_used(pool, text, n_seeds, n_replays // n_seeds)
        if budgets:
            row |= accuracies(pool, text, budgets, n_replays)
        rows.append(row)
    return rows


def measure(smoke: bool) -> pd.DataFrame:
    n_seeds, n_replays = (4, 200) if smoke else (64, 12_800)
    rows: list[dict[str, object]] = []
    for name in POOLS:
        pool = load_pool(f"recorded/{name}")
        if smoke:
            pool = pool.select(questions=pool.question_ids[:20])
        for alike in rules():
            rows += compared(name, pool, alike[:1] if smoke else alike, n_seeds, n_replays)
    columns = ["z, mean", "z, spread", "z, samples"]
    frame = pd.DataFrame(rows, columns=["rule", "pool", "budgets", *columns])
    if not smoke and frame[columns].max(axis=None) > FURTHEST:
        raise SystemExit(
            f"closed forms and replays differ by more than {FURTHEST:g} standard errors:\n"
            + frame[frame[columns].max(axis=1) > FURTHEST].to_string()
        )
    return frame.sort_values(["rule", "pool"], kind="stable", ignore_index=True)
