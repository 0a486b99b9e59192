"""Recipes of the models, and of the verifier that scores their answers."""

from __future__ import annotations

from recorded.tiny.training import Recipe

_PLUS = {"add": 4.0, "subtract": 4.0, "mixed": 2.0}
_TIMES = {"multiply": 4.0, "divide": 4.0, "mixed": 2.0}
MODELS = {
    "tf-even": Recipe("transformer", {"width": 96, "layers": 3, "heads": 4}, steps=17000, dates=0.3, seed=1),
    "tf-plus": Recipe(
        "transformer", {"width": 64, "layers": 4, "heads": 4}, steps=20000, weights=_PLUS, dates=0.2, seed=2
    ),
    "lstm-times": Recipe(
        "lstm", {"width": 96, "layers": 2, "heads": 4}, steps=15000, weights=_TIMES, dates=0.2, seed=3
    ),
    "gru-dates": Recipe("gru", {"width": 64, "layers": 3, "heads": 4}, steps=15000, dates=0.5, seed=4),
}
VERIFIER = {"verifier": Recipe("gru", {"width": 64, "layers": 2, "heads": 4}, steps=10000, direct=1.0, seed=5)}
# Small enough to run all steps in seconds.
MICRO_MODELS = {
    "tf-micro": Recipe("transformer", {"width": 16, "layers": 1, "heads": 2}, steps=40, seed=1),
    "gru-micro": Recipe("gru", {"width": 16, "layers": 1, "heads": 2}, steps=40, seed=2),
}
MICRO_VERIFIER = {"verifier": Recipe("lstm", {"width": 16, "layers": 1, "heads": 2}, steps=20, direct=1.0, seed=3)}
