"""What kernels are given of a pool; shared by their tests."""

import numpy as np

from mssim.kernels.streams import hash_names, stream_keys
from mssim.kernels.tally import Recorded
from tests.conftest import make_pool


def ragged_pool():
    """Two models, three questions, one of them without any answer."""
    answers = {("x", "q1"): "aabbc-", ("y", "q1"): "bbbaa-", ("x", "q2"): "------", ("y", "q2"): "------"}
    answers |= {("x", "q3"): "abcabc", ("y", "q3"): "cc--aa"}
    return make_pool({key: [None if c == "-" else c for c in given] for key, given in answers.items()})


def recorded_of(pool, models, seed=0):
    """The arrays of a pool, by the models of a strategy."""
    rows, questions = [pool.model_index(model) for model in models], hash_names(pool.question_ids)
    return Recorded(
        pool.codes[rows],
        pool.lengths[rows],
        pool.class_offsets.copy(),
        pool.class_correct.copy(),
        stream_keys(seed, models, questions),
        stream_keys(seed, [""], questions)[0],
    )


def rules_of(sizes, need, **options):
    """Rules that leave out nothing, of a plain vote unless told otherwise."""
    from mssim.kernels.bundles import Rules
    from mssim.kernels.stage_votes import PLAIN
    from mssim.kernels.tally import FIRST

    given = {"prior": np.ones(len(sizes)), "kind": PLAIN, "highest": False, "ties": FIRST, "adopt": True, **options}
    skip = np.zeros(len(sizes), np.int64)
    return Rules(np.array(sizes, np.int64), np.array(need, np.int64), skip=skip, **given)
