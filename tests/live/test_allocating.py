"""One budget for all questions, live: the same as over recorded draws, resumed, and unfinished as a whole."""

import asyncio

import pytest

from mssim.live import Draw
from mssim.live.strategies import allocation
from tests.live.scripted import Servers, digit, live, plan, questions, table


def expected(budget, n):
    """Decisions and numbers of samples over the known answers."""
    ids = [f"q{i}" for i in range(n)]
    codes = {question: {} for question in ids}
    game = allocation("alloc:a", budget, ids, 0)
    used = dict.fromkeys(ids, 0)
    try:
        wave = next(game)
        while True:
            given = []
            for question, ask in wave:
                answers = [digit("a", question, used[question] + j) for j in range(ask.n)]
                used[question] += ask.n
                known = codes[question]
                given.append([Draw(-1 if a is None else known.setdefault(a, len(known))) for a in answers])
            wave = game.send(given)
    except StopIteration as end:
        return end.value, used


def test_it_shares_the_budget_as_over_recorded_draws(tmp_path):
    result, client = live(tmp_path, "alloc:a", 5, given=questions(6))
    decisions, used = expected(5, 6)
    assert {answer.question_id: answer.decision for answer in result.answers} == decisions
    assert {answer.question_id: answer.samples_used for answer in result.answers} == used
    assert len(client.samples()) == 30
    assert len(set(used.values())) > 1
    assert [samples[0][1] for _, samples in client.asked[:4]] == ["q0", "q1", "q2", "q3"]  # a first draw of each


@pytest.mark.slow
def test_a_limit_leaves_all_questions_unfinished_and_a_rerun_continues(tmp_path):
    result, _ = live(tmp_path, "alloc:a", 5, max_requests=12, asked=plan(concurrency=1))
    assert result.unfinished == 4
    assert sum(answer.samples_used for answer in result.answers) == 12
    again, rest = live(tmp_path, "alloc:a", 5)
    assert again.complete
    assert len(rest.samples()) == 8
    assert table(again) == table(live(tmp_path / "fresh", "alloc:a", 5)[0])


def test_questions_that_are_cancelled_are_unfinished(tmp_path):
    class Cancelled(Servers):
        async def sample(self, request):
            if len(self.asked) >= 12:
                for task in asyncio.all_tasks():
                    if task.get_coro().__name__ == "_do_each":
                        task.cancel()
            return await super().sample(request)

    client = Cancelled(plan(), [f"q{i}" for i in range(4)])
    result, _ = live(tmp_path, "alloc:a", 5, client=client)
    assert result.unfinished == 4
    assert live(tmp_path, "alloc:a", 5)[0].complete
