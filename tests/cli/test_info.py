"""`mssim info`: what a pool holds."""

import json
from dataclasses import replace

import pandas as pd

import mssim
from tests.cli.test_cli import bad
from tests.conftest import long_frame


def test_info_describes_the_pool(run, pool_path):
    code, text, err = run("info", pool_path, "--where", "prompt=long")
    assert (code, err) == (0, "")
    assert "12 questions, 3 models, 24 samples each" in text
    assert "topic" in text
    code, text, _ = run("info", pool_path, "--where", "prompt=long", "--json")
    expected = mssim.load_pool(pool_path, where={"prompt": "long"}).describe()
    found = pd.DataFrame(json.loads(text)).astype({"output_tokens": float})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-14)
    assert found["output_tokens"].isna().all()


def test_info_shows_tokens_where_they_were_recorded(run, tmp_path):
    long_frame({("m", "q"): ["a", "a"]}, output_tokens=[3, 4]).to_parquet(tmp_path / "p.parquet")
    _, text, _ = run("info", tmp_path / "p.parquet")
    heading, row = (line.split() for line in text.splitlines() if line.split()[:1] in (["model"], ["m"]))
    assert dict(zip(heading, row, strict=True))["output_tokens"] == "3.5"


def test_info_on_a_damaged_file(run, tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and no more")
    bad(run("info", tmp_path / "p.parquet"), "Check whether the file is damaged or truncated")


def test_info_tells_what_limits_the_samples(run, tmp_path):
    told = {"text": ["", "It is a."], "finish_reason": ["length", "stop"], "reasoning": ["Hm", None]}
    long_frame({("m", "q"): [None, "a"]}, **told).to_parquet(tmp_path / "p.parquet")
    code, text, err = run("info", tmp_path / "p.parquet", "--json")
    assert (code, json.loads(text)[0]["model"]) == (0, "m")
    assert err.splitlines()[1:] == [
        "mssim: warning: 1 of 2 samples of m was cut off (finish_reason length).",
        "mssim: warning: 1 of 2 texts of m is empty, cut off. 1 of them has reasoning.",
        "mssim: note: 1 of 2 samples of m has reasoning, kept in the column reasoning.",
    ]
    code, text, err = run("info", tmp_path / "p.parquet")
    assert (code, len(err.splitlines())) == (0, 3)
    assert text.endswith("mssim: note: 1 of 2 samples of m has reasoning, kept in the column reasoning.\n")


def test_info_notes_what_the_publisher_has_stated(run, tmp_path):
    ends = {"text": ["a", "a"], "finish_reason": ["length", "stop"]}
    pool = mssim.Pool.from_frame(long_frame({("m", "q"): ["a", "a"]}, **ends))
    stated = "1 of 2 samples of m was cut off (finish_reason length)."
    grader = {"rule": r"regex=is (\d+)", "reasoning": "keep"}
    replace(pool, info={"known_warnings": [stated], "grader": grader}).save(tmp_path / "pool")
    code, text, err = run("info", tmp_path / "pool")
    assert (code, err) == (0, "")
    assert text.startswith("graded with: --rule 'regex=is (\\d+)' --reasoning keep\n")
    assert f"mssim: note: {stated}" in text
