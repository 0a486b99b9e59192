"""SYNTHETIC pools, shared by the sections."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mssim import Pool

N_WRONG = 20
_SKILLS = ((2.0, 1.5), (1.6, 1.6))  # Beta parameters of the first model and of the others
MODELS = ("one", "two", *(f"model-{number}" for number in range(3, 17)))


def make_pool(n_questions: int, n_samples: int, easy_share: float = 0.4, n_models: int = 2) -> Pool:
    """Return a pool of up to sixteen models, the first two of which are called one and two.

    A share of the questions is always answered correctly. On the others, the probability of the correct answer is drawn
    from a Beta distribution per model and question, and there are twenty wrong answers of very different frequencies.
    """
    rng = np.random.default_rng(0)
    easy = rng.random(n_questions) < easy_share
    frames = []
    for number, model in enumerate(MODELS[:n_models]):
        chance = np.where(easy, 1.0, rng.beta(*_SKILLS[min(number, 1)], n_questions))
        wrong = rng.dirichlet(np.full(N_WRONG, 0.3), n_questions)
        shares = np.concatenate([chance[:, None], (1 - chance[:, None]) * wrong], axis=1)
        answers = np.stack([rng.choice(N_WRONG + 1, n_samples, p=row / row.sum()) for row in shares])
        question, sample = np.divmod(np.arange(answers.size), n_samples)
        frames.append(
            pd.DataFrame({"question_id": question, "model": model, "sample_index": sample, "answer": answers.ravel()})
        )
    return Pool.from_frame(pd.concat(frames, ignore_index=True).assign(truth=0), info={"synthetic": True})
