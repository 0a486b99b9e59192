"""Bundles: plans that are replayed together, and what they share.

Plans that ask the same models share draws, leaders, tests of agreement and votes. A layout numbers each of these once:

- a unit is a model's samples in the order of its draws;
- a track is a unit with the number of its draws at every budget;
- a test is a track with the votes that its leader needs at every budget;
- a contest is the tracks that vote together, in the order of their stages;
- a vote is a contest with weights and a tie rule;
- an answer is the leader of a track, or after these the winner of a vote.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.stage_votes import COVERAGE, PLAIN
from mssim.kernels.tally import LANES, SHIFT, Recorded

NO_CONTROL, FIRST_STAGE, TWIN = 0, 1, 2

_MOST_VOTES = np.int64(1) << 15


class Rules(NamedTuple):
    """Rules of a strategy at every budget."""

    sizes: NDArray[np.int64]  # [stage, budget], samples that a stage draws; 0 = the stage is left out
    need: NDArray[np.int64]  # [stage, budget], votes of the leading answer that stop the replay after this stage
    prior: NDArray[np.float64]  # [stage], positive weight of the stage's model in a vote
    kind: int  # PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, SHARE or COVERAGE
    highest: bool  # whether the stage whose leader scores highest gives the answer; else votes add up
    ties: int  # FIRST, RANDOM or WRONG
    adopt: bool  # whether a stage that stops gives the answer alone; else all drawn so far vote
    skip: NDArray[np.int64]  # [stage], draws of the stage's model that earlier stages took


class Bundle(NamedTuple):
    """Rules of several plans with equally many budgets.

    Plans with fewer stages than others are padded with stages that draw nothing and never stop a replay.

    A control is a strategy whose right answers are counted on the same draws: FIRST_STAGE is the plurality of the first
    stage, TWIN the plan with a plain vote and equal weights.
    """

    rows: NDArray[np.int64]  # [plan, stage], row of the recorded samples
    sizes: NDArray[np.int64]  # [plan, stage, budget]; see Rules
    need: NDArray[np.int64]  # [plan, stage, budget]
    prior: NDArray[np.float64]  # [plan, stage]
    kind: NDArray[np.int64]  # [plan]
    highest: NDArray[np.bool_]  # [plan]
    ties: NDArray[np.int64]  # [plan]
    adopt: NDArray[np.bool_]  # [plan]
    skip: NDArray[np.int64]  # [plan, stage]
    control: NDArray[np.int64]  # [plan, budget], NO_CONTROL, FIRST_STAGE or TWIN


class Layout(NamedTuple):
    """What the plans of a bundle share. Plans that are controls only follow the plans of the bundle."""

    unit_rows: NDArray[np.int64]  # [unit], row of the recorded samples
    unit_skip: NDArray[np.int64]  # [unit], draws that are skipped
    unit_ties: NDArray[np.int64]  # [unit]
    unit_covers: NDArray[np.bool_]  # [unit], whether only right answers count
    unit_begins: NDArray[np.int64]  # [unit + 1], draws of the units before
    unit_tracks: NDArray[np.int64]  # [unit + 1], number of its first track
    track_units: NDArray[np.int64]  # [track]
    track_tests: NDArray[np.int64]  # [track + 1], number of its first test
    sizes: NDArray[np.int64]  # [track, budget], draws
    counted: NDArray[np.int64]  # [budget, track], draws that are counted for votes; -1 where another track's are used
    slots: NDArray[np.int64]  # [contest, budget, stage], flat, the tracks whose counts are used
    need: NDArray[np.int64]  # [test, budget, lane], tallies that stop; flat
    contest_tracks: NDArray[np.int64]  # [contest, stage]
    contest_ends: NDArray[np.int64]  # [contest], stages
    contest_tests: NDArray[np.int64]  # [contest, stage], tests of which none may stop a replay before, or -1
    contest_stops: NDArray[np.int64]  # [contest], the test that must stop it, or -1
    contest_votes: NDArray[np.int64]  # [contest + 1], number of its first vote
    vote_kinds: NDArray[np.int64]  # [vote], place in `kinds`
    vote_prior: NDArray[np.float64]  # [vote, stage], flat
    vote_highest: NDArray[np.bool_]  # [vote]
    vote_ties: NDArray[np.int64]  # [vote]
    kinds: NDArray[np.int64]  # different kinds of votes
    plan_units: NDArray[np.int64]  # [plan, stage], or -1 beyond the last stage
    plan_tests: NDArray[np.int64]  # [plan, stage], or -1 if the stage never stops a replay
    plan_answers: NDArray[np.int64]  # [plan, stage + 1], after a stage that stops a replay; the last: after all
    controls: NDArray[np.int64]  # [plan, budget], plan that is the control, or -1


def results(rules: Rules, recorded: Recorded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Allocate the counters of replays: hits [question, budget] and stopped [question, stage, budget]."""
    n_questions, (n_stages, n_budgets) = recorded.codes.shape[1], rules.sizes.shape
    return np.zeros((n_questions, n_budgets), np.int64), np.zeros((n_questions, n_stages, n_budgets), np.int64)


def bundle_of(
    plans: Sequence[Rules], rows: Sequence[Sequence[int]] | None = None, control: NDArray[np.int64] | None = None
) -> Bundle:
    """Return a bundle of plans, of which those with fewer stages are padded.

    rows are the rows of the recorded samples by plan and stage; without them stage i has row i. control is int64
    [plan, budget], of which NO_CONTROL is the default.
    """
    n_stages, n_budgets = max(len(plan.sizes) for plan in plans), plans[0].sizes.shape[1]
    shape = len(plans), n_stages
    bundle = Bundle(
        rows=np.zeros(shape, np.int64),
        sizes=np.zeros((*shape, n_budgets), np.int64),
        need=np.full((*shape, n_budgets), _MOST_VOTES),
        prior=np.ones(shape),
        kind=np.array([plan.kind for plan in plans]),
        highest=np.array([plan.highest for plan in plans]),
        ties=np.array([plan.ties for plan in plans]),
        adopt=np.array([plan.adopt for plan in plans]),
        skip=np.zeros(shape, np.int64),
        control=np.full((len(plans), n_budgets), NO_CONTROL) if control is None else control,
    )
    for p, plan in enumerate(plans):
        n = len(plan.sizes)
        bundle.rows[p, :n] = np.arange(n) if rows is None else rows[p]
        bundle.sizes[p, :n], bundle.need[p, :n], bundle.prior[p, :n] = plan.sizes, plan.need, plan.prior
        bundle.skip[p, :n] = plan.skip
    return bundle


class _Plan(NamedTuple):
    """One plan by the numbers of what it shares; stages that draw nothing after all others are left out."""

    tracks: tuple[int, ...]
    tests: tuple[int, ...]  # -1: the stage never stops a replay
    weights: tuple[Hashable, ...]  # kind, highest, ties
    prior: tuple[float, ...]
    adopt: bool

    def contest(self, stage: int) -> tuple[int, ...]:
        """Return the tracks that answer after a stage."""
        stops = stage < len(self.tracks)
        return self.tracks[stage : stage + 1] if stops and self.adopt else self.tracks[: stage + 1]

    def ends(self) -> list[int]:
        """Return the stages after which it answers; the last number: after all."""
        return [*(i for i, test in enumerate(self.tests) if test >= 0), len(self.tracks)]


class _Numbers(dict[Any, int]):
    """Numbers of different keys, as first seen."""

    def __missing__(self, key: Any) -> int:
        self[key] = len(self)
        return self[key]


def _sorted(keys: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
    """Number different keys in the order of their first entry."""
    return {key: number for number, key in enumerate(sorted(dict.fromkeys(keys), key=lambda key: key[0]))}


def _firsts(parents: Iterable[int], n: int) -> NDArray[np.int64]:
    """Return where the entries of each of n parents begin, and the end."""
    return np.searchsorted(np.array([*parents], np.int64), np.arange(n + 1)).astype(np.int64)


def _with_controls(bundle: Bundle) -> tuple[Bundle, NDArray[np.int64]]:
    """Return the bundle with controls as further plans, and the number of the control, [plan, budget]."""
    n_plans, controls = len(bundle.rows), np.full(bundle.control.shape, -1)
    further: list[int] = []
    for kind in (FIRST_STAGE, TWIN):
        wanted = np.flatnonzero((bundle.control == kind).any(axis=1))
        for number, plan in enumerate(wanted, n_plans + len(further)):
            controls[plan, bundle.control[plan] == kind] = number
        further += wanted.tolist()
    if not further:
        return bundle, controls
    every = np.array([*range(n_plans), *further])
    found = Bundle(*(values[every] for values in bundle))
    first = n_plans + int((bundle.control == FIRST_STAGE).any(axis=1).sum())
    found.kind[n_plans:], found.highest[n_plans:], found.prior[n_plans:] = PLAIN, False, 1.0
    found.sizes[n_plans:first, 1:], found.need[n_plans:first] = 0, _MOST_VOTES
    return found, controls


def _plans(bundle: Bundle, one: bool) -> tuple[list[_Plan], list[Any], list[Any], list[Any]]:
    """Return the plans, and the keys of units, tracks and tests in the order of their numbers."""
    keys: list[list[tuple[Any, ...]]] = [[] for _ in bundle.rows]
    units = _Numbers()
    lasts = [int(np.flatnonzero(sizes.any(axis=1)).max(initial=0)) for sizes in bundle.sizes]
    for i in range(bundle.rows.shape[1]):
        for p, last in enumerate(lasts):
            if i <= max(last, int(np.flatnonzero((bundle.need[p] <= 0).any(axis=1)).max(initial=0))):
                covers = bool(bundle.kind[p] == COVERAGE)
                # What one plan spends is counted stage by stage, so that its stages do not share draws.
                unit = bundle.rows[p, i], bundle.skip[p, i], bundle.ties[p], covers, i if one else 0
                keys[p].append((units[tuple(map(int, unit))], bundle.sizes[p, i].tobytes()))
    tracks = _sorted(key for several in keys for key in several)
    needs = [
        [(tracks[key], bundle.need[p, i].tobytes()) for i, key in enumerate(several)] for p, several in enumerate(keys)
    ]
    stopping = [
        [key for i, key in enumerate(several) if (bundle.need[p, i] <= bundle.sizes[p, i]).any()]
        for p, several in enumerate(needs)
    ]
    tests = _sorted(key for several in stopping for key in several)
    plans = [
        _Plan(
            tuple(tracks[key] for key in keys[p]),
            tuple(tests.get(key, -1) for key in needs[p]),
            (int(bundle.kind[p]), bool(bundle.highest[p]), int(bundle.ties[p])),
            tuple(bundle.prior[p].tolist()),
            bool(bundle.adopt[p]),
        )
        for p in range(len(keys))
    ]
    return plans, list(units), list(tracks), list(tests)


def _table(rows: Iterable[Iterable[Any]], width: int, fill: Any, dtype: Any) -> NDArray[Any]:
    """Return rows of different lengths as one array."""
    listed = [[*row] for row in rows]
    table = np.full((len(listed), width), fill, dtype)
    for row, values in zip(table, listed, strict=True):
        row[: len(values)] = values
    return table


def _answer(plan: _Plan, end: int, n_tracks: int, votes: dict[tuple[Any, ...], int]) -> int:
    """Return the number of the answer of a plan after a stage."""
    contest = plan.contest(end)
    return contest[0] if len(contest) == 1 else n_tracks + votes[contest, plan.weights, plan.prior[: len(contest)]]


def _needs(
    plans: list[_Plan], tests: list[tuple[int, bytes]], n_stages: int, contests: dict[Any, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when contests are needed: tests [contest, stage] that all plans fail before, and a test that stops all.

    If plans differ in a test of a track, the hardest counts. If none is, votes are counted more often than needed.
    """
    uses: list[list[tuple[list[int], int]]] = [[] for _ in contests]
    for plan in plans:
        for end in plan.ends():
            if len(plan.contest(end)) > 1:
                before = [test for test in plan.tests[:end] if test >= 0]
                stop = plan.tests[end] if end < len(plan.tests) else -1
                uses[contests[plan.contest(end)]].append((before, stop))
    table, stops = np.full((len(contests), n_stages), -1), np.full(len(contests), -1)
    needs = [np.frombuffer(key, np.int64) for _, key in tests]
    for c, several in enumerate(uses):
        by_track = [{tests[test][0]: test for test in before} for before, _ in several]
        shared = set(by_track[0]).intersection(*by_track[1:])
        for place, track in enumerate(sorted(shared)):
            found = {known[track] for known in by_track}
            hardest = np.max([needs[test] for test in found], axis=0)
            table[c, place] = next((test for test in found if (needs[test] == hardest).all()), -1)
        if len({stop for _, stop in several}) == 1:
            stops[c] = several[0][1]
    return table, stops


def layout_of(bundle: Bundle) -> Layout:
    """Number what the plans of a bundle share."""
    full, controls = _with_controls(bundle)
    n_stages, n_budgets = full.sizes.shape[1:]
    plans, units, tracks, tests = _plans(full, len(bundle.rows) == 1)
    votes = _sorted(
        (plan.contest(end), plan.weights, plan.prior[: len(plan.contest(end))])
        for plan in plans
        for end in plan.ends()
        if len(plan.contest(end)) > 1
    )
    contests = _Numbers()
    for tracks_, _, _ in votes:
        contests[tracks_]
    contest_tracks = _table(contests, n_stages, -1, np.int64)
    contest_tests, contest_stops = _needs(plans, tests, n_stages, contests)
    sizes = np.array([np.frombuffer(key, np.int64) for _, key in tracks])
    of_units = np.array([unit for unit, _ in tracks], np.int64)
    depths = [int(sizes[of_units == unit].max()) for unit in range(len(units))]
    same = (of_units[:, None] == of_units)[:, :, None] & (sizes[:, None] == sizes)
    slots = np.argmax(same, axis=1)
    need = np.array([np.frombuffer(key, np.int64) for _, key in tests], np.int64).reshape(-1, n_budgets)
    kinds = _Numbers()
    of_kinds = [kinds[weights[0]] for _, weights, _ in votes]
    answers = [
        [_answer(plan, end, len(tracks), votes) if end in plan.ends() else 0 for end in range(len(plan.tracks))]
        for plan in plans
    ]
    lasts = [_answer(plan, len(plan.tracks), len(tracks), votes) for plan in plans]
    by_unit = np.array(units, np.int64)
    return Layout(
        unit_rows=by_unit[:, 0].copy(),
        unit_skip=by_unit[:, 1].copy(),
        unit_ties=by_unit[:, 2].copy(),
        unit_covers=by_unit[:, 3] > 0,
        unit_begins=np.cumsum([0, *depths]),
        unit_tracks=_firsts(of_units, len(units)),
        track_units=of_units,
        track_tests=_firsts([track for track, _ in tests], len(tracks)),
        sizes=sizes,
        counted=np.ascontiguousarray(np.where(slots == np.arange(len(tracks))[:, None], sizes, -1).T),
        slots=slots.T[:, contest_tracks].transpose(1, 0, 2).reshape(-1).copy(),
        need=np.repeat((np.minimum(need, _MOST_VOTES) << SHIFT).reshape(-1), LANES),
        contest_tracks=contest_tracks,
        contest_ends=np.array([len(key) for key in contests], np.int64),
        contest_tests=contest_tests,
        contest_stops=contest_stops,
        contest_votes=_firsts([contests[key] for key, _, _ in votes], len(contests)),
        vote_kinds=np.array(of_kinds, np.int64),
        vote_prior=_table((prior for _, _, prior in votes), n_stages, 1.0, np.float64).reshape(-1),
        vote_highest=np.array([weights[1] for _, weights, _ in votes], np.bool_),
        vote_ties=np.array([weights[2] for _, weights, _ in votes], np.int64),
        kinds=np.array([*kinds], np.int64),
        plan_units=_table(((of_units[track] for track in plan.tracks) for plan in plans), n_stages, -1, np.int64),
        plan_tests=_table((plan.tests for plan in plans), n_stages, -1, np.int64),
        plan_answers=np.concatenate([_table(answers, n_stages, 0, np.int64), np.array(lasts)[:, None]], axis=1),
        controls=controls,
    )
