"""What a run needs before its first request; `record` and live runs are tested as wholes."""

import asyncio

import pytest

from mssim import MssimError
from mssim.recorder import Journal
from mssim.recorder.preparing import known_of, openai_client, read_limits, run_to_end, target_of, with_spend
from tests.recording import PRICES, URL, Client, collect, plan, questions


@pytest.fixture
def priced(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return plan(prices=path)


def test_limits_have_the_prices_of_the_plan(priced):
    budget = read_limits(priced, 5, None, 2.5)
    assert (budget.max_requests, budget.max_tokens, budget.max_cost, budget.prices.currency) == (5, None, 2.5, "EUR")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ((-1, None, None), "max_requests=-1 is out of range"),
        ((None, "x", None), "max_tokens='x' is not an integer"),
        ((None, None, -1), "max_cost=-1 is not allowed"),
        ((None, None, 1), "max_cost: no prices were given"),
    ],
)
def test_invalid_limits_are_refused(limits, says):
    with pytest.raises(MssimError, match=says):
        read_limits(plan(), *limits)


def test_earlier_runs_count(tmp_path, priced):
    collect(tmp_path / "pool", Client(), priced, questions(2))
    with Journal(tmp_path / "pool") as journal:
        budget = with_spend(read_limits(priced, None, None, None), journal, priced)
    assert (budget.requests, budget.tokens) == (8, 120)
    assert budget.cost == pytest.approx(8 * (10 * 1.0 + 5 * 2.0) / 1000)


def test_a_target_has_a_cell_and_a_prompt_for_each_question():
    model = plan(samples_per_request=2).resolve(questions(2)).models[0]
    target = target_of(model, questions(2).to_pylist())
    assert [(cell.question, cell.model) for cell in target.cells] == [("q0", "a"), ("q1", "a")]
    assert len({cell.settings for cell in target.cells}) == 2
    assert target.prompt(1) == [{"role": "user", "content": "Ask 1"}]
    assert target.per_request == 2
    assert known_of(model)["samples_per_request"] == 2


def test_the_client_of_a_server_has_its_key_and_timeout(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    monkeypatch.setattr("mssim.recorder.preparing.OpenAISampler", lambda url, **how: (url, how))
    server = plan(timeout=7.0, key_env="SOME_KEY").models[0].server
    assert openai_client(server) == (URL, {"key": "secret", "timeout": 7.0})


def test_a_run_has_an_event_loop_of_its_own():
    class Once:
        ran = 0

        async def run(self):
            self.ran += 1

    once = Once()
    run_to_end(once)

    async def notebook():
        run_to_end(once)

    asyncio.run(notebook())
    assert once.ran == 2
