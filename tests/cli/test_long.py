"""Long work from the command line: checkpoints, shards and merge, and a bar whose guess is honest."""

import sqlite3

import pytest

from mssim.engine.checkpoint import Checkpoint
from tests.cli.test_cli import FAST, bad

pytestmark = pytest.mark.usefixtures("small_blocks")


def held(path):
    file = sqlite3.connect(path)
    count = file.execute("SELECT count(*) FROM blocks").fetchone()[0]
    file.close()
    return count


@pytest.mark.slow
def test_a_checkpoint_changes_nothing_and_goes_on(run, pool_path, tmp_path, table, monkeypatch):
    path, add = tmp_path / "run.ckpt", Checkpoint.add

    def interrupted(file, *block):
        if len(file.held) == 3:
            raise KeyboardInterrupt
        return add(file, *block)

    monkeypatch.setattr(Checkpoint, "add", interrupted)
    code, out, err = run("evaluate", pool_path, *FAST, "--checkpoint", path)
    assert (code, out) == (130, "")
    assert err == f"mssim: finished blocks are in {path}. Rerun the same command to resume.\n"
    assert held(path) == 3
    monkeypatch.setattr(Checkpoint, "add", add)
    assert run("evaluate", pool_path, *FAST, "--checkpoint", path) == (0, table, "")
    assert run("evaluate", pool_path, *FAST, "--checkpoint", path) == (0, table, "")
    bad(
        run("evaluate", pool_path, *FAST, "--seed", 1, "--checkpoint", path),
        "another run (seed: 0 in the file, 1 here)",
    )


def test_an_interrupt_without_a_checkpoint_says_nothing_of_one(run, pool_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mssim.engine.totals.Totals.add", interrupt)
    assert run("evaluate", pool_path, *FAST) == (130, "", "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--shard", "1/2"), "--shard: 1/2 needs a file to write to. Add --checkpoint FILE"),
        (
            ("--shard", "3/2", "--checkpoint", "f"),
            "--shard: '3/2' is not I/N with 1 <= I <= N <= 1000000. Use e.g. --shard 1/8.",
        ),
        (("--shard", "0/2", "--checkpoint", "f"), "--shard: '0/2' is not I/N"),
        (("--shard", "2", "--checkpoint", "f"), "--shard: '2' is not I/N"),
        (("--shard", "a/b", "--checkpoint", "f"), "--shard: 'a/b' is not I/N"),
        (
            ("--shard", "1/2", "--checkpoint", "f", "--json"),
            "Drop --out, --plot, --json and --format here and pass them to `mssim merge`",
        ),
        (
            ("--shard", "1/2", "--checkpoint", "f", "--out", "r.parquet"),
            "Drop --out, --plot, --json and --format here and pass them to `mssim merge`",
        ),
        (
            ("--shard", "1/2", "--checkpoint", "f", "--plot", "r.png"),
            "Drop --out, --plot, --json and --format here and pass them to `mssim merge`",
        ),
        (("--checkpoint", "no/such/folder/f"), "does not exist. Create it first."),
        (("--checkpoint", "POOL"), "is damaged or not a checkpoint of mssim"),
        (("--checkpoint", "f", "--strategy", "sc:w"), "no model 'w' in this pool"),
    ],
)
def test_what_makes_no_sense_is_one_line(run, pool_path, tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    bad(run("evaluate", pool_path, *FAST, *[pool_path if option == "POOL" else option for option in options]), says)
    assert sorted(tmp_path.iterdir()) == before


def test_help(run):
    for command, example in (("merge", "Example: mssim merge part1.ckpt"), ("evaluate", "--checkpoint run.ckpt")):
        code, text, _ = run(command, "--help")
        assert code == 0
        assert example in " ".join(text.split())
    assert "merge" in run("--help")[1]
