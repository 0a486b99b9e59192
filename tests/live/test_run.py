"""A strategy against scripted servers: the same as over recorded draws, resumed, limited, and refused with a remedy."""

import asyncio
import math
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError, evaluate, parse_strategy
from mssim.live import Draw, run
from mssim.live.strategies import turns
from mssim.pools.loading import read_pool
from mssim.recorder import Choice, Reply, RequestFailed, plan_from_options, record, status
from tests.conftest import examples
from tests.live import drawn as naive_draws
from tests.live.scripted import AT_ONCE, RULE, Servers, digit, faults, live, plan, questions, says, table
from tests.recording import PRICES, URL, stored

STRATEGIES = [
    "sc:a",
    "sc:b,stop=beta",
    "sc:a,stop=window:3",
    "sc:a,vote=confidence",
    "sc:a,ties=random",
    "ms:a+b,agreement=0.6",
    "ms:a+a,agreement=1",
    "ms:b+a,on_agreement=pool,vote=plurality,sizes=3/4",
    "cascade:a+b,agreement=0.5",
    "mix:a+b",
    "random:a+b,shares=3/1",
]


def expected(strategy, budget, question, seed=0):
    """Decision over the known answers, the answer itself, and the samples in the order in which they are drawn."""
    codes = {}

    def draw(model, index):
        answer = digit(model, question, index)
        code = -1 if answer is None else codes.setdefault(answer, len(codes))
        return Draw(code, {"confidence": -0.5, "output_tokens": 7.0})

    models = parse_strategy(strategy).models
    game, used, order = turns(strategy, budget, question, seed), dict.fromkeys(models, 0), []
    try:
        ask = next(game)
        while True:
            order += [(ask.model, used[ask.model] + j) for j in range(ask.n)]
            draws = [draw(ask.model, used[ask.model] + j) for j in range(ask.n)]
            used[ask.model] += ask.n
            ask = game.send(draws)
    except StopIteration as end:
        names = {code: str(answer) for answer, code in codes.items()}
        return end.value, names.get(end.value.answer), order


@pytest.mark.slow
@given(
    st.sampled_from(STRATEGIES),
    st.integers(1, 12),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 2**32),
)
@settings(max_examples=examples(20))
def test_it_answers_as_over_recorded_draws_whatever_the_timing_and_the_faults(strategy, budget, size, share, seed):
    asked = plan(samples_per_request=size, logprobs=True)
    client = Servers(asked, ["q0", "q1", "q2"], before=faults(share, seed), rng=random.Random(seed))
    with tempfile.TemporaryDirectory() as folder:
        result, _ = live(folder, strategy, budget, client=client, asked=asked, given=questions(3))
        recorded = stored(Path(folder))
    drawn_samples = set()
    for answer in result.answers:
        decision, name, order = expected(strategy, budget, answer.question_id)
        assert answer.decision == decision
        assert answer.answer == name
        assert answer.correct == (name == "1")
        assert [(draw.model, draw.sample_index) for draw in answer.draws] == order
        drawn_samples |= {(answer.question_id, *sample) for sample in order}
    assert recorded == {(q, m, i): says(m, q, i) for q, m, i in drawn_samples}  # no sample beyond those
    answered = client.samples("answered")
    assert len(set(answered)) == len(answered) == len(drawn_samples)  # none asked for after it was answered
    assert client.most <= 4
    assert not result.notes


def test_requests_are_those_of_a_recording(tmp_path):
    asked = plan(["a"], samples_per_request=3)
    _, client = live(tmp_path / "live", "sc:a", 8, asked=asked)
    recorder = Servers(asked, [f"q{i}" for i in range(4)])
    eight = plan_from_options(["a"], base_url=URL, samples=8, seed=1, samples_per_request=3)
    record(questions(), eight, tmp_path / "recorded", sampler=lambda _: recorder)
    assert sorted(client.samples()) == sorted(recorder.samples())
    assert sorted(client.asked) == sorted(recorder.asked)
    assert stored(tmp_path / "live") == stored(tmp_path / "recorded")


# Again, and with what is recorded ------------------------------------------------------------------------------------


def test_the_same_again_asks_for_nothing_and_says_the_same(tmp_path):
    first, _ = live(tmp_path, "ms:a+b,agreement=0.5", 8)
    again, client = live(tmp_path, "ms:a+b,agreement=0.5", 8)
    assert client.asked == []
    assert table(again) == table(first)
    assert again.latency == first.latency


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"strategy": "sc:b"},
            "samples of a live run with strategy='sc:a'. To draw them first, pass use_recorded=True",
        ),
        ({"budget": 6}, "samples of a live run with budget=4"),
        ({"seed": 2}, "samples of a live run with seed=0"),
        ({"rule": "exact"}, "samples of a live run with rule='regex"),
        ({"reasoning": "keep"}, "samples of a live run with reasoning=None"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(tmp_path, change, says):
    live(tmp_path, "sc:a", 4)
    arguments = {"strategy": "sc:a", "budget": 4, **change}
    with pytest.raises(MssimError, match=says):
        live(tmp_path, arguments.pop("strategy"), arguments.pop("budget"), **arguments)


@pytest.mark.slow
def test_recorded_samples_are_drawn_first_on_request(tmp_path):
    recorder = Servers(plan(["a"]), [f"q{i}" for i in range(4)])
    three = plan_from_options(["a"], base_url=URL, samples=3, seed=1)
    record(questions(), three, tmp_path / "pool", sampler=lambda _: recorder)
    with pytest.raises(MssimError, match="has samples that were recorded without a strategy"):
        live(tmp_path / "pool", "sc:a", 5)
    result, client = live(tmp_path / "pool", "sc:a", 5, use_recorded=True)
    assert sorted(client.samples()) == [("a", f"q{q}", i) for q in range(4) for i in (3, 4)]
    fresh, _ = live(tmp_path / "fresh", "sc:a", 5)
    assert table(result) == table(fresh)
    assert status(tmp_path / "pool").complete
    more, client = live(tmp_path / "pool", "ms:a+b,agreement=0.5", 8, use_recorded=True)
    assert {model for model, _, _ in client.samples()} <= {"b"}
    assert table(more) == table(live(tmp_path / "other", "ms:a+b,agreement=0.5", 8)[0])


def test_recorded_samples_of_other_settings_are_refused(tmp_path):
    live(tmp_path, "sc:a", 4)
    with pytest.raises(MssimError, match=r"was recorded with other settings: temperature 1\.0 -> 0\.5"):
        live(tmp_path, "sc:a", 4, asked=plan(settings=["temperature=0.5"]))


def test_a_pool_without_a_journal_is_not_overwritten(tmp_path):
    live(tmp_path, "sc:a", 4)
    for path in tmp_path.glob("journal*"):
        path.unlink()
    with pytest.raises(MssimError, match="contains a pool without a journal"):
        live(tmp_path, "sc:a", 4)


# The pool that it leaves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["sc:a", "ms:a+b,agreement=0.6", "sc:b,stop=beta"])
def test_the_answers_are_those_of_the_strategy_over_the_recorded_order_of_the_pool(tmp_path, strategy):
    result, _ = live(tmp_path, strategy, 8)
    pool = read_pool(tmp_path)
    for answer in result.answers:
        question = list(pool.question_ids).index(answer.question_id)
        draws = {
            model: [Draw(int(code)) for code in pool.codes[m, question, : pool.lengths[m, question]]]
            for m, model in enumerate(pool.models)
        }
        decision, asked = naive_draws.run(turns(strategy, 8, answer.question_id), draws)
        assert (answer.stopped, answer.samples_used) == (decision.stopped, sum(ask.n for ask in asked))
        assert (answer.answer is None) == (decision.answer < 0)
        first = int(pool.class_offsets[question])
        assert answer.correct == (decision.answer >= 0 and bool(pool.class_correct[first + decision.answer]))
    assert (pool.info["live"]["strategy"], pool.info["live"]["budget"]) == (result.strategy, 8)
    assert pool.info["grader"]["rule"] == RULE
    assert status(tmp_path).complete


@pytest.mark.slow
def test_the_pool_can_be_evaluated(tmp_path):
    result, _ = live(tmp_path, "sc:a", 8)
    replayed = evaluate(read_pool(tmp_path), "sc:a", 8).to_frame().iloc[0]  # all samples of each question vote
    assert replayed["samples_used"] == result.samples_used == 8
    assert replayed["tokens"] == result.tokens


@pytest.mark.slow
def test_a_recording_fills_what_a_strategy_that_stops_early_did_not_draw(tmp_path):
    result, _ = live(tmp_path, "ms:a+b,agreement=0.5", 8)
    assert any(answer.drawn() == {"a": 4} for answer in result.answers)
    recorder = Servers(plan(), [f"q{i}" for i in range(4)])
    found = record(questions(), plan(samples=4), tmp_path, sampler=lambda _: recorder)
    assert found.complete
    assert set(recorder.samples()) == {
        ("b", answer.question_id, i) for answer in result.answers if "b" not in answer.drawn() for i in range(4)
    }
    assert (read_pool(tmp_path).lengths == 4).all()
    with pytest.raises(MssimError, match="has samples that were recorded without a strategy"):
        live(tmp_path, "ms:a+b,agreement=0.5", 8)
    again, client = live(tmp_path, "ms:a+b,agreement=0.5", 8, use_recorded=True)
    assert (table(again), client.asked) == (table(result), [])


# Limits and failures --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_limit_leaves_questions_unfinished_and_a_rerun_continues(tmp_path):
    result, client = live(tmp_path, "sc:a", 4, max_requests=10, asked=plan(concurrency=1))
    assert (result.unfinished, result.complete) == (2, False)
    assert "The limit max_requests=10 is reached" in result.notes[0]
    assert [answer.stopped for answer in result.answers] == ["budget", "budget", "unfinished", "unfinished"]
    assert result.answers[2].answer is None
    assert result.answers[2].correct is None
    assert result.accuracy == np.mean([answer.correct for answer in result.answers[:2]])
    again, rest = live(tmp_path, "sc:a", 4)
    assert again.complete
    assert len(client.samples()) + len(rest.samples()) == 16
    assert table(again) == table(live(tmp_path / "fresh", "sc:a", 4)[0])


def test_answered_questions_are_told_although_a_limit_is_reached_at_once(tmp_path):
    live(tmp_path, "sc:a", 4)
    again, client = live(tmp_path, "sc:a", 4, max_requests=0)
    assert again.complete
    assert client.asked == []


@pytest.mark.slow
def test_a_sample_that_is_given_up_leaves_its_question_unfinished_until_told_to_retry(tmp_path):
    def before(request):
        if "q1" in request.messages[-1]["content"]:
            raise RequestFailed("HTTP 400: too long", transient=False)

    client = Servers(plan(), [f"q{i}" for i in range(4)], before=before)
    result, _ = live(tmp_path, "sc:a", 4, client=client)
    assert [answer.decision is None for answer in result.answers] == [False, True, False, False]
    assert result.status.reasons["reason"].tolist() == ["HTTP 400: too long"]
    again, rest = live(tmp_path, "sc:a", 4)
    assert (again.unfinished, rest.asked) == (1, [])
    last, rest = live(tmp_path, "sc:a", 4, retry_failed=True)
    assert last.complete
    assert sorted(rest.samples()) == [("a", "q1", i) for i in range(4)]


@pytest.mark.slow
def test_a_server_that_does_not_answer_stops_its_models_and_no_others(tmp_path):
    class Away(Servers):
        async def sample(self, _):
            raise RequestFailed("nothing answers", unreachable=True)

    ids, asked = [f"q{i}" for i in range(4)], plan()
    away = plan(["b"], base_url="http://127.0.0.1:8/v1", concurrency=2)
    both = type(asked)((asked.models[0], away.models[0]))
    clients = {asked.models[0].server: Servers(both, ids), away.models[0].server: Away(both, ids)}
    result, _ = live(tmp_path, "ms:a+b,agreement=0.5", 8, asked=both, sampler=clients.get)
    assert result.notes[0].startswith("Requests to model 'b' were stopped: nothing answers")
    agreed = [answer.stopped for answer in live(tmp_path / "fresh", "ms:a+b,agreement=0.5", 8)[0].answers]
    assert "agreement" in agreed
    stopped = [answer.stopped for answer in result.answers]
    alone = [answer.drawn() == {"a": 4} for answer in live(tmp_path / "fresh", "ms:a+b,agreement=0.5", 8)[0].answers]
    assert [one == "agreement" for one in stopped] == alone
    assert {one for one in stopped if one != "agreement"} == {"unfinished"}


def test_each_server_has_its_own_number_of_pending_requests(tmp_path):
    ids = [f"q{i}" for i in range(4)]
    first, second = plan(["a"], concurrency=3), plan(["b"], base_url="http://127.0.0.1:8/v1", concurrency=1)
    both = type(first)((first.models[0], second.models[0]))
    clients = {model.server: Servers(both, ids, rng=random.Random(1)) for model in both.models}
    result, _ = live(tmp_path, "mix:a+b", 8, asked=both, sampler=clients.get)
    assert result.complete
    assert [client.most for client in clients.values()] == [3, 1]


def test_a_rule_that_fails_ends_the_run_and_keeps_the_samples(tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text("def find(text):\n    raise KeyError(text[:1])\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MssimError, match=r"rule python=failing:find: model 'a', sample 0: KeyError: 'a'"):
        live(tmp_path / "pool", "sc:a", 4, rule="python=failing:find", asked=plan(concurrency=1))
    assert len(stored(tmp_path / "pool")) >= 1


def test_a_signal_cancels_nothing_that_is_recorded(tmp_path):
    """A second signal cancels the tasks of questions; their answers are those of the journal."""

    class Cancelled(Servers):
        async def sample(self, request):
            if len(self.asked) >= 20:
                for task in asyncio.all_tasks():
                    if task.get_coro().__name__ == "_do_each":
                        task.cancel()
            return await super().sample(request)

    ids = [f"q{i}" for i in range(4)]
    client = Cancelled(plan(), ids)
    result, _ = live(tmp_path, "sc:a,stop=window:4", 6, client=client, asked=plan(concurrency=1))
    assert len(result.answers) == 4
    assert 0 < result.unfinished < 4
    recorded = {
        (answer.question_id, draw.model, draw.sample_index) for answer in result.answers for draw in answer.draws
    }
    assert recorded == set(stored(tmp_path))
    assert any(answer.draws for answer in result.answers if answer.decision is None)
    assert live(tmp_path, "sc:a,stop=window:4", 6)[0].complete


def test_it_runs_within_a_running_loop(tmp_path):
    async def notebook():
        return live(tmp_path, "sc:a", 2)[0]

    assert asyncio.run(notebook()).complete


# Questions, texts and numbers -----------------------------------------------------------------------------------------


def test_questions_without_a_truth_count_for_no_accuracy(tmp_path):
    result, _ = live(tmp_path / "some", "sc:a", 2, given=questions(3).set_column(2, "truth", [["1", None, "1"]]))
    assert [answer.correct is None for answer in result.answers] == [False, True, False]
    assert result.notes == ("1 question has no truth. It counts for no accuracy here, and as wrong in the pool.",)
    assert result.accuracy == np.mean([result.answers[0].correct, result.answers[2].correct])
    none, _ = live(tmp_path / "none", "sc:a", 2, given=questions(2).drop_columns("truth"))
    assert math.isnan(none.accuracy)
    assert none.complete


def test_choices_name_answer_classes(tmp_path):
    given = questions(1, choices=[["Paris", "Rome"]]).set_column(2, "truth", [["B"]])
    client = Servers(plan(["a"]), ["q0"], lambda _, __, i: ["Rome", "It is (B).", "Paris", "B"][i])
    result, _ = live(tmp_path, "sc:a", 4, given=given, client=client, asked=plan(["a"]), rule="choice")
    assert (result.answers[0].answer, result.answers[0].correct) == ("B", True)
    assert [draw.code for draw in result.answers[0].draws] == [0, 0, 1, 0]


def test_tokens_of_a_request_for_several_samples_are_paid_once(tmp_path):
    asked = plan(["a"], samples_per_request=4)
    result, _ = live(tmp_path, "sc:a", 8, asked=asked, given=questions(1))
    assert (result.answers[0].input_tokens, result.answers[0].output_tokens) == (20.0, 56.0)
    alone, _ = live(tmp_path / "alone", "sc:a", 8, asked=plan(["a"]), given=questions(1))
    assert (alone.answers[0].input_tokens, alone.tokens) == (80.0, 136.0)


@pytest.mark.slow
def test_costs_follow_the_prices_of_the_plan(tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES)
    asked = plan(["a"], prices=tmp_path / "prices.toml")
    result, _ = live(tmp_path / "pool", "sc:a", 3, asked=asked)
    assert result.cost == pytest.approx(3 * (10 * 1.0 + 7 * 2.0) / 1000)
    assert result.currency == "EUR"
    with pytest.raises(MssimError, match="max_cost: no prices were given"):
        live(tmp_path / "other", "sc:a", 3, max_cost=1.0)
    limited, _ = live(
        tmp_path / "limited", "sc:a", 3, asked=plan(["a"], prices=asked.prices, concurrency=1), max_cost=0.1
    )
    assert limited.unfinished == 3
    assert "max_cost=0.1" in limited.notes[0] or "might exceed the limit" in limited.notes[0]


def test_samples_that_a_limit_of_tokens_cuts_off_are_no_answers(tmp_path):
    class Cut(Servers):
        async def sample(self, request):
            reply = await super().sample(request)
            return Reply(tuple(Choice("it is 1", "length", None, 5) for _ in reply.choices), 10, 5 * request.n)

    asked = plan(["a"], settings=["max_tokens=5"])
    client = Cut(asked, ["q0"])
    result, _ = live(tmp_path, "sc:a,max_tokens=5", 3, client=client, asked=asked, given=questions(1))
    assert (result.answers[0].answer, result.answers[0].correct) == (None, False)
    assert result.notes == (
        "3 samples were cut off by max_tokens of the strategy and are no answer in this run. The rule finds an answer "
        "in what was written, so the pool has it.",
    )
    without, _ = live(tmp_path / "other", "sc:a", 3, client=Cut(asked, ["q0"]), asked=asked, given=questions(1))
    assert without.answers[0].answer == "1"
    assert "were cut off" in without.warnings[0]


def test_a_missing_log_probability_ends_the_run(tmp_path):
    class Unsure(Servers):
        async def sample(self, request):
            reply = await super().sample(request)
            return Reply(tuple(Choice(choice.text) for choice in reply.choices), 10, 7)

    asked = plan(["a"], logprobs=True)
    client = Unsure(asked, ["q0"], lambda *_: "it is 1")
    with pytest.raises(MssimError, match="confidence"):
        live(tmp_path, "sc:a,vote=confidence", 3, client=client, asked=asked, given=questions(1))
    assert len(stored(tmp_path)) == 3


def test_warnings_are_about_the_models_of_the_strategy(tmp_path):
    cold, warm = plan(["a"], settings=["temperature=0"]), plan(["b"])
    both = type(cold)((cold.models[0], warm.models[0]))
    result, _ = live(tmp_path / "b", "sc:b", 2, asked=both)
    assert result.warnings == ()
    result, _ = live(tmp_path / "a", "sc:a", 2, asked=both)
    assert result.warnings[0].startswith("model 'a' has temperature 0, so its 2 samples per question are nearly equal")
    assert {draw.text for answer in result.answers for draw in answer.draws} == {None}


def test_progress_counts_questions(tmp_path):
    told = []
    live(tmp_path, "sc:a", 2, report=lambda p: told.append((p.questions, p.answered, p.arrived, p.writing)))
    assert told[0] == (4, 0, 0, False)
    assert told[-2:] == [(4, 4, 8, False), (4, 4, 8, True)]


@pytest.mark.parametrize(
    ("strategy", "options", "says"),
    [
        ("sc:c", {}, "model 'c' of sc:c is not in the plan. Choose from 'a', 'b'"),
        ("cov:a", {}, "cov:a cannot run live"),
        (
            "sc:a",
            {"rule": ""},
            "rule: a live run compares answers while they arrive. Name the rule",
        ),
        ("sc:a", {"rule": "nope"}, "rule 'nope' is not known"),
        ("sc:a", {"seed": -1}, "seed=-1 is out of range"),
        ("sc:a,vote=confidence", {}, "reads the confidence of samples, .* Request it with logprobs=True"),
        ("sc:a,max_tokens=9", {}, "limits samples to 9 tokens, but the setting 'max_tokens' of the model is missing"),
    ],
)
def test_what_cannot_run_is_refused_before_any_request(tmp_path, strategy, options, says):
    client = Servers(plan(), ["q0"])
    with pytest.raises(MssimError, match=says):
        live(tmp_path / "pool", strategy, 4, client=client, **options)
    assert client.asked == []
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize("budget", [0, 40_000, "x"])
def test_a_budget_is_a_number_of_samples(tmp_path, budget):
    with pytest.raises(MssimError, match="budget="):
        run(questions(), plan(), "sc:a", budget, tmp_path / "pool", rule="number", retry=AT_ONCE)


def test_a_budget_above_the_sizes_of_the_stages_is_not_spent(tmp_path):
    result, _ = live(tmp_path, "mix:a+b,sizes=2/1", 30)
    assert {answer.samples_used for answer in result.answers} == {3}
