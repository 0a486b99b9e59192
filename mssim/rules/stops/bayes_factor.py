"""Stopping rule by a Bayes factor under a Dirichlet prior that expects unseen answers (Best-of-infinity)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
import scipy

from mssim._validation import choose_from
from mssim.errors import StrategyError
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop

__all__ = ["BayesFactorStop", "CountsTable", "chance_to_fail"]

_STEP = 0.125  # between nodes: 11 digits of the sum are correct even with 1,000 answers, more with few
_MOST = 1024  # draws for which tables are made: they grow with the square
_CLOSE = 1e-9  # chances within this share of the bar reach it
_FORMS = ("code", "article")


class CountsTable(NamedTuple):
    """Stop decisions by the votes of all answers, for the kernel `all_counts`.

    Every answer has a Gamma variable whose shape depends on its votes. Votes 0 are those of an answer not seen yet.
    """

    least: Floats  # [votes of the leader, votes of the next], chance that the next or an unseen answer is larger
    bars: Floats  # [answers seen], chance that any other is larger at which the rule stops
    below: Floats  # [votes, node], log chance that the variable of an answer is below the node
    density: Floats  # [votes, node], weight of the node for the leader's variable
    begins: Ints  # [votes], first node with a weight
    ends: Ints  # [votes], node after the last one


def chance_to_fail(leader: float, others: Floats) -> float:
    """Compute the chance that the largest of independent Gamma variables is not the leader's.

    Normalised to a sum of 1, such variables are Dirichlet.

    Parameters
    ----------
    leader : float
        Shape of the leader's variable.
    others : ndarray of float64, shape (n_answers,)
        Shapes of the others.

    Returns
    -------
    float

    Examples
    --------
    >>> round(chance_to_fail(4.0, np.array([2.0])), 4)  # I_1/2(4, 2)
    0.1875
    """
    nodes, steps = _nodes(leader)
    product = _log_below(others, nodes).sum(axis=0)
    return float(-(_density(np.array([leader]), nodes, steps)[0] * np.expm1(product)).sum())


def _nodes(most: float) -> tuple[Floats, Floats]:
    """Return nodes of the trapezoidal rule for Gamma variables of shapes up to `most`, and the logs of their weights.

    x is the square of log(1 + e^t), with t evenly spaced. For small x this is the logarithm of x, for large x its
    square root, in which all Gamma densities have a standard deviation of about 1/2. The error falls exponentially.
    """
    t = _STEP * np.arange(-round(18 / _STEP), round((math.sqrt(most) + 7) / _STEP))
    root = np.logaddexp(0, t)
    return root**2, np.log(2 * _STEP * root) - np.logaddexp(0, -t)


def _log_below(shapes: Floats, nodes: Floats) -> Floats:
    """Return the log chance that a Gamma variable is below a node, [shape, node]."""
    above = scipy.special.gammaincc(shapes[:, None], nodes)
    with np.errstate(divide="ignore"):
        found: Floats = np.where(above < 0.5, np.log1p(-above), np.log(scipy.special.gammainc(shapes[:, None], nodes)))
    return np.maximum(found, -800.0)  # finite, so that sums are


def _density(shapes: Floats, nodes: Floats, steps: Floats) -> Floats:
    """Return the weight of every node for a Gamma variable, [shape, node]."""
    logs: Floats = (shapes[:, None] - 1) * np.log(nodes) - nodes - scipy.special.gammaln(shapes)[:, None] + steps
    return np.exp(logs)


@lru_cache(maxsize=8)
def _table(rule: BayesFactorStop, depth: int) -> CountsTable:
    leader = np.arange(depth + 1.0)
    leader[0] = 1.0  # not read
    of_leader, of_others = rule.shape(leader), rule.shape(np.arange(depth // 2 + 1.0))
    nodes, steps = _nodes(float(of_leader[-1]))
    density = _density(of_leader, nodes, steps)
    weighs = density > 1e-15 * rule.bar(1)  # the lowest bar
    below = _log_below(of_others, nodes)
    next_too = np.concatenate([below[:1], below[:1] + below[1:]])
    return CountsTable(
        least=-density @ np.expm1(next_too).T,
        bars=np.array([rule.bar(n) for n in range(depth + 1)]),
        below=below,
        density=density,
        begins=weighs.argmax(axis=1),
        ends=nodes.size - weighs[:, ::-1].argmax(axis=1),
    )


@dataclass(frozen=True)
class BayesFactorStop(Stop):
    """Stop when a Bayes factor says that the leader is the most likely answer (Best-of-infinity, arXiv 2509.21091).

    The prior is a Dirichlet process, so an answer that was not seen yet can be the most likely one. Let v1, ..., vs be
    the votes of the s answers seen, and P the probability that the first component is the largest of

    - Dirichlet(v1 + 1, ..., vs + 1, alpha + 1) with ``form="code"``, as in the authors' code,
    - Dirichlet(v1, ..., vs, alpha) with ``form="article"``.

    The last component stands for unseen answers. The rule stops when f P / (1 - P) reaches the threshold, where the
    prior odds f are s + 1 in the code and s in the article. 1 - P within a share of 1e-9 of the bar reaches it.

    Parameters
    ----------
    threshold : float, default 10
        Bayes factor, above 0.001 and at most 1e9. The default is that of the authors' code.
    alpha : float, default 0.3
        Concentration of the Dirichlet process, above 0 and at most 1000. The default is that of the authors.
    form : {"code", "article"}, default "code"

    Notes
    -----
    The authors estimate P from 1,000 random draws. Here it is computed to at least 11 digits. Decisions depend on the
    votes of all answers. Most follow from bounds by pairs of answers; the others need a one-dimensional integral. Up to
    1,024 draws the rule runs compiled, beyond in plain Python.

    Examples
    --------
    >>> str(BayesFactorStop())
    'bayes_factor:10'
    >>> [bool(BayesFactorStop().stops(np.zeros(n, np.int64), None)) for n in (1, 2, 3)]
    [False, False, True]
    >>> round(BayesFactorStop().factor(np.array([3, 1])), 2)
    9.46
    """

    name: ClassVar[str] = "bayes_factor"
    rows: ClassVar[tuple[Row, ...]] = (
        Row(
            "sc:M,stop=bayes_factor:10", "stop when (s + 1) P / (1 - P) >= 10, P by a Dirichlet posterior", "2509.21091"
        ),
    )

    threshold: float = 10.0
    alpha: float = 0.3
    form: str = "code"

    def __post_init__(self) -> None:
        self._set_number("threshold", 1e-3, 1e9, "a Bayes factor above 0.001 and up to 1e9, e.g. 10", high_too=True)
        self._set_number("alpha", 0, 1000, "a concentration up to 1000, e.g. 0.3", high_too=True)
        if self.form not in _FORMS:
            raise StrategyError(f"BayesFactorStop: form={self.form!r} is not valid. {choose_from(self.form, _FORMS)}.")

    def shape(self, votes: Floats) -> Floats:
        """Return the parameter of answers with so many votes; 0 votes are those of unseen answers."""
        return np.where(votes == 0, self.alpha, votes) + (self.form == "code")

    def odds(self, n_answers: int) -> int:
        """Return the prior odds against one of the answers seen."""
        return n_answers + (self.form == "code")

    def bar(self, n_answers: int) -> float:
        """Return the probability 1 - P at which the rule stops."""
        odds = self.odds(n_answers)
        return odds / (odds + self.threshold) * (1 + _CLOSE)

    def factor(self, votes: Ints) -> float:
        """Return the Bayes factor for the votes of all answers seen."""
        fails = self._fails(votes)
        return self.odds(votes.size) * (1 - fails) / fails

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the Bayes factor reaches the threshold."""
        votes = np.bincount(answers[answers >= 0], minlength=1)
        votes = votes[votes > 0]
        return bool(votes.size and self._fails(votes) <= self.bar(votes.size))

    def _fails(self, votes: Ints) -> float:
        in_order = np.sort(votes.astype(float))
        others = np.append(in_order[:-1], 0.0)
        return chance_to_fail(float(self.shape(in_order[-1:])[0]), self.shape(others))

    def table(self, depth: int) -> CountsTable | None:
        """Return the chances from which a kernel decides."""
        return _table(self, depth) if depth <= _MOST else None
