"""Claims: are the headline differences of the article significant, given their numbers of questions?

Published numbers are single runs with one outcome per question, correct or wrong. An accuracy and its number of
questions determine its interval and, for two accuracies, the test for unpaired questions. Both strategies answered the
same questions, so a paired test is appropriate. It depends on the number of questions on which they differ, which was
not published. At least |difference| n questions differ, and the p-value is smallest if no others do.

The paired test is McNemar's exact test. The choice matters for the two differences of five questions: their smallest
p-value is 0.0625, and 0.03125 with the mid-p correction.

Questions of a cluster, such as translations of one problem, are not independent. Two rows show both extremes: each
question counts, or all of a cluster are one question. The second has no paired test, because its smallest p-value does
not follow from the number of clusters: 19 questions that differ can be in 19 clusters or in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis import published
from analysis.best_k import best_number_of_samples
from mssim import Pool
from mssim.errors import PoolError
from mssim.results.multiplicity import holm

__all__ = ["mcnemar_p_value", "most_discordant", "newcombe", "run", "unpaired_p_value", "wilson"]

IN_FILE = (
    "says",
    "unit",
    "low_a",
    "high_a",
    "low_b",
    "high_b",
    "difference_low",
    "difference_high",
    "least_discordant",
    "most_discordant",
    "times_fewer",
    "times_fewer_first",
    "saved",
    "pool",
    "added_by_draws",
)  # columns that are only in the CSV file
ALPHA = 0.05
BUDGET = 16
ADDED = ["added_by_draws", "added"]
_OF_TWO = ("a", "accuracy_a", "low_a", "high_a", "b", "accuracy_b", "low_b", "high_b")
COLUMNS = [
    *("claim", "says", "dataset", "unit", "n", *_OF_TWO),
    *("difference", "difference_low", "difference_high", "p_value", "p_value_holm"),
    *("least_discordant", "paired_p_value", "most_discordant"),
    *("times_fewer", "times_fewer_first", "saved"),
    *("pool", *ADDED, "verdict"),
]
_Z = float(stats.norm.ppf(1 - ALPHA / 2))
_SETS, _CLUSTERS = "data sets", "clusters"
_OTHERS = ("MAD", "MOA", "ChatEval")


# Two accuracies over n questions --------------------------------------------------------------------------------------


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of n independent questions.

    Examples
    --------
    >>> low, high = wilson(0.81, 500)
    >>> round(low, 3), round(high, 3)
    (0.773, 0.842)
    """
    shrink = 1 + _Z**2 / n
    centre = (share + _Z**2 / (2 * n)) / shrink
    half = _Z / shrink * np.sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2)
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def newcombe(share_a: float, share_b: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two shares of n questions each, for unpaired questions.

    Method 10 of Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I).

    Examples
    --------
    >>> low, high = newcombe(0.81, 0.798, 500)
    >>> round(low, 3), round(high, 3)
    (-0.037, 0.061)
    """
    (low_a, high_a), (low_b, high_b) = wilson(share_a, n), wilson(share_b, n)
    difference = share_a - share_b
    below = np.hypot(share_a - low_a, high_b - share_b)
    above = np.hypot(high_a - share_a, share_b - low_b)
    return float(difference - below), float(difference + above)


def unpaired_p_value(share_a: float, share_b: float, n: float) -> float:
    """Return the two-sided p-value of the score test of two shares of n questions each (uncorrected chi-squared).

    Examples
    --------
    >>> round(unpaired_p_value(0.81, 0.798, 500), 2)
    0.63
    """
    both = (share_a + share_b) / 2
    if share_a == share_b:
        return 1.0
    return float(2 * stats.norm.sf(abs(share_a - share_b) / np.sqrt(2 * both * (1 - both) / n)))


def mcnemar_p_value(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value for `only_a` questions that only a has right and `only_b` that only b has.

    Given their sum, `only_a` is binomial with probability 1/2. No mid-p correction is made, so that the test keeps its
    level.

    Examples
    --------
    >>> mcnemar_p_value(6, 0), round(mcnemar_p_value(7, 1), 3)
    (0.03125, 0.07)
    """
    discordant = only_a + only_b
    return float(stats.binomtest(only_a, discordant).pvalue) if discordant else 1.0


def most_discordant(share_a: float, share_b: float, n: float) -> int:
    """Return the largest number of discordant questions at which a difference is significant.

    Returns
    -------
    int
        Largest number of discordant questions that is possible for these shares of n questions and for which the exact
        McNemar test has p < 0.05; 0 if there is none.

    Examples
    --------
    >>> most_discordant(0.81, 0.798, 500), most_discordant(0.81, 0.79, 500)
    (6, 20)
    """
    least = round(abs(share_a - share_b) * n)
    room = min(round(min(share_a, share_b) * n), round((1 - max(share_a, share_b)) * n))
    fewer = np.arange(room + 1)  # questions that only the worse strategy has right
    told = 2 * stats.binom.cdf(fewer, least + 2 * fewer, 0.5) < ALPHA
    return int((least + 2 * fewer[told]).max(initial=0)) if least else 0


def _compared(a: pd.Series, b: pd.Series, n: int, unit: str) -> dict[str, Any]:
    """Return all columns that follow from two published points and their number of questions."""
    share_a, share_b = float(a["accuracy"]), float(b["accuracy"])
    (low_a, high_a), (low_b, high_b) = wilson(share_a, n), wilson(share_b, n)
    low, high = newcombe(share_a, share_b, n)
    row = dict(zip(_OF_TWO, (_label(a), share_a, low_a, high_a, _label(b), share_b, low_b, high_b), strict=True)) | {
        "difference": share_a - share_b,
        "difference_low": low,
        "difference_high": high,
        "p_value": unpaired_p_value(share_a, share_b, n),
    }
    if unit == _CLUSTERS:
        return {"dataset": a["dataset"], "n": n, "unit": unit, **row, **_samples(a, b), "verdict": _if_alike(row)}
    least = round(abs(share_a - share_b) * n)
    row["least_discordant"], row["paired_p_value"] = least, mcnemar_p_value(least, 0)
    row["most_discordant"] = most_discordant(share_a, share_b, n)
    return {"dataset": a["dataset"], "n": n, "unit": unit, **row, **_samples(a, b), "verdict": _verdict(row, n)}


def _samples(a: pd.Series, b: pd.Series) -> dict[str, float]:
    """Return the saving of a, if it uses fewer samples than b; `first` is where b first had its accuracy."""
    used_a, used_b = a["samples_used"], b["samples_used"]
    if not used_a < used_b:
        return {}
    found = {"times_fewer": used_b / used_a, "saved": published.saved(used_a, used_b)}
    if b["strategy"] == "SC":
        curve = published.curves(b["figure"], b["dataset"])[b["models"]]
        first = min(budget for budget, accuracy in curve.items() if accuracy >= b["accuracy"])
        found["times_fewer_first"] = first / used_a
    return found


def _label(point: pd.Series) -> str:
    """Return a description of a point: strategy, models, and budget or samples used."""
    models = point["models"]
    if point["n_models"] > 2:
        models = f"{point['n_models']:g} models, {models.split('+')[0]} first"
    spent = f"budget {point['budget']:g}" if pd.notna(point["budget"]) else f"samples used {point['samples_used']:g}"
    return f"{point['strategy']} {models}".strip() + f", {spent}"


def _if_alike(row: dict[str, Any]) -> str:
    """Return the verdict if all questions of a cluster had the same outcome."""
    if row["difference"] == 0:
        return "no difference"
    told = "significant, even unpaired," if row["p_value"] < ALPHA else "unpaired, not significant"
    return f"{_sign(row)}{told} if all of a cluster were one question"


def _sign(row: dict[str, Any]) -> str:
    return "" if row["difference"] > 0 else "lower; "


def _verdict(row: dict[str, Any], n: int) -> str:
    sign = _sign(row)
    if row["least_discordant"] == 0:
        return "no difference"
    if row["paired_p_value"] >= ALPHA:
        return f"{sign}not significant: p >= {row['paired_p_value']:.2g}"
    if row["p_value"] < ALPHA:
        return f"{sign}significant, even unpaired"
    most = row["most_discordant"]
    return f"{sign}significant only if the two differ on at most {most} of {n} questions"


# The claims -----------------------------------------------------------------------------------------------------------


def _at_equal_budget() -> Iterator[dict[str, Any]]:
    """Compare ModelSwitch at budget 16 with the best single model at the same and lower budgets, and large models."""
    for pair, figure in (("closed", "fig4"), ("open", "fig4-open")):
        frame = published.points(figure=figure)
        for _, a in frame[(frame["strategy"] == "ModelSwitch") & (frame["budget"] == BUDGET)].iterrows():
            here = frame[frame["dataset"] == a["dataset"]]
            alone = here[here["strategy"] == "SC"].sort_values("accuracy", ascending=False, kind="stable")
            equal, best = alone[alone["budget"] == BUDGET].iloc[0], alone.iloc[0]
            yield {"claim": f"better than SC, {pair} pair", "a": a, "b": equal}
            if best["accuracy"] > equal["accuracy"]:
                yield {"claim": f"better than SC of fewer samples, {pair} pair", "a": a, "b": best}
            for _, b in here[here["strategy"] == "single"].iterrows():
                yield {"claim": f"better than a large model, {pair} pair", "a": a, "b": b}


def _against_other_methods() -> Iterator[dict[str, Any]]:
    """Compare ModelSwitch of three models with debates and mixtures of agents."""
    for figure in ("fig5", "fig5-later", "fig5-open"):
        frame = published.points(figure=figure)
        others = frame[frame["strategy"].isin(_OTHERS)]
        for _, a in frame[frame["strategy"] == "ModelSwitch"].iterrows():
            for _, b in others[others["dataset"] == a["dataset"]].iterrows():
                yield {"claim": f"better than other methods, {figure}", "a": a, "b": b}


def _with_more_models() -> Iterator[dict[str, Any]]:
    """Compare one, two, all and the best number of models of an order at one budget."""
    frame = published.points(figure="fig6", strategy="ModelSwitch")
    for _, order in frame.groupby(["dataset", frame["models"].str.split("+").str[0]], sort=False):
        one, two, *_, last = (row for _, row in order.iterrows())
        best = order.sort_values("accuracy", ascending=False, kind="stable").iloc[0]
        yield {"claim": "two models are better than one", "a": two, "b": one}
        yield {"claim": "more models are better than two", "a": best, "b": two}
        if best["n_models"] < last["n_models"]:
            yield {"claim": "too many models are worse", "a": last, "b": best}


def _differences() -> Iterator[dict[str, Any]]:
    for claim in published.claims():
        if "a" in claim:
            a, b = (published.point(**claim[side]) for side in "ab")
            yield {"claim": claim["claim"], "says": claim["text"], "scanned": claim.get("scanned"), "a": a, "b": b}
    yield from _at_equal_budget()
    yield from _against_other_methods()
    yield from _with_more_models()


def _units(dataset: str) -> list[tuple[int, str]]:
    """Return the possible independent units and their numbers: questions, and clusters if questions form such."""
    known = published.dataset(dataset)
    return [(known[size], unit) for size, unit in (("n", "questions"), ("clusters", _CLUSTERS)) if size in known]


def _on_most_data_sets(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the sign test over data sets."""
    against_sc = rows["claim"].str.startswith("better than SC,") & (rows["unit"] == "questions")
    for claim, part in rows[against_sc].groupby("claim"):
        better, worse = int((part["difference"] > 0).sum()), int((part["difference"] < 0).sum())
        verdict = f"better on {better} of {len(part)} data sets, worse on {worse}; sign test"
        found = {"difference": part["difference"].mean(), "p_value": mcnemar_p_value(better, worse), "verdict": verdict}
        yield {"claim": claim, "dataset": "all", "n": len(part), "unit": _SETS} | found


def _savings(claim: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the mean share of the budget that was not spent, per figure, pair and budget."""
    frame = published.points(figure=claim["figures"], strategy="ModelSwitch")
    pairs = {"+".join(published.pair(name, kind)): kind for name in frame["dataset"] for kind in ("closed", "open")}
    frame["saved"] = published.saved(frame["samples_used"], frame["budget"])
    for (figure, pair, budget), part in frame.groupby(["figure", frame["models"].map(pairs), "budget"], sort=False):
        ordered = part.sort_values("saved")
        least, most = (f"{row['saved']:.1%} on {row['dataset']}" for _, row in ordered.iloc[[0, -1]].iterrows())
        name = f"ModelSwitch, {pair} pair, budget {budget:g} ({figure})"
        found = {"a": name, "saved": part["saved"].mean(), "verdict": f"from {least} to {most}"}
        yield {"claim": claim["claim"], "says": claim["text"], "dataset": "all", "n": len(part), "unit": _SETS} | found


def _correlations(claim: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield Fisher's interval of the claimed correlation, given the number of questions."""
    r = claim["says"]["r"]
    for name in claim["datasets"]:
        n = published.dataset(name)["n"]
        low, high = np.tanh(np.arctanh(r) + np.array([-1, 1]) * _Z / np.sqrt(n - 3))
        verdict = (
            f"no r was published; an r of {r:g} would have the interval {low:.2f} to {high:.2f}. Part of it is "
            "mechanical, because entropy and accuracy are computed from the same draws"
        )
        found = {"dataset": name, "n": n, "unit": "questions", "verdict": verdict}
        yield {"claim": claim["claim"], "says": claim["text"]} | found


# The table ------------------------------------------------------------------------------------------------------------


def _correct(frame: pd.DataFrame) -> None:
    """Fill in Holm's adjusted p-values of all unpaired tests over questions, and say which findings remain."""
    family = frame["unit"].eq("questions") & frame["accuracy_b"].notna()
    frame.loc[family, "p_value_holm"] = holm(frame.loc[family, "p_value"])
    told = family & (frame["p_value"] < ALPHA) & (frame["least_discordant"] > 0)
    frame.loc[told, "verdict"] += np.where(
        frame.loc[told, "p_value_holm"] < ALPHA, ", also after Holm's correction", ", but not after Holm's correction"
    )


def _add_scans(frame: pd.DataFrame, pool: Pool, n_papers: int, seed: int) -> None:
    """Fill in the selection bias of claims whose number of samples was chosen by its score."""
    if len(pool.models) < 2:
        raise PoolError(f"pool: {pool.models[0]!r} is the only model. ModelSwitch needs at least two models.")
    stars = frame[frame["scanned"].eq(True)]
    rows = zip(stars.index, stars["models"], stars["n"], strict=True)
    teams = {row: tuple(models.split("+")) for row, models, n in rows if n == len(pool.questions)}
    teams = {row: team for row, team in teams.items() if set(team) <= set(pool.models)}
    teams = teams or dict.fromkeys(stars.index, pool.models[:2])
    kept = {team: best_number_of_samples(pool, team, n_papers=n_papers, seed=seed) for team in set(teams.values())}
    for row, team in teams.items():
        frame.loc[row, ADDED] = [getattr(kept[team], name) for name in ADDED]
        frame.loc[row, "pool"] = str(pool.info.get("title", "untitled"))


def run(pool: Pool | Sequence[Pool] | None = None, *, n_papers: int = 200, seed: int = 0) -> pd.DataFrame:
    """Return one row per claim: two published accuracies, their difference and its significance.

    Parameters
    ----------
    pool : Pool or sequence of Pool, optional
        Samples of two or more models, used to compute how much choosing the best number of samples adds to the stars of
        Fig. 1. Each pool applies to the stars with its models and its number of questions. If there are none, its first
        two models are used for all stars, as an order of magnitude.
    n_papers : int, default 200
        As in `best_number_of_samples`.
    seed : int, default 0
        As in `best_number_of_samples`.

    Returns
    -------
    DataFrame
        Columns, NaN where they do not apply:

        - claim, says (in the article's words), dataset;
        - unit, n: the independent units and their number. The unit is questions, clusters (the other extreme, as if all
          of a cluster were one question) or data sets;
        - a, b: the compared points; accuracy_a, low_a, high_a, accuracy_b, low_b, high_b: 95 % Wilson intervals;
        - difference, difference_low, difference_high: Newcombe's interval; p_value: unpaired, or the sign test over
          data sets;
        - p_value_holm: the unpaired p-value over questions, adjusted by `mssim.results.multiplicity.holm`;
        - least_discordant: minimum number of questions that differ; paired_p_value: the exact p-value at that number;
          most_discordant: maximum number with p < 0.05; NaN for clusters;
        - times_fewer: samples of b divided by samples used by a; times_fewer_first: fewest published samples at which b
          had its accuracy, divided by those of a; saved;
        - pool, added_by_draws, added: see `BestKept`; verdict.

    Notes
    -----
    The family of Holm's correction is all 77 unpaired tests of two accuracies over questions, each question counted as
    independent. Rows over clusters repeat some of these comparisons, and sign tests over data sets summarise them;
    neither belongs to the family. Paired p-values are the smallest possible ones and are not corrected.

    Examples
    --------
    >>> table = run()
    >>> differences = table[table["p_value_holm"].notna()]
    >>> [int((differences[column] < 0.05).sum()) for column in ("p_value", "p_value_holm")]
    [21, 10]
    """
    rows: list[dict[str, Any]] = []
    for claim in _differences():
        a, b = claim.pop("a"), claim.pop("b")
        rows += [{**claim, **_compared(a, b, n, unit), "models": a["models"]} for n, unit in _units(a["dataset"])]
    rows += _on_most_data_sets(pd.DataFrame(rows))
    for claim in published.claims():
        rows += _savings(claim) if "figures" in claim and "saved" in claim["says"] else []
        rows += _correlations(claim) if "r" in claim["says"] else []
    frame = pd.DataFrame(rows).reindex(columns=[*COLUMNS, "models", "scanned"]).astype({"pool": object})
    _correct(frame)
    frame.loc[frame["scanned"].eq(True), "verdict"] += "; the number of samples of a was chosen by its score"
    for one in [pool] if isinstance(pool, Pool) else pool or ():
        _add_scans(frame, one, n_papers, seed)
    return frame[COLUMNS]
