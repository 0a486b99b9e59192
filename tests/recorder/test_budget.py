"""Limits of a recording: a request begins only if what it may need still fits."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError, RecordError
from mssim.prices import Prices
from mssim.recorder import Choice, Reply, read_plan
from mssim.recorder.budget import Budget, Need
from tests.recording import PRICES, URL, Client, collect, plan


def test_a_limit_on_requests_holds_over_all_runs(tmp_path):
    client = Client()
    found = collect(tmp_path, client, max_requests=5)
    assert len(client.requests) == 5
    assert found.notes == ("The limit max_requests=5 is reached (5 in all runs).",)
    assert not collect(tmp_path, client, max_requests=5).complete
    assert len(client.requests) == 5
    assert not collect(tmp_path, client, max_requests=7).complete
    assert len(client.requests) == 7


@pytest.mark.slow
@given(limit=st.integers(0, 400), concurrency=st.integers(1, 9), n=st.integers(1, 4), bound=st.booleans())
def test_a_limit_on_tokens_is_not_exceeded_once_something_is_known(tmp_path_factory, limit, concurrency, n, bound):
    out = tmp_path_factory.mktemp("pool")
    settings = ["max_tokens=5"] if bound else []
    asked = plan(samples=4, concurrency=concurrency, samples_per_request=n, settings=settings)
    client = Client()
    found = collect(out, client, asked, max_tokens=limit).to_frame().iloc[0]
    spent = found["input_tokens"] + found["output_tokens"]
    # What a request may need: 5 tokens an answer, and for a prompt of 5 bytes at most 21 tokens, though 10 are spent.
    assert spent <= limit or (not bound and len(client.requests) == 1)
    if found["missing"]:
        assert spent + 21 + 5 * n > limit
    else:
        assert spent <= limit


def test_a_limit_on_cost_needs_prices_and_is_not_exceeded(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    out = tmp_path / "pool"
    with pytest.raises(
        RecordError, match=r"max_cost: no prices were given. Add a price table to the plan, prices=FILE"
    ):
        collect(out, Client(), max_cost=1.0)
    with pytest.raises(RecordError, match=r"max_cost=-1 is not allowed\. It must be a number of at least 0"):
        collect(out, Client(), max_cost=-1)
    with pytest.raises(MssimError, match="prices: model 'b'"):
        collect(out, Client(), plan(["b"], prices=prices))
    found = collect(out, Client(), plan(samples=40, settings=["max_tokens=5"], prices=prices), max_cost=0.1)
    spent = found.to_frame()["cost"].item()  # 0.02 a request, of which the recorder expects at most 0.031
    assert 0.1 - 0.031 < spent <= 0.1
    says = "Requests to model 'a' were stopped: the next request might exceed the limit (spent "
    assert found.notes[0].startswith(says)
    assert found.to_frame()["recorded"].item() * 0.02 == pytest.approx(spent)


def test_limits_that_cannot_be_kept_without_token_counts_stop_it(tmp_path):
    client = Client(lambda _: Reply((Choice("x"),)))
    for _ in range(2):
        found = collect(tmp_path, client, max_tokens=1000)
        assert found.notes[0].startswith(
            "The server did not report tokens for 1 requests, so max_tokens= and max_cost= cannot"
        )
    assert len(client.requests) == 1
    assert collect(tmp_path, client, max_requests=100).complete


def test_a_model_whose_requests_no_longer_fit_does_not_stop_the_others(tmp_path):
    (tmp_path / "plan.toml").write_text(
        f'samples = 4\n[servers.x]\nbase_url = "{URL}"\n[models.big]\nsettings = {{max_tokens = 5000}}\n'
        "[models.small]\nsettings = {max_tokens = 5}\n"
    )
    client = Client()
    found = collect(tmp_path / "pool", client, read_plan(tmp_path / "plan.toml"), max_tokens=4000)
    assert found.to_frame()["recorded"].tolist() == [0, 12]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Requests to model 'big' were stopped: the next request might exceed the limit (")


def test_what_was_spent_without_prices_counts_at_the_prices_of_now(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    collect(tmp_path / "pool", Client(), plan(samples=1))  # 3 requests of 0.02 each
    found = collect(tmp_path / "pool", Client(), plan(samples=4, prices=prices), max_cost=0.06)
    assert found.notes == ("The limit max_cost=0.06 is reached (0.06 in all runs).",)


def priced(**limits):
    prices = Prices(datetime.date(2026, 1, 1), {"a": (1.0, 2.0)}, "EUR", per_tokens=1000)
    return Budget(prices=prices, **limits)


def test_a_request_may_need_a_token_per_byte_and_the_longest_answer_so_far():
    budget, (model,) = priced(), plan().models
    messages = [{"role": "user", "content": "\u00e9" * 10}]
    assert budget.need(model, messages, 2) == Need(None, None)  # nothing is known of its answers
    first = budget.need(model, messages, 1)
    assert budget.take(first, "a")
    assert budget.end(first, model, 2, (50, 31)) == pytest.approx(50 / 1000 + 31 * 2 / 1000)
    need = budget.need(model, messages, 3)
    assert need.tokens == 50 + 3 * 16  # 31 tokens of 2 samples: one may have had 16
    assert need.cost == pytest.approx(0.05 + 0.048 * 2)
    assert budget.need(model, [{"role": "user", "content": "x" * 100}], 1).tokens == 116 + 16
    assert (budget.requests, budget.tokens, budget.in_flight) == (1, 81, 0)


def test_what_is_under_way_is_reserved_until_it_ends():
    budget, (model,) = Budget(max_tokens=100), plan().models
    need = Need(40, None)
    assert budget.take(need, "a")
    assert budget.take(need, "a")
    assert not budget.take(need, "a")
    assert budget.take(Need(20, None), "a")  # exactly the limit
    budget.end(need, model, 1, (5, 5))
    assert not budget.take(Need(31, None), "a")
    assert budget.take(Need(30, None), "a")


def test_limits_are_reached_when_they_are_spent():
    assert Budget(max_requests=2, requests=1).reached() is None
    assert Budget(max_requests=2, requests=2).reached() == "The limit max_requests=2 is reached (2 in all runs)."
    assert Budget(max_tokens=5, tokens=6).reached().startswith("The limit max_tokens=5 is reached (6 in all runs)")
    assert priced(max_cost=0.5, cost=0.5).reached().startswith("The limit max_cost=0.5 is reached (0.5 in all runs)")
    assert Budget(requests=9, tokens=9, unreported=1).reached() is None  # no limit needs the number of tokens
    assert "The server did not report tokens for 1 requests" in Budget(max_tokens=9, unreported=1).reached()
