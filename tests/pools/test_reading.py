"""Reading tables, choosing rows, and answers that are the same in every format."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import Pool, PoolError, load_pool
from tests.conftest import long_frame

MIXED = [7, "7", 7.0, "8", None, ""]


def write(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_every_format_gives_the_same_pool(tmp_path, suffix):
    frame = long_frame(
        {("x", "q1"): ["a", "b", None], ("y", "q1"): ["a", 'b, "c"\nd', "é"], ("x", "q2"): ["a"], ("y", "q2"): ["b"]},
        topic="t",
        cost=0.25,
    )
    pool = load_pool_quietly(write(frame, tmp_path / f"pool{suffix}"))
    assert pool.fingerprint == Pool.from_frame(frame).fingerprint
    pd.testing.assert_frame_equal(pool.to_frame(), Pool.from_frame(frame).to_frame())


def load_pool_quietly(path, **options):
    with pytest.warns(match="samples per question|no answer"):
        return load_pool(path, **options)


def test_a_csv_with_a_mixed_answer_column_keeps_answers_as_written(tmp_path):
    path = tmp_path / "mixed.csv"
    path.write_text(
        "question_id,model,sample_index,answer,truth\n"
        'q,x,0,"7",7\nq,x,1,7,7\nq,x,2,seven,7\nq,x,3,007,7\nq,x,4,,7\nq,x,5,True,7\nq,x,6,1e3,7\n'
    )
    pool = load_pool_quietly(path)
    answers = pool.to_frame()["answer"]
    assert answers.dropna().tolist() == ["7", "7", "seven", "007", "True", "1e3"]
    assert pool.codes[0, 0, 4] == -1
    assert pool.to_frame()["correct"].tolist() == [True, True, False, False, False, False, False]


def test_numbers_as_answers_of_a_jsonl_and_of_parquet(tmp_path):
    lines = [
        {"question_id": 1, "model": "x", "sample_index": i, "answer": a, "truth": 7} for i, a in enumerate(MIXED[:4])
    ]
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    assert load_pool(path).to_frame()["correct"].tolist() == [True, True, True, False]
    numeric = pd.DataFrame(lines).assign(answer=[7.0, 7.0, 7.5, 8.0])
    numeric.to_parquet(tmp_path / "numeric.parquet")
    assert load_pool(tmp_path / "numeric.parquet").to_frame()["answer"].tolist() == ["7", "7", "7.5", "8"]


def test_large_whole_numbers_beside_a_missing_answer_stay_apart(tmp_path):
    """2**53 + 1 is no float: read as one it would be its neighbour, and right."""
    path = tmp_path / "large.jsonl"
    answers = ["9007199254740993", "9007199254740992", "null"]
    start = '{"question_id": "q", "model": "x", "truth": 9007199254740992'
    lines = [f'{start}, "sample_index": {i}, "answer": {answer}}}' for i, answer in enumerate(answers)]
    path.write_text("\n".join(lines))
    with pytest.warns(match="no answer"):
        pool = load_pool(path)
    assert pool.to_frame()["correct"].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"question_id": 1}\nnot json\n', "line 2: not valid JSON"),
        ("a.jsonl", b"[1, 2]\n", "line 1: a list, not an object. Write one JSON object per line."),
        ("a.jsonl", b"[" * 100_000, "line 1: not valid JSON"),
        ("a.jsonl", b"\xff\xfe\x00", "Save it as UTF-8, in Excel as"),
        ("a.csv", b"a,b\n1,2,3\n", "Check whether the file is damaged"),
        (
            "a.csv",
            b"model,answer,answer\nx,1,2\n",
            "column 'answer': the name appears 2 times. Rename or drop the duplicates.",
        ),
        ("a.csv", b"", "Check whether the file is damaged"),
        ("a.parquet", b"PAR1 but no more", "Check whether the file is damaged"),
        ("a.parquet", b"", "Check whether the file is damaged"),
        ("a.xlsx", b"", "unknown file format. Supported are .parquet, .csv, .tsv, .jsonl files and folders"),
        ("a.jsonl", b"", "the pool is empty|is missing"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PoolError, match=says):
        load_pool(tmp_path / name)


@pytest.mark.parametrize("keep", [10, 500, -1])
def test_a_truncated_parquet_is_refused(tmp_path, keep):
    whole = write(long_frame({("x", "q"): list("ab") * 50}), tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:keep])
    with pytest.raises(
        PoolError, match=r"cut\.parquet: cannot be read .*Check whether the file is damaged or truncated"
    ):
        load_pool(tmp_path / "cut.parquet")


def test_text_is_never_evaluated(tmp_path):
    attack = "__import__('os').system('true')"
    frame = long_frame({("x", "q"): [attack, "{0.__class__}", "=1+1", "\x00"]}, truth=attack)
    frame.to_parquet(tmp_path / "p.parquet")
    assert load_pool(tmp_path / "p.parquet").to_frame()["answer"].tolist()[:3] == frame["answer"].tolist()[:3]
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 4


def test_lists_and_the_like_are_kept_beside_the_answers(tmp_path):
    frame = long_frame({("x", "q1"): list("ab"), ("x", "q2"): list("aa")})
    chat = [[{"role": "user", "content": "1 + 1"}], [{"role": "user", "content": "2 + 2"}]]
    columns = {"prompt": [chat[0], chat[0], chat[1], chat[1]], "tokens": [[1], [2, 3], None, [1]]}
    pq.write_table(pa.table({name: frame[name] for name in frame} | columns), tmp_path / "p.parquet")
    load_pool(tmp_path / "p.parquet").save(tmp_path / "pool")
    pool = load_pool(tmp_path / "pool")
    assert [list(row) for row in pool.questions["prompt"]] == chat
    assert [row if row is None else list(row) for row in pool.to_frame()["tokens"]] == columns["tokens"]
