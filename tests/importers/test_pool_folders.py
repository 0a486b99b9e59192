"""Pool folders among the files to import."""

import json

import pyarrow as pa
import pytest

from mssim import Pool, PoolError, evaluate, load_pool
from mssim.importers import from_table
from mssim.importers.pool_folders import described_samples, files_of_pools, questions_of, shared_info
from tests.conftest import long_frame

pytestmark = pytest.mark.filterwarnings("ignore::mssim.PoolWarning")


def saved(folder, model, **info):
    frame = long_frame({(model, "q1"): ["a", "b"], (model, "q2"): ["b", "b"]}, cluster="c")
    pool = Pool.from_frame(frame.assign(question="What?", more=range(4)), info=info)
    pool.save(folder)
    (folder / "journal.jsonl").write_text('{"no": "sample"}\n')
    return folder


def test_pools_are_joined_with_their_questions(tmp_path):
    first = saved(tmp_path / "a", "llama", licence="MIT", title="one", synthetic=True)
    second = saved(tmp_path / "b", "qwen", licence="MIT", title="two")
    for given in ([first, second], tmp_path, [first / "samples.parquet", second / "samples.parquet"]):
        pool = from_table(given)
        assert pool.models == ("llama", "qwen")
        expected = load_pool(first).questions
        assert pool.questions[expected.columns].equals(expected)
        assert (pool.info["licence"], pool.info["synthetic"], pool.info.get("title")) == ("MIT", True, None)
        assert pool.extra["more"].to_pylist() == [0, 1, 2, 3] * 2


def test_requests_of_one_pool_do_not_divide_the_tokens_of_another(tmp_path):
    """Columns of requests that are constant within questions are stored with these, and are still those of samples."""
    for model, columns in (
        ("llama", {"request_input_tokens": 80, "request_samples": 8, "output_tokens": 5, "served_model": "llama-1"}),
        ("debate", {"input_tokens": 400, "output_tokens": 60}),
    ):
        frame = long_frame({(model, "q1"): ["a", "b"], (model, "q2"): ["b", "b"]})
        Pool.from_frame(frame.assign(**columns)).save(tmp_path / model)
    assert "request_samples" in load_pool(tmp_path / "llama").questions
    ids = pa.chunked_array([["q2", "q1"], ["q0"]])
    described = described_samples(tmp_path / "llama" / "samples.parquet", ids)
    assert described["request_samples"].to_pylist() == [8, 8, None]
    assert set(described) == {"request_input_tokens", "request_samples", "served_model"}
    assert described_samples(tmp_path / "other.parquet", ids) == {}
    joined = from_table([tmp_path / "llama", tmp_path / "debate"])
    assert [evaluate(joined, f"sc:{model}", [1]).tokens.mean() for model in joined.models] == [15.0, 460.0]
    assert joined.extra["served_model"].to_pylist() == ["llama-1"] * 4 + [None] * 4
    alone = from_table(tmp_path / "llama")
    assert evaluate(alone, "sc:llama", [1]).tokens.mean() == 15.0


def test_votes_mean_as_little_as_before(tmp_path):
    first, second = saved(tmp_path / "a", "llama"), saved(tmp_path / "b", "qwen", votes=False)
    assert from_table([first, second]).info["votes"] is False
    assert "votes" not in from_table(first).info


def test_files_of_a_pool_that_are_no_samples(tmp_path):
    pool = saved(tmp_path / "a", "llama")
    other = tmp_path / "questions.parquet"
    assert files_of_pools([*sorted(pool.iterdir()), other]) == [pool / "samples.parquet", other]
    assert questions_of(other) == []
    assert shared_info([other]) == {}


def test_a_pool_that_was_changed(tmp_path):
    pool = saved(tmp_path / "a", "llama")
    info = json.loads((pool / "pool.json").read_text())
    (pool / "pool.json").write_text(json.dumps(info | {"files": info["files"] | {"questions.parquet": "0" * 64}}))
    with pytest.raises(PoolError, match=r"the SHA-256 checksum differs from pool\.json"):
        from_table(pool)
