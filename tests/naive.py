"""Every rule again in plain Python: slow, obvious, and sharing no rule with the library, whose strategies it reads.

A pool is a dict samples[model][question] = list of answers (None = no answer) and right[question] = set of answers.
"""

import hashlib
import itertools
import math
import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from mssim import SelfConsistency, Vote
from tests import naive_stops, naive_strategies, naive_votes

PLAIN = Vote()

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


def within_weight(vote, answers):
    if vote.within == "entropy":
        return entropy_weight(answers, vote.normaliser)
    return 1 / len(answers) if vote.within == "share" and answers else 1


def vote(stages, rule, numbers=None):
    """Scores of all answers, in the order in which they were seen: models in order, then draws in order.

    stages[i] are the answers that model i gave, numbers[i] the number recorded with each, rule a Vote of the library,
    read by its documented attributes.
    """
    if rule.function is not None:
        return own_vote(stages, rule, rule.prior or [1.0] * len(stages))
    if rule.ballots in naive_votes.BALLOTS:
        return naive_votes.BALLOTS[rule.ballots](stages, rule, numbers)
    prior = [Fraction(str(weight)) for weight in rule.prior] if rule.prior else [1] * len(stages)  # 0.1 is a tenth
    weights = [p * within_weight(rule, answers) for p, answers in zip(prior, stages, strict=True)]
    if rule.ballots == "one" and rule.combine == "max":
        return most_consistent(stages, weights)
    scores = {}
    for i, answers in enumerate(stages):
        order = range(len(answers))
        if rule.ballots == "shortest":
            order = sorted(order, key=lambda j: (numbers[i][j], j))[: rule.m]
        for j in order:
            answer = answers[j]
            if answer is None:
                continue
            score = weights[i] * ballot(stages, numbers, rule, i, j)
            if rule.combine == "max":
                scores[answer] = max(scores.get(answer, -math.inf), score)
            else:
                scores[answer] = scores.get(answer, 0) + score
    return scores


def ballot(stages, numbers, rule, i, j):
    """What draw j of stage i counts."""
    if rule.ballots in ("one", "shortest"):
        return 1
    if rule.ballots == "number":
        return numbers[i][j]
    if rule.ballots == "exp":
        return math.exp(numbers[i][j] / rule.temperature)
    valid = [
        number
        for a, b in zip(stages, numbers, strict=True)
        for answer, number in zip(a, b, strict=False)
        if answer is not None
    ]
    below, same = sum(x < numbers[i][j] for x in valid), sum(x == numbers[i][j] for x in valid)
    # The best of m draws with replacement is among these if none is above and not all are below.
    best_is_one = Fraction(below + same, len(valid)) ** rule.m - Fraction(below, len(valid)) ** rule.m
    return float(best_is_one / same)


def most_consistent(stages, weights):
    """Scores of the answers that lead a model, the score of that model; earlier models first."""
    scores = {}
    for answers, weight in zip(stages, weights, strict=True):
        votes = Counter(a for a in answers if a is not None)
        for answer, n in votes.items():
            # A later model moves its answer up only if it has a higher score.
            if n == max(votes.values()) and weight * n > scores.get(answer, 0.0) * (1 + 1e-9):
                scores.pop(answer, None)
                scores[answer] = weight * n
    return scores


def own_vote(stages, rule, prior):
    known = sorted({a for answers in stages for a in answers if a is not None})
    counts = np.array([[answers.count(a) for a in known] for answers in stages], dtype=np.int64)
    given = rule.function(counts.reshape(len(stages), len(known)), np.array(prior) / max(prior))
    seen = dict.fromkeys(a for answers in stages for a in answers if a is not None)
    return {answer: given[known.index(answer)] for answer in seen}


def is_right(scores, right, ties, rank, close=0.0):
    """Whether the answer with the highest score is right; `rank` orders tied answers under "random".

    Without a rank, under "random": the share of orders in which it is. Rational scores are compared as they are.
    """
    if not scores:
        return False
    top = max(scores.values())
    exact = all(isinstance(score, int | Fraction) for score in scores.values())
    tied = [a for a, s in scores.items() if (s == top if exact else math.isclose(s, top, rel_tol=1e-9, abs_tol=close))]
    if ties == "first":
        return tied[0] in right
    if ties == "random" and rank is None:
        return Fraction(sum(answer in right for answer in tied), len(tied))
    if ties == "random":
        return max(tied, key=rank) in right
    return all(answer in right for answer in tied)


# Stopping within one model --------------------------------------------------------------------------------------------


def leads(first, second):
    """P[theta > 1/2], theta ~ Beta(first + 1, second + 1): a fair coin shows at most `first` heads in one flip more."""
    n = first + second + 1
    return Fraction(sum(math.comb(n, k) for k in range(first + 1)), 2**n)


def e_value(first, second):
    """The mean of (2 theta)^first (2 - 2 theta)^second over theta uniform on 1/2..1."""
    beta = Fraction(math.factorial(first) * math.factorial(second), math.factorial(first + second + 1))
    return 2 ** (first + second + 1) * beta * leads(first, second)


def stops(stop, answers, numbers=()):
    """Whether a rule stops after these draws; `numbers` are what it reads of each, by column."""
    kind, n = type(stop).__name__, len(answers)
    if kind in naive_stops.RULES:
        return naive_stops.RULES[kind](stop, answers, numbers)
    votes = Counter(a for a in answers if a is not None)
    first, second = [*sorted(votes.values(), reverse=True), 0, 0][:2]
    if kind == "WindowStop":
        last = answers[-stop.window :]
        return n % stop.window == 0 and len(set(last)) == 1 and last[0] is not None
    if kind == "OwnStop":
        counts = [votes[a] for a in sorted(votes)] or [0]
        return bool(stop.function(np.array(counts, dtype=np.int64), n))
    if first == 0:
        return False
    if kind == "BetaStop":
        return leads(first, second) >= stop.threshold
    if kind == "EValueStop":
        return e_value(first, second) * Fraction(stop.alpha) >= 1
    if n < stop.min_samples:
        return False
    if kind == "MajorityStop":
        return first / n >= stop.share
    assert kind == "EntropyStop"
    counts = list(votes.values()) + [1] * (n - votes.total())
    counts += [1] if len(counts) == 1 else []
    entropy = -sum(c / sum(counts) * math.log2(c / sum(counts)) for c in counts)
    return entropy / math.log2(len(counts)) <= stop.threshold + 1e-9


def first_stop(stop, answers, numbers=(), looks=None):
    """Draws after which the rule first stops, or None; with `looks` it is asked after so many draws only."""
    if stop is None:
        return None
    ends = [n for n in range(1, len(answers) + 1) if looks is None or n in looks]
    return next((n for n in ends if stops(stop, answers[:n], [column[:n] for column in numbers])), None)


# Strategies -----------------------------------------------------------------------------------------------------------


def allocate(budget, n, sizes=None, shares=None):
    parts = [Fraction(share).limit_denominator(10**6) for share in shares or [1] * n]
    each = [math.ceil(budget * part / sum(parts)) for part in parts] if sizes is None else sizes
    given = []
    for most in each:
        given.append(min(most, budget - sum(given)))
    return given


def agrees(answers, agreement, strict):
    votes = Counter(a for a in answers if a is not None)
    share = max(votes.values(), default=0) / len(answers)
    return share > agreement if strict else share >= agreement


def model_switch(strategy, draws, right, rank, numbers):
    """One replay: draws[i] are the answers that model i would give; returns (right, samples used per stage)."""
    rule = strategy.vote
    asked = [i for i, answers in enumerate(draws) if answers]
    used = [0] * len(draws)
    for i in asked:
        used[i] = len(draws[i])
        if i == asked[-1] and not strategy.test_last:
            break
        if agrees(draws[i], strategy.agreement, strategy.strict):
            if strategy.on_agreement == "adopt":
                return is_right(vote([draws[i]], PLAIN), right, rule.ties, rank), used
            reached = [answers if j <= i else [] for j, answers in enumerate(draws)]
            return is_right(vote(reached, rule, numbers), right, rule.ties, rank, close(rule, numbers)), used
    return is_right(vote(draws, rule, numbers), right, rule.ties, rank, close(rule, numbers)), used


def close(rule, numbers):
    """Scores that differ by less than this are equal: sums of numbers that nearly cancel."""
    if rule.ballots not in ("number", "frequent"):
        return 0.0
    return 1e-12 * max((abs(x) for given in numbers for x in given), default=0.0)


def cascade(strategy, draws, right, rank):
    asked = [i for i, answers in enumerate(draws) if answers]
    used = [0] * len(draws)
    for i in asked:
        used[i] = len(draws[i])
        if i == asked[-1] or agrees(draws[i], strategy.agreement, strategy.strict):
            return is_right(vote([draws[i]], PLAIN), right, strategy.ties, rank), used
    raise AssertionError


def one_model(strategy, answers, right, rank, numbers, seen):
    """Draws until the rule stops; the window that stops is adopted, else all draws so far vote."""
    rule, end = strategy.vote, first_stop(strategy.stop, answers, seen, strategy.looks)
    if end is not None and type(strategy.stop).__name__ == "WindowStop":
        return answers[end - 1] in right, [end]
    drawn, with_numbers = answers[:end], [given[:end] for given in numbers]
    return is_right(vote([drawn], rule, with_numbers), right, rule.ties, rank, close(rule, numbers)), [len(drawn)]


def coverage(draws, right):
    return any(a in right for answers in draws for a in answers), [len(answers) for answers in draws]


def reliability(strategy, answers, right, lot):
    """With tau="mean" `lot`, from 0 to below 1, chooses how many draws must be right; without one: the mean."""
    k, n_right = len(answers), sum(a in right for a in answers)
    if strategy.tau != "mean":
        return n_right >= math.ceil(Fraction(str(strategy.tau)) * k), [k]
    above = max(n_right - math.ceil(Fraction(k, 2)), 0)
    return Fraction(2 * above, k) if lot is None else above > math.floor(lot * k) // 2, [k]


def accepted(strategy, answer, number, right):
    """Whether a verifier accepts a sample."""
    if answer is None:
        return False
    return answer in right if strategy.column == "correct" else number >= strategy.threshold


def until_verified(strategy, draws, right, numbers):
    """Draws one by one, model after model; the first accepted one is the answer."""
    used = [0] * len(draws)
    for i, answers in enumerate(draws):
        for j, answer in enumerate(answers):
            used[i] += 1
            if accepted(strategy, answer, numbers[i][j] if strategy.column != "correct" else None, right):
                return answer in right, used
    return False, used


def replay(strategy, draws, right, rank, numbers=(), lot=None, seen=()):
    """One replay of a strategy of the library, read by its documented attributes."""
    kind = type(strategy).__name__
    if kind in naive_strategies.RULES:
        return naive_strategies.RULES[kind](strategy, draws, right, rank, numbers)
    if kind == "UntilVerified":
        return until_verified(strategy, draws, right, numbers)
    if kind == "Reliability":
        return reliability(strategy, draws[0], right, lot)
    if kind == "Coverage":
        return coverage(draws, right)
    if kind == "SelfConsistency":
        return one_model(strategy, draws[0], right, rank, numbers, seen)
    if kind == "Cascade":
        return cascade(strategy, draws, right, rank)
    if kind == "Mixture":
        rule = strategy.vote
        won = is_right(vote(draws, rule, numbers), right, rule.ties, rank, close(rule, numbers))
        return won, [len(answers) for answers in draws]
    return model_switch(strategy, draws, right, rank, numbers)


@lru_cache(maxsize=4)
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


def limits_of(strategy):
    """The most output tokens of a sample of each model."""
    given = strategy.max_tokens
    return given if isinstance(given, tuple) else [given] * len(strategy.models)


def limited(pool, strategy):
    """For each stage {question: answers}, in which a sample longer than the limit of the stage has no answer."""
    samples, _ = recorded(pool)
    stages = []
    for model, limit in zip(strategy.models, limits_of(strategy), strict=True):
        answers = samples[model]
        if limit is not None:
            tokens = column_of(pool, "output_tokens")[model]
            answers = {
                q: [answer if n <= limit else None for answer, n in zip(given, tokens[q], strict=True)]
                for q, given in answers.items()
            }
        stages.append(answers)
    return stages


def numbers_of(pool, strategy):
    """For each stage {question: numbers}, that the strategy's vote or verifier reads; no stages if it reads none.

    A sample that is cut off has as many output tokens as its limit.
    """
    column = getattr(getattr(strategy, "vote", strategy), "column", None)
    if column in (None, "correct"):
        return []
    stages = []
    for model, limit in zip(strategy.models, limits_of(strategy), strict=True):
        numbers = column_of(pool, column)[model]
        if limit is not None and column == "output_tokens":
            numbers = {q: [min(n, limit) for n in given] for q, given in numbers.items()}
        stages.append(numbers)
    return stages


@lru_cache(maxsize=4)
def column_of(pool, column):
    frame = pool.to_frame().sort_values("sample_index", kind="stable")
    numbers = {model: {q: [] for q in pool.question_ids} for model in pool.models}
    for row in frame.itertuples():
        numbers[row.model][row.question_id].append(getattr(row, column))
    return numbers


def evaluate(pool, strategy, budget, *, n_replays, seed=0, replacement=False, rng=None, shares_draws=(), note=None):
    """Per question: how many replays are right, and samples used over all replays.

    With `rng` (random.Random) the draws come from random.sample instead of the library's documented streams. Models of
    a group in `shares_draws` draw the samples that its first model draws. Replays call note(question, places, used)
    with the drawn places of every stage, and how many of them were used.
    """
    kind = type(strategy).__name__
    if kind in ("RandomRouter", "OracleRouter", *naive_strategies.ROUTERS):
        options = {"n_replays": n_replays, "seed": seed, "replacement": replacement, "rng": rng}
        options["shares_draws"] = shares_draws
        return routed(pool, strategy, lambda one: evaluate(pool, one, budget, **options), n_replays)
    if kind == "AdaptiveAllocation" or kind in naive_strategies.TOGETHER:
        joint = allocated if kind == "AdaptiveAllocation" else together
        return joint(pool, strategy, budget, n_replays=n_replays, seed=seed, replacement=replacement, note=note)
    right, hits, used = recorded(pool)[1], dict.fromkeys(pool.question_ids, 0), dict.fromkeys(pool.question_ids, 0)
    options = {"n_replays": n_replays, "seed": seed, "replacement": replacement, "rng": rng}
    for one in replays(pool, strategy, budget, **options, shares_draws=shares_draws):
        q = one["question"]
        rule = fitted(pool, strategy, q)
        won, spent = replay(rule, one["draws"], right[q], one["rank"], one["numbers"], one["lot"], one["seen"])
        hits[q] += won
        used[q] += sum(spent)
        if note is not None:
            note(q, one["places"], spent)
    return list(hits.values()), list(used.values())


def fitted(pool, strategy, question):
    """The strategy with what its stop rule learns for a question from others."""
    if not getattr(getattr(strategy, "stop", None), "learns", False):
        return strategy
    stop = naive_stops.learnt(strategy.stop, limited(pool, strategy)[0], question, name_hash)
    return replace(strategy, stop=stop, looks=strategy.looks if stop else None)


def replays(pool, strategy, budget, *, n_replays, seed=0, replacement=False, rng=None, shares_draws=()):
    """What each replay of each question draws: places, draws and numbers by stage, ranks in ties, and a lot.

    `seen` are the numbers of the first stage that the stop rule reads, by column.
    """
    samples, _ = recorded(pool)
    read = [column_of(pool, name) for name in getattr(getattr(strategy, "stop", None), "columns", ())]
    numbers, by_stage = numbers_of(pool, strategy), limited(pool, strategy)
    first = {model: group[0] for group in shares_draws for model in group}
    sizes = allocate(budget, len(strategy.models), *split_of(strategy))
    for q in pool.question_ids:
        known = sorted({a for model in pool.models for a in samples[model][q] if a is not None})
        for r in range(n_replays):
            places = {}
            for model in dict.fromkeys(strategy.models):
                n = len(samples[model][q])
                depth = sum(size for m, size in zip(strategy.models, sizes, strict=True) if m == model)
                if rng is not None:
                    places[model] = rng.choices(range(n), k=depth) if replacement else rng.sample(range(n), depth)
                else:
                    places[model] = positions(seed, first.get(model, model), q, r, n, depth, replacement)
            turns = []
            for model, size in zip(strategy.models, sizes, strict=True):
                turn, places[model] = places[model][:size], places[model][size:]
                turns.append(turn)
            ranks = (
                random_ranks(known, rng)
                if rng is not None
                else {a: tie_rank(seed, q, r, c) for c, a in enumerate(known)}
            )
            yield {
                "question": q,
                "places": turns,
                "draws": [[by_stage[i][q][p] for p in turn] for i, turn in enumerate(turns)],
                "numbers": [[numbers[i][q][p] for p in turn] if numbers else [] for i, turn in enumerate(turns)],
                "rank": ranks.get,
                "seen": [[column[strategy.models[0]][q][p] for p in turns[0]] for column in read],
                "lot": Fraction(word(stream_key(seed, "", q), r) >> 32, 2**32) if rng is None else rng.random(),
            }


def routed(pool, strategy, evaluate_one, n_replays=1):
    """The mean of the models each on its own, or per question the one that is most often right, or is chosen."""
    limits = limits_of(strategy)
    parts = [
        evaluate_one(SelfConsistency(model, strategy.vote, strategy.stop, max_tokens=limit, looks=strategy.looks))
        for model, limit in zip(strategy.models, limits, strict=True)
    ]
    if type(strategy).__name__ == "RandomRouter":
        shares = [Fraction(share) for share in strategy.shares or [1] * len(parts)]
        return [
            [
                sum(s * x for s, x in zip(shares, given, strict=True)) / sum(shares)
                for given in zip(*values, strict=True)
            ]
            for values in zip(*parts, strict=True)
        ]
    best = [max(range(len(parts)), key=lambda i: parts[i][0][q]) for q in range(len(parts[0][0]))]
    if type(strategy).__name__ in naive_strategies.ROUTERS:
        choose = naive_strategies.ROUTERS[type(strategy).__name__]
        best = choose(strategy, [won for won, _ in parts], n_replays, pool.questions)
    return [parts[i][0][q] for q, i in enumerate(best)], [parts[i][1][q] for q, i in enumerate(best)]


def allocated(pool, strategy, budget, *, n_replays, seed=0, replacement=False, note=None):
    """All questions share one budget; the next sample goes to the least certain leader."""
    samples, right = recorded(pool)
    (model,), (answers,) = strategy.models, limited(pool, strategy)
    questions = pool.question_ids
    given = [answers[q] for q in questions]
    caps = [min(strategy.cap or 1024, len(answers)) for answers in given]
    known = [sorted({a for m in pool.models for a in samples[m][q] if a is not None}) for q in questions]
    hits, used = [0] * len(questions), [0] * len(questions)
    for r in range(n_replays):
        orders = [
            positions(seed, model, q, r, len(answers), cap, replacement)
            for q, answers, cap in zip(questions, given, caps, strict=True)
        ]
        drawn = [[] for _ in questions]
        waiting = list(range(len(questions)))  # who waits longest comes first
        for _ in range(budget * len(questions)):
            q = min(waiting, key=lambda q: certainty(drawn[q], strategy.certainty))
            waiting.remove(q)
            drawn[q].append(given[q][orders[q][len(drawn[q])]])
            if len(drawn[q]) < caps[q]:
                waiting.append(q)
        for q, answers in enumerate(drawn):
            ranks = {a: tie_rank(seed, questions[q], r, c) for c, a in enumerate(known[q])}
            hits[q] += is_right(vote([answers], PLAIN), right[questions[q]], strategy.ties, ranks.get)
            used[q] += len(answers)
            if note is not None:
                note(questions[q], [orders[q]], [len(answers)])
    return hits, used


def together(pool, strategy, budget, *, n_replays, seed=0, replacement=False, note=None):
    """One model whose draws of a question depend on those of the others."""
    samples, right = recorded(pool)
    (model,), (answers,), questions = strategy.models, limited(pool, strategy), pool.question_ids
    count, given = naive_strategies.TOGETHER[type(strategy).__name__], [answers[q] for q in questions]
    known = [sorted({a for m in pool.models for a in samples[m][q] if a is not None}) for q in questions]
    hits, used = [0] * len(questions), [0] * len(questions)
    for r in range(n_replays):
        places = [
            positions(seed, model, q, r, len(all_of_it), budget, replacement)
            for q, all_of_it in zip(questions, given, strict=True)
        ]
        draws = [[all_of_it[j] for j in chosen] for all_of_it, chosen in zip(given, places, strict=True)]
        for q, n in enumerate(count(strategy, budget, draws, given, pool.questions)):
            ranks = {a: tie_rank(seed, questions[q], r, c) for c, a in enumerate(known[q])}
            hits[q] += is_right(vote([draws[q][:n]], PLAIN), right[questions[q]], strategy.ties, ranks.get)
            used[q] += n
            if note is not None:
                note(questions[q], [places[q]], [n])
    return hits, used


def certainty(answers, measure="beta"):
    votes = sorted(Counter(a for a in answers if a is not None).values(), reverse=True)
    first, second = [*votes, 0, 0][:2]
    if measure == "ppr":  # 1 / density of Beta(first + 1, second + 1) at 1/2
        return Fraction(2 ** (first + second), (first + second + 1) * math.comb(first + second, first))
    return leads(first, second)


def split_of(strategy):
    if type(strategy).__name__ in naive_strategies.ONE_OF_EACH:
        return [1] * len(strategy.models), None
    return getattr(strategy, "sizes", None), getattr(strategy, "shares", None)


def random_ranks(known, rng):
    return dict(zip(known, random.Random(rng.random()).sample(range(len(known)), len(known)), strict=True))


# Latency --------------------------------------------------------------------------------------------------------------


def rounds_of(strategy, used, sizes):
    """Rounds of a replay that took used[stage] of sizes[stage] draws, each a list of (stage, first draw, end).

    A round ends where the strategy decides whether to draw more. Strategies not named here decide after every draw.
    """
    kind, stop = type(strategy).__name__, getattr(strategy, "stop", None)
    if kind in naive_strategies.ROUNDS:
        return naive_strategies.ROUNDS[kind](strategy, used)
    if getattr(strategy, "looks", None):
        ends = [n for n in strategy.looks if n < used[0]] + used
        return [[(0, first, end)] for first, end in itertools.pairwise([0, *ends])]
    if kind == "SelfConsistency" and type(stop).__name__ == "WindowStop":
        return [[(0, first, min(first + stop.window, used[0]))] for first in range(0, used[0], stop.window)]
    planned = ("SelfConsistency", "Coverage", "Reliability", "Mixture", "ModelSwitch", "Cascade")
    if kind not in planned or stop is not None:
        return [[(stage, j, j + 1)] for stage, n in enumerate(used) for j in range(n)]
    rounds = [[]]
    for stage, n in enumerate(used):
        if n > 0:
            rounds[-1].append((stage, 0, n))
            alike = ["a"] * sizes[stage]
            if kind in ("ModelSwitch", "Cascade") and agrees(alike, strategy.agreement, strategy.strict):
                rounds.append([])  # the stage can agree
    return [found for found in rounds if found]


def latency_of(rounds, parallel):
    """Latency of rounds, each a list with the latencies of the draws of each of its stages, in order.

    All draws of a round run at once, or with `parallel`, at most so many draws of one stage.
    """
    if parallel is None:
        return sum(max(max(stage) for stage in stages) for stages in rounds)
    return sum(
        max(stage[first : first + parallel])
        for stages in rounds
        for stage in stages
        for first in range(0, len(stage), parallel)
    )


def spent(pool, strategy, budget, *, quantity, n_replays, seed=0, replacement=False, parallel=None):
    """What every replay spends, [question][replay], as `evaluate` draws; a router's models spend each on their own."""
    amounts = column_of(pool, {"tokens": "output_tokens"}.get(quantity, quantity))
    if type(strategy).__name__ == "AdaptiveAllocation":
        sizes = [budget * len(pool.question_ids)]
    else:
        sizes = allocate(budget, len(strategy.models), *split_of(strategy))
    totals = {q: [] for q in pool.question_ids}

    def cut(amount, limit):
        return min(amount, limit) if quantity == "tokens" and limit is not None else amount

    def note(q, places, used):
        drawn = [
            [cut(amounts[model][q][place], limit) for place in turn[:n]]
            for model, limit, turn, n in zip(strategy.models, limits_of(strategy), places, used, strict=True)
        ]
        if type(strategy).__name__ in naive_strategies.PARTS:  # samples end early
            (model,), (turn,) = strategy.models, places
            read = [[column_of(pool, c)[model][q][place] for place in turn] for c in (strategy.column, "output_tokens")]
            parts = naive_strategies.PARTS[type(strategy).__name__](strategy, *read)
            drawn = [[float(amount * part) for amount, part in zip(drawn[0], parts, strict=False)]]
        rounds = [
            [drawn[stage][first:end] for stage, first, end in found] for found in rounds_of(strategy, used, sizes)
        ]
        totals[q].append(latency_of(rounds, parallel) if quantity == "latency" else sum(map(sum, drawn)))

    evaluate(pool, strategy, budget, n_replays=n_replays, seed=seed, replacement=replacement, note=note)
    return list(totals.values())


# Expectations over all draws there are, in rational arithmetic --------------------------------------------------------


def orders(answers, size, replacement):
    """Every order of draws with its chance; equal ones together."""
    found = Counter(itertools.product(answers, repeat=size) if replacement else itertools.permutations(answers, size))
    return [(list(order), Fraction(n, found.total())) for order, n in found.items()]


def expectation(pool, strategy, budget, *, replacement=False):
    """Per question: chance of a right answer, and expected samples, the mean over all orders of draws."""
    if type(strategy).__name__ in ("RandomRouter", "OracleRouter", *naive_strategies.ROUTERS):
        return routed(pool, strategy, lambda one: expectation(pool, one, budget, replacement=replacement))
    by_stage, right = limited(pool, strategy), recorded(pool)[1]
    sizes = allocate(budget, len(strategy.models), *split_of(strategy))
    accuracy, used = [], []
    for q in pool.question_ids:
        chances = [orders(answers[q], size, replacement) for answers, size in zip(by_stage, sizes, strict=True)]
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
            if rest > no_answer + sum(min(n, votes) for other, n in enumerate(counts) if other != winner):
                continue  # so many of the others have more votes for one of them
            by_tied = {0: ways_to_draw(no_answer, rest)}
            for other, n in enumerate(counts):
                if other == winner:
                    continue
                below, equal = ways_to_draw(n, min(n, votes - 1, rest)), math.comb(n, votes)
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
