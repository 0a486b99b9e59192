"""Further strategies in plain Python, which `naive.replay` asks: slow, obvious, sharing no rule with the library.

Each is a function (strategy, draws, right, rank, numbers) -> whether a replay is right, and samples used by stage, as
of `naive.replay`.
"""

import math
import re
import statistics
from collections import Counter
from fractions import Fraction
from types import SimpleNamespace

import numpy as np


def gate(strategy, draws, right, _rank, numbers):
    """One sample of each model that the budget pays for; the first confident one is the answer, else the last."""
    asked = [answers[0] for answers in draws if answers]
    limits = strategy.threshold if isinstance(strategy.threshold, tuple) else [strategy.threshold] * len(asked)
    used = [0] * len(draws)
    for i, answer in enumerate(asked):
        used[i] = 1
        if i == len(asked) - 1:
            break
        number = numbers[i][0]
        if answer is not None and (number > limits[i] if strategy.strict else number >= limits[i]):
            break
    return answer in right, used


RULES = {"Gate": gate}  # by the name of the strategy's class
ONE_OF_EACH = {"Gate"}  # strategies of which no model draws more than one sample


# Routers --------------------------------------------------------------------------------------------------------------


def folds_of(clusters, n_folds):
    """The fold of each question: whole clusters, largest first, to the emptiest fold; equals in a random order."""
    names = sorted(set(clusters))
    shuffled = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    fold, filled = {}, [0] * min(n_folds, len(names))
    for name in sorted(shuffled, key=lambda name: -clusters.count(name)):
        fold[name] = filled.index(min(filled))
        filled[fold[name]] += clusters.count(name)
    return [fold[name] for name in clusters]


def features(questions, columns, training):
    """Numbers that describe each question: words of its text, or columns in standard deviations or as 0 and 1.

    Words are not hashed, which makes no difference as long as no two of them have the same hash.
    """
    if columns is None:
        texts = [Counter(re.findall(r"\w\w+", question["question"].lower())) for question in questions]
        lengths = [math.sqrt(sum(n * n for n in words.values())) or 1 for words in texts]
        known = sorted(set().union(*texts))
        return [[words[name] / length for name in known] for words, length in zip(texts, lengths, strict=True)]
    described = [[] for _ in questions]
    for column in columns:
        known = [question[column] for question in training]
        for row, question in zip(described, questions, strict=True):
            if isinstance(known[0], str):
                row += [float(question[column] == value) for value in sorted(set(known))]
            else:
                spread = statistics.pstdev(known)
                row.append((question[column] - statistics.fmean(known)) / spread if spread > 1e-9 else 0.0)
    return described


def regression(rows, shares):
    """Weights and intercept of a logistic regression with penalty |weights|^2 / 2, by Newton's method."""
    x, y = np.hstack([rows, np.ones((len(rows), 1))]), np.array(shares, dtype=float)
    penalty, found = np.diag([1.0] * (x.shape[1] - 1) + [0.0]), np.zeros(x.shape[1])

    def loss(weights):
        z = x @ weights
        return (np.logaddexp(0, z) - y * z).sum() + weights @ penalty @ weights / 2

    for _ in range(200):
        p = 1 / (1 + np.exp(-x @ found))
        gradient = x.T @ (p - y) + penalty @ found
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + penalty, gradient)
        while loss(found - step) > loss(found) + 1e-13 and np.abs(step).max() > 1e-12:
            step = step / 2
        found = found - step
    return found


def scores_of(strategy, question, training, shares):
    """The predicted share of right answers of every model, from its shares on the training questions."""
    if strategy.by is None:
        near = training
    elif strategy.by in ("knn", "logistic"):
        *rows, asked = features([*training, question], strategy.features, training)
        if strategy.by == "logistic":
            return [predicted(rows, asked, [of_model[other["place"]] for other in training]) for of_model in shares]
        distances = [sum((a - b) ** 2 for a, b in zip(row, asked, strict=True)) for row in rows]
        last = sorted(distances)[: strategy.k][-1]
        near = [other for other, distance in zip(training, distances, strict=True) if distance <= last + 1e-9]
    else:
        same = [other for other in training if other[strategy.by] == question[strategy.by]]
        near = same if len(same) >= 5 else training
    return [sum(of_model[other["place"]] for other in near) / len(near) for of_model in shares]


def predicted(rows, asked, known):
    if len(set(known)) == 1 and known[0] in (0, 1):
        return known[0]
    *weights, intercept = regression(np.array(rows), known)
    return 1 / (1 + math.exp(-(np.dot(weights, asked) + intercept)))


def totals(strategy, budget, draws, given, frame):
    """How many draws each question uses if questions are ordered by difficulty.

    draws are the answers that each question would draw, `budget` of each; given are all recorded answers of each.
    """
    questions = [dict(row, place=i) for i, row in enumerate(frame.to_dict("records"))]
    level = difficulties(strategy, given, questions)
    hardest_first = sorted(range(len(draws)), key=lambda q: -level[q])
    window, agree, n_hard = min(strategy.window, budget), 0, len(draws)
    for place, q in enumerate(hardest_first):
        first = draws[q][:window]
        agree = agree + 1 if first[0] is not None and len(set(first)) == 1 else 0
        if agree == strategy.easy:
            n_hard = place + 1
            break
    used, before = [1] * len(draws), []
    for q in reversed(hardest_first[:n_hard]):
        recent = before[-strategy.before :]
        windows = 1
        if len(recent) == strategy.before:
            windows = max(1, round(Fraction(sum(recent), len(recent)) / strategy.window))  # halves to even numbers
        n = windows * strategy.window
        while n < budget and not certain(draws[q][:n], strategy.threshold):
            n += strategy.window
        used[q] = min(n, budget)
        before.append(used[q])
    return used


def certain(answers, threshold):
    votes = sorted(Counter(a for a in answers if a is not None).values(), reverse=True)
    first, second = [*votes, 0, 0][:2]
    flips = first + second + 1  # a fair coin shows at most `first` heads
    return first > 0 and sum(math.comb(flips, k) for k in range(first + 1)) >= Fraction(threshold) * 2**flips


def difficulties(strategy, given, questions):
    """The column, or the mean share of samples without the most frequent answer over the nearest other questions."""
    if strategy.difficulty is not None:
        return [question[strategy.difficulty] for question in questions]
    shares = [
        [1 - max(Counter(a for a in answers if a is not None).values(), default=0) / len(answers) for answers in given]
    ]
    labels = "cluster" if "cluster" in questions[0] else "question_id"
    folds = folds_of([str(question[labels]) for question in questions], 5)
    nearest = SimpleNamespace(by="knn", k=10, features=strategy.features)
    found = []
    for question, fold in zip(questions, folds, strict=True):
        training = [other for other, its in zip(questions, folds, strict=True) if its != fold]
        found.append(round(float(scores_of(nearest, question, training, shares)[0]), 9))
    return found


def route(strategy, won, n_replays, frame):
    """The model of each question: the first of those with the highest prediction from questions of other folds."""
    questions = [dict(row, place=i) for i, row in enumerate(frame.to_dict("records"))]
    labels = strategy.clusters or ("cluster" if "cluster" in frame else "question_id")
    folds = folds_of([str(question[labels]) for question in questions], strategy.folds)
    shares, chosen = [[Fraction(n) / n_replays for n in of_model] for of_model in won], []
    same = 1e-6 if strategy.by == "logistic" else 0
    for question, fold in zip(questions, folds, strict=True):
        training = [other for other, its in zip(questions, folds, strict=True) if its != fold]
        scores = scores_of(strategy, question, training, shares)
        chosen.append(next(i for i, score in enumerate(scores) if score >= max(scores) - same))
    return chosen


# By the name of the class: (strategy, right replays by model and question, replays, questions) -> models of questions.
ROUTERS = {"Router": route}

# By the name of the class: (strategy, budget, draws, recorded answers, questions) -> draws that each question uses.
TOGETHER = {"DifficultyAdaptive": totals}

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
