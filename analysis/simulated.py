"""Simulated pools, drawn from answer models that are fitted to the paper's published numbers.

The fits use the curves of single models, the agreement rates of the first model of a pair, and the accuracy of
ModelSwitch at one budget, which determines the correlation between models. Everything else is a prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from scipy.optimize import brentq

from analysis import published
from analysis.sources import Source
from mssim import ModelSwitch, Pool, SelfConsistency, Vote
from mssim.simulate import AnswerModel, Coupling, CurveFit, expected, fit_coupling, fit_curves

__all__ = ["COUPLING_BUDGET", "DATASETS", "PAIRS", "coupled", "fitted", "pair", "paper", "scored", "six_models", "team"]

DATASETS = ("GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro")
PAIRS = {"closed": "fig4", "open": "fig4-open"}
COUPLING_BUDGET = 8
FITTED_RATES = (2, 4, 6)  # samples of the first model with fitted agreement; at 8 the two stopping rules differ
LONGEST = 128  # samples; published curves are flat beyond, and fits of longer ones are slow
N_SAMPLES = 64
QUESTIONS_TO_FIT = 2**13
SEED = 20250402

# Fits ----------------------------------------------------------------------------------------------------------------


def standard_error(share: float, n: int) -> float:
    """Return the standard error of a published share of n questions."""
    return math.sqrt(max(share * (1 - share), 1 / n) / n)


def _given(shares: dict[int, float], n: int) -> dict[int, tuple[float, float]]:
    return {k: (share, standard_error(share, n)) for k, share in shares.items()}


def _curves(dataset: str, kind: str) -> dict[str, dict[int, float]]:
    """Return accuracies of each model of a pair alone, from Fig. 4 and, for more samples, from Fig. 1."""
    curves = published.curves(PAIRS[kind], dataset)
    long = published.points(figure="fig1", strategy="SC")
    for row in long[long["dataset"] == dataset].itertuples():
        if row.models in curves and row.budget <= LONGEST:
            curves[row.models].setdefault(int(row.budget), row.accuracy)
    return curves


@cache
def fitted(dataset: str, kind: str) -> CurveFit:
    """Fit each of the two models of a pair alone."""
    models, n = published.pair(dataset, kind), published.dataset(dataset)["n"]
    curves = _curves(dataset, kind)
    switch = published.points(figure=PAIRS[kind], dataset=dataset, strategy="ModelSwitch")
    rates = {
        int(budget // 2): float(published.first_agreement(used, budget))
        for budget, used in zip(switch["budget"], switch["samples_used"], strict=True)
        if budget // 2 in FITTED_RATES
    }
    return fit_curves({model: _given(curves[model], n) for model in models}, {models[0]: _given(rates, n)})


@cache
def coupled(dataset: str, kind: str) -> Coupling:
    """Fit the correlation of a pair to the accuracy of ModelSwitch at one budget."""
    models = published.pair(dataset, kind)
    accuracy = published.curves(PAIRS[kind], dataset, strategy="ModelSwitch")["+".join(models)][COUPLING_BUDGET]
    return fit_coupling(
        fitted(dataset, kind).answer_model,
        ModelSwitch(models),
        COUPLING_BUDGET,
        accuracy,
        n_questions=QUESTIONS_TO_FIT,
    )


@cache
def _team(dataset: str, models: tuple[str, ...]) -> AnswerModel:
    """Return an answer model of more than two models.

    Models without a published curve are fitted to their accuracy with one sample. All pairs get the correlation of the
    closed pair.
    """
    laws = []
    for model in models:
        kinds = [kind for kind in PAIRS if model in published.pair(dataset, kind)]
        alone = fitted(dataset, kinds[0]).answer_model if kinds else _one_sample(dataset, model)
        laws.append(alone.law(model))
    coupling = coupled(dataset, "closed")
    return AnswerModel(
        models,
        **{name: [getattr(law, name) for law in laws] for name in ("sure", "a", "b", "spread")},
        correlation=coupling.correlation,
        shared_distractors=coupling.answer_model.shared_distractors,
    )


def _one_sample(dataset: str, model: str) -> AnswerModel:
    accuracy = float(published.point(figure="fig6", dataset=dataset, models=model, strategy="single")["accuracy"])
    return fit_curves({model: _given({1: accuracy}, published.dataset(dataset)["n"])}).answer_model


@cache
def _scored(dataset: str) -> AnswerModel:
    """Return the closed pair with scores fitted to the published best-of-N accuracy of its first model."""
    coupling = coupled(dataset, "closed")
    first = coupling.answer_model.models[0]
    best = SelfConsistency(first, vote=Vote.best_of_n())
    given = published.points(figure="fig7", dataset=dataset, strategy="best of N").set_index("budget")["accuracy"]

    def excess(separation: float) -> float:
        scored = replace(coupling.answer_model, separation=separation)
        found = expected(scored, best, COUPLING_BUDGET, n_questions=QUESTIONS_TO_FIT)
        return float(found["accuracy"].iloc[0] - given[COUPLING_BUDGET])

    return replace(coupling.answer_model, separation=brentq(excess, 0.0, 5.0, xtol=0.01))


# Sources -------------------------------------------------------------------------------------------------------------


def pair(dataset: str, kind: str, *, n_samples: int = N_SAMPLES) -> Source:
    """Return the source of a pair on a data set, with the number of questions of the data set."""
    models = published.pair(dataset, kind)
    return _source(dataset, kind, models, lambda: coupled(dataset, kind).answer_model, n_samples)


def team(dataset: str, models: Sequence[str], *, n_samples: int = N_SAMPLES) -> Source:
    """Return the source of several models on a data set, without models that have no published numbers.

    The coupling is that of the closed pair. For more than two models it is an assumption, not a fit.
    """
    known = {model for kind in PAIRS for model in published.pair(dataset, kind)}
    singles = published.points(figure="fig6", strategy="single")
    known |= set(singles[singles["dataset"] == dataset]["models"])
    asked = tuple(model for model in models if model in known)
    return _source(dataset, f"{len(asked)}-models", asked, lambda: _team(dataset, asked), n_samples)


def six_models() -> list[str]:
    """Return the six models of the paper, closed ones first."""
    return str(published.points(figure="fig6", n_models=6)["models"].iloc[0]).split("+")


def scored(dataset: str, *, n_samples: int = N_SAMPLES) -> Source:
    """Return the source of the closed pair on a data set, with scores as of a reward model."""
    models = published.pair(dataset, "closed")
    return _source(dataset, "scored", models, lambda: _scored(dataset), n_samples)


def paper(analysis: str = "") -> list[Source]:
    """Return the simulated sources of an analysis; by default both pairs on the six data sets."""
    if analysis == "scaling":
        return [pair("MATH", "closed", n_samples=512), pair("MathBench", "open", n_samples=512)]
    if analysis == "claims":  # both stars of Fig. 1, with up to 512 samples of two models in total
        return [pair("MATH", "closed", n_samples=256), pair("MathBench", "open", n_samples=256)]
    if analysis == "consistency":
        return [team(dataset, six_models(), n_samples=16) for dataset in ("MATH", "MathBench")]
    if analysis == "number_and_order":
        return [team(dataset, six_models()) for dataset in ("MathBench", "DATE")]
    if analysis in ("extrapolation", "by_cost", "protocols"):  # need more samples than the paper drew, or tokens
        return []
    if analysis == "reward":
        return [scored("MathBench")]
    return [pair(dataset, kind) for kind in PAIRS for dataset in DATASETS]


def _source(dataset: str, what: str, models: tuple[str, ...], fit: Callable[[], AnswerModel], n_samples: int) -> Source:
    n = published.dataset(dataset)["n"]

    def make() -> Pool:
        # Evenly spread questions reproduce the curve of the answer model, with the intervals of a set of this size.
        return fit().draw(n, n_samples, seed=SEED, evenly=True, title=f"simulated {dataset}, {what}")

    name = f"simulated-{dataset}-{what}"
    return Source(
        name, f"{dataset} (simulated)", models, f"{name}/{models}/{n}/{n_samples}/{SEED}", make, dataset, what
    )
