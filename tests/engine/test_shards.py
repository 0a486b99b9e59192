"""No number changes by a bit, whoever does the work and in how many parts; parts that do not fit are refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mssim import MssimError, StrategyError, evaluate_shard, merge
from tests.long_runs import BUDGETS, FEW, assert_same, part, run


@pytest.mark.parametrize("n", [2, *(pytest.param(n, marks=pytest.mark.compiled) for n in (1, 3, 7))])
def test_shards(pool, whole, tmp_path, n):
    files = [tmp_path / f"{i}.ckpt" for i in range(1, n + 1)]
    with ThreadPoolExecutor(2) as executor:
        counts = [part(pool, path, i, n, executor=executor) for i, path in enumerate(files, 1)]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) > 100
    assert_same(merge(files), whole)


def test_a_checkpoint_is_a_shard_of_one_and_shards_can_be_finished_in_one_place(pool, whole, tmp_path):
    assert_same(run(pool, checkpoint=tmp_path / "all.ckpt"), whole)
    assert_same(merge(tmp_path / "all.ckpt"), whole)
    part(pool, tmp_path / "part.ckpt", 2, 3)
    assert_same(run(pool, checkpoint=tmp_path / "part.ckpt"), whole)
    assert_same(merge(str(tmp_path / "part.ckpt")), whole)


@pytest.mark.parametrize(
    ("shard", "says"),
    [
        ((0, 2), r"shard\[0\]=0 is out of range. Use an integer from 1 to 2"),
        ((3, 2), r"shard\[0\]=3 is out of range. Use an integer from 1 to 2"),
        ((1, 0), r"shard\[1\]=0 is out of range. Use an integer from 1"),
        ((1.0, 2), r"shard\[0\]=1\.0 is not an integer. Use an integer"),
        ((1,), r"shard=\(1,\) is not a pair of integers\. Use \(1, 8\) for"),
        ("1/2", "shard='1/2' is not a pair of integers"),
        (2, "shard=2 is not a pair of integers"),
    ],
)
def test_shards_that_are_none(pool, tmp_path, shard, says):
    with pytest.raises(MssimError, match=says):
        evaluate_shard(pool, FEW, BUDGETS, shard=shard, checkpoint=tmp_path / "1.ckpt")
    assert not (tmp_path / "1.ckpt").exists()


def test_a_shard_refuses_what_evaluate_refuses(pool, tmp_path):
    with pytest.raises(StrategyError, match="sc:z"):
        part(pool, tmp_path / "1.ckpt", 1, 1, ["sc:z,"])
