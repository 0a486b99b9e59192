"""Families of candidates: groups of rules, with the parameters of the catalogue, for the models of a pool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

from mssim.engine.requirements import check_columns
from mssim.engine.shared_draws import Groups, ordered
from mssim.errors import MssimError, PoolError, StrategyError
from mssim.pools.pool import Pool
from mssim.rules.base import Strategy
from mssim.rules.cross_fitting import KNN, LOGISTIC
from mssim.rules.names import quoted
from mssim.rules.parsing import parse_strategy
from mssim.rules.registry import STOPS, VOTES, Row
from mssim.rules.strategies import Gate, Router, SelfConsistency
from mssim.tuning.grid import grid
from mssim.tuning.learners import Learner
from mssim.tuning.model_choice import BestModels
from mssim.tuning.optimal_weights import OptimalWeights
from mssim.tuning.options import read_families

__all__ = ["Family", "candidates_of"]

_FEWEST_OF_TOPIC = 5  # questions per value of a column, on average, by which a router can learn
_CONFIDENCE = "confidence"  # column that gates read
_SAMPLES_TO_CHOOSE = 3  # of each question, by which models are chosen
_MOST_SEARCHED = 12  # models of which all subsets are compared
_MOST_CHOSEN = 5  # models
_MODEL = re.compile(r"\bM\d?\b")  # in the rules of the catalogue


class Family(NamedTuple):
    """Candidates by name, and the rules that are left out, with the reason."""

    candidates: dict[str, Strategy | Learner]
    left_out: dict[str, str]


def candidates_of(
    families: str | Iterable[str], pool: Pool, groups: Groups = (), clusters: str | None = None
) -> Family:
    """Return the candidates of some families for the models and columns of a pool.

    Parameters
    ----------
    families : str or sequence of str
        Names in `mssim.tuning.FAMILIES`.
    pool : Pool
        Recorded samples.
    groups : sequence of sequence of str, default ()
        Models that share draws, as in `evaluate`; strategies name them in the order of their runs.
    clusters : str, optional
        Question column whose equal values mark questions that routers keep in one fold. The default is `cluster`, if
        present.

    Returns
    -------
    Family
        Self-Consistency of every model, which is the control, and the candidates of the families, each once.

    Examples
    --------
    >>> from mssim import load_pool
    >>> pool = load_pool("recorded/llm-products").select(models=["gemma", "smol"])
    >>> found = candidates_of("votes", pool)
    >>> [name for name in found.candidates if "best_of_n" in name]
    []
    >>> found.left_out["sc:M,vote=best_of_n"]
    "no column 'score'"
    """
    named: dict[str, Strategy | Learner] = {str(one): one for one in map(SelfConsistency, pool.models)}
    left_out: dict[str, str] = {}
    for family in read_families(families):
        found, missing = _FAMILIES[family](_Asked(pool, groups, clusters))
        named = named | {str(one): one for one in found} | named  # those before stay, and come first
        left_out |= missing
    return Family(named, left_out)


class _Asked(NamedTuple):
    """Arguments of `candidates_of`."""

    pool: Pool
    groups: Groups
    clusters: str | None

    @property
    def models(self) -> list[str]:
        """Models, those that share draws in the order of their runs."""
        return ordered(self.pool.models, self.groups)


_Found = tuple[Sequence[Strategy | Learner], dict[str, str]]


def _switch(asked: _Asked) -> _Found:
    """Return the default strategies of `grid`, with models that share draws in the order of their runs."""
    listed = grid(asked.models, n_models=(1, 2) if len(asked.models) > 1 else (1,))
    return [one for one in listed if list(one.models) == ordered(one.models, asked.groups)], {}


def _stops(asked: _Asked) -> _Found:
    return _of_rows([row for name in sorted(STOPS) for row in STOPS[name].rows], asked)


def _votes(asked: _Asked) -> _Found:
    return _of_rows([row for name in sorted(VOTES) for row in VOTES[name].rows], asked)


def _of_rows(rows: Sequence[Row], asked: _Asked) -> _Found:
    """Return the rules of rows of the catalogue for every model, or for every set of as many models as they name."""
    found: list[Strategy | Learner] = []
    left_out: dict[str, str] = {}
    for row in rows:
        kind, comma, options = row.rule.partition(",")
        n_models = len(_MODEL.findall(kind))
        teams = list(combinations(asked.models, n_models))
        if not teams:
            left_out[row.rule] = f"needs {n_models} models"
        for team in teams:
            strategy = parse_strategy(_with_models(kind, team) + comma + options)
            reason = _lacking(asked.pool, strategy)
            if reason:
                left_out[row.rule if len(team) > 1 or "no column" in reason else str(strategy)] = reason
            else:
                found.append(strategy)
    return found, left_out


def _with_models(kind: str, models: Sequence[str]) -> str:
    names = iter(models)
    return _MODEL.sub(lambda _: quoted(next(names)), kind)


def _lacking(pool: Pool, strategy: Strategy) -> str:
    """Return why the pool cannot run a strategy, or an empty text."""
    for plan in strategy.plans(np.array([len(strategy.models)])):
        try:
            check_columns(pool, str(strategy), plan)
        except (PoolError, StrategyError) as error:
            lacking = [
                name for name in plan.columns if name not in pool.numbers and name not in pool.extra.column_names
            ]
            return f"no column {lacking[0]!r}" if lacking else str(error).removeprefix(f"{strategy}: ")
    return ""


def _weights(asked: _Asked) -> _Found:
    models = asked.models
    if len(models) < 2:
        return [], {"weights:M+M": "needs 2 models"}
    return [OptimalWeights(models)], {}


def _models(asked: _Asked) -> _Found:
    models = asked.models
    rule = "models:M+M"
    if len(models) < 2:
        return [], {rule: "needs 2 models"}
    if asked.pool.lengths.min() < _SAMPLES_TO_CHOOSE:
        return [], {rule: f"needs {_SAMPLES_TO_CHOOSE} samples of every model and question"}
    search = "exhaustive" if len(models) <= _MOST_SEARCHED else "greedy"
    return [BestModels(models, k, search) for k in range(2, min(len(models), _MOST_CHOSEN) + 1)], {}


def _routers(asked: _Asked) -> _Found:
    models = asked.models
    if len(models) < 2:
        return [], {"route:M+M": "needs 2 models"}
    found: list[Strategy | Learner] = []
    left_out: dict[str, str] = {}
    for by in (*_columns(asked), KNN, LOGISTIC):
        router = Router(models, by, clusters=asked.clusters)
        try:
            router.check(asked.pool.questions)
        except MssimError as error:
            left_out[str(router)] = str(error)
        else:
            found.append(router)
    gates, without = _gates(asked)
    return [*found, *gates], left_out | without


def _gates(asked: _Asked) -> tuple[list[Strategy], dict[str, str]]:
    """Return gates of pairs; their thresholds are quartiles of confidence, which need no correct answers."""
    confidence = asked.pool.numbers.get(_CONFIDENCE)
    if confidence is None:
        return [], {"gate:M+M": f"no column {_CONFIDENCE!r}"}
    found: list[Strategy] = []
    left_out: dict[str, str] = {}
    for first, second in permutations(asked.models, 2):
        if ordered([first, second], asked.groups) != [first, second]:
            continue
        known = confidence[asked.pool.model_index(first)]
        known = known[np.isfinite(known)]
        quartiles = np.quantile(known, (0.25, 0.5, 0.75)) if known.size else np.zeros(1)
        for threshold in dict.fromkeys(float(f"{value:.3g}") + 0.0 for value in quartiles):
            gate = Gate([first, second], threshold)
            reason = _lacking(asked.pool, gate)
            if reason:
                left_out[str(gate)] = reason
            else:
                found.append(gate)
    return found, left_out


def _columns(asked: _Asked) -> list[str]:
    """Return question columns that can be topics: a few values, each of several questions."""
    others = {"question_id", "question", "truth", "cluster", asked.clusters}
    given = asked.pool.questions
    most = len(given) / _FEWEST_OF_TOPIC
    return [str(name) for name in given if name not in others and 1 < given[name].astype(str).nunique() <= most]


_FAMILIES: Mapping[str, Callable[[_Asked], _Found]] = {
    "switch": _switch,
    "stops": _stops,
    "votes": _votes,
    "weights": _weights,
    "routers": _routers,
    "models": _models,
}
