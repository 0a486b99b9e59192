"""Expected maximum of the draws of one or several stages, for many numbers of draws at once."""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled_like_numpy


@compiled_like_numpy
def longest_draws(values, lengths, missed):
    """Compute the expected maximum of the draws of all stages.

    values : float64 [stage, question, sample], the recorded ones first and in increasing order
    lengths : int64 [stage, question], recorded numbers, of which a question has at least one
    missed : float64 [stage, left, case], the probability that no draw of a stage is the largest of the `left` smallest
        numbers, if none is larger

    Returns float64 [question, case]: the largest number, minus every step down to the next times the probability that
    no draw is above the step.
    """
    n_stages, n_questions = lengths.shape
    n_cases = np.uint64(missed.shape[2])
    found = np.empty((n_questions, missed.shape[2]))
    none_above, expected, left = np.empty(missed.shape[2]), np.empty(missed.shape[2]), np.empty(n_stages, np.int64)
    for q in range(n_questions):
        left[:] = lengths[:, q]
        none_above[:] = 1.0
        before, stage = 0.0, 0
        for rank in range(left.sum()):
            largest = -np.inf
            for i in range(n_stages):
                if left[i] > 0 and values[i, q, left[i] - 1] > largest:
                    largest, stage = values[i, q, left[i] - 1], i
            if rank == 0:
                expected[:] = largest
            elif largest < before:
                step = before - largest
                for case in range(n_cases):
                    expected[case] -= step * none_above[case]
            factor = missed[stage, left[stage]]
            for case in range(n_cases):
                none_above[case] *= factor[case]
            left[stage] -= 1
            before = largest
        found[q] = expected
    return found
