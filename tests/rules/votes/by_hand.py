"""One question whose draws one can check by hand; shared by the tests of the votes."""

import pandas as pd

from mssim import Mixture, Pool
from tests.conftest import replay


def recorded(truth, **models):
    """One question; every model's samples as (answer, number), all of which are drawn."""
    rows = [
        {
            "question_id": "q",
            "model": model,
            "sample_index": i,
            "answer": answer,
            "truth": truth,
            "score": float(number),
            "confidence": float(number),
            "output_tokens": int(10 + number),
        }
        for model, samples in models.items()
        for i, (answer, number) in enumerate(samples)
    ]
    return Pool.from_frame(pd.DataFrame(rows))


def wins(vote, answer, **models):
    """Chance that this answer wins when all samples are drawn, in whatever order."""
    pool = recorded(answer, **models)
    budget = sum(len(samples) for samples in models.values())
    sizes = tuple(len(samples) for samples in models.values())
    return replay(pool, {"": Mixture(list(models), vote, sizes)}, budget, n_replays=200).accuracy.item()


A_LEADS = [("a", 1), ("a", 1), ("a", 1), ("b", 2), ("b", 1.5), ("c", 9)]
