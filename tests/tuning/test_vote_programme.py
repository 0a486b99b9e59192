"""The programme of optimal weights against vertices in rational arithmetic, and against the code of its authors."""

import ctypes
import random
from fractions import Fraction
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.tuning import vote_programme
from mssim.tuning.vote_programme import LEAST_LEAD, programme_of, solve
from tests.conftest import examples

LEAST = Fraction(LEAST_LEAD)


def random_table(rng, n_models, n_questions, most=5, n_samples=4):
    """Counts of answers [model][answer] and marks of right answers per question; samples may have no answer."""
    questions = []
    for _ in range(n_questions):
        n = int(rng.integers(1, most))
        counts = rng.multinomial(n_samples, rng.dirichlet(np.ones(n + 1)), n_models)[:, :n]
        right = rng.random(n) < 0.3
        right[rng.integers(n)] |= rng.random() < 0.8
        questions.append((counts.tolist(), right.tolist(), n_samples))
    return questions


def solved(questions, seconds=60):
    """Solve the programme of a table."""
    shares = np.concatenate([np.array(counts) / n for counts, _, n in questions], axis=1)
    offsets = np.cumsum([0, *(len(right) for _, right, _ in questions)])
    correct = np.concatenate([right for _, right, _ in questions])
    return solve(programme_of(shares, offsets, correct, np.ones(len(questions), bool)), seconds)


def rows_of(question):
    """Leads of every right answer over each wrong one, [right answer][wrong answer][model], as fractions."""
    counts, right, n = question
    shares = [[Fraction(int(c), n) for c in row] for row in counts]
    wrong = [a for a, good in enumerate(right) if not good]
    zero = [[row[a] for row in shares] for a, good in enumerate(right) if good] if not wrong else None
    if zero is not None:
        return [[row] for row in zero]
    return [[[row[a] - row[b] for row in shares] for b in wrong] for a, good in enumerate(right) if good]


def lead(question, weights):
    """Lead of the best right answer; -1 if there is none."""
    dots = [[sum(w * x for w, x in zip(weights, row, strict=True)) for row in rows] for rows in rows_of(question)]
    return max((min(dot) for dot in dots), default=Fraction(-1))


def crossings(lines):
    """Weights at which enough of the lines a w = c cross: one of two models, two of three."""
    n = len(lines[0][0])
    for chosen in combinations(lines, n - 1):
        rows = [[Fraction(1)] * n + [Fraction(1)], *([*a, c] for a, c in chosen)]
        found = eliminate(rows)
        if found is not None and min(found) >= 0:
            yield found


def eliminate(rows):
    """Solve a square system, augmented; None if it is singular."""
    rows, n = [list(row) for row in rows], len(rows)
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for r in range(n):
            if r != i:
                rows[r] = [x - rows[r][i] * y for x, y in zip(rows[r], rows[i], strict=True)]
    return tuple(row[-1] for row in rows)


def by_vertices(questions, n_models):
    """Most right questions, and the largest margin at this number.

    Each set of weights with the same right questions is a polytope, and so is its part with a margin of at least some
    number. The optima are therefore at vertices.
    """
    leads = sorted({tuple(row) for question in questions for rows in rows_of(question) for row in rows})
    axes = [(tuple(Fraction(int(i == j)) for j in range(n_models)), Fraction(0)) for i in range(n_models)]
    tried = set(crossings([*((row, LEAST) for row in leads), *axes]))
    right = {w: [m for m in (lead(question, w) for question in questions) if m >= LEAST] for w in tried}
    most = max(map(len, right.values()))
    alike = sorted({tuple(x - y for x, y in zip(a, b, strict=True)) for a, b in combinations(leads, 2)})
    for w in set(crossings([*((row, Fraction(0)) for row in alike), *axes])) - tried:
        right[w] = [m for m in (lead(question, w) for question in questions) if m >= LEAST]
    return most, max((min(found) for found in right.values() if len(found) == most and most), default=None)


def check(questions, n_models):
    found = solved(questions)
    most, margin = by_vertices(questions, n_models)
    leads = [float(lead(question, [Fraction(float(w)) for w in found.weights])) for question in questions]
    right = [m for m in leads if m >= LEAST_LEAD - 1e-8]
    assert found.complete
    assert len(right) == found.bound == most
    assert sum(found.weights) == pytest.approx(1)
    assert min(found.weights) >= 0
    if most:
        assert float(margin) - 2 * LEAST_LEAD <= min(right) <= float(margin) + 1e-8


@pytest.mark.slow
@settings(max_examples=examples(120))
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_two_models_equal_the_vertices(seed, n_questions):
    check(random_table(np.random.default_rng(seed), 2, n_questions), 2)


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_three_models_equal_the_vertices(seed, n_questions):
    check(random_table(np.random.default_rng(seed), 3, n_questions, most=4), 3)


EXAMPLE = [
    ([[6, 4], [3, 7]], [True, False], 10),
    ([[2, 8], [9, 1]], [True, False], 10),
    ([[4, 6, 0], [4, 0, 6]], [True, False, False], 10),
]


def test_a_mixture_solves_more_questions_than_each_model():
    """Each model alone solves one question. The second and third are solved for 1/3 < w1 < 4/7, best at 1/2."""
    found = solved(EXAMPLE)
    assert found.weights.tolist() == pytest.approx([0.5, 0.5])
    assert (found.bound, found.complete) == (2, True)
    assert by_vertices(EXAMPLE, 2) == (2, Fraction(1, 10))


def test_ties_are_wrong():
    """At w1 = 2/3, the first and third question are tied, and each is right on one side only."""
    tied = [EXAMPLE[0], EXAMPLE[2]]
    assert solved(tied).bound == 1
    assert solved([([[1, 1], [1, 1]], [True, False], 2)]).bound == 0
    assert solved([([[0], [0]], [True], 2)]).bound == 0  # no answers


def test_any_right_answer_counts():
    """Two right answers share the votes of the models; either is ahead near one model, and neither between them."""
    question = ([[4, 1, 3], [1, 4, 3]], [True, True, False], 8)
    found = solved([question])
    assert max(found.weights) == pytest.approx(1)
    assert float(lead(question, [Fraction(1, 2)] * 2)) < 0


def test_equal_questions_are_one_group_and_those_that_all_solve_have_no_binary_variable():
    rare = ([[1, 3], [3, 1]], [True, False], 4)
    shares = np.array([[0.25, 0.75, 0.25, 0.75, 1.0, 0.0], [0.75, 0.25, 0.75, 0.25, 0.5, 0.25]])
    programme = programme_of(shares, np.array([0, 2, 4, 6]), np.array([True, False] * 3), np.ones(3, bool))
    assert programme.worth.tolist() == [2]
    assert programme.n_fixed == 1
    assert programme.fixed.tolist() == [[1.0, 0.25]]
    assert solved([rare, rare, ([[4, 0], [2, 1]], [True, False], 4)]).bound == 3
    left_out = programme_of(shares, np.array([0, 2, 4, 6]), np.array([True, False] * 3), np.array([True, False, False]))
    assert (left_out.worth.tolist(), left_out.n_fixed) == ([1], 0)


# Right questions, and smallest positive lead of a right answer, with the weights that optimal_weight_binarysearch of
# github.com/jkomiyama/BoInf-code-publish at fbcb097 returns for `drawn_tables`, by number of models.
AUTHORS = {
    2: (
        [6, 8, 5, 4, 6, 4, 5, 3, 9, 6, 7, 8],
        [0.1013, 0.0127, 0.0886, 0.7722, 0.0595, 0.0633, 0.0633, 0.0127, 0.0082, 0.0538, 0.0903, 0.1427],
    ),
    3: (
        [10, 7, 5, 7, 4, 8, 5, 7, 8, 7, 8, 8],
        [0.0231, 0.1266, 0.0991, 0.0443, 0.2594, 0.1089, 0.0633, 0.0623, 0.0688, 0.0469, 0.0037, 0.0055],
    ),
    4: (
        [6, 8, 8, 9, 7, 8, 7, 7, 8, 7, 10, 6],
        [0.067, 0.0125, 0.0612, 0.0316, 0.0344, 0.0668, 0.0408, 0.0096, 0.0596, 0.0678, 0.029, 0.1426],
    ),
}


def drawn_tables(seed, n_models):
    """Counts of 79 samples for 12 questions of which the first answer is right."""
    rng = random.Random(10 * seed + n_models)
    found = []
    for _ in range(12):
        answers, counts = rng.randint(2, 4), []
        for _ in range(n_models):
            chances = [rng.random() ** 3 for _ in range(answers)]
            drawn = rng.choices(range(answers), chances, k=79)
            counts.append([drawn.count(a) for a in range(answers)])
        found.append((counts, [True] + [False] * (answers - 1), 79))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("n_models", AUTHORS)
def test_right_questions_and_margin_are_those_of_the_authors(n_models):
    """Their programme counts ties as right. One table has a tie, the fourth of two models."""
    for seed, (most, margin) in enumerate(zip(*AUTHORS[n_models], strict=True)):
        questions = drawn_tables(seed, n_models)
        found = solved(questions)
        leads = np.array([float(lead(question, [Fraction(float(w)) for w in found.weights])) for question in questions])
        tied = int((np.abs(leads) < 1e-9).sum())
        assert tied == ((n_models, seed) == (2, 3))
        assert found.complete
        assert found.bound + tied == most
        assert leads[leads > 1e-6].min() == pytest.approx(margin, abs=6e-5)


def test_the_margin_is_found_among_other_questions_than_the_first():
    """Two pairs of questions of equal number exclude each other; one has more room between its limits."""
    narrow = [([[52, 48], [0, 100]], [True, False], 100)] * 2
    wide = [([[0, 100], [90, 10]], [True, False], 100)] * 2
    for questions in (narrow + wide, wide + narrow):
        found = solved(questions)
        assert found.bound == 2
        assert found.weights.tolist() == pytest.approx([0, 1])


def test_a_search_that_is_cut_off_has_a_bound(monkeypatch):
    """The solver found nothing: weights are equal, and all questions might be right."""
    cut = SimpleNamespace(x=None, mip_dual_bound=None, status=1)
    monkeypatch.setattr(scipy.optimize, "milp", lambda *_, **__: cut)
    found = solved(EXAMPLE)
    assert (found.weights.tolist(), found.bound, found.complete) == ([0.5, 0.5], 3, False)


def test_a_search_for_the_margin_that_is_cut_off_is_incomplete(monkeypatch):
    plain, calls = scipy.optimize.milp, []

    def third_fails(*given, **options):
        calls.append(options)
        return plain(*given, **options) if len(calls) < 3 else SimpleNamespace(x=None, status=1)

    monkeypatch.setattr(scipy.optimize, "milp", third_fails)
    found = solved(EXAMPLE)
    assert (found.bound, found.complete) == (2, False)
    assert found.weights.sum() == pytest.approx(1)


def test_lines_that_the_solver_prints_by_mistake_are_removed(capfd):
    libc = ctypes.CDLL(None)
    with vote_programme._without_stray_lines():
        libc.puts(b"HighsMipSolverData::transformNewIntegerFeasibleSolution tmpSolver.run();")
        libc.puts(b"something else")
    print("after")
    assert capfd.readouterr().out.splitlines() == ["something else", "after"]


def test_a_process_without_standard_output_solves_too(monkeypatch):
    monkeypatch.setattr(vote_programme.os, "dup", lambda _: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr(vote_programme.sys, "stdout", None)
    assert solved(EXAMPLE).bound == 2


def test_lowest_rows_are_those_that_no_other_row_undercuts():
    rows = np.array([[1.0, 2.0], [0.0, 3.0], [1.0, 3.0], [0.0, 3.0]])
    assert vote_programme._lowest(rows).tolist() == [[0.0, 3.0], [1.0, 2.0]]
