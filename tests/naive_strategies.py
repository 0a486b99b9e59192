"""Further strategies in plain Python, which `naive.replay` asks: slow, obvious, sharing no rule with the library.

Each is a function (strategy, draws, right, rank, numbers) -> whether a replay is right, and samples used by stage, as
of `naive.replay`.
"""

import math
import re
import statistics
from collections import Counter
from fractions import Fraction

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
