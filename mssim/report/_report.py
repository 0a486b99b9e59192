"""The report of a pool: what to do with a budget, how sure that is, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from mssim._drawing import short_name
from mssim._files import whole_file
from mssim.engine.amounts import PricesLike
from mssim.pools.pool import Pool
from mssim.report.answer import answer_of, answer_section
from mssim.report.charts import altair
from mssim.report.curves import curves_section, frontier_section
from mssim.report.document import Section
from mssim.report.glance import glance_section, methods_section
from mssim.report.page import check_installed, page_of
from mssim.report.questions import explorer_section, wins_section
from mssim.report.stops import consistency_section, stops_section
from mssim.report.study import Study, make_study
from mssim.rules.base import Strategy

__all__ = ["Report", "make_report"]

_TUNING = 800  # of 1000 parts of the progress


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Result of `make_report`: the content of a page.

    Attributes
    ----------
    title : str
        Title of the page.
    study : Study
        The tuned strategies, and the tables behind the page.
    sections : sequence of Section
        Sections of the page, in order.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.report import make_report
    >>> pool = load_pool("recorded/llm-products").select(models=["gemma"])
    >>> report = make_report(pool, budgets=[1, 4], n_replays=100)
    >>> [section.title for section in report.sections][:3]
    ['The answer', 'The pool at a glance', 'Accuracy over what is spent']
    """

    title: str
    study: Study
    sections: Sequence[Section]

    @property
    def answer(self) -> list[str]:
        """Three sentences about the limit that the page shows first: what to do, how sure that is, and why."""
        return [
            text.replace("`", "")
            for text in answer_of(self.study, "samples_used", self.study.shown_first("samples_used"))
        ]

    def to_html(self) -> str:
        """Return the page as one HTML file, which reads nothing from a network."""
        return page_of(self.title, self.study.quantities, self.sections)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            File to write, usually with the suffix .html; an existing file is replaced.
        """
        html = self.to_html()
        with whole_file(path) as part:
            part.write_text(html, encoding="utf-8")

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.sections)} sections)"


def make_report(
    pool: Pool,
    *,
    models: Sequence[str] | None = None,
    strategies: Sequence[str | Strategy] | None = None,
    families: str | Sequence[str] | None = None,
    budgets: ArrayLike | None = None,
    limits: ArrayLike | None = None,
    prices: PricesLike | None = None,
    tokens: str = "all",
    clusters: str | None = None,
    confidence_level: float = 0.95,
    n_replays: int | None = None,
    mc_error: float | None = None,
    seed: int = 0,
    title: str | None = None,
    command: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Answer what to do with a budget on a pool, as one page.

    Strategies are tuned within limits of the samples used and, where they are known, of tokens, money and seconds. The
    page has the best strategy within each limit, scored on held-out questions and compared with the best single model;
    the pool with its warnings; curves and the frontier of accuracy over what is spent; every question with the answers
    of all models; stop quality; consistency and accuracy; and how to make the page again.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Models that take part, and are combined. By default, all models with samples of all questions take part, and
        the three with the highest accuracy of a single sample are combined.
    strategies : sequence of str or Strategy, optional
        Strategies to try beside every single model. The default is ModelSwitch of every pair of the combined models in
        both orders, and mixtures of them.
    families : str or sequence of str, optional
        Families of rules to try, of all models that take part; see `mssim.tune`.
    budgets : int or sequence of int, optional
        Samples allowed per question, as in `mssim.tune`.
    limits : float or sequence of float, optional
        Limits of the mean number of samples used per question. By default, powers of two up to 128, as far as recorded.
        Tokens, money and seconds have eight steps from the cheapest to the most expensive candidate.
    prices, tokens
        As in `evaluate`.
    clusters, confidence_level
        As in `Evaluation.to_frame`.
    n_replays, mc_error
        As in `mssim.tuning.tune`.
    seed
        As in `evaluate`.
    title : str, optional
        Title of the page. By default, the title of the pool.
    command : str, optional
        Command that makes the page, which the page shows.
    progress : callable (done, total), optional
        Called after each step.

    Returns
    -------
    Report
        The report; its method `save` writes the page.

    Raises
    ------
    MssimError
        If a package of the extra `mssim[report]` is missing, or for what `mssim.tune` raises.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.report import make_report
    >>> pool = load_pool("recorded/llm-products")
    >>> report = make_report(pool, strategies=["ms:gemma+smol"], budgets=[1, 2, 4], limits=[2, 4], n_replays=200)
    >>> print(report.answer[1].partition(', which')[0])
    The choice among all strategies is ms:gemma+smol with a budget of 4 samples at most
    """
    altair()
    check_installed()
    study = make_study(
        pool,
        models=models,
        strategies=strategies,
        families=families,
        budgets=budgets,
        limits=limits,
        prices=prices,
        tokens=tokens,
        clusters=clusters,
        confidence_level=confidence_level,
        n_replays=n_replays,
        mc_error=mc_error,
        seed=seed,
        progress=progress and (lambda done, total: progress(done * _TUNING // total, 1000)),
    )
    makers: list[Callable[[Study], Section]] = [
        answer_section,
        glance_section,
        curves_section,
        frontier_section,
        wins_section,
        explorer_section,
        stops_section,
        consistency_section,
        lambda study: methods_section(study, command),
    ]
    sections = []
    for i, make in enumerate(makers, 1):
        sections.append(make(study))
        if progress is not None:
            progress(_TUNING + (1000 - _TUNING) * i // len(makers), 1000)
    return Report(_title(pool, title), study, sections)


def _title(pool: Pool, title: str | None) -> str:
    """Return the given title or that of the pool; that of a synthetic pool says so."""
    name = short_name(str(title or pool.info.get("title", "") or "Recorded samples"))
    return f"SYNTHETIC DATA: {name}" if pool.info.get("synthetic") else name
