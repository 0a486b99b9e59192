"""Files of evaluations: exact, plain, checked, and readable from older versions."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mssim import Evaluation, MssimError
from tests.engine.test_evaluate import random_pool
from tests.results.test_evaluation import result, with_jackknife, with_own, with_spread


def test_a_saved_evaluation_comes_back(tmp_path):
    evaluation = result(20, topic="t", cluster=[f"c{i // 72}" for i in range(30 * 36)])
    evaluation.save(tmp_path / "r.parquet")
    back = Evaluation.load(tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(back.to_frame(), evaluation.to_frame())
    pd.testing.assert_frame_equal(back.per_question(), evaluation.per_question())
    assert back.provenance == evaluation.provenance
    assert back.compare("MS", "SC", budget=6) == evaluation.compare("MS", "SC", budget=6)
    assert [p.name for p in tmp_path.iterdir()] == ["r.parquet"]


def test_the_file_is_a_plain_table_with_its_provenance(tmp_path):
    evaluation = result(20, seed=9)
    evaluation.save(tmp_path / "r.parquet")
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.column_names[:3] == ["strategy", "budget", "question_id"]
    assert table.num_rows == 2 * 3 * 30
    provenance = json.loads(table.schema.metadata[b"mssim"])["provenance"]
    assert provenance["seed"] == 9
    assert provenance["pool"]["fingerprint"] == random_pool(30, 12, cost=0.5).fingerprint
    assert provenance["strategies"] == {"SC": "sc:x", "MS": "ms:x+y"}
    assert {"mssim", "numpy", "numba", "n_replays", "replacement", "prices"} <= set(provenance)


@pytest.mark.parametrize("content", [b"", b"PAR1", None])
def test_a_file_that_is_no_result_is_refused(tmp_path, content):
    path = tmp_path / "r.parquet"
    if content is None:
        result().to_frame().to_parquet(path)
    else:
        path.write_bytes(content)
    with pytest.raises(MssimError, match="not a results file of mssim, or damaged"):
        Evaluation.load(path)
    with pytest.raises(MssimError, match="not a results file of mssim, or damaged"):
        Evaluation.load(tmp_path / "nothing.parquet")


def test_a_damaged_result_is_refused(tmp_path):
    evaluation = result()
    evaluation.save(tmp_path / "r.parquet")
    whole = (tmp_path / "r.parquet").read_bytes()
    for place in range(4, len(whole) - 8, len(whole) // 40):
        (tmp_path / "r.parquet").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            back = Evaluation.load(tmp_path / "r.parquet")
        except MssimError:
            continue
        assert np.array_equal(back.accuracy, evaluation.accuracy)  # the byte was one that nobody reads


def with_header(path, drop=(), **header):
    """Rewrite a results file without some columns and with other entries of the header."""
    table = pq.read_table(path)
    written = json.loads(table.schema.metadata[b"mssim"]) | header
    pq.write_table(table.drop_columns(drop).replace_schema_metadata({"mssim": json.dumps(written)}), path)


def test_an_unknown_schema_is_refused(tmp_path):
    path = tmp_path / "r.parquet"
    result().save(path)
    with_header(path, schema=6)
    with pytest.raises(MssimError, match=r"unsupported schema version 6\. This mssim reads 2 to 5\."):
        Evaluation.load(path)


@pytest.mark.parametrize("schema", [2, 3])
def test_files_of_older_schemas_have_neither_tokens_nor_latency(tmp_path, schema):
    path = tmp_path / "r.parquet"
    evaluation = result() if schema == 2 else with_jackknife()
    evaluation.save(path)
    replays = evaluation.n_replays[:, :, 0].tolist()  # of all questions
    with_header(path, ["tokens", "latency", "n_replays", "mc_variance"], schema=schema, n_replays=replays)
    back = Evaluation.load(path)
    for name in ("accuracy", "samples_used", "agreed", "cost"):
        assert np.array_equal(getattr(back, name), getattr(evaluation, name))
    for name in ("tokens", "latency"):
        assert getattr(back, name).shape == evaluation.accuracy.shape
        assert np.isnan(getattr(back, name)).all()
    assert back.questions.columns.tolist() == evaluation.questions.columns.tolist()
    assert np.array_equal(back.n_replays[:, :, 0], evaluation.n_replays[:, :, 0])
    assert np.allclose(back.mc_variance, evaluation.mc_variance, rtol=1e-12, atol=0)
    assert (back.jackknife is None) == (schema == 2)
    assert back.to_frame().columns.tolist() == evaluation.to_frame().columns.tolist()


def test_tokens_and_latency_come_back_from_a_file(tmp_path):
    evaluation = result()
    tokens = np.arange(evaluation.accuracy.size, dtype=float).reshape(evaluation.accuracy.shape)
    evaluation = dataclasses.replace(evaluation, tokens=tokens, latency=tokens / 8)
    evaluation.save(tmp_path / "r.parquet")
    back = Evaluation.load(tmp_path / "r.parquet")
    assert np.array_equal(back.tokens, tokens)
    assert np.array_equal(back.latency, tokens / 8)
    assert back.to_frame()["tokens"].tolist() == tokens.mean(axis=2).ravel().tolist()
    assert back.to_frame()["latency"].tolist() == (tokens.mean(axis=2) / 8).ravel().tolist()


def test_a_save_that_fails_leaves_nothing_half_written(tmp_path):
    result().save(tmp_path / "r.parquet")
    before = (tmp_path / "r.parquet").read_bytes()
    with pytest.raises(MssimError, match="cannot be written"):
        result().save(tmp_path / "missing" / "r.parquet")
    assert (tmp_path / "r.parquet").read_bytes() == before


def test_a_saved_jackknife_comes_back_and_files_without_one_have_none(tmp_path):
    path = tmp_path / "r.parquet"
    evaluation = with_jackknife()
    evaluation.save(path)
    back = Evaluation.load(path)
    assert np.array_equal(back.jackknife.variance, evaluation.jackknife.variance)
    assert np.array_equal(back.jackknife.share, evaluation.jackknife.share)
    pd.testing.assert_frame_equal(back.to_frame(scope="these"), evaluation.to_frame(scope="these"))
    pd.testing.assert_frame_equal(back.per_question(), evaluation.per_question())
    assert "jackknife_variance" in back.per_question()
    assert json.loads(pq.read_schema(path).metadata[b"mssim"])["schema"] == 5
    result().save(path)
    assert "share" not in json.loads(pq.read_schema(path).metadata[b"mssim"])
    assert Evaluation.load(path).jackknife is None


def test_distributions_come_back_and_leave_the_table_plain(tmp_path):
    path = tmp_path / "r.parquet"
    evaluation = with_spread(dataclasses.replace(result(topic="t"), questions=result(topic="t").questions))
    evaluation.save(path)
    back = Evaluation.load(path)
    for name in ("units", "sizes", "bins", "weights"):
        assert np.array_equal(getattr(back.spread, name), getattr(evaluation.spread, name), equal_nan=True)
    asked = {"quantiles": [0.5, 0.9], "tokens_exceed": 20, "latency_exceeds": 1}
    pd.testing.assert_frame_equal(back.to_frame(**asked), evaluation.to_frame(**asked))
    pd.testing.assert_frame_equal(back.per_question(), evaluation.per_question())
    table = pq.read_table(path)
    assert table.num_rows == 2 * 3 * 30
    assert table["spread"].null_count == table.num_rows - 1
    result().save(path)
    assert "spread" not in pq.read_table(path).column_names
    assert Evaluation.load(path).spread is None


def test_a_column_of_questions_that_is_called_spread_stays(tmp_path):
    path = tmp_path / "r.parquet"
    evaluation = dataclasses.replace(result(), questions=result().questions.assign(spread="wide"))
    evaluation.save(path)
    assert set(Evaluation.load(path).questions["spread"]) == {"wide"}
    evaluation = with_spread(evaluation)
    evaluation.save(path)
    back = Evaluation.load(path)
    assert set(back.questions["question_spread"]) == {"wide"}
    assert np.array_equal(back.spread.weights, evaluation.spread.weights)


def test_budgets_of_single_strategies_come_back(tmp_path):
    own = dataclasses.replace(with_own()[1], bias=np.array([[0.1, np.nan, 0.2], [np.nan, 0, 0.3]]))
    own.save(tmp_path / "r.parquet")
    assert len(pd.read_parquet(tmp_path / "r.parquet")) == 4 * 30
    back = Evaluation.load(tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(back.to_frame(quantiles=0.9), own.to_frame(quantiles=0.9))
    for name in ("accuracy", "samples_used", "agreed", "tokens", "cost", "latency", "bias"):
        assert np.array_equal(getattr(back, name), getattr(own, name), equal_nan=True)
    pd.testing.assert_frame_equal(back.questions, own.questions)
