"""Stop quality, and the relation of consistency and accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mssim.errors import MssimError
from mssim.report.charts import bars_of_ends, calibration_chart, entropy_chart, legend_of
from mssim.report.document import Figure, Part, Section, Text, table_of
from mssim.report.study import Study
from mssim.rules.parsing import parse_strategy
from mssim.rules.strategies import ModelSwitch
from mssim.theory.consistency import consistency
from mssim.theory.stopping_quality import calibration, stop_quality

__all__ = ["consistency_section", "stops_section"]

_DRAWS = 8  # of which the agreement is looked at
_MOST_DOTS = 1500
_BINS = 24
_SHARES = ("coverage", "accuracy", "low", "high")


def stops_section(study: Study) -> Section:
    """Return how right ModelSwitch is where it stops, and how well agreement predicts accuracy."""
    parts: list[Part] = [*_ends(study)]
    most = min(_DRAWS, int(study.pool.lengths.min()))
    if most > 1:
        parts += _calibration(study, most)
    return Section("stops", "Stop quality", parts)


def _ends(study: Study) -> list[Part]:
    found = _switch(study)
    if found is None:
        return [Text(["No ModelSwitch of several models was tried, so there is no stage at which it could stop."])]
    switch, budget = found
    try:
        frame = stop_quality(
            study.pool,
            switch,
            budget,
            n_replays=study.n_replays,
            seed=study.seed,
            confidence_level=study.confidence_level,
            clusters=study.clusters,
        )
    except MssimError as error:
        return [Text([f"Not computed: {error}"])]
    who = f"`{study.label(str(switch))}` with a budget of {budget}"
    ends = [
        "vote of all" if end == "vote" else f"agreement of {study.label(model)}"
        for end, model in zip(frame["end"], frame["model"], strict=True)
    ]
    rows = [
        {"end": end, "result": result, "place": place, "share": share, "accuracy": accuracy}
        for end, coverage, right, accuracy in zip(
            ends, frame["coverage"], frame["contribution"], frame["accuracy"], strict=True
        )
        for place, (result, share) in enumerate((("right", right), ("wrong", coverage - right)))
    ]
    numbers = frame[list(_SHARES)].assign(end=ends)[["end", *_SHARES]]
    legend = [
        {"name": name, "colour": colour, "dash": "", "shape": "square"}
        for name, colour in (("right", "0"), ("wrong", "1"))
    ]
    return [
        Text(
            [
                f"{who} asks its models in turn and stops when one agrees with itself; without agreement, all vote. "
                "Later ends see the harder questions, so they do not compare models."
            ]
        ),
        Figure(
            "ends",
            f"Where {who} ends, and how often it is right there",
            bars_of_ends(pd.DataFrame(rows).fillna({"accuracy": 0.0})),
            legend,
            table_of(numbers, "Ends, with intervals of accuracy", dict.fromkeys(_SHARES, "{:.1%}")),
        ),
    ]


def _switch(study: Study) -> tuple[ModelSwitch, int] | None:
    """Return the ModelSwitch and its budget that the page looks at: that of the first answer, or the most accurate."""
    tuning = study.tunings["samples_used"]
    first = study.frames["samples_used"].iloc[study.shown_first("samples_used")]
    every = tuning.candidates()
    within = every[every["spend"] <= first["limit"] * (1 + 1e-9)].sort_values(
        "in_sample", ascending=False, kind="stable"
    )
    pairs = [(first["fitted"], first["budget"]), *zip(within["fitted"], within["budget"], strict=True)]
    for text, budget in pairs:
        try:
            strategy = parse_strategy(text)
        except MssimError:
            continue
        if isinstance(strategy, ModelSwitch) and strategy.on_agreement == "adopt" and len(set(strategy.models)) > 1:
            return strategy, int(budget)
    return None


def _calibration(study: Study, draws: int) -> list[Part]:
    frame = pd.concat(
        [
            calibration(
                study.pool, model, draws, confidence_level=study.confidence_level, clusters=study.clusters
            ).assign(series=study.label(model))
            for model in study.pool.models
        ],
        ignore_index=True,
    )
    frame = frame[(frame["coverage"] > 0) & (frame["votes"] > 0)]
    numbers = frame[["series", "votes", *_SHARES]].rename(columns={"series": "model"})
    return [
        Text(
            [
                f"If agreement is calibrated, the dots are on the diagonal: of answers on which {draws} draws agree to "
                "75%, 75% are right. Below it, a model is more consistent than right. Large dots are frequent."
            ]
        ),
        Figure(
            "calibration",
            f"Accuracy of the plurality of {draws} draws, by the share that agrees with it",
            calibration_chart(frame[["series", "agreement", *_SHARES]]),
            legend_of(list(frame["series"].unique())),
            table_of(numbers, "Numbers of this figure", dict.fromkeys(_SHARES, "{:.1%}")),
        ),
    ]


def consistency_section(study: Study) -> Section:
    """Return entropy and accuracy of every model and question, and their correlations."""
    title = "Consistency and accuracy"
    try:
        found = consistency(
            study.pool,
            confidence_level=study.confidence_level,
            n_resamples=499,
            seed=study.seed,
            clusters=study.clusters,
        )
    except MssimError as error:
        return Section("consistency", title, [Text([f"Not computed: {error}"])])
    dots = _dots(study, found.entropy, found.accuracy)
    frame = found.to_frame()
    frame = frame.assign(model=[study.label(model) for model in frame["model"]]).rename(
        columns={"n_questions": "questions"}
    )
    text = Text(
        [
            "The more a model repeats itself, the lower the entropy of its answers. A negative correlation means that "
            "consistent answers are more often right. On the same samples a part of it is mechanical; “split half” "
            "takes entropy and accuracy from different halves of the samples."
        ]
    )
    if not len(dots):
        return Section("consistency", title, [Text(["No model gave an answer."])])
    grouped = "" if (dots["questions"] == 1).all() else "; a dot is a group of questions, larger for more"
    figure = Figure(
        "entropy",
        f"Entropy of the answers and accuracy of a sample, question by question{grouped}",
        entropy_chart(dots),
        legend_of(list(dots["series"].unique())),
    )
    columns = ["model", "version", "statistic", "r", "low", "high", "questions"]
    table = table_of(
        frame[columns], "Correlation of entropy and accuracy", dict.fromkeys(("r", "low", "high"), "{:+.2f}")
    )
    return Section("consistency", title, [text, figure, table])


def _dots(study: Study, entropy: Any, accuracy: Any) -> pd.DataFrame:
    """Return a dot per model and question or, of many, per model and cell of a grid."""
    parts = []
    for model, x, y in zip(study.pool.models, entropy, accuracy, strict=True):
        known = ~np.isnan(x)
        frame = pd.DataFrame({"entropy": x[known], "accuracy": y[known]})
        if entropy.size > _MOST_DOTS:
            width = max(float(np.nanmax(entropy)), 1e-9) / _BINS
            cells = [
                np.minimum(frame["entropy"] // width, _BINS - 1),
                np.minimum(frame["accuracy"] * _BINS // 1, _BINS - 1),
            ]
            grouped = frame.groupby(cells)
            frame = grouped.mean().assign(questions=grouped.size(), question="").reset_index(drop=True)
        else:
            ids = np.array(study.pool.question_ids, dtype=object)[known]
            frame = frame.assign(questions=1, question=[text[:70] for text in ids])
        parts.append(frame.assign(series=study.label(model)))
    return pd.concat(parts, ignore_index=True).round(4)
