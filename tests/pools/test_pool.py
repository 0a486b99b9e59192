"""Pools: what they refuse, warn of, keep, and give back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mssim import MssimError, Pool, PoolError, load_pool
from tests.conftest import long_frame, make_pool
from tests.engine.test_monte_carlo import pools
from tests.pools.tables import GOOD, full_pool

# Select, describe -----------------------------------------


def test_select_models_questions_and_columns():
    pool = make_pool(GOOD, topic="t", tokens=range(12), cost=range(12))
    part = pool.select(models=["y"], questions=["q2"])
    assert part.models == ("y",)
    assert part.question_ids == ["q2"]
    assert part.to_frame()["answer"].tolist() == ["c", "a", "b"]
    assert part.to_frame()["tokens"].tolist() == part.to_frame()["cost"].tolist() == [9, 10, 11]
    assert pool.select(models=["y", "x"]).models == ("y", "x")
    assert pool.select(where={"question_id": "q1"}).question_ids == ["q1"]
    assert pool.select(where=[("tokens", "<", 6)]).question_ids == ["q1"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": ["xx"]}, "no model 'xx' in this pool. Did you mean 'x'? Choose from 'x', 'y'"),
        ({"models": ["x", "x"]}, "models: ['x', 'x'] repeats a model. Name each model once."),
        ({"models": []}, "models is empty. Name at least one model"),
        ({"questions": ["q3"]}, "no question 'q3'. Choose from 'q1', 'q2'"),
        ({"min_samples": -1}, "min_samples=-1 is out of range. Use an integer from 0"),
        (
            {"min_samples": 4},
            "no questions remain: the conditions exclude all 2 questions of the pool. Relax min_samples=.",
        ),
        ({"where": {"topic": "t"}}, "no column 'topic'"),
    ],
)
def test_select_refuses(options, says):
    with pytest.raises(MssimError) as error:
        make_pool(GOOD).select(**options)
    assert says in str(error.value)


@given(pools())
def test_selecting_everything_changes_nothing(pool):
    same = pool.select(models=pool.models, questions=pool.question_ids)
    assert same.fingerprint == pool.fingerprint
    pd.testing.assert_frame_equal(same.to_frame(), pool.to_frame())


@given(pools())
def test_a_frame_comes_back_as_the_same_pool(pool):
    assert Pool.from_frame(pool.to_frame()).fingerprint == pool.fingerprint


def test_describe_counts_by_hand():
    pool = make_pool({("x", "q1"): ["a", "b", None, None], ("x", "q2"): ["a", "a", "a"], ("y", "q1"): ["b"]})
    x, y = pool.describe().to_dict("records")
    assert x == {
        "model": "x",
        "questions": 2,
        "samples_min": 3,
        "samples_median": 3.5,
        "samples_max": 4,
        "no_answer": pytest.approx(2 / 7),
        "distinct_answers": 1.5,
        "accuracy": pytest.approx((1 / 4 + 1) / 2),
        "top_share": pytest.approx((1 / 4 + 1) / 2),
        "output_tokens": pytest.approx(np.nan, nan_ok=True),
    }
    assert (y["questions"], y["samples_max"], y["accuracy"]) == (1, 1, 0.0)


def test_describe_has_the_mean_tokens_of_a_sample():
    answers = {("x", "q1"): ["a", "b", None, None], ("x", "q2"): ["a"], ("y", "q2"): ["b", "b"]}
    tokens = [1, 2, 3, 6, 9, 20, 30]
    described = make_pool(answers, output_tokens=tokens).describe()
    assert described["output_tokens"].tolist() == [(3 + 9) / 2, 25]
    described = make_pool(answers, output_tokens=[None, *tokens[1:]]).describe()
    assert described["output_tokens"].isna().tolist() == [True, False]


# Save, load -----------------------------------------------


def test_saving_never_overwrites_unasked(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    with pytest.raises(PoolError, match=r"already exists\. Choose another path or pass overwrite=True"):
        make_pool(GOOD).save(tmp_path / "pool")
    assert load_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    pool.select(models=["x"]).save(tmp_path / "pool", overwrite=True)
    assert load_pool(tmp_path / "pool").models == ("x",)
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


def test_info_cannot_break_the_folder(tmp_path):
    pool = Pool.from_frame(long_frame(GOOD), info={"schema": 9, "files": {"x": "y"}, "title": "t"})
    pool.save(tmp_path / "pool")
    assert dict(load_pool(tmp_path / "pool").info) == {"title": "t"}
    with pytest.raises(PoolError, match="info: cannot be written to"):
        Pool.from_frame(long_frame(GOOD), info={"made": pd.Timestamp(0)}).save(tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


def test_overwriting_replaces_a_pool_alone(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    (tmp_path / "pool" / "README.md").write_text("the data card")
    pool.save(tmp_path / "pool", overwrite=True)
    assert (tmp_path / "pool" / "README.md").read_text() == "the data card"
    (tmp_path / "pool" / "pool.json").unlink()
    with pytest.raises(PoolError, match="is not a pool folder and is not overwritten"):
        pool.save(tmp_path / "pool", overwrite=True)
    assert len(list((tmp_path / "pool").iterdir())) == 3


def test_a_save_that_fails_leaves_the_old_pool(tmp_path, monkeypatch):
    pool = full_pool()
    pool.save(tmp_path / "pool")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full_disk)
    with pytest.raises(PoolError, match=r"cannot be written \(No space left"):
        make_pool(GOOD).save(tmp_path / "pool", overwrite=True)
    assert load_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


# Alignment ---------------------------------------------------


@pytest.mark.slow
@given(st.data())
def test_selecting_from_a_ragged_pool_equals_filtering_its_table(data):
    """Every row carries its own token, cost and answer; none may slip to another sample."""
    cells = st.integers(0, 4)
    sizes = {(m, q): data.draw(cells) for m in "xyz" for q in "abc"}
    frame = long_frame({(m, q): [f"{m}{q}{i}" for i in range(n)] for (m, q), n in sizes.items()})
    assume(len(frame) > 0)
    frame["token"], frame["cost"] = [f"t{i}" for i in range(len(frame))], np.arange(len(frame)) / 4
    frame["half"] = np.arange(len(frame)) % 2
    shuffled = frame.sample(frac=1, random_state=data.draw(st.integers(0, 9)))
    pool = Pool.from_frame(shuffled)
    models = data.draw(st.lists(st.sampled_from(pool.models), min_size=1, unique=True))
    questions = data.draw(st.lists(st.sampled_from(pool.question_ids), min_size=1, unique=True))
    halves = data.draw(st.sampled_from([None, 0, 1]))
    kept = frame if halves is None else frame[frame["half"] == halves]
    assume(set(models) <= set(kept["model"]) and set(questions) <= set(kept["question_id"]))
    wanted = kept[kept["model"].isin(models) & kept["question_id"].isin(questions)]
    where = None if halves is None else {"half": halves}
    part = pool.select(models=models, questions=questions, where=where).to_frame()
    columns = ["question_id", "model", "answer", "token", "cost"]
    order = ["model", "question_id", "token"]
    pd.testing.assert_frame_equal(
        part[columns].sort_values(order, ignore_index=True),
        wanted[columns].sort_values(order, ignore_index=True),
        check_dtype=False,
    )


@pytest.mark.parametrize("given", [{"models": 5}, {"models": "x"}, {"questions": 5}, {"questions": "q1"}])
def test_a_selection_is_a_list_of_names(given):
    with pytest.raises(PoolError, match="is not a list of names"):
        full_pool().select(**given)


@pytest.mark.parametrize("path", [5, None, "a" * 300, "\ud800", "a\0b"])
def test_paths_that_no_pool_can_have(path):
    with pytest.raises(MssimError, match=r"path|pool"):
        full_pool().save(path)
    with pytest.raises(MssimError, match=r"pool: |pool="):
        load_pool(path)


def test_control_sequences_in_names_are_escapes_in_a_repr():
    assert "\\x1b[31m" in repr(Pool.from_frame(full_pool().to_frame().assign(model="\x1b[31m", sample_index=range(12))))
