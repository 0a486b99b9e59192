"""`mssim import`: options of the formats, diagnostics, and messages on one line."""

import json
from pathlib import Path

import pytest

from mssim import MssimError, PoolWarning, load_pool
from mssim.importers.registry import find
from tests.cli import test_cli
from tests.importers.readers import LONG, written

run = test_cli.run


def test_unknown_formats_and_options_are_refused(run, tmp_path):
    path, out = written(tmp_path, "[]"), tmp_path / "pool"
    code, _, err = run("import", "inspekt", path, "--out", out)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(
        "mssim: error: format: 'inspekt' is not known. Did you mean 'inspect'? Choose from 'inspect',"
    )
    code, _, err = run("import", "monkeys", path, "--out", out, "--tests", "plus")
    assert (code, err) == (
        2,
        "mssim: error: --tests: not an option of format monkeys, only of evalplus. Remove --tests.\n",
    )
    err = run("import", "monkeys", path, "--out", out, "--map", "answer=pred")[2]
    assert "only of table. Remove --map, or write mssim import table SOURCE... to name the fields.\n" in err
    code, _, err = run("import", "monkeys", tmp_path / "none.json", "--out", out)
    assert (code, err) == (2, f"mssim: error: {tmp_path / 'none.json'} does not exist.\n")
    assert not out.exists()


def test_the_command_line_shows_diagnostics(run, tmp_path):
    record = {"question": "1?", "samples": [LONG, LONG], "is_corrects": [True, False]}
    path = written(tmp_path, json.dumps([record]), "GSM8K_llama.json")
    code, text, err = run("import", "monkeys", path, "--out", tmp_path / "a", "--title", "t", "--licence", "MIT")
    assert code == 0
    assert "1 question, 1 model, 2 samples; 1 of 2 long texts repeat an earlier one" in text
    assert [line.split(": ")[1] for line in err.splitlines()] == ["warning", "warning"]
    with pytest.warns(PoolWarning):
        info = load_pool(tmp_path / "a").info
    assert (info["title"], info["licence"], info["import"]["format"]) == ("t", "MIT", "monkeys")
    code, text, err = run("import", "monkeys", path, "--out", tmp_path / "b", "--json", "--no-texts")
    found = json.loads(text)
    assert (code, err) == (0, "")
    assert (found["questions"], found["samples"], found["identical_texts"]) == (1, 2, 1)
    assert found["models"][0]["model"] == "llama"
    code, _, err = run("import", "monkeys", path, "--out", tmp_path / "c", "--strict")
    assert (code, err.count("\n"), Path(tmp_path / "c").exists()) == (2, 1, False)
    code, _, err = run("import", "monkeys", path, "--out", tmp_path / "a", "--overwrite", "--where", "sample_index<1")
    assert code == 0


def test_files_whose_fields_are_mapped_are_tables(run, tmp_path):
    record = {"idx": 1, "gt": "7", "code": ["7", "8"], "pred": ["7", "8"], "score": [True, False]}
    path = written(tmp_path, json.dumps(record), "llama.jsonl")
    names = "question_id=idx,truth=gt,answer=pred,correct=score"
    code, text, err = run("import", path, "--map", names, "--model", "m", "--out", tmp_path / "a", "--json")
    assert (code, err, json.loads(text)["samples"]) == (0, "", 2)
    assert load_pool(tmp_path / "a").info["import"]["format"] == "table"
    assert run("import", path, "--out", tmp_path / "b")[2].startswith("mssim: reading")


def test_questions_with_two_truths_are_refused_or_left_out(run, tmp_path):
    records = [
        {"question": f"{number}?", "orig_dset_idx": number, "gt_answer": truth, "samples": ["a"], "is_corrects": [True]}
        for number, truth in ((0, "7"), (1, "8"), (1, "9"))
    ]
    path, out = written(tmp_path, json.dumps(records), "GSM8K_llama.json"), tmp_path / "pool"
    code, _, err = run("import", "monkeys", path, "--out", out)
    assert (code, err.count("\n"), out.exists()) == (2, 1, False)
    assert "question 'GSM8K/1' has two truths, '8' and '9'" in err
    code, _, err = run("import", "monkeys", path, "--out", out, "--drop-conflicts")
    assert code == 0
    assert "warning: 1 question has two truths under one id and is left out: 'GSM8K/1'." in err
    with pytest.warns(PoolWarning):
        pool = load_pool(out)
    assert (pool.question_ids, pool.info["import"]["dropped_conflicts"]) == (["GSM8K/0"], {"truth": 1})


def test_messages_are_one_line_without_control_characters(run, tmp_path):
    path = written(tmp_path, "no", "new\nline\x1b[31m.json")
    code, _, err = run("import", "monkeys", path, "--out", tmp_path / "pool")
    assert (code, err.count("\n")) == (2, 1)
    assert r"new\nline\x1b[31m.json" in err
    record = {"question": "1?", "samples": ["a", "b"], "is_corrects": [True, False]}
    path = written(tmp_path, json.dumps([record]), "GSM8K_red\x1b[31m.json")
    code, text, err = run("import", "monkeys", path, "--out", tmp_path / "pool")
    assert (code, "\x1b" in text + err, r"red\x1b[31m" in text) == (0, False, True)


def test_help_shows_the_example(run):
    code, text, _ = run("import", "--help")
    assert code == 0
    assert "Example: mssim import samples_gsm8k_*.jsonl --rule number --out my-pool" in " ".join(text.split())
    with pytest.raises(MssimError):
        find("lm_eval")
