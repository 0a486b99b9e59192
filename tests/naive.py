"""Every rule again in plain Python: slow, obvious, and sharing no code with the library.

A pool is a dict samples[model][question] = list of answers (None = no answer) and right[question] = set of answers.
"""

import hashlib
import itertools
import math
import random
from collections import Counter
from fractions import Fraction

import numpy as np

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


# Random numbers -------------------------------------------------------------------------------------------------------


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def word(state, index):
    return mix((state + (index + 1) * GOLDEN) & MASK)


def name_hash(name):
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def stream_key(seed, model, question):
    return mix((mix((mix(seed) + name_hash(model)) & MASK) + name_hash(question)) & MASK)


def positions(seed, model, question, replay, n, depth, replacement=False):
    """Positions of the recorded samples that a replay draws, in order."""
    state = word(stream_key(seed, model, question), replay)
    drawn, left = [], list(range(n))
    for j in range(depth):
        uniform = word(state, j) >> 32
        if replacement:
            drawn.append(uniform * n >> 32)
        else:
            t = j + (uniform * (n - j) >> 32)
            left[j], left[t] = left[t], left[j]
            drawn.append(left[j])
    return drawn


def tie_rank(seed, question, replay, number):
    """Rank of answer `number` (in alphabetical order) when ties are broken at random; the highest wins."""
    return word(word(stream_key(seed, "", question), replay), number) >> 34


# Votes ----------------------------------------------------------------------------------------------------------------


def entropy_weight(answers, normaliser="distinct"):
    votes = Counter(a for a in answers if a is not None)
    m, u = sum(votes.values()), len(votes)
    if u <= 1:
        return 1.0
    entropy = -sum(n / m * math.log2(n / m) for n in votes.values())
    return 1 / m + (1 - 1 / m) * (1 - entropy / math.log2(u if normaliser == "distinct" else m))


def vote(stages, within="none", normaliser="distinct", prior=None):
    """Scores of all answers, in the order in which they were seen: models in order, then draws in order."""
    scores = {}
    for i, answers in enumerate(stages):
        weight = (prior[i] if prior else 1.0) * (entropy_weight(answers, normaliser) if within == "entropy" else 1.0)
        for answer in answers:
            if answer is not None:
                scores[answer] = scores.get(answer, 0.0) + weight
    return scores


def is_right(scores, right, ties, rank):
    """Whether the answer with the highest score is right; `rank` orders tied answers under "random".

    Without a rank, under "random": the share of orders in which it is.
    """
    if not scores:
        return False
    top = max(scores.values())
    tied = [answer for answer, score in scores.items() if math.isclose(score, top, rel_tol=1e-9)]
    if ties == "first":
        return tied[0] in right
    if ties == "random" and rank is None:
        return Fraction(sum(answer in right for answer in tied), len(tied))
    if ties == "random":
        return max(tied, key=rank) in right
    return all(answer in right for answer in tied)


# Strategies -----------------------------------------------------------------------------------------------------------


def allocate(budget, n, sizes=None):
    each = [math.ceil(budget / n)] * n if sizes is None else sizes
    given = []
    for most in each:
        given.append(min(most, budget - sum(given)))
    return given


def agrees(answers, agreement, strict):
    votes = Counter(a for a in answers if a is not None)
    share = max(votes.values(), default=0) / len(answers)
    return share > agreement if strict else share >= agreement


def model_switch(draws, right, *, ties, rank, rule, agreement=1.0, strict=False, on_agreement="adopt", test_last=True):
    """One replay: draws[i] are the answers that model i would give; returns (right, samples used per model)."""
    asked = [i for i, answers in enumerate(draws) if answers]
    used = [0] * len(draws)
    for i in asked:
        used[i] = len(draws[i])
        if i == asked[-1] and not test_last:
            break
        if agrees(draws[i], agreement, strict):
            stages = [draws[i]] if on_agreement == "adopt" else draws[: i + 1]
            rules = {} if on_agreement == "adopt" else rule
            return is_right(vote(stages, **rules), right, ties, rank), used
    return is_right(vote(draws, **rule), right, ties, rank), used


def windowed(draws, right, *, ties, rank, window):
    """One model, whose first window of equal answers is adopted; else the plurality of all."""
    for end in range(window, len(draws) + 1, window):
        answers = set(draws[end - window : end])
        if len(answers) == 1 and None not in answers:
            return answers <= right, end
    return is_right(vote([draws]), right, ties, rank), len(draws)


def mixture(draws, right, *, ties, rank, rule):
    return is_right(vote(draws, **rule), right, ties, rank), [len(answers) for answers in draws]


def coverage(draws, right):
    return any(a in right for answers in draws for a in answers), [len(answers) for answers in draws]


def replay(strategy, draws, right, rank):
    """One replay of a strategy of the library, read by its documented attributes."""
    kind = type(strategy).__name__
    if kind == "Coverage":
        return coverage(draws, right)
    if kind == "SelfConsistency" and strategy.stop is not None:
        won, used = windowed(draws[0], right, ties=strategy.ties, rank=rank, window=strategy.stop.window)
        return won, [used]
    if kind == "SelfConsistency":
        return mixture(draws, right, ties=strategy.ties, rank=rank, rule={})
    v = strategy.vote
    rule = {"within": v.within, "normaliser": v.normaliser, "prior": v.prior}
    if kind == "Mixture":
        return mixture(draws, right, ties=v.ties, rank=rank, rule=rule)
    return model_switch(
        draws,
        right,
        ties=v.ties,
        rank=rank,
        rule=rule,
        agreement=strategy.agreement,
        strict=strategy.strict,
        on_agreement=strategy.on_agreement,
        test_last=strategy.test_last,
    )


def recorded(pool):
    """A library pool as plain dicts, by way of its long frame."""
    frame = pool.to_frame().sort_values("sample_index", kind="stable")
    samples = {model: {q: [] for q in pool.question_ids} for model in pool.models}
    right = {q: set() for q in pool.question_ids}
    for row in frame.itertuples():
        answer = row.answer if isinstance(row.answer, str) else None
        samples[row.model][row.question_id].append(answer)
        if row.correct:
            right[row.question_id].add(answer)
    return samples, right


def evaluate(pool, strategy, budget, *, n_replays, seed=0, replacement=False, rng=None):
    """Per question: how many replays are right, and samples used per model over all replays.

    With `rng` (random.Random) the draws come from random.sample instead of the library's documented streams.
    """
    samples, right = recorded(pool)
    hits, used = [], []
    for q in pool.question_ids:
        known = sorted({a for model in pool.models for a in samples[model][q] if a is not None})
        n_right, total = 0, [0] * len(strategy.models)
        for r in range(n_replays):
            draws = []
            for model, size in zip(
                strategy.models, allocate(budget, len(strategy.models), sizes_of(strategy)), strict=True
            ):
                given = samples[model][q]
                if rng is not None:
                    draws.append(rng.choices(given, k=size) if replacement else rng.sample(given, size))
                else:
                    draws.append([given[p] for p in positions(seed, model, q, r, len(given), size, replacement)])
            ranks = (
                random_ranks(known, rng)
                if rng is not None
                else {a: tie_rank(seed, q, r, c) for c, a in enumerate(known)}
            )
            won, spent = replay(strategy, draws, right[q], ranks.get)
            n_right += won
            total = [t + s for t, s in zip(total, spent, strict=True)]
        hits.append(n_right)
        used.append(total)
    return hits, used


def sizes_of(strategy):
    return getattr(strategy, "sizes", None)


def random_ranks(known, rng):
    return dict(zip(known, random.Random(rng.random()).sample(range(len(known)), len(known)), strict=True))


# Expectations over all draws there are, in rational arithmetic --------------------------------------------------------


def orders(answers, size, replacement):
    """Every order of draws with its chance; equal ones together."""
    found = Counter(itertools.product(answers, repeat=size) if replacement else itertools.permutations(answers, size))
    return [(list(order), Fraction(n, found.total())) for order, n in found.items()]


def expectation(pool, strategy, budget, *, replacement=False):
    """Per question: chance of a right answer, and expected samples, the mean over all orders of draws."""
    samples, right = recorded(pool)
    sizes = allocate(budget, len(strategy.models), sizes_of(strategy))
    accuracy, used = [], []
    for q in pool.question_ids:
        chances = [orders(samples[m][q], size, replacement) for m, size in zip(strategy.models, sizes, strict=True)]
        p, expected = Fraction(0), Fraction(0)
        for drawn in itertools.product(*chances):
            chance = math.prod(c for _, c in drawn)
            won, spent = replay(strategy, [list(order) for order, _ in drawn], right[q], None)
            p, expected = p + chance * won, expected + chance * sum(spent)
        accuracy.append(p)
        used.append(expected)
    return accuracy, used


def maj_at_k(counts, k, right, ties="random", no_answer=0):
    """Chance that the plurality of k draws is right: whole numbers of ways, by draws and by how many classes tie."""
    total = Fraction(0)
    for winner in right:
        for votes in range(1, min(k, counts[winner]) + 1):
            rest = k - votes
            by_tied = {0: ways_to_draw(no_answer, rest)}
            for other, n in enumerate(counts):
                if other == winner:
                    continue
                below, equal = ways_to_draw(n, rest), math.comb(n, votes)
                below[votes:] = 0
                then = {}
                for tied, ways in by_tied.items():
                    then[tied] = then.get(tied, 0) + np.convolve(ways, below)[: rest + 1]
                    if equal and votes <= rest and not (ties == "wrong" and other not in right):
                        shifted = np.concatenate([[0] * votes, ways[: rest + 1 - votes] * equal])
                        then[tied + 1] = then.get(tied + 1, 0) + shifted
                by_tied = then
            for tied, ways in by_tied.items():
                total += Fraction(math.comb(counts[winner], votes) * ways[rest], tied + 1)
    return total / math.comb(sum(counts) + no_answer, k)


def ways_to_draw(n, most):
    """How many sets of 0, 1, ... most samples there are among n, as Python's whole numbers."""
    return np.array([math.comb(n, j) for j in range(most + 1)], dtype=object)


def after_windows(counts, k, right, window):
    """Chance of a right answer and expected samples with windows, window by window over all counts drawn so far."""
    states, won, used = {(0,) * len(counts): Fraction(1)}, Fraction(0), Fraction(0)
    sizes = [window] * (k // window) + ([k % window] if k % window else [])
    for size in sizes:
        after = Counter()
        for drawn, chance in states.items():
            used += chance * size
            left = [n - d for n, d in zip(counts, drawn, strict=True)]
            for more in itertools.product(*(range(min(size, n) + 1) for n in left)):
                if sum(more) != size:
                    continue
                ways = math.prod(math.comb(n, j) for n, j in zip(left, more, strict=True))
                there = chance * Fraction(ways, math.comb(sum(left), size))
                if size == window and max(more) == window:
                    won += there * (more.index(window) in right)
                else:
                    after[tuple(d + j for d, j in zip(drawn, more, strict=True))] += there
        states = after
    for drawn, chance in states.items():
        tied = [c for c, n in enumerate(drawn) if n == max(drawn)]
        won += chance * Fraction(sum(c in right for c in tied), len(tied))
    return won, used
