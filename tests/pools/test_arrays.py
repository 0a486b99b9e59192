"""Arrays of a pool: checked, read-only, and counted by hand."""

import pickle

import numpy as np
import pytest

from mssim import Pool, PoolError
from mssim.pools.loading import read_pool
from tests.conftest import long_frame, make_pool
from tests.pools.tables import GOOD, full_pool


def test_arrays_cannot_be_written():
    pool = make_pool(GOOD, cost=1.0)
    for mapping in (pool.numbers, pool.info):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["cost"] = 1
    for array in (pool.codes, pool.lengths, pool.class_correct, pool.numbers["cost"]):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_a_pool_travels_to_other_processes():
    pool = full_pool()
    back = pickle.loads(pickle.dumps(pool))
    assert back.fingerprint == pool.fingerprint
    with pytest.raises(ValueError, match="read-only"):
        back.codes[:] = 0


def test_numbers_come_from_any_numeric_column_in_the_places_of_their_samples():
    frame = long_frame({("x", "q1"): ["a", "b"], ("x", "q2"): ["a"], ("y", "q1"): ["b"]}, cost=[1.0, 2.0, 3.0, 4.0])
    pool = Pool.from_frame(frame.assign(chars=[10, 20, 30, 40], note=list("abcd")))
    nan = np.nan
    assert np.array_equal(pool.number("chars"), [[[10, 20], [30, nan]], [[40, nan], [nan, nan]]], equal_nan=True)
    assert pool.number("cost") is pool.numbers["cost"]
    with pytest.raises(PoolError, match=r"no column 'note' of numbers\. Choose from 'chars', 'cost'"):
        pool.number("note")


def test_lists_come_from_a_column_of_lists_in_the_order_of_the_samples(tmp_path):
    answers = {("b", "q"): ["a", "a"], ("b", "r"): ["a"], ("a", "q"): ["a", None, "a"]}
    frame = long_frame(answers).assign(group_confidence=[[2.0, 3], [1.0], [4.0, 5, 6], [7.0], None, [8.0, 9]])
    pool = Pool.from_frame(frame.iloc[[1, 0, 2, 5, 4, 3]])
    found = {model: [given.tolist() for given in pool.lists("group_confidence", model)] for model in ("a", "b")}
    assert found == {"b": [[2, 3, 1, 4, 5, 6], [0, 2, 3, 6]], "a": [[7, 8, 9], [0, 1, 1, 3]]}
    part = pool.select(models=["b"], questions=["r"])
    assert [given.tolist() for given in part.lists("group_confidence", "b")] == [[4, 5, 6], [0, 3]]
    with pytest.raises(PoolError, match=r"no column 'groups' of lists\. Choose from 'group_confidence'"):
        pool.lists("groups", "b")
    pool.save(tmp_path / "pool")
    assert read_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    changed = frame.assign(group_confidence=[[2.0, 3], [1.0], [4.0, 5, 6.5], [7.0], None, [8.0, 9]])
    split = frame.assign(group_confidence=[[2.0], [3.0, 1], [4.0, 5, 6], [7.0], None, [8.0, 9]])
    prints = {
        Pool.from_frame(one).fingerprint for one in (frame, changed, split, frame.drop(columns="group_confidence"))
    }
    assert len(prints) == 4


def test_counts_of_classes_by_hand():
    pool = make_pool({("x", "q1"): ["a", "b", "a", None], ("x", "q2"): ["c", None], ("y", "q1"): ["b"]})
    assert pool.class_labels.to_pylist() == ["a", "b", "c"]
    assert pool.class_counts("x").tolist() == [2, 1, 1]
    assert pool.class_counts("y").tolist() == [0, 1, 0]
    correct = pool.sample_correct()
    assert correct.tolist() == [[[True, False, True, False], [False] * 4], [[False] * 4, [False] * 4]]
    with pytest.raises(PoolError, match=r"no model 'z' in this pool\. Choose from 'x', 'y'"):
        pool.class_counts("z")


@pytest.mark.parametrize("rows", [1, 4, 7])
def test_counts_are_the_same_for_blocks_of_any_size(monkeypatch, rows):
    answers = {(m, f"q{q}"): list("abcab"[: 5 - q % 3]) for m in "xy" for q in range(7)}
    one = make_pool(answers)
    expected = one.class_counts("y").tolist(), one.sample_correct().tolist()
    monkeypatch.setattr("mssim.pools.reading.BLOCK_ROWS", rows)
    other = make_pool(answers)
    assert (other.class_counts("y").tolist(), other.sample_correct().tolist()) == expected
    assert other.fingerprint == one.fingerprint


def test_the_fingerprint_changes_with_all_that_affects_a_replay():
    def fingerprint(answers, **options):
        return make_pool(answers, **options).fingerprint

    base = {("x", "q"): ["a", "b"], ("y", "q"): ["a", "a"]}
    assert fingerprint(base, text=["some", "texts", "of", "samples"]) == fingerprint(base)
    others = [
        fingerprint({("x", "q"): ["b", "a"], ("y", "q"): ["a", "a"]}),
        fingerprint({("x", "r"): ["a", "b"], ("y", "r"): ["a", "a"]}),
        fingerprint({("x", "q"): ["a", "b"], ("z", "q"): ["a", "a"]}),
        fingerprint(base, truth="b"),
        fingerprint(base, cost=1.0),
        fingerprint(base, cost=2.0),
    ]
    assert len({fingerprint(base), *others}) == 7
