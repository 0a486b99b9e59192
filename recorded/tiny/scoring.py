"""Scores of answers: their log-likelihoods under a model that was trained only on answers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from recorded.tiny.networks import Recurrent, Transformer
from recorded.tiny.training import IGNORED, tensors

_AT_ONCE = 256


@torch.inference_mode()
def log_likelihoods(verifier: Transformer | Recurrent, pairs: list[tuple[str, str]]) -> NDArray[np.float64]:
    """Compute the log-probability that a model continues each question with its answer and then ends.

    Parameters
    ----------
    verifier : Transformer or Recurrent
        Trained model.
    pairs : list of (str, str)
        Questions, each with an answer.

    Returns
    -------
    ndarray of float64, shape (n_pairs,)
        Log-probabilities in nats.
    """
    found = []
    for start in range(0, len(pairs), _AT_ONCE):
        codes, targets = tensors(pairs[start : start + _AT_ONCE])
        logprobs = torch.log_softmax(verifier(codes)[0], -1)
        each = logprobs.gather(2, targets.clamp(min=0)[..., None])[..., 0]
        found.append((each * (targets != IGNORED)).sum(1).double().numpy())
    return np.concatenate(found) if found else np.empty(0)
