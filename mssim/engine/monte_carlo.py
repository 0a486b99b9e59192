"""Monte Carlo replays of plans over recorded samples, in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.engine.ballots import levels_of, ranks_of, scaled
from mssim.engine.blocks import Block, Outcome, picked
from mssim.engine.exact import counts_of
from mssim.engine.limited import Limits, codes_of, cut_tokens
from mssim.engine.replayed_amounts import AmountsOfSamples, BlockAmounts, PoolAmounts
from mssim.engine.requirements import check_stop_table
from mssim.engine.stage_rules import rules_of, skipped, stage_outcome
from mssim.engine.stop_kernels import stop_curve, stop_ends
from mssim.engine.traces import Lows, bar_at
from mssim.engine.verdicts import verdicts_of
from mssim.errors import StrategyError
from mssim.kernels import (
    allocation,
    hard_first,
    majority_of_bests,
    one_model,
    online,
    posterior_votes,
    ranked_votes,
    right_draws,
    spending,
    stages,
    until,
    user_functions,
    weighted_votes,
)
from mssim.kernels.bundles import Rules, bundle_of
from mssim.kernels.streams import hash_names, stream_keys
from mssim.kernels.tally import TIE_RULES, Recorded, Replays
from mssim.pools.pool import Pool
from mssim.rules.agreement import NEVER
from mssim.rules.plan import Ints, Online, Ordered, Plan, Verifier
from mssim.rules.stops import BetaStop, StopTable
from mssim.rules.strategies.adaptive_allocation import levels
from mssim.rules.strategies.difficulty_adaptive import hardest_first
from mssim.rules.votes import Vote

__all__ = ["ReplayTask", "ReplayTasks"]

_BALLOTS = {"shortest": weighted_votes.SHORTEST, "frequent": weighted_votes.FREQUENT}
_CLOSE = 1e-12  # sums of scores are equal within this share of the largest score


@dataclass(frozen=True)
class ReplayTask:
    """Task of a block of questions and replays of one plan, with all data that a worker needs."""

    plan: Plan  # at the budgets of the block
    recorded: Recorded
    numbers: NDArray[np.float64] | None  # [stage, question, sample], of ballots or of a verifier
    table: tuple[Any, ...] | None  # with which a kernel decides when the only model stops; see `Stop.table`
    replays: Replays
    of_stop: NDArray[np.float64]  # [column, stage, question, sample], numbers that the stopping rule reads
    of_vote: NDArray[np.float64]  # the same for a user's vote
    spends: BlockAmounts | None = None  # None: what the draws spend is not counted
    places: Ints | None = None  # questions in the order of difficulty, the hardest first
    traces: online.Traces | None = None  # groups of the samples of a plan whose samples end early

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""
        decided = self.table.by_votes if isinstance(self.table, StopTable) else None
        given = [self.recorded.codes, self.numbers, self.of_stop, self.of_vote, decided, *(self.traces or ())]
        spends = self.spends.amounts.values.nbytes if self.spends else 0
        return spends + sum(int(array.nbytes) for array in given if array is not None)

    def run(self) -> Outcome:
        """Run the replays and return sums over them."""
        if self.plan.accepts is None or (self.spends is not None and self.spends.bins):
            return self._run()
        # Beyond a sample of each model, all budgets of a gate are equal.
        _, first, place = np.unique(self.plan.sizes, axis=1, return_index=True, return_inverse=True)
        spends = self.spends and self.spends.at(first)
        found = replace(self, plan=self.plan.at(first), spends=spends)._run()
        every = place.ravel()
        spent = found.spent[:, every]
        return Outcome.of(found.right[every], found.drawn[:, every], found.agreed[every], spent, found.histogram)

    def _run(self) -> Outcome:
        sizes, skip = self.plan.sizes, int(skipped(self.plan).max())
        if self.spends is None:
            return self._replay(spending.spending_of(None, sizes))
        cap = min(self.plan.cap, self.recorded.codes.shape[2])
        counted = spending.spending_of(self.spends.amounts, sizes, cap=cap, skip=skip, bins=self.spends.bins)
        outcome = self._replay(counted)
        spent, histogram = self.spends.outcome(counted.spent)
        return outcome._replace(spent=spent, histogram=histogram)

    def _replay(self, counted: spending.Spending) -> Outcome:
        """Run the replays, and add up what they spend."""
        if self.plan.cap:
            return self._share_budget(counted)
        if self.plan.ordered is not None:
            return self._ask_the_hardest_first(self.plan.ordered, counted)
        if self.plan.online is not None:
            return self._end_early(self.plan.online, counted)
        if self.plan.least is not None:
            return self._count_right(self.plan.least, counted)
        if self.plan.accepts is not None:
            return self._draw_until_accepted(self.plan.accepts, counted)
        vote = self.plan.vote
        if vote is not None and not vote.counts_only:
            return self._vote_by_sample(vote, counted)
        one = len(self.plan.sizes) == 1 and (self.plan.need == NEVER).all()
        return self._follow_one(vote, counted) if one and vote is not None else self._ask_in_turn(counted)

    def _ends(self) -> NDArray[np.uint16]:
        """Return the draws after which the only model stops, [question, replay], or no columns if it never does."""
        stop, depth = self.plan.stop, int(self.plan.sizes.max())
        if stop is None:
            return np.empty((len(self.recorded.offsets) - 1, 0), np.uint16)
        return stop_ends(stop, self.table, self.plan.asked(depth), self.recorded, depth, self.of_stop, self.replays)

    def _ask_in_turn(self, counted: spending.Spending) -> Outcome:
        found = stages.staged(self.recorded, bundle_of([rules_of(self.plan)]), self.replays, counted)
        return self._staged(found.hits[0], found.stopped[0])

    def _follow_one(self, vote: Vote, counted: spending.Spending) -> Outcome:
        plan, ties = self.plan, TIE_RULES[vote.ties]
        sizes, depth = plan.sizes[0], int(plan.sizes.max())
        if plan.stop is None:
            ends = self._ends()
            hits = one_model.curve(self.recorded, ties, depth, self.replays, counted)
        else:
            looks, given = plan.asked(depth), (self.recorded, ties, depth, plan.adopt, self.of_stop, self.replays)
            hits, ends = stop_curve(plan.stop, self.table, looks, *given, counted)
        return self._stopped_outcome(hits[:, sizes - 1], ends)

    def _vote_by_sample(self, vote: Vote, counted: spending.Spending) -> Outcome:
        rules, ends = rules_of(self.plan), self._ends()
        if vote.function is not None:
            try:
                right, stopped = user_functions.voted(
                    self.recorded, rules, ends, vote.function, self.of_vote, self.replays, counted
                )
            except ValueError as error:
                raise StrategyError(f"Vote.own: calling the function failed: {error}") from error
        else:
            assert self.numbers is not None
            right, stopped = self._count_ballots(vote, self.numbers, rules, ends, counted)
        if self.plan.stop:
            return self._stopped_outcome(right, ends)
        return self._staged(right, stopped)

    def _count_ballots(
        self,
        vote: Vote,
        numbers: NDArray[np.float64],
        rules: Rules,
        ends: NDArray[np.uint16],
        counted: spending.Spending,
    ) -> tuple[Ints, Ints]:
        """Return correct answers [question, budget] and stops [question, stage, budget] of votes with ballots."""
        if vote.ballots == "bests":
            given = majority_of_bests.Bests(numbers, ranks_of(numbers), vote.m or 1)
            right, stopped = majority_of_bests.voted(self.recorded, rules, given, ends, self.replays, counted)
        elif vote.ballots == "posterior":
            answers = vote.answers or 0
            right, stopped = posterior_votes.voted(self.recorded, rules, numbers, answers, ends, self.replays, counted)
        elif vote.ballots in ("kept", "ranks"):
            order = ranked_votes.Ranking(numbers, levels_of(numbers), vote.keep or 0.0, float(vote.power or 0))
            right, stopped = ranked_votes.voted(self.recorded, rules, order, ends, self.replays, counted)
        else:
            kind = weighted_votes.MAX if vote.combine == "max" else weighted_votes.SUM
            kind = _BALLOTS.get(vote.ballots, kind)
            close = _CLOSE if vote.ballots in ("number", "frequent") else 0.0
            made = weighted_votes.Ballots(numbers, kind, vote.m or 1, vote.alpha or 0.0, close)
            right, stopped = weighted_votes.voted(self.recorded, rules, made, ends, self.replays, counted)
        return right, stopped

    def _staged(self, right: Ints, stopped: Ints) -> Outcome:
        """Return the outcome, given right [question, budget] and stopped [question, stage, budget]."""
        stops = np.moveaxis(stopped, 0, 2).astype(float)
        return stage_outcome(self.plan, self.replays.n, right.T.astype(float), stops)

    def _stopped_outcome(self, right: Ints, ends: NDArray[np.uint16]) -> Outcome:
        """Return the outcome of one model, given right [question, budget] and ends [question, replay]."""
        sizes, n = self.plan.sizes[0], self.replays.n
        # [question, draws], replays that stop after so many draws, and their sums up to there
        rows, last = np.arange(len(ends))[:, None], int(sizes.max()) + 2
        stopped = np.bincount((rows * last + ends).ravel(), minlength=len(ends) * last).reshape(-1, last)
        agreed = stopped.cumsum(axis=1)[:, sizes].T.astype(float)
        drawn = (stopped * np.arange(last)).cumsum(axis=1)[:, sizes].T + sizes[:, None] * (n - agreed)
        return Outcome.of(right.T.astype(float), drawn[None], agreed)

    def _count_right(self, least: Ints, counted: spending.Spending) -> Outcome:
        sizes = np.ascontiguousarray(self.plan.sizes[0])
        enough = np.ascontiguousarray(least)
        hits = right_draws.replayed(self.recorded, sizes, enough, self.plan.raised, self.replays, counted)
        return self._stopped_outcome(hits, self._ends())

    def _draw_until_accepted(self, verifier: Verifier, counted: spending.Spending) -> Outcome:
        codes, lengths, offsets, correct, *_ = self.recorded
        verdicts = verdicts_of(verifier, codes, lengths, offsets, correct, self.numbers)
        right, accepted, drawn = until.replayed(self.recorded, self.plan.sizes, verdicts, self.replays, counted)
        agreed = accepted.sum(axis=1).T
        return Outcome.of(right.T.astype(float), np.moveaxis(drawn, 0, 2).astype(float), agreed.astype(float))

    def _end_early(self, rule: Online, counted: spending.Spending) -> Outcome:
        assert self.traces is not None
        sizes = self.plan.sizes
        bar = bar_at(rule, int(sizes.max()))
        right, agreed, drawn = online.replayed(self.recorded, sizes, self.traces, bar, self.replays, counted)
        return Outcome.of(right.T.astype(float), drawn.T.astype(float)[None], agreed.T.astype(float))

    def _share_budget(self, counted: spending.Spending) -> Outcome:
        assert self.plan.vote is not None
        caps = np.minimum(self.plan.cap, self.recorded.lengths[0].astype(np.int64))
        hits, drawn = allocation.shared(
            self.recorded,
            TIE_RULES[self.plan.vote.ties],
            np.ascontiguousarray(self.plan.sizes[0]),
            caps,
            levels(int(caps.max()), self.plan.certainty),
            self.replays,
            counted,
        )
        right = hits.T.astype(float)
        return Outcome.of(right, drawn.T.astype(float)[None], np.zeros_like(right))

    def _ask_the_hardest_first(self, ordered: Ordered, counted: spending.Spending) -> Outcome:
        assert self.plan.vote is not None
        assert self.places is not None
        sizes = np.ascontiguousarray(self.plan.sizes[0])
        hits, drawn = hard_first.replayed(
            self.recorded,
            TIE_RULES[self.plan.vote.ties],
            sizes,
            self.places,
            (ordered.window, ordered.easy, ordered.before),
            BetaStop(ordered.threshold).table(int(sizes.max())).by_second,
            self.replays,
            counted,
        )
        right = hits.T.astype(float)
        return Outcome.of(right, drawn.T.astype(float)[None], np.zeros_like(right))


class ReplayTasks:
    """Tasks of the blocks of a pool; data shared by the blocks of a plan are created once."""

    def __init__(
        self,
        pool: Pool,
        seed: int,
        *,
        replacement: bool,
        amounts: AmountsOfSamples | None = None,
        models: Sequence[str] | None = None,
        parallel: int | None = None,
        bins: bool = False,
    ) -> None:
        self._pool, self._seed, self._replacement = pool, seed, replacement
        self._questions = hash_names(pool.question_ids)
        self._amounts = None
        if amounts is not None:
            self._amounts = PoolAmounts(pool, amounts, models or pool.models, parallel=parallel, bins=bins)
        self._numbers: dict[str, NDArray[np.float64]] = {}  # by column
        self._shared: dict[tuple[int, tuple[int, ...]], tuple[Plan, tuple[Any, ...] | None]] = {}
        self._lows: dict[str, Lows] = {}  # by model

    def task(self, plan: Plan, block: Block, *, count: bool = True) -> ReplayTask:
        """Return the task of a block, with its part of the pool; `count` says whether it counts what draws spend."""
        key = block.plans[0], block.budgets
        if key not in self._shared:
            part = plan.at(block.budgets)
            self._shared[key] = part, self._table(plan, int(part.sizes.max()))
        part, table = self._shared[key]
        if isinstance(table, StopTable) and table.kinds is not None:
            table = table._replace(kinds=table.kinds[block.at])
        recorded = self.recorded(plan.models, plan.orders or plan.models, plan.max_tokens, block)
        numbers = self._ballots(plan, block, recorded)
        replays = self.replays(block)
        stop = self._seen(plan.stop.columns if plan.stop else (), plan, block, recorded.codes.shape)
        vote = self._seen(plan.vote.columns if plan.vote else (), plan, block, recorded.codes.shape)
        spends = self._amounts.of(plan, part, block) if self._amounts and count else None
        return ReplayTask(
            part,
            recorded,
            numbers,
            table,
            replays,
            stop,
            vote,
            spends,
            self._places(plan),
            self._traces(plan, block, spends),
        )

    def replays(self, block: Block) -> Replays:
        """Return the numbers of the replays of a block."""
        return Replays(block.first_replay, block.n_replays, self._replacement)

    def _traces(self, plan: Plan, block: Block, spends: BlockAmounts | None) -> online.Traces | None:
        """Return the groups of the samples of a block, if they end early."""
        if plan.online is None:
            return None
        (model,) = plan.models
        if model not in self._lows:
            self._lows[model] = Lows.of(self._pool, model)
        amounts = fixed = np.empty((0, len(block.questions), self._pool.codes.shape[2]), np.int32)
        if spends is not None:
            amounts, fixed = spends.amounts.values[:, 0], spends.fixed
        assert isinstance(block.at, slice)  # such plans replay all questions equally often
        return self._lows[model].traces(plan.online, block.at, amounts, fixed)

    def _places(self, plan: Plan) -> Ints | None:
        """Return the questions in the order of their difficulty, if that matters; blocks have all questions."""
        if plan.ordered is None:
            return None
        lengths = self._pool.lengths[self._pool.model_index(plan.models[0])]
        return hardest_first(plan.ordered, self._pool.questions, 1 - self._answers(plan)[0].max(axis=1) / lengths)

    def _table(self, plan: Plan, depth: int) -> tuple[Any, ...] | None:
        """Return what a kernel needs to decide for up to `depth` draws, or None if no kernel runs the stop rule."""
        stop = plan.stop
        if stop is None:
            return None
        table = stop.learn(*self._answers(plan), depth) if stop.learns else stop.table(depth)
        if table is not None:
            check_stop_table(stop, table, depth, len(self._pool.questions))
        return table

    def _answers(self, plan: Plan) -> tuple[Ints, Ints]:
        """Return what rules learn from: samples by answer class, [question, class], and a random order of questions."""
        every = slice(0, len(self._pool.questions))
        counts = counts_of(self._pool, plan.models, every, plan.max_tokens, replacement=self._replacement)
        n_classes = np.diff(counts.offsets)
        votes = np.zeros((n_classes.size, max(1, int(n_classes.max()))), np.int64)
        votes[np.arange(votes.shape[1]) < n_classes[:, None]] = counts.votes[0]
        return votes, np.argsort(np.argsort(self._questions, kind="stable"))

    def recorded(self, models: Sequence[str], orders: Sequence[str], limits: Limits, block: Block) -> Recorded:
        """Return the samples of models on the questions of a block, in the random orders of models."""
        pool, questions = self._pool, self._questions[block.at]
        return Recorded(
            codes_of(pool, models, limits, block.at),
            picked(pool.lengths, [pool.model_index(model) for model in models], block.at),
            *classes_of(pool.class_offsets, pool.class_correct, np.array(block.questions)),
            stream_keys(self._seed, orders, questions),
            stream_keys(self._seed, [""], questions)[0],
        )

    def _ballots(self, plan: Plan, block: Block, recorded: Recorded) -> NDArray[np.float64] | None:
        """Return the numbers from which ballots are computed or that a verifier reads, [stage, question, sample]."""
        for column in plan.accepts.columns if plan.accepts else ():
            return self._number(column, plan, block)
        if plan.vote is None or plan.vote.column is None:
            return None
        return scaled(self._number(plan.vote.column, plan, block), recorded, plan.vote)

    def _seen(self, columns: Sequence[str], plan: Plan, block: Block, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the numbers of each sample that a rule reads, [column, *shape]."""
        numbers = [self._number(column, plan, block) for column in columns]
        return np.stack(numbers) if numbers else np.empty((0, *shape))

    def _number(self, column: str, plan: Plan, block: Block) -> NDArray[np.float64]:
        """Return a recorded number, [stage, question, sample]."""
        if column not in self._numbers:
            self._numbers[column] = self._pool.number(column)
        rows = [self._pool.model_index(model) for model in plan.models]
        numbers = picked(self._numbers[column], rows, block.at)
        return cut_tokens(numbers, plan.max_tokens) if column == "output_tokens" else numbers


def classes_of(
    offsets: NDArray[np.int64], correct: NDArray[np.bool_], questions: Ints
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where the classes of some questions begin among theirs, and whether each of these is right."""
    sizes = np.diff(offsets)[questions]
    begins = np.concatenate([[0], np.cumsum(sizes)])
    return begins, correct[np.repeat(offsets[questions] - begins[:-1], sizes) + np.arange(begins[-1])]
