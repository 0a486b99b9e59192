"""The Bayes factor with unseen answers: worked numbers, other implementations, kernel and oracle."""

import random
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scorio import aggregate

from mssim import BayesFactorStop, StrategyError, parse_strategy
from mssim.rules.stops.bayes_factor import chance_to_fail
from tests import naive, naive_stops
from tests.rules.stops.ends import all_agree, decisions, in_python, sequences

# Draws at which the authors' code stops (jkomiyama/BoInf-code-publish at fbcb097, boinf/test_main.py, and its 0.3
# votes of an unseen answer). Its 1,000 random draws gave the same decision in all of 60 tries after every draw.
AUTHORS = [
    (5, "bcddd", 5),
    (5, "bb", 2),
    (10, "aecbeee", 7),
    (10, "dbbadaccddaebdd", 15),
    (10, "fefbff", 6),
    (10, "babcaabbaaccbabaaa", 18),
    (10, "abebbeeddddbbdeadaabaadbeaeaee", None),
    (10, "cacdecc", 7),
    (10, "dfaaaa", 6),
    (10, "caeefcaaeeabee", 14),
    (30, "bfbdfafcfeefdff", 15),
    (30, "caccdabccbbcafcc", 16),
    (30, "dadbdaadaabdabbddaaadddbdbbdad", None),
    (30, "aaaa", 4),
    (30, "cbcabaccbcbbcbccccbbcccbbcbcac", None),
    (100, "acaaccaccaaaaccacaaccccccaacca", None),
    (100, "aabbbbbaaaaaaabbabbaaababbbbaa", None),
]


@pytest.mark.parametrize(("threshold", "answers", "end"), AUTHORS)
def test_the_decisions_of_the_authors(threshold, answers, end):
    assert decisions(BayesFactorStop(threshold), list(answers)) == end


@pytest.mark.parametrize(
    ("votes", "article", "code"),
    [
        ((1,), 4.326, 4.063),
        ((2,), 14.17, 9.230),
        ((5,), 204.2, 75.03),
        ((1, 1), 1.654, 2.055),
        ((3, 1), 12.09, 9.460),
        ((5, 1), 54.60, 33.56),
        ((2, 1, 1), 4.359, 3.875),
    ],
)
def test_worked_factors(votes, article, code):
    assert BayesFactorStop(form="article").factor(np.array(votes)) == pytest.approx(article, rel=1e-3)
    assert BayesFactorStop().factor(np.array(votes)) == pytest.approx(code, rel=1e-3)


def test_an_unseen_answer_against_one_vote_has_a_closed_form():
    # X_1 is uniform to the power 1 / (its share): P = 2 ** -alpha in the article's form.
    for alpha in (0.1, 0.3, 2.0):
        assert 1 - chance_to_fail(1.0, np.array([alpha])) == pytest.approx(0.5**alpha, rel=1e-13)


def race(leader, others):
    """Chance that of three sums of so many exponential variables the first is the largest, in rational arithmetic.

    Steps fall to each sum with chance 1/3: the leader has i of its own when the last of the others is complete.
    """
    total = Fraction(0)
    for i in range(leader):
        for last, other in (others, others[::-1]):
            for j in range(other, other + 200):
                ways = comb(i + last - 1 + j, i) * comb(last - 1 + j, j)
                total += Fraction(ways, 3 ** (i + last + j))
    return float(total)


def test_three_answers_in_rational_arithmetic():
    assert 1 - chance_to_fail(3.0, np.array([2.0, 2.0])) == pytest.approx(347 / 648, rel=1e-13)
    for leader, others in ((2, (1, 1)), (5, (3, 2)), (4, (4, 1))):
        assert 1 - chance_to_fail(float(leader), np.array(others, float)) == pytest.approx(race(leader, others))


def test_the_dirichlet_rule_of_scorio_has_the_same_probability():
    """Version 0.2.3: Dirichlet(v + 1) of the answers seen, by an integral over quantiles."""
    for answers in sequences(40, seed=3):
        votes = np.sort(np.unique(answers[:25], return_counts=True)[1])
        probability = aggregate.adaptive_consistency_dirichlet_stop(answers[:25], return_prob=True)[1]
        mine = 1 - chance_to_fail(votes[-1] + 1.0, votes[:-1] + 1.0) if votes.size > 1 else None
        assert mine is None or mine == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize(
    ("leader", "others"),
    [(2.0, [2.0] * 62 + [1.3]), (9.0, [9.0] * 100), (1.0, [0.3]), (40.0, [9.0, 1.3]), (700.0, [500.0, 2.0, 1.3])],
)
def test_the_sum_over_nodes_is_the_integral(leader, others):
    assert chance_to_fail(leader, np.array(others)) == pytest.approx(naive_stops.loses(leader, others), rel=1e-10)


@pytest.mark.kernels
@pytest.mark.parametrize(
    ("threshold", "alpha", "form"),
    [(10, 0.3, "code"), (6, 0.3, "article"), (30, 0.3, "article"), (4.5, 3.0, "code"), (1000, 0.01, "code")],
)
def test_kernel_plain_statement_and_oracle_agree(threshold, alpha, form):
    rule, found = BayesFactorStop(threshold, alpha, form), set()
    for answers in sequences(25, seed=threshold):
        holes = random.Random(threshold).sample(range(40), 4)
        found.add(all_agree(rule, [None if j in holes else a for j, a in enumerate(answers)]))
    assert len(found) > 2


@pytest.mark.slow
@pytest.mark.parametrize("rule", [BayesFactorStop(), BayesFactorStop(300), BayesFactorStop(20, 0.3, "article")])
def test_many_answers_and_hundreds_of_votes(rule):
    rng = random.Random(1)
    for n_answers in (2, 3, 8, 25, 60):
        answers = rng.choices(range(n_answers), [1.2, *[1] * (n_answers - 1)], k=300)
        assert decisions(rule, answers) == in_python(rule, answers)


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (BayesFactorStop(), "aaa", 3),
        (BayesFactorStop(), "aa", None),
        (BayesFactorStop(4), "a", 1),
        (BayesFactorStop(4), [None, "a"], 2),
        (BayesFactorStop(0.01), [None, None, None], None),
        (BayesFactorStop(2), "ab", 1),
        (BayesFactorStop(10, form="article"), "aa", 2),
        (BayesFactorStop(9.46), "aaab", 3),
        (BayesFactorStop(10, alpha=1000, form="article"), "aaaaaaaa", None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


@pytest.mark.kernels
@pytest.mark.parametrize(("votes", "answers"), [((3, 1), "abaa"), ((4, 1, 1), "abcaaa")])
def test_a_factor_equal_to_the_threshold_stops(votes, answers):
    factor, n = BayesFactorStop().factor(np.array(votes)), len(answers)
    for threshold, end in ((factor, n), (factor * (1 + 1e-11), n), (factor * (1 + 1e-7), None)):
        assert all_agree(BayesFactorStop(threshold), answers) == end


def test_deeper_draws_than_tables_cover_run_in_python():
    assert BayesFactorStop().table(1024) is not None
    assert BayesFactorStop().table(1025) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BayesFactorStop(0), "threshold=0 is out of range. Use a Bayes factor above 0.001 and up to 1e9"),
        (lambda: BayesFactorStop(2e9), "threshold=2000000000.0 is out of range"),
        (lambda: BayesFactorStop(10, 0), "alpha=0 is out of range. Use a concentration up to 1000, e.g. 0.3"),
        (lambda: BayesFactorStop(10, 0.3, "text"), "form='text' is not valid. "),
        (lambda: parse_strategy("sc:a,stop=bayes_factor:x"), "stop='bayes_factor:x' cannot be read"),
    ],
)
def test_options_out_of_range_are_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (BayesFactorStop(), BayesFactorStop(30), BayesFactorStop(30, 0.5, "article")):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert parse_strategy("sc:a,stop=bayes_factor").stop == BayesFactorStop()
    assert naive.first_stop(BayesFactorStop(), list("aaa")) == 3
