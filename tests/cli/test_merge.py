"""`mssim merge`: shards of an evaluation become its table."""

import json
import re

import pandas as pd
import pytest

import mssim
from mssim import Evaluation
from mssim.engine import merge as engine
from tests.cli.test_cli import FAST, bad
from tests.cli.test_evaluate import frame_of
from tests.cli.test_long import held
from tests.results.test_evaluation import result, with_spread

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.slow
def test_shards_and_merge(run, pool_path, tmp_path, table):
    one, two, out, plot = (tmp_path / name for name in ("1.ckpt", "2.ckpt", "r.parquet", "r.png"))
    code, text, err = run("evaluate", pool_path, *FAST, "--shard", "1/2", "--checkpoint", one)
    assert (code, err) == (0, "")
    says = rf"shard 1/2: {held(one)} blocks written to .*1\.ckpt. Combine all shards with: mssim merge FILE\.\.\.\n"
    assert re.fullmatch(says, text)
    bad(run("merge", one), "blocks are missing: shard 2/2 is not among the files")
    run("evaluate", pool_path, *FAST, "--shard", "2/2", "--checkpoint", two)
    assert run("merge", two, one, "--out", out, "--plot", plot) == (0, table, "")
    expected = mssim.evaluate(
        mssim.load_pool(pool_path, where={"prompt": "long"}), ["sc:x", "ms:x+y"], [2, 6], n_replays=50
    )
    pd.testing.assert_frame_equal(Evaluation.load(out).to_frame(), expected.to_frame(), check_exact=True)
    assert plot.read_bytes().startswith(b"\x89PNG")
    options = ("--json", "--clusters", "topic", "--confidence-level", "0.5", "--band", "simultaneous")
    assert run("merge", one, two, *options) == run("evaluate", pool_path, *FAST, *options)


@pytest.mark.usefixtures("pool_path")
def test_files_that_an_experiment_names_are_those_of_the_merge(run, tmp_path):
    (tmp_path / "e.toml").write_text(
        "pool = 'pool.parquet'\nwhere = 'prompt=long'\nstrategies = 'sc:x'\nbudgets = 2\nout = 'r.parquet'\n"
    )
    done = run("evaluate", "--experiment", tmp_path / "e.toml", "--shard", "1/1", "--checkpoint", tmp_path / "1.ckpt")
    assert done[1].endswith(f"mssim merge FILE... --out {tmp_path / 'r.parquet'}\n")
    assert not (tmp_path / "r.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("POOL",), "is damaged or not a checkpoint of mssim"),
        (("no.ckpt",), "no.ckpt does not exist. Use a checkpoint written by --checkpoint FILE of `mssim evaluate`."),
        (("POOL", "--out", "no/such/r.parquet"), "does not exist. Create it first."),
        (("POOL", "--plot", "r.jpeg"), "Use a name that ends in .png, .svg or .pdf"),
        (("POOL", "--band", "curve"), "--band: 'curve' is not valid. Choose from 'pointwise', 'simultaneous'"),
        (("POOL", "--per", "budgets"), "--per: 'budgets' is not valid. Did you mean 'budget'"),
        (("POOL", "--per", "tokens"), "--per: there is no plot whose x-axis it could name. Add --plot FILE"),
        (("POOL", "--x", "budgets"), "--per: 'budgets' is not valid. Did you mean 'budget'"),
    ],
)
def test_bad_input_to_merge(run, pool_path, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    bad(run("merge", *[pool_path if a == "POOL" else a for a in arguments]), says)


def test_quantiles_of_merged_shards(run, monkeypatch):
    evaluation = result()
    monkeypatch.setattr(engine, "merge", lambda _: evaluation)
    says = "--quantiles 0.5: distributions over questions and draws were not computed. Evaluate again with --quantiles."
    bad(run("merge", "1.ckpt", "--quantiles", "0.5"), says)
    evaluation = with_spread(evaluation)
    code, text, err = run("merge", "1.ckpt", "--quantiles", "0.5", "--latency-exceeds", 1, "--json")
    assert (code, err) == (0, "")
    expected = evaluation.to_frame(quantiles=0.5, latency_exceeds=1)
    pd.testing.assert_frame_equal(frame_of(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    bad(run("merge", "1.ckpt", "--tokens-exceed", "-1"), "--tokens-exceed: -1.0 is not an amount of tokens.")
