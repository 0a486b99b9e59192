"""Pools that stand for the paper's: drawn from answer models fitted to its published numbers, and called simulated.

Fitted are the curves of single models, the rates at which the first model of a pair agrees with itself, and, through
the correlation between models, the accuracy of ModelSwitch at one budget. Everything else is a prediction.
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
FITTED_RATES = (2, 4, 6)  # samples of the first model whose agreement is fitted; 8 is left to tell the rules apart
LONGEST = 128  # samples; the published curves are flat beyond, and longer ones take long to fit
N_SAMPLES = 64
QUESTIONS_TO_FIT = 2**13
SEED = 20250402

# Fits ----------------------------------------------------------------------------------------------------------------


def standard_error(share: float, n: int) -> float:
    """Standard error of a published share of n questions."""
    return math.sqrt(max(share * (1 - share), 1 / n) / n)


def _given(shares: dict[int, float], n: int) -> dict[int, tuple[float, float]]:
    return {k: (share, standard_error(share, n)) for k, share in shares.items()}


def _curves(dataset: str, kind: str) -> dict[str, dict[int, float]]:
    """Accuracy of each model of a pair alone: of Fig. 4, with the longer curves of Fig. 1 where it has them."""
    curves = published.curves(PAIRS[kind], dataset)
    long = published.points(figure="fig1", strategy="SC")
    for row in long[long["dataset"] == dataset].itertuples():
        if row.models in curves and row.budget <= LONGEST:
            curves[row.models].setdefault(int(row.budget), row.accuracy)
    return curves


@cache
def fitted(dataset: str, kind: str) -> CurveFit:
    """Fit the two models of a pair, each alone."""
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
    """An answer model of models that no one curve has together.

    Those without a curve are fitted to their accuracy with one sample; all pairs have the correlation of the closed
    pair.
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
    """The closed pair, with scores that lead best-of-N of the first model to its published accuracy at one budget."""
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
    """The two models of a pair on a data set, with as many questions as it has."""
    models = published.pair(dataset, kind)
    return _source(dataset, kind, models, lambda: coupled(dataset, kind).answer_model, n_samples)


def team(dataset: str, models: Sequence[str], *, n_samples: int = N_SAMPLES) -> Source:
    """Several models on a data set, of which those that nothing is published of are left out.

    Their coupling is that of the closed pair: with more than two of them it is an assumption, not a fit.
    """
    known = {model for kind in PAIRS for model in published.pair(dataset, kind)}
    singles = published.points(figure="fig6", strategy="single")
    known |= set(singles[singles["dataset"] == dataset]["models"])
    asked = tuple(model for model in models if model in known)
    return _source(dataset, f"{len(asked)}-models", asked, lambda: _team(dataset, asked), n_samples)


def six_models() -> list[str]:
    """The six models of the paper, closed ones first."""
    return str(published.points(figure="fig6", n_models=6)["models"].iloc[0]).split("+")


def scored(dataset: str, *, n_samples: int = N_SAMPLES) -> Source:
    """The closed pair on a data set, its samples scored as by a reward model."""
    models = published.pair(dataset, "closed")
    return _source(dataset, "scored", models, lambda: _scored(dataset), n_samples)


def paper(analysis: str = "") -> list[Source]:
    """Sources that stand for the paper's data in an analysis; in most, both pairs on the six data sets."""
    if analysis == "scaling":
        return [pair("MATH", "closed", n_samples=512), pair("MathBench", "open", n_samples=512)]
    if analysis == "claims":  # both stars of Fig. 1, at all numbers of samples up to 512 for both models
        return [pair("MATH", "closed", n_samples=256), pair("MathBench", "open", n_samples=256)]
    if analysis == "consistency":
        return [team(dataset, six_models(), n_samples=16) for dataset in ("MATH", "MathBench")]
    if analysis == "number_and_order":
        return [team(dataset, six_models()) for dataset in ("MathBench", "DATE")]
    if analysis == "reward":
        return [scored("MathBench")]
    return [pair(dataset, kind) for kind in PAIRS for dataset in DATASETS]


def _source(dataset: str, what: str, models: tuple[str, ...], fit: Callable[[], AnswerModel], n_samples: int) -> Source:
    n = published.dataset(dataset)["n"]

    def make() -> Pool:
        # Evenly spread questions have the answer model's own curve, and still the intervals of a set of this size.
        return fit().draw(n, n_samples, seed=SEED, evenly=True, title=f"simulated {dataset}, {what}")

    name = f"simulated-{dataset}-{what}"
    return Source(
        name, f"{dataset} (simulated)", models, f"{name}/{models}/{n}/{n_samples}/{SEED}", make, dataset, what
    )
