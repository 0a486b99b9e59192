"""Further strategies in plain Python, which `naive.replay` asks: slow, obvious, sharing no rule with the library.

Each is a function (strategy, draws, right, rank, numbers) -> whether a replay is right, and samples used by stage, as
of `naive.replay`.
"""

from fractions import Fraction

import numpy as np

RULES = {}  # by the name of the strategy's class
ROUNDS = {}  # (strategy, used) -> rounds of a replay, as of `naive.rounds_of`
PARTS = {}  # (strategy, numbers, tokens) -> share of its output tokens that each draw of the only stage generates


# DeepConf online ------------------------------------------------------------------------------------------------------


def groups_of(given):
    """Group confidences of a sample; a sample without any counts as one of confidence 0."""
    return [float(c) for c in given] if isinstance(given, list | np.ndarray) and len(given) else [0.0]


def bar_of(strategy, groups):
    lows = [min(groups_of(given)) for given in groups[: strategy.warmup]]
    return float(np.percentile(lows, 100 - 100 * strategy.keep))


def deepconf(strategy, draws, right, rank, numbers):
    """Warm-up samples set the bar; of the others, those whose lowest group is below it end early and do not vote."""
    from tests import naive

    (answers,), (groups,) = draws, numbers
    bar, scores, used = bar_of(strategy, groups), {}, 0
    for answer, given in zip(answers, groups, strict=True):
        total = sum(scores.values())
        sure = strategy.consensus is not None and total > 0
        if used >= strategy.warmup and sure and max(scores.values()) >= Fraction(str(strategy.consensus)) * total:
            break
        used += 1
        low = min(groups_of(given))
        if low >= bar and answer is not None:
            scores[answer] = scores.get(answer, 0) + Fraction(str(low))
    return naive.is_right(scores, right, strategy.ties, rank), [used]


def deepconf_rounds(strategy, used):
    """The warm-up, and then one draw after the other, or all others if there is no consensus."""
    warmup = min(strategy.warmup, used[0])
    others = range(warmup, used[0])
    if strategy.consensus is None:
        return [[(0, 0, warmup)], *([[(0, warmup, used[0])]] if others else [])]
    return [[(0, 0, warmup)], *([(0, j, j + 1)] for j in others)]


def deepconf_parts(strategy, groups, tokens):
    bar, shares = bar_of(strategy, groups), []
    for j, (given, n) in enumerate(zip(groups, tokens, strict=True)):
        ends = [strategy.window + i * strategy.stride for i, c in enumerate(groups_of(given)) if c < bar]
        early = j >= strategy.warmup and ends and isinstance(given, list | np.ndarray)
        shares.append(Fraction(min(ends[0], int(n)), int(n)) if early else 1)
    return shares


RULES["DeepConf"], ROUNDS["DeepConf"], PARTS["DeepConf"] = deepconf, deepconf_rounds, deepconf_parts
