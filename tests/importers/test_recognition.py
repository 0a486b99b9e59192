"""Recognition of formats: one claim per file, folders with other files, and clear refusals."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, load_pool
from mssim.importers import recognise
from mssim.importers.glance import Glance
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.recognition import recognised
from mssim.importers.registry import FORMATS, find
from mssim.importers.safe_files import Source, expand
from tests.cli import test_cli
from tests.conftest import make_pool
from tests.importers.formats.code_results import ODD
from tests.importers.minimal import MINIMAL, write_minimal
from tests.importers.readers import written

run, bad = test_cli.run, test_cli.bad
SPECIAL = [name for name in FORMATS if name != "table"]


def test_every_format_has_a_small_file():
    assert sorted(MINIMAL) == sorted(FORMATS)


def test_in_a_folder_usual_names_count_first(tmp_path):
    log = write_minimal(tmp_path, "lm-eval")
    copy = Path(shutil.copy(log, tmp_path / "copy.jsonl"))
    assert (recognised([tmp_path]).paths, recognised([tmp_path]).left_out) == ((log,), (copy,))
    assert recognised([tmp_path, copy]).paths == (log, copy)
    log.unlink()
    assert recognised([tmp_path]).paths == (copy,)


@pytest.mark.parametrize("name", FORMATS)
def test_exactly_one_format_claims_a_file(tmp_path, name):
    path = write_minimal(tmp_path, name)
    for source in (Source(path), Glance(path)):
        claims = [other for other in FORMATS if find(other).is_own(source)]
        assert [other for other in claims if other != "table"] == [name] * (name != "table")
        assert claims or name == "table"
    assert recognise(path) == recognise([tmp_path]) == name


def test_a_folder_is_read_without_what_else_is_in_it(tmp_path):
    runs = [write_minimal(tmp_path / model, "lm-eval") for model in "ab"]
    lone = tmp_path / "b" / "samples_broken_2026-01-01T12-00-00.jsonl"
    lone.write_text("{")
    for name in ("README", "run.log", "results_2026-01-01T12-00-00.json", "empty.json", ".hidden.json"):
        (tmp_path / name).write_text('{"results": {}}' * (name != "empty.json"))
    write_minimal(tmp_path / ".cache", "human-eval")
    (tmp_path / "scores.csv").write_text("question_id,answer\nq,1\n")  # a table beside the logs
    found = recognised([tmp_path])
    assert (found.format, list(found.paths), list(found.left_out)) == ("lm-eval", runs, [lone])
    assert str(found).startswith(f"reading 2 files, such as {str(runs[0])!r}, as lm-eval; 1 other file left out: 'samp")
    shutil.rmtree(tmp_path / "b")
    assert str(recognised([tmp_path])) == f"reading {str(runs[0])!r} as lm-eval"


def test_content_counts_more_than_the_name(tmp_path):
    log = tmp_path / "anything.jsonl"
    shutil.move(write_minimal(tmp_path, "lm-eval"), log)
    for number in range(150):  # more than are looked at
        (tmp_path / f"{number}.json").write_text("{}")
    assert recognised([log]).paths == (log,)
    results = write_minimal(tmp_path, "human-eval")
    log.unlink()
    assert recognised([tmp_path]).paths == (results,)


def test_pools_are_tables(tmp_path):
    pool = tmp_path / "pool"
    make_pool({("x", "q"): ["a"]}, topic="Math").save(pool)
    write_minimal(pool / "inside", "human-eval")
    assert recognised([pool]).paths == recognised([tmp_path]).paths == (pool,)
    assert recognise([pool, pool / "samples.parquet"]) == "table"
    with pytest.raises(PoolError, match=r"questions.parquet: no format recognises this file. It has the fields"):
        recognise(pool / "questions.parquet")


def test_two_formats_are_refused_with_both_commands(tmp_path):
    one, other = write_minimal(tmp_path, "lm-eval"), write_minimal(tmp_path / "a b", "human-eval")
    for paths in ([one, other], [tmp_path]):
        with pytest.raises(PoolError) as error:
            recognise(paths)
        said = str(error.value)
        assert f"{one} is lm-eval" in said
        assert f"{other} is human-eval" in said
        assert f"mssim import lm-eval {one} --out POOL" in said
        assert f"mssim import human-eval '{other}' --out POOL" in said


def test_a_file_of_two_formats_is_refused(tmp_path):
    both = {"doc_id": 0, "resps": [["x"]], "target": "4", "custom_id": "q", "response": {}}
    path = written(tmp_path, json.dumps(both) + "\n", "a.jsonl")
    for paths in (path, tmp_path):
        with pytest.raises(PoolError) as error:
            recognise(paths)
        assert str(error.value) == (
            f"{path}: its content fits the formats lm-eval and openai-batch. Name the format: mssim import lm-eval "
            f"{path} --out POOL, or mssim import openai-batch {path} --out POOL."
        )


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:c5ca\nsize 52510\n"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "a.jsonl",
            '{"id": 1, "runs": [{"pred": "4", "tokens": 3}], "gold": "4"}',
            "a.jsonl: no format recognises this file. It has the fields 'id', 'runs.pred', 'runs.tokens', 'gold'. If "
            "each record is a sample, or a question with its samples, name the fields: mssim import table {path} --map "
            "question_id=id,answer=runs.pred,truth=gold --model NAME --out POOL.",
        ),
        (
            "a.jsonl",
            '{"task_id": "HumanEval/0", "completion": "x"}',
            "code without results of their tests. Run evaluate_",
        ),
        ("a.csv", "x,y\n1,2\n", "--map question_id=FIELD,answer=FIELD,truth=FIELD --model NAME --out POOL."),
        (
            "a.json",
            "[1, 2]",
            "There are no records of JSON, JSON Lines, CSV, TSV or Parquet, or they are damaged or not UTF-8. Export",
        ),
        (
            "a.eval",
            "PK\x03\x04",
            "There are no records of JSON, JSON Lines, CSV, TSV or Parquet, or they are damaged or not UTF-8. Export",
        ),
        ("a.jsonl", "", "a.jsonl is empty."),
        (
            "a.json",
            '{"results": {"sums": {"acc": 1}}, "group_subtasks": {}}',
            "holds results of tasks of lm-evaluation",
        ),
        (
            "a.parquet",
            POINTER,
            "a.parquet is a pointer of Git LFS instead of the file. Get the file with git lfs pull.",
        ),
        ("a.jsonl", '{"doc_id": 0, \n"resps": []}', "a.jsonl, line 1: is not valid JSON, or truncated"),
    ],
)
def test_unknown_files_are_refused_with_what_they_look_like(tmp_path, name, content, says):
    path = written(tmp_path, content, name)
    with pytest.raises(PoolError) as error:
        recognise(path)
    assert says.replace("{path}", str(path)) in str(error.value)


def test_folders_without_a_known_file_are_refused(tmp_path):
    with pytest.raises(PoolError, match=r"no format recognises the files in this folder\. There are no records"):
        recognise(tmp_path)
    written(tmp_path, POINTER, "b.json")
    with pytest.raises(PoolError, match=r"b\.json is a pointer of Git LFS"):
        recognise(tmp_path)
    written(tmp_path, "{}", "a.json")
    written(tmp_path, '{"id": 1, "pred": 2, "gold": 3}', "b.json")
    with pytest.raises(PoolError, match=r"files in this folder that were looked at, such as b\.json\. It has") as error:
        recognise(tmp_path)
    command = f"mssim import table {tmp_path} --map question_id=id,answer=pred,truth=gold --out POOL."
    assert str(error.value).endswith(f"the fields 'id', 'pred', 'gold'. If each record is a sample, {REST}: {command}")


REST = "or a question with its samples, name the fields"


# What the command line does with it -----------------------------------------------------------------------------------


def test_the_format_may_be_left_out(run, tmp_path):
    path = write_minimal(tmp_path, "human-eval")
    code, text, err = run("import", path, "--out", tmp_path / "pool", "--json")
    assert (code, err) == (0, f"mssim: reading {str(path)!r} as human-eval\n")
    assert json.loads(text)["samples"] == 1
    with pytest.warns(match="recorded as right or wrong"):
        assert load_pool(tmp_path / "pool").info["import"]["format"] == "human-eval"
    code, _, err = run("import", path, "--out", tmp_path / "b", "--tests", "plus")
    assert (code, err.count("\n")) == (2, 2)
    assert "mssim: error: --tests: not an option of format human-eval, only of evalplus. Remove --tests." in err


def test_a_folder_named_like_a_format_is_a_source(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_minimal(tmp_path / "helm", "human-eval")
    assert run("import", "helm", "--out", "a")[0] == 0
    bad(run("import", "helm", "helm", "--out", "b"), "helm: this folder has no file scenario_state.json")
    bad(run("import", "monkeys", "--out", "b"), "SOURCE: no file or folder is given after the format monkeys.")
    bad(run("import", "--out", "b"), "SOURCE: no file or folder is given. Write mssim import SOURCE")
    bad(run("import", "helm"), "--out: the folder of the pool is not given. Add --out POOL.")
    bad(run("import", "none.json", "helm", "--out", "b"), "none.json does not exist.")
    bad(
        run("import", "human-evil", "helm", "--out", "b"),
        "format: 'human-evil' is not known. Did you mean 'human-eval'",
    )


# Damaged files --------------------------------------------------------------------------------------------------------


def imported(folder, paths):
    """Import as the command line does. Return what was said, blank if it gave a pool."""
    said = ""
    try:
        found = recognised(paths)
        module = find(found.format)
        import_pool(found.format, module.read, expand(found.paths, *module.PATTERNS), folder / "pool", Common())
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)
    return said


NAMES = st.sampled_from([Path(file).name for file, _ in MINIMAL.values()])
ENDINGS = st.sampled_from(["", ".gz", ".zst", ".eval", ".parquet", ".csv", ".tsv", ".json", ".jsonl"])
STARTS = st.sampled_from(
    [b"", b"[", b'{"a":', b"[{", b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x80\x04"]
)


@given(name=NAMES, ending=ENDINGS, start=STARTS, content=st.binary(max_size=60))
def test_any_bytes_give_a_pool_or_an_error(tmp_path_factory, name, ending, start, content):
    folder = tmp_path_factory.mktemp("fuzz")
    path = written(folder, start + content, name + ending)
    if imported(folder, [path]):
        assert imported(folder, [folder])


@pytest.mark.slow
@given(data=st.data())
def test_files_that_are_cut_off_or_changed_give_a_pool_or_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    path = write_minimal(folder, data.draw(st.sampled_from(list(MINIMAL))))
    whole = path.read_bytes()
    cut = data.draw(st.integers(1, len(whole)))
    path.write_bytes(whole[:cut] + data.draw(st.binary(max_size=3)) + whole[cut + data.draw(st.integers(0, 3)) :])
    if data.draw(st.booleans()):
        path.write_bytes(whole[:cut])
    imported(folder, [path])


@given(data=st.data())
def test_odd_records_are_claimed_or_not(tmp_path_factory, data):
    name = data.draw(st.sampled_from(SPECIAL))
    source = Glance(write_minimal(tmp_path_factory.mktemp("fuzz"), name))
    first = dict(source.first)
    for field in data.draw(st.sets(st.sampled_from(sorted(first)), max_size=3)):
        first[field] = data.draw(ODD)
    source.first = first
    for other in FORMATS:
        assert find(other).is_own(source) in (True, False)
