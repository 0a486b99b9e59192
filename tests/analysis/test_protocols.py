"""Protocols of several agents beside strategies that spend as much."""

from dataclasses import replace

import numpy as np
import pytest

from analysis import protocols
from mssim import PoolError, evaluate
from tests.analysis import stand_ins

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source():
    return stand_ins.source()


@pytest.fixture(scope="module")
def table(source):
    return protocols.run(source, n_replays=200)


def test_each_protocol_stands_beside_both_strategies_at_equal_calls_and_tokens(table):
    assert len(table) == len(stand_ins.PROTOCOLS) * 2 * 3
    assert table["strategy"].tolist() == ["protocol", "Self-Consistency", "ModelSwitch"] * 8
    assert table["label"].drop_duplicates().tolist() == ["MAD", "debate strong", "debate weak", "MOA"]
    assert table["synthetic"].all()
    assert (table["n_runs"] == 6).all()


def test_a_run_of_a_protocol_is_a_sample_with_its_calls_and_tokens(source, table):
    own = table[(table["strategy"] == "protocol") & (table["unit"] == "calls")].set_index("protocol")
    for name, (calls, tokens) in stand_ins.PROTOCOLS.items():
        assert own.loc[name, "calls"] == calls
        assert own.loc[name, "tokens"] == tokens + 10
        mean = evaluate(source.protocols, f'sc:"{name}"', [1]).to_frame()["accuracy"].iloc[0]
        assert own.loc[name, "accuracy"] == pytest.approx(mean)
        assert np.isnan(own.loc[name, "difference"])


def test_strategies_spend_at_most_as_much_and_one_sample_more_would_spend_more(table):
    own = table[table["strategy"] == "protocol"].set_index(["protocol", "unit"])
    for row in table[table["strategy"] != "protocol"].itertuples():
        most = own.loc[(row.protocol, row.unit), row.unit]
        spent = getattr(row, row.unit)
        assert spent <= most + 1e-9
        a_sample = 1 if row.unit == "calls" else 14
        assert spent > most - 2 * a_sample or row.budget == 16


def test_self_consistency_is_that_of_the_better_model(source, table):
    row = table[(table["strategy"] == "Self-Consistency") & (table["unit"] == "calls")].iloc[0]
    alone = evaluate(source.pool, ["sc:strong", "sc:weak"], [4]).to_frame()
    assert row["budget"] == 4
    assert row["accuracy"] == pytest.approx(alone["accuracy"].max())


def test_differences_are_paired_by_question_whatever_the_order(source, table):
    turned = source.protocols.select(questions=source.protocols.question_ids[::-1])
    frame = turned.to_frame().iloc[::-1].sort_values(["model", "sample_index"], kind="stable")
    other = type(turned).from_frame(frame, info=turned.info)
    again = protocols.run(replace(source, protocols=other), n_replays=200)
    columns = ["accuracy", "difference", "difference_low", "difference_high"]
    both = [one.set_index(["protocol", "unit", "strategy"])[columns].sort_index() for one in (table, again)]
    np.testing.assert_allclose(both[0].to_numpy(), both[1].to_numpy())
    own = table[table["strategy"] == "protocol"].set_index(["protocol", "unit"])["accuracy"]
    rest = table[table["strategy"] != "protocol"]
    beside = own.loc[list(zip(rest["protocol"], rest["unit"], strict=True))].to_numpy()
    np.testing.assert_allclose(rest["difference"], rest["accuracy"] - beside)


def test_only_questions_of_both_are_compared(source):
    some = source.protocols.select(questions=source.protocols.question_ids[:12], models=["mad:strong+weak"])
    found = protocols.run(replace(source, protocols=some), n_replays=50)
    assert (found["n_questions"] == 12).all()


def test_what_is_missing_is_said(source):
    with pytest.raises(PoolError, match=r"llm-task: no runs of protocols\. Record them with `mssim live --protocol`"):
        protocols.run(replace(source, protocols=None))
    frame = source.protocols.to_frame()
    without = type(source.protocols).from_frame(frame.drop(columns="calls"))
    with pytest.raises(PoolError, match="has no column 'calls'"):
        protocols.run(replace(source, protocols=without))
    other = type(source.protocols).from_frame(frame.assign(question_id="other " + frame["question_id"].astype(str)))
    with pytest.raises(PoolError, match="no question of the protocol"):
        protocols.run(replace(source, protocols=other))
