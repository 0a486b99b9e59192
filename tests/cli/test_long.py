"""Long work from the command line: checkpoints, shards and merge, and a bar whose guess is honest."""

import re
import shlex
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import rich.progress

import mssim
from mssim import Evaluation
from mssim.cli.output import progress_bar
from mssim.engine.checkpoint import Checkpoint
from tests.cli import test_cli
from tests.cli.test_cli import FAST, bad

run, pool_path = test_cli.run, test_cli.pool_path


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("mssim.engine.monte_carlo._DRAWS_PER_TASK", 500)


@pytest.fixture
def table(run, pool_path):
    code, out, err = run("evaluate", pool_path, *FAST)
    assert (code, err) == (0, "")
    return out


def held(path):
    file = sqlite3.connect(path)
    count = file.execute("SELECT count(*) FROM blocks").fetchone()[0]
    file.close()
    return count


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

    monkeypatch.setattr("mssim.engine.work.Totals.add", interrupt)
    assert run("evaluate", pool_path, *FAST) == (130, "", "")


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
    options = ("--json", "--clusters", "topic", "--confidence-level", "0.5")
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
    ("options", "says"),
    [
        (("--shard", "1/2"), "--shard: 1/2 needs a file to write to. Add --checkpoint FILE"),
        (("--shard", "3/2", "--checkpoint", "f"), "--shard: '3/2' is not I/N with 1 <= I <= N. Use e.g. --shard 1/8."),
        (("--shard", "0/2", "--checkpoint", "f"), "--shard: '0/2' is not I/N"),
        (("--shard", "2", "--checkpoint", "f"), "--shard: '2' is not I/N"),
        (("--shard", "a/b", "--checkpoint", "f"), "--shard: 'a/b' is not I/N"),
        (
            ("--shard", "1/2", "--checkpoint", "f", "--json"),
            "Drop --out, --plot and --json here and pass them to `mssim merge`",
        ),
        (
            ("--shard", "1/2", "--checkpoint", "f", "--out", "r.parquet"),
            "Drop --out, --plot and --json here and pass them to `mssim merge`",
        ),
        (
            ("--shard", "1/2", "--checkpoint", "f", "--plot", "r.png"),
            "Drop --out, --plot and --json here and pass them to `mssim merge`",
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("POOL",), "is damaged or not a checkpoint of mssim"),
        (("no.ckpt",), "no.ckpt does not exist. Use the path of a checkpoint, as written by --checkpoint."),
        (("POOL", "--out", "no/such/r.parquet"), "does not exist. Create it first."),
        (("POOL", "--plot", "r.jpeg"), "Use a name that ends in .png, .svg or .pdf"),
        (("POOL", "--x", "budgets"), "--x: 'budgets' is not valid; did you mean 'budget'"),
    ],
)
def test_bad_input_to_merge(run, pool_path, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    bad(run("merge", *[pool_path if a == "POOL" else a for a in arguments]), says)


def test_help(run):
    for command, example in (("merge", "Example: mssim merge part1.ckpt"), ("evaluate", "--checkpoint run.ckpt")):
        code, text, _ = run(command, "--help")
        assert code == 0
        assert example in " ".join(text.split())
    assert "merge" in run("--help")[1]


# The bar ---------------------------------------------------


@pytest.fixture
def bar(monkeypatch):
    """The bar on a terminal, and its clock."""
    clock, bars = [0.0], []

    class Watched(rich.progress.Progress):
        def __init__(self, *columns, **options):
            super().__init__(*columns, **options, get_time=lambda: clock[0], auto_refresh=False)
            bars.append(self)

    monkeypatch.setattr("rich.progress.Progress", Watched)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_bar("evaluating") as progress:

        def at(time, done, total):
            clock[0] = time
            progress(done, total)
            return bars[0].tasks[0].time_remaining

        yield at


def test_what_was_done_before_is_not_taken_for_speed(bar):
    assert bar(0, 800, 1000) is None
    assert bar(10, 805, 1000) == 390  # two seconds each
    assert bar(20, 810, 1000) == 380


def test_the_guess_is_made_of_many_blocks(bar):
    bar(1, 1, 1000)
    for done in range(2, 101):
        left = bar(done, done, 1000)
    assert left == 900
    assert bar(200, 101, 1000) == pytest.approx(899 * 199 / 100, abs=1)  # one slow block is one of a hundred


def test_elsewhere_there_is_no_bar():
    with progress_bar("evaluating") as progress:
        assert progress is None


def test_the_commands_of_the_readme(run, tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    block = (root / "README.md").read_text().split("<!-- long commands -->\n```bash\n")[1].split("```")[0]
    commands = [shlex.split(line, comments=True)[1:] for line in block.replace("\\\n", "").splitlines()]
    (tmp_path / "recorded").symlink_to(root / "recorded")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mssim.engine.monte_carlo._DRAWS_PER_TASK", 1_000_000)
    (code, table, err), *parts, merged = [run(*command) for command in commands]
    assert (code, err) == (0, "")
    assert [part[0] for part in parts] == [0, 0]
    assert merged == (0, table, "")
    assert len(Evaluation.load("results.parquet").budgets) == 63
