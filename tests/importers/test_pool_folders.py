"""Pool folders among the files to import."""

import json

import pytest

from mssim import Pool, PoolError, load_pool
from mssim.importers import from_table
from mssim.importers.pool_folders import files_of_pools, questions_of, shared_info
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
