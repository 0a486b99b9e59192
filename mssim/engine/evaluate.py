"""Evaluation of strategies over a pool, in closed form or by Monte Carlo."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mssim._validation import shown
from mssim.engine.amounts import PricesLike
from mssim.engine.cost_budgets import resolve_limits
from mssim.engine.half_samples import bias_warning, replacement_bias
from mssim.engine.jackknife import JackknifeWork
from mssim.engine.job import Job, Strategies, read_job
from mssim.engine.limited import limit_warnings
from mssim.engine.pilot import allocate
from mssim.engine.read_by_workers import run_work
from mssim.engine.scheduler import Progress
from mssim.engine.totals import Totals
from mssim.engine.work import Work
from mssim.errors import MssimError, PoolWarning
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation

__all__ = ["evaluate", "evaluate_job", "evaluate_quietly", "resolve_job"]


def evaluate(
    pool: Pool,
    strategies: Strategies,
    budgets: ArrayLike | None = None,
    *,
    method: str = "auto",
    n_replays: int | None = None,
    mc_error: float | None = None,
    seed: int = 0,
    replacement: bool = False,
    prices: PricesLike | None = None,
    tokens: str = "all",
    parallel: int | None = None,
    quantiles: bool = False,
    shares_draws: Sequence[Sequence[str]] = (),
    jackknife: bool = False,
    executor: Executor | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Estimate accuracy and cost of strategies at every budget.

    Closed forms are used where available. Elsewhere strategies are replayed, all budgets in one pass. Every replay
    draws, for each model and question, the recorded samples in a random order that depends only on the seed, the model,
    the question and the replay; a strategy takes a prefix of it. All strategies and budgets therefore see the same
    draws. The result is identical to the last bit for any executor, number of workers and order of work.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    strategies : strategy, or sequence of them, or mapping of name to strategy
        `Strategy` objects, or text or mappings that `parse_strategy` reads. A strategy can have budgets of its own:
        after ``@`` at the end of its text, as in ``"sc:M@1-22"``, ``"ms:A+B,agreement=0.8@4,8"`` or, for
        Self-Consistency of a model, ``"M@1-22"``, or as the key `budgets` of its mapping. A cost budget,
        ``"sc:M@tokens=2000"``, ``@cost=0.05`` or ``@latency=10`` (seconds), stands for the largest budget whose
        expected spend per question is within the limit. Where a text as a whole names models of the pool, such as
        ``sc:gpt@4`` with a model ``gpt@4``, it has no budgets.
    budgets : int or sequence of int, optional
        Samples allowed per question, from 1; sorted, each once. Strategies without budgets of their own have these.
    method : {"auto", "exact", "monte_carlo"}, default "auto"
        "exact": closed forms only, however long they take; raises with the reason where accuracy has none. "auto":
        closed forms that are about as fast as replays or faster, else Monte Carlo; the column `method` of the result
        says which. Samples used, agreement and cost are then exact even where accuracy is not. "monte_carlo": replays
        only.

        Accuracy has a closed form for Self-Consistency (to 1024 samples; with windows to 16 of them and 256 samples)
        and routers over it, for Coverage, Reliability and UntilVerified, and for ModelSwitch, Cascade and Mixture under
        a plurality vote, with or without prior weights, while the numbers of draws that the models can share are few:
        350 with "auto" (17 draws each of two models, 6 of three), 2500 with "exact" (49, 12).
    n_replays : int, optional
        Number of Monte Carlo replays of every question; with `mc_error`, the largest mean over questions.
    mc_error : float, optional
        Monte Carlo error of the mean accuracy, from 1e-5 to 0.5, at which there are enough replays: 1e-4 is a hundredth
        of a percentage point. Every question has as many replays as its variance requires. The default is 1e-4 with at
        most 10,000 replays per question on average. If only `n_replays` is given, every question has this number. If
        only `mc_error` is given, there is no largest number. The table of the result says what was used and reached.
    seed : int, default 0
        Seed of the replays, from 0 to 2**64 - 1.
    replacement : bool, default False
        Draw independently instead of without replacement. This treats the recorded samples as all that a model can
        answer, which biases the accuracy if they are few: that of a plurality of 8 by -4.1 points with 8 recorded
        samples, -2.3 with 16 and -0.6 with 64, on average over chances of the correct answer from 0.5 to 1. Without
        replacement the accuracy is unbiased. A `PoolWarning` names the largest bias if it exceeds a tenth of the width
        of the interval. The bias is estimated, and ``to_frame(correct_bias=True)`` of the result subtracts it.
    prices : Prices, path, or mapping of model to price per sample, optional
        Used for `cost` instead of the recorded costs: a dated table of prices per input and output tokens, its path,
        see `read_prices`, or the price of one sample of each model. A table requires the tokens that it prices.
    tokens : {"all", "output"}, default "all"
        Tokens of a sample. "all": output tokens and, if any sample of the pool has input tokens, a share of those of
        its request: input_tokens, or else request_input_tokens, divided by request_samples. "output": output tokens
        only.
    parallel : int, optional
        Number of samples that are requested at once, for `latency`: 1 means one after the other. By default, all draws
        between two decisions.
    quantiles : bool, default False
        Also collect the distribution of tokens, cost and latency over questions and draws.
    shares_draws : sequence of sequences of str, default ()
        Groups of models that are parts of one recorded run, in this order, such as the rounds of a debate: sample i of
        each, counted in the order of sample_index, belongs to the same run. They need equal numbers of samples. They
        are drawn together. A later model is the whole run up to there, with all its tokens, cost and latency; a
        strategy that draws several of them pays each run once.
    jackknife : bool, default False
        Also compute how far the accuracies can be from those of infinitely many samples of the same questions, which
        ``to_frame(scope="these")`` of the result requires. Closed forms are then computed
        once more per model and distinct answer, replays ten times more.
    executor : concurrent.futures.Executor, optional
        Executor that runs the blocks of work: threads, processes, or a Dask cluster, ``client.get_executor()``, whose
        workers and scheduler need the same versions as this process. Other processes read the answers of a pool that
        was loaded from Parquet files there, if they can and it pays. It stays open; blocks that have not begun are
        cancelled after an error or interrupt. Default: one thread per processor.
    progress : callable, optional
        Called as progress(done, total) after every block. Fast and slow blocks alternate, so the elapsed time predicts
        the remaining time. Blocks that the checkpoint already has are counted before the first call.
    checkpoint : path, optional
        File that keeps every finished block, committed once a second and when this function ends for any reason. The
        same call resumes with the missing blocks; a file of other settings is refused. Functions of your own
        (`Vote.own`, `OwnStop`) are not supported, because a change of them could not be detected. It does not keep the
        jackknife, which is computed again.

    Returns
    -------
    Evaluation
        Results per strategy, budget and question.

    Raises
    ------
    BudgetError
        If a budget is not a positive integer, or needs more samples than were recorded; if a strategy has no budgets,
        or already spends more than its cost budget at the smallest one; with jackknife, if a question has fewer than
        two samples of a model.
    StrategyError, PoolError
        If a strategy does not exist, needs a model or a column that the pool does not have or, with "exact", has no
        closed form.
    MssimError
        If another option is invalid, a worker has other versions or finds that the files of the pool have changed, or
        the checkpoint is in use, damaged, of another run or cannot be written.

    Warns
    -----
    PoolWarning
        If drawing with replacement has a large bias, a strategy cannot spend its cost budget, all output tokens of a
        model are 0, only some models of the pool have input tokens, some samples of a model lack the tokens, cost or
        latency that others have, or a limit `max_tokens` is above what the recording allows or has no effect.

    See Also
    --------
    evaluate_shard, merge : Evaluate in parts, on machines that share only a folder.

    Notes
    -----
    **Tokens, cost and latency.** They are those of the drawn samples, so that a long wrong answer costs what it cost.
    Whether a stage is reached does not depend on its own draws. The mean cost of a stage is therefore exactly its
    expected number of samples times the mean cost of a recorded one (Wald's identity), and so for tokens. With a
    stopping rule this identity holds for replacement=True only: without replacement, samples that were not drawn yet
    are not like those that were. The means are then computed in closed form for windows and `UntilVerified`. They are
    replayed for the other stopping rules, for models with several stages and where questions share a budget, and always
    with method="monte_carlo".

    The draws between two decisions are a round. Its latency is the longest of its draws, or with `parallel` the sum
    over batches of at most so many draws of one model. Rules that decide after every draw make one draw at a time. The
    latency of a strategy is the sum of its rounds, and it has a closed form where the cost has one. With windows it has
    one for parallel=1 or replacement=True, and is replayed otherwise.

    **Replays.** A pilot of 32 to 256 replays, which are not counted, estimates the variance of every answer. A question
    then has replays in proportion to the root of its variance (Neyman 1934, doi:10.2307/2342192), so that the variance
    of the mean is as small as required at all budgets and for all strategies that share replays. Where all recorded
    samples are right, or none is, the accuracy is certain and needs no replay. Where a vote other than plurality has
    the same strategy with a plurality vote in closed form, the difference of both votes on the same draws is replayed
    instead (a control variate), with a coefficient from the pilot. Because the pilot is independent of the replays that
    are counted, accuracies have no bias. Quantiles and strategies whose questions depend on each other have equally
    many replays of all questions.

    **Own budgets.** The result has the budgets of all strategies, and NaN where a strategy was not given one. Its
    tables leave these rows out. To find a cost budget, the strategy is evaluated at budgets 1 to 8, 9 to 16,
    17 to 32 and so on, until a whole part spends more than the limit. This takes about as long as an evaluation of
    these budgets, with one replay where the spend is exact and at most 1000 where it is replayed. In the latter case
    the spend of the result can differ from that of the search, and exceed the limit, by its Monte Carlo error.

    **Bias of replacement.** It is estimated by mean P(K/2) - P(K), with the accuracy P(K) of all K recorded samples and
    P(K/2) of two complementary random halves of them, because a bias of about b / K is 2 b / K with half of the
    samples. The estimate is too small where K is small; see `maj_at_k` for what remains after subtracting it.
    `evaluate_shard` does not estimate it.

    **Jackknife.** With K recorded samples of a question and a model, its variance is (K - 1) / K sum_i (A_i - mean)^2,
    where A_i is the accuracy on the question without sample i (Efron & Stein 1981, doi:10.1214/aos/1176345462). The
    variances of several models add up. Closed forms are computed without one sample of each answer. Replays leave out
    two to ten groups of samples of all models in turn, in two independent sets of n_replays / 2 replays. The product of
    their deviations has no bias by Monte Carlo noise.

    Accuracy without replacement is unbiased for any number of samples up to K. Where a run draws all K samples, nothing
    can be left out: the variance is that of a run of the samples that remain. For votes with closed forms that draw
    more than three quarters of the samples, groups are left out too, because single samples would give an error of 1.7
    (8 samples) to 5 times (512) the true one. With groups it is 1.1 times the true one for a plurality of 8 of 8
    samples, 1.3 of 16 and 1.6 of 64 and of 512, on questions with uniform chances. For a quarter of the samples the
    error is right, and for half of them 1.1 times the true one.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool, evaluate
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": ["a"] * 3 + ["b"] * 3, "sample_index": [0, 1, 2] * 2,
    ...     "answer": ["7", "7", "8", "7", "7", "7"], "truth": "7",
    ... }))
    >>> result = evaluate(pool, ["sc:a", "ms:a+b"], budgets=[2])
    >>> result.to_frame()[["strategy", "accuracy", "samples_used", "method"]].round(4)
      strategy  accuracy  samples_used method
    0     sc:a    0.6667           2.0  exact
    1   ms:a+b    0.6667           1.0  exact

    Two debates of three rounds, which end when both agree, beside one whole debate and four first rounds:

    >>> rounds = {"round1": "8778", "round2": "7778", "round3": "7777"}  # four debates
    >>> pool = Pool.from_frame(pd.DataFrame([
    ...     {"question_id": "q", "model": name, "sample_index": i, "answer": answer, "truth": "7", "output_tokens": n}
    ...     for n, (name, answers) in zip([100, 250, 400], rounds.items()) for i, answer in enumerate(answers)
    ... ]))
    >>> strategies = ["cascade:round1+round2+round3,sizes=2/2/2@6", "sc:round3@1", "sc:round1@4"]
    >>> result = evaluate(pool, strategies, shares_draws=[tuple(rounds)], n_replays=1000)
    >>> result.to_frame()[["budget", "accuracy", "samples_used", "tokens", "method"]].round(2)
       budget  accuracy  samples_used  tokens       method
    0       6       0.8          3.97   494.9  monte_carlo
    1       1       1.0          1.00   400.0        exact
    2       4       0.5          4.00   400.0        exact
    """
    job = read_job(
        strategies,
        budgets,
        method=method,
        n_replays=n_replays,
        mc_error=mc_error,
        seed=seed,
        replacement=replacement,
        prices=prices,
        tokens=tokens,
        parallel=parallel,
        quantiles=quantiles,
        shares_draws=shares_draws,
        pool=pool,
    )
    job = resolve_job(job, pool, executor)
    found = _run(job, pool, jackknife, executor, progress, checkpoint)
    for text in (*job.amounts(pool).warnings(job.models), *limit_warnings(pool, job.plans)):
        warnings.warn(text, PoolWarning, stacklevel=2)
    if not job.replacement:
        return found
    found = replace(found, bias=replacement_bias(job, pool, found, executor))
    message = bias_warning(job, pool, found)
    if message:
        warnings.warn(message, PoolWarning, stacklevel=2)
    return found


def evaluate_quietly(
    pool: Pool,
    strategies: Strategies,
    budgets: ArrayLike | None = None,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Evaluation:
    """Evaluate with all settings of `read_job`, but do not estimate the bias of drawing with replacement."""
    return evaluate_job(read_job(strategies, budgets, pool=pool, **settings), pool, executor, progress)


def evaluate_job(job: Job, pool: Pool, executor: Executor | None, progress: Progress | None) -> Evaluation:
    """Evaluate a job that was read before, as `evaluate_quietly` does."""
    return _run(resolve_job(job, pool, executor), pool, False, executor, progress, None)


def resolve_job(job: Job, pool: Pool, executor: Executor | None) -> Job:
    """Return the job with budgets in samples in place of cost budgets."""
    return resolve_limits(job, pool, lambda part: _run(part, pool, False, executor, None, None))


def _run(
    job: Job,
    pool: Pool,
    jackknife: bool,
    executor: Executor | None,
    progress: Progress | None,
    checkpoint: str | os.PathLike[str] | None,
) -> Evaluation:
    job.check(pool)
    left_out = _left_out(job, pool, jackknife)
    after = 0 if left_out is None else left_out.n_tasks
    work = Work(job, pool, allocate(job, pool, executor))
    totals = Totals(work.plans, len(pool.questions))
    every = range(len(work.blocks))
    first = progress and (lambda done, total: progress(done, total + after))
    if checkpoint is None:
        run_work(work, every, lambda i, o: totals.add(work.blocks[i], o), executor, progress=first)
    else:
        from mssim.engine.resume import run_into  # imports SQLite only if required

        run_into(checkpoint, work, every, totals, executor=executor, progress=first)
    found = job.evaluation(
        totals.estimates(work.controls)[: len(job.plans)],
        pool.questions.copy(),
        job.provenance(pool),
        histograms=totals.histograms,
        units=work.units,
    )
    return found if left_out is None else replace(found, jackknife=left_out.run(executor, progress, len(every)))


def _left_out(job: Job, pool: Pool, jackknife: bool) -> JackknifeWork | None:
    if not isinstance(jackknife, bool | np.bool_):
        raise MssimError(f"jackknife={shown(jackknife)} is not a bool. Use True or False.")
    return JackknifeWork(job, pool) if jackknife else None
