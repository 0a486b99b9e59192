"""DeepConf online: samples end at their first group of unsure tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from mssim._validation import is_number, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Ints, Online, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.votes import Vote

__all__ = ["DeepConf"]

_MOST_WARMUP = 2**15 - 1


@dataclass(frozen=True)
class DeepConf(Strategy):
    """End a sample at its first group of tokens below a bar, and weigh the others (DeepConf online, arXiv 2508.15260).

    The samples need the column `group_confidence`, a list of numbers for each sample: the mean confidence of every
    group of `window` consecutive tokens, in order. The confidence of a token is the negative mean log-probability of
    its likeliest candidates, 20 in DeepConf. The lowest group confidence of a sample is the minimum of its list.

    1. The first `warmup` samples are complete. The bar is the percentile 100 (1 - keep) of their lowest group
       confidences. A warm-up sample votes if its lowest group is not below the bar.
    2. A further sample ends with its first group below the bar. It then costs the tokens so far, and does not vote.
    3. A vote weighs the lowest group confidence of its sample. Before every further sample, sampling ends if the
       leading answer has the share `consensus` of all weights.

    Up to a budget of `warmup`, all samples are warm-up samples, and the bar is that of these.

    Parameters
    ----------
    model : str
        Name of the model.
    keep : float, default 0.1
        Share of the warm-up samples that reaches the bar, above 0 and up to 1. The article calls 0.1 DeepConf-low and
        0.9 DeepConf-high.
    warmup : int, default 16
        Number of complete samples from which the bar is computed.
    consensus : float or None, default 0.95
        Share of the weights at which sampling ends, above 0 and up to 1. None (``consensus=none`` in text) spends the
        budget, as the released code does, which requests all samples after the warm-up at once.
    window : int, default 2048
        Tokens of a group.
    stride : int, default 1
        Tokens from the beginning of a group to that of the next: group i, from 0, ends with token window + i stride.
    ties : {"first", "random", "wrong"}, default "first"
        As in `Vote`.

    Notes
    -----
    The percentile is that of NumPy, with linear interpolation, and the test is strict: a group that equals the bar does
    not end a sample. A sample shorter than the window has one group, its mean. It cannot end early, and if the mean is
    below the bar, it costs all its tokens and does not vote. Samples without an answer count for the bar, and do not
    vote. Without group confidences, they count with confidence 0. All this is as in the released code.

    A sample that ends early spends its input tokens, and the output tokens up to the end of the group. At prices per
    token, its cost follows. A recorded cost and a latency are reduced in proportion to the output tokens. A price per
    sample is not reduced. Samples used counts all samples, also those that end early. `agreed` in the result of
    `evaluate` is the probability that the consensus was reached. The warm-up is one round. With a consensus, further
    samples follow one another. Otherwise, they are another round.

    References
    ----------
    Fu, Wang, Tian & Zhao (2025), "Deep Think with Confidence", arXiv 2508.15260.

    Examples
    --------
    SYNTHETIC samples of 5 groups, whose confidence is lower where they are wrong:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from mssim import DeepConf, Pool, evaluate
    >>> rng = np.random.default_rng(0)
    >>> right = rng.random(400) < 0.45
    >>> frame = pd.DataFrame({
    ...     "question_id": np.repeat(["q1", "q2", "q3", "q4"], 100), "model": "m",
    ...     "sample_index": np.tile(range(100), 4), "output_tokens": 500,
    ...     "answer": np.where(right, "7", "8"), "truth": "7",
    ...     "group_confidence": list(rng.normal(10 + right[:, None], 1, (400, 5))),
    ... })
    >>> rules = [DeepConf("m", window=100, stride=100), DeepConf("m", keep=0.9, window=100, stride=100), "sc:m"]
    >>> result = evaluate(Pool.from_frame(frame), rules, 32, n_replays=500)
    >>> print(result.to_frame()[["strategy", "accuracy", "samples_used", "tokens"]].round(2).to_string())
                                        strategy  accuracy  samples_used    tokens
    0           deepconf:m,window=100,stride=100      0.96         19.74   9024.35
    1  deepconf:m,keep=0.9,window=100,stride=100      0.40         32.00  15478.00
    2                                       sc:m      0.12         32.00  16000.00
    """

    kind: ClassVar[str] = "deepconf"
    column: ClassVar[str] = "group_confidence"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("deepconf:M", "end a sample at its first group below the bar; sum lowest group", "2508.15260", column),
        Row("deepconf:M,keep=0.9,consensus=none", "the same with a lower bar, no early end", "2508.15260", column),
    )
    model: str
    keep: float = 0.1
    warmup: int = 16
    consensus: float | str | None = 0.95
    window: int = 2048
    stride: int = 1
    ties: str = "first"

    def __post_init__(self) -> None:
        set_models(self, (self.model,))
        Vote(ties=self.ties)
        self._set_share("keep", "0.1")
        if self.consensus == "none":
            object.__setattr__(self, "consensus", None)
        if self.consensus is not None:
            self._set_share("consensus", "0.95, or none")
        for name, most in (("warmup", _MOST_WARMUP), ("window", 2**31), ("stride", 2**31)):
            try:
                object.__setattr__(self, name, whole_number(name, getattr(self, name), 1, most))
            except MssimError as error:
                raise StrategyError(f"DeepConf: {error}") from None

    def _set_share(self, name: str, example: str) -> None:
        given = getattr(self, name)
        if not is_number(given) or not 0 < given <= 1 or not math.isfinite(given):
            raise StrategyError(
                f"DeepConf: {name}={shown(given)} is not a share. Use a number above 0 and up to 1, e.g. "
                f"{name}={example}."
            )
        object.__setattr__(self, name, float(given))

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage."""
        assert not isinstance(self.consensus, str)
        online = Online(self.keep, self.warmup, self.consensus, self.window, self.stride, self.ties)
        return (never_stop(self, allocate(budgets, 1), None)._replace(online=online),)
