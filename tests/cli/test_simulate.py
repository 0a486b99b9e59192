"""`mssim simulate`: its table, the pools it draws, and bad input."""

import json

import pandas as pd
import pytest

from mssim import load_pool
from mssim.simulate import AnswerModel, fit_pool, fit_report
from tests.cli import test_cli

run, pool_path = test_cli.run, test_cli.pool_path
LONG = ("--where", "prompt=long")


FITTED = {}


def fitted(path, models):
    """What the library fits to the pool, which is the same in every test."""
    if models not in FITTED:
        FITTED[models] = fit_pool(load_pool(path, where={"prompt": "long"}), models)
    return FITTED[models]


@pytest.mark.slow
def test_simulate_prints_the_fitted_parameters(run, pool_path):
    code, text, err = run("simulate", pool_path, *LONG, "--models", "x+y")
    assert (code, err) == (0, "")
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["y"])
    model = fitted(pool_path, ("x", "y"))
    assert row[1:5] == [f"{values[1]:.4f}" for values in (model.sure, model.a, model.b, model.spread)]
    assert "spread      two wrong answers agree with probability 1 / (1 + spread)" in text
    assert "SYNTHETIC" not in text
    report = fit_report(load_pool(pool_path, where={"prompt": "long"}), ("x", "y"))
    assert text.splitlines()[-1] == str(report)
    assert text.splitlines()[-1].startswith("largest misfit: ")


@pytest.mark.slow
def test_errors_and_misfits_are_tables(run, pool_path):
    pool = load_pool(pool_path, where={"prompt": "long"})
    report = fit_report(pool, ["x"])
    for name, expected in (("parameters", report.parameters()), ("misfit", report.misfit())):
        arguments = ("simulate", pool_path, *LONG, "--models", "x", "--table", name)
        code, text, err = run(*arguments, "--json")
        assert (code, err) == (0, "")
        pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-9)
        assert run(*arguments)[1].splitlines()[-1] == str(report)
    assert "beyond_noise   whether the p-value" in run(*arguments)[1]
    arguments = (
        "simulate",
        pool_path,
        *LONG,
        "--models",
        "x",
        "--table",
        "parameters",
        "--clusters",
        "topic",
        "--json",
    )
    code, text, _ = run(*arguments)
    assert code == 0
    together = fit_report(pool, ["x"], clusters="topic").parameters()
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), together, check_dtype=False, rtol=1e-9)
    assert together["error"].tolist() != report.parameters()["error"].tolist()


@pytest.mark.slow
def test_json_is_the_whole_frame(run, pool_path):
    code, text, err = run("simulate", pool_path, *LONG, "--models", "x+y", "--json")
    assert (code, err) == (0, "")
    found, expected = pd.DataFrame(json.loads(text)), fitted(pool_path, ("x", "y")).to_frame()
    assert found.pop("separation").isna().all()
    pd.testing.assert_frame_equal(found, expected.drop(columns="separation"), check_dtype=False, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_drawn_is_saved(run, pool_path, tmp_path, as_json):
    size = ("--questions", 30, "--samples", 7, "--seed", 5)
    out = tmp_path / "drawn"
    code, text, err = run(
        "simulate", pool_path, *LONG, "--models", "y, x", *size, "--out", out, *(["--json"] if as_json else [])
    )
    assert (code, err) == (0, "")
    drawn = load_pool(out)
    assert drawn.fingerprint == fitted(pool_path, ("y", "x")).draw(30, 7, seed=5).fingerprint
    assert drawn.info["title"] == f"simulated pool, like {pool_path}"
    assert drawn.info["synthetic"] is True
    assert ("Pool(30 questions, 2 models, 7 samples each: y, x), simulated" in text) is not as_json
    code, text, _ = run("info", out)
    assert code == 0
    assert "SYNTHETIC DATA" in text
    assert "title: simulated pool" in text


@pytest.mark.slow
def test_a_saved_answer_model_draws_the_same(run, pool_path, tmp_path):
    path, first, second = tmp_path / "model.json", tmp_path / "first", tmp_path / "second"
    assert run("simulate", pool_path, *LONG, "--save-model", path, "--out", first, "--questions", 20)[0] == 0
    assert AnswerModel.load(path) == fitted(pool_path, ("x", "y", "z"))
    code, text, err = run("simulate", "--model", path, "--out", second, "--questions", 20)
    assert (code, err) == (0, "")
    assert "20 questions" in text
    assert load_pool(first).fingerprint == load_pool(second).fingerprint
    assert load_pool(second).codes.shape[2] == 64


def test_fits_to_synthetic_pools_say_so(run, tmp_path):
    AnswerModel("x", 0.2, 1, 1, 1).draw(30, 4).save(tmp_path / "pool")
    code, text, _ = run("simulate", tmp_path / "pool")
    assert code == 0
    assert text.startswith("SYNTHETIC DATA")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "exactly one is required. Add a pool to fit an answer model, or --model FILE"),
        (("POOL", "--model", "m.json"), "POOL, --model: exactly one is required"),
        (
            ("--model", "m.json", "--models", "x"),
            "--where, --min-samples, --models: these select data from a pool and cannot be combined with --model",
        ),
        (
            ("--model", "m.json", *LONG),
            "--where, --min-samples, --models: these select data from a pool and cannot be combined with --model",
        ),
        (
            ("--model", "m.json"),
            "m.json: not an answer model of mssim, or damaged (No such file or directory). Use a file",
        ),
        (("nowhere.parquet",), "nowhere.parquet does not exist"),
        (("POOL", *LONG, "--table", "misfits"), "--table: 'misfits' is not valid. Did you mean 'misfit'? Choose from"),
        (("POOL", *LONG, "--clusters", "subject"), "clusters: no column 'subject'"),
        (("--model", "m.json", "--table", "misfit"), "--table, --clusters: errors and misfits need the pool that was"),
        (("--model", "m.json", "--clusters", "c"), "--table, --clusters: errors and misfits need the pool that was"),
        (("POOL", *LONG, "--models", "x+w"), "no model 'w' in this pool"),
        (("POOL", *LONG, "--out", "folder"), "--out: folder already exists. Use the name of a new folder."),
        (("POOL", *LONG, "--save-model", "folder"), "--save-model: folder is a folder"),
        (("POOL", *LONG, "--save-model", "no/such/m.json"), "does not exist. Create it first."),
        (
            ("POOL", *LONG, "--models", "x", "--out", "new", "--questions", 0),
            "--questions: 0 is out of range. Use an integer from 1",
        ),
        (
            ("POOL", *LONG, "--models", "x", "--out", "new", "--samples", 0),
            "--samples: 0 is out of range. Use an integer from 1",
        ),
        (
            ("POOL", *LONG, "--models", "x", "--out", "new", "--seed", -1),
            "--seed: -1 is out of range. Use an integer from 0",
        ),
    ],
)
def test_bad_input_to_simulate_is_one_line(run, pool_path, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    test_cli.bad(run("simulate", *[pool_path if a == "POOL" else a for a in arguments]), says)
    assert not (tmp_path / "new").exists()


def test_an_existing_folder_stays_as_it_is(run, pool_path, tmp_path):
    AnswerModel("x", 0.2, 1, 1, 1).draw(3, 4).save(tmp_path / "pool")
    before = load_pool(tmp_path / "pool").fingerprint
    test_cli.bad(run("simulate", pool_path, *LONG, "--out", tmp_path / "pool"), "already exists")
    assert load_pool(tmp_path / "pool").fingerprint == before
