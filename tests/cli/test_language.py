"""Messages of commands name options; those of the library name arguments."""

import inspect
import json
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest
import typer

import mssim
from mssim import PoolError, evaluate, theory, tune
from mssim.cli import _command
from mssim.cli.language import ALSO, Command, as_options, keep_names, name_by
from mssim.importers.registry import FORMATS, find
from mssim.results import planning
from tests.cli import test_cli
from tests.conftest import make_pool

run = test_cli.run
COMMANDS = _command().commands


@pytest.fixture
def say():
    """Return a function that says a message inside of a command."""

    def say(message, command="evaluate", keep=()):
        said = []

        def callback(**_):
            keep_names(keep)
            said.append(as_options(message))

        found = COMMANDS[command]
        copy = Command(name=command, params=found.params, callback=callback)
        with copy.make_context(
            command, [], parent=_command().make_context("mssim", ["info"]), resilient_parsing=True
        ) as c:
            copy.invoke(c)
        return said[0]

    return say


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("n_replays=0 is out of range.", "--n-replays: 0 is out of range."),
        ("method='exakt' is not valid.", "--method: 'exakt' is not valid."),
        ("clusters: no column 'x'.", "--clusters: no column 'x'."),
        ("prices, clusters: both are odd.", "--prices, --clusters: both are odd."),
        ("x='cost': no costs. Pass prices=.", "--per cost: no costs. Pass --prices."),
        ("correct_bias=True: none. Add replacement=True.", "--correct-bias: none. Add --replacement."),
        ("Use replacement=False, or correct_bias=False.", "Use --no-replacement, or no --correct-bias."),
        (
            "cost_exceeds: none. Evaluate again with quantiles=True.",
            "--cost-exceeds: none. Evaluate again with --quantiles.",
        ),
        ("quantiles=[5.0] are not. Use quantiles=[0.5].", "--quantiles: [5.0] are not. Use --quantiles 0.5."),
        ("Use e.g. shares_draws=[['A', 'B'], ['C', 'D']].", "Use e.g. --shares-draws A,B --shares-draws C,D."),
        ("Use method='auto' (seed=3).", "Use --method auto (--seed 3)."),
        ("Use pool.select(models=['a'], min_samples=4), which", "Use --min-samples 4, which"),
        ("or evaluate(..., prices=...).", "or --prices."),
        ("Select with where={'top ic': ...} (a, b).", "Select with --where 'top ic=VALUE' (a, b)."),
        ("Use where={'topic': \"it's\"} or where=.", "Use --where 'topic=it'\"'\"'s' or --where."),
        ("Use checkpoint=FILE here.", "Use --checkpoint FILE here."),
        ("no model \"a seed=3\", 'b seed=3' or x,seed=3", "no model \"a seed=3\", 'b seed=3' or x,seed=3"),
        ("strategy 'sc:x': seed=3 is odd", "strategy 'sc:x': seed=3 is odd"),
        ("column=3 is odd", "column=3 is odd"),
        ("where: seed='3' matches no rows. Use seed=4.", "--where: seed='3' matches no rows. Use --seed 4."),
        ("column, seed: both are odd", "column, seed: both are odd"),
        ("Use f(column=3) or f('a') or f(3).", "Use f(column=3) or f('a') or f(3)."),
        ("or extrapolate with theory.extrapolate.", "or extrapolate with `mssim theory --extrapolate`."),
        ('rows: mssim.importers.from_table("it\'s.csv").', "rows: `mssim import table 'it'\"'\"'s.csv' --out POOL`."),
        ("First mssim.grading.grade(POOL, RULE).", "First `mssim grade POOL --rule RULE`."),
        ("Use seed (--seed 3) or method (--other).", "Use --seed or method (--other)."),
    ],
)
def test_arguments_become_options(say, message, said):
    assert say(message) == said
    assert as_options(message) == message  # without a command


def test_options_of_another_command_are_named_with_it(say):
    message = "Use pool.select(min_samples=2) or evaluate(..., prices=...)."
    assert say(message, "info") == "Use --min-samples 2 of `mssim evaluate` or --prices of `mssim evaluate`."
    assert say("Use min_samples=2 (rule=...).", "info") == "Use min_samples=2 (--rule of `mssim grade`)."


def test_names_that_a_file_sets_stay(say):
    message = "n_replays=0 is odd. Use seed=1 or pool.select(min_samples=2)."
    assert say(message, keep=["n_replays", "min_samples"]) == "n_replays=0 is odd. Use --seed 1 or --min-samples 2."
    assert say("no confidence. Add logprobs=True.", "record") == "no confidence. Add --logprobs."
    assert say("no confidence. Add logprobs=True.", "record", ["logprobs"]) == "no confidence. Add logprobs=true."


def test_an_argument_is_named_by_the_option_that_sets_it():
    said = []

    def command(price: str = "", prices: str = ""):  # noqa: ARG001
        name_by("prices", "price")
        name_by("prices", "cost")  # the command has no such option
        said.append(as_options("prices: model 'x' has no price. Pass prices=."))

    small = typer.Typer(pretty_exceptions_enable=False)
    small.command(cls=Command)(command)
    small([], standalone_mode=False)
    assert said == ["--price: model 'x' has no price. Pass --price."]
    name_by("prices", "price")  # without a command


def test_errors_of_commands_are_translated():
    def command(seed: int = 0):
        warnings.warn(f"seed={seed} is odd", UserWarning, stacklevel=1)
        raise PoolError("seed=3 is odd")

    small = typer.Typer(pretty_exceptions_enable=False)
    small.command(cls=Command)(command)
    with pytest.warns(UserWarning, match="^seed=0 is odd"), pytest.raises(PoolError, match=r"^--seed: 3 is odd"):
        small([], standalone_mode=False)


# Arguments that no command has, since commands set them or have no use for them.
WITHOUT_OPTION = {"executor", "progress", "jackknife", "info", "pool", "base", "budgets", "sources", "sink", "a", "b"}
WITHOUT_OPTION |= {"quantiles"}


def test_names_of_arguments_are_those_of_the_library():
    """Of every function behind a command, each keyword is a parameter of the command or in the table."""
    behind = {
        "evaluate": (evaluate,),
        "tune": (tune,),
        "plan": (planning.plan, theory.pilot),
        "theory": (theory.extrapolate, theory.consistency, theory.stop_quality),
        "import": [read for name in FORMATS for read in (find(name).read,)],
    }
    unset = {"tune": {"method"}, "plan": {"samples_per_run", "n_splits"}, "theory": {"quantity", "n_splits", "method"}}
    for command, functions in behind.items():
        own = {parameter.name for parameter in COMMANDS[command].params}
        known = own | {name for name, parameter in ALSO.items() if parameter in own} | unset.get(command, set())
        for function in functions:
            keywords = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
            assert set(keywords) <= known | WITHOUT_OPTION, (command, function)
    every = {parameter.name for command in COMMANDS.values() for parameter in command.params}
    assert set(ALSO.values()) <= every
    assert all(isinstance(command, Command) for command in COMMANDS.values())


# Commands that fail ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with pools of several defects."""
    monkeypatch.chdir(tmp_path)
    answers = {("m", "q1"): "aab", ("m", "q2"): "a", ("n", "q1"): "ab", ("n", "q3"): "ab"}
    frame = make_pool({key: list(value) for key, value in answers.items()}).to_frame()
    frame.to_csv("ragged.csv", index=False)
    sound = make_pool({(m, f"q{q}"): list("aabc") for m in ("m", "n") for q in range(4)})
    sound.save("sound")
    sound.to_frame().drop(columns="sample_index").to_csv("no_index.csv", index=False)
    twice = sound.to_frame()
    pd.concat([twice.assign(prompt="long"), twice.assign(prompt="short")]).to_csv("twice.csv", index=False)
    sound.to_frame().rename(columns={"answer": "text"}).to_csv("ungraded.csv", index=False)
    evaluate(sound, "sc:m", [1, 2]).save("one.parquet")
    Path("questions.jsonl").write_text(json.dumps({"question_id": "q1", "question": "1+1?", "truth": "2"}))
    server = "[servers.s]\nbase_url = 'http://127.0.0.1:9/v1'\n"
    Path("plan.toml").write_text(f"{server}[models.m]\nserver='s'")
    table = "date = 2026-11-01\n[models]\n{} = {{input = 0, output = 1}}\n"
    Path("prices.toml").write_text(table.format("m"))
    Path("other.toml").write_text(table.format("other"))
    Path("results.jsonl").write_text(json.dumps({"task_id": "t", "completion": "x"}))
    Path("log.json").write_text(json.dumps([{"question": "q?", "solution": "1", "ans_list": ["1"]}]))
    Path("batch.jsonl").write_text(json.dumps({"custom_id": "q9", "response": {"status_code": 200, "body": {}}}))


FAILING = """
info ragged.csv | info no_index.csv | info twice.csv | info ungraded.csv | info sound --where topic=x | info none
evaluate RAGGED sc:m --budgets 2 | evaluate RAGGED sc:m --budgets 2 --replacement
evaluate RAGGED alloc:n --budgets 1 | evaluate RAGGED mix:m+n --budgets 1 --min-samples 1 --scope these
evaluate SOUND sc:m --budgets 9 | evaluate SOUND sc:m --budgets 2 --n-replays 0
evaluate SOUND sc:m --budgets 2 --mc-error 0 | evaluate SOUND sc:m --budgets 2 --mc-error 0.01 --quantiles 0.5
evaluate SOUND sc:m --budgets 2 --seed -1 | evaluate SOUND sc:m --budgets 2 --method exakt
evaluate SOUND mix:m+n,vote=entropy --budgets 4 --method exact
evaluate SOUND sc:m --budgets 2 --correct-bias | evaluate SOUND sc:m --budgets 2 --price m=-1
evaluate SOUND sc:m --budgets 2 --price n=1 | evaluate SOUND sc:m --budgets 2 --clusters x
evaluate SOUND sc:m --budgets 2 --prices plan.toml | evaluate SOUND sc:m --budgets 2 --prices none.toml
evaluate SOUND sc:m --budgets 2 --prices prices.toml | evaluate SOUND sc:m --budgets 2 --prices other.toml
evaluate SOUND sc:m --budgets 2 --prices prices.toml --price m=1 | evaluate SOUND sc:m --budgets 2 --parallel 0
evaluate SOUND sc:m --budgets 2 --tokens x | tune sound --tokens x | tune sound --prices other.toml
evaluate SOUND sc:m --budgets 2 --quantiles 0.5,95 | evaluate SOUND sc:m --budgets 2 --tokens-exceed -1
evaluate SOUND sc:m --budgets 2 --confidence-level 3 | evaluate SOUND sc:m --budgets 2 --plot x.png --x cost
evaluate SOUND sc:m --strategy sc:m --budgets 2 | evaluate SOUND sc:x --budgets 2
evaluate SOUND sc:m,vote=own:f --budgets 2 | evaluate SOUND sc:m,m=3 --budgets 2
evaluate SOUND sc:m --budgets 2 --min-samples 9 | evaluate SOUND sc:m --budgets 2 --min-samples -1
evaluate SOUND sc:m --budgets 2 --where question_id=q7
evaluate SOUND sc:m --budgets 2 --scope these --band simultaneous | evaluate SOUND sc: --budgets 2
evaluate SOUND sc:m,vote=best_of_n --budgets 2 | tune ragged.csv | tune ragged.csv --strategy sc:m --budgets 2,3
tune sound --spend cost | tune sound --folds 99 | tune sound --runs 0 | tune sound --limits -1
tune sound --models m,x | tune sound --strategy cov:m | tune sound --models m,m | tune sound --n-replays 0
tune sound --mc-error 2 | report sound --mc-error -1
tune sound --price m=x | tune sound --min-samples 9 | theory ragged.csv | theory ragged.csv --models m
theory sound --extrapolate 99 | theory sound --models m+m | theory sound --budgets 99 | theory sound --resamples 0
theory sound --n-replays 0 --budgets 2 | theory sound --clusters x | theory sound --confidence-level 3
theory sound --models m,z | report sound --models m,z | report ragged.csv --models m | report sound --limits x
report sound --strategy sc:x | report sound --budgets 99 | report sound --family x | report sound --n-replays 0
report sound --out none/x.html | report sound --prices other.toml | report sound --clusters x
plan --pool ragged.csv --a sc:m --b sc:n --budget 1 --difference 0.1
plan --pool ragged.csv --a sc:m --b cov:m --budget 2 --difference 0.1 | plan --difference 0.1 --between 2 --within 0.1
plan --difference 3 --between 0.1 --within 0.1 | plan --difference 0.1 --between 0.1 --within 0.1 --power 2
plan --difference 0.1 --between 0 --within 0 | plan --difference 0.1 --between 0.1 --within 0.1 --most-runs 3
plan --difference 0.1 --between 0.1 --within 0.1 --money 5 --price-per-sample 0
plan --difference 0.1 --pool sound --a sc:m | plan --difference 0.1 --between 0.1 --within 0.1 --test x
plan --pool sound --a sc:m --b sc:n --budget 9 --difference 0.1 | simulate sound --models m+z
simulate sound --samples 0 --out x
simulate --model plan.toml | compare one.parquet --against sc:m | compare one.parquet sc:m sc:n --budget 1
compare one.parquet sc:m sc:m --budget 3 | compare one.parquet sc:m sc:m --budget 1 --margin 3
compare one.parquet sc:m sc:m --budget 1 --test x | compare plan.toml sc:m sc:m --budget 1 | merge none
merge plan.toml | grade sound --rule number | grade sound --rule x | grade sound --rule number --reasoning x
grade none --rule number | import table ragged.csv --out sound | import table ragged.csv --out x --rule nope
import table ragged.csv --out x --map a | import table ragged.csv --out x --reasoning maybe --rule number
import table ragged.csv --out x --strict | import table ragged.csv --out x --map sample_index=none
import human-eval results.jsonl --out x | import nope x --out y | import modelswitch log.json --out x
import modelswitch log.json --out x --dataset nope | import evalplus log.json --out x
import openai-batch batch.jsonl --out x | import openai-batch batch.jsonl --questions questions.jsonl --out x
import openai-batch batch.jsonl --questions questions.jsonl --out x --id-pattern (
import table ragged.csv --out x --tests base | import table ragged.csv --out y --where question_id=z
import table ragged.csv --out y --rename a=b | record questions.jsonl --out r --plan plan.toml
record questions.jsonl --out r SERVER --samples 0 | record questions.jsonl --out r SERVER --timeout -1
record questions.jsonl --out r SERVER --max-requests -1 | record questions.jsonl --out r SERVER --max-cost 1
record questions.jsonl --out r SERVER --set n=3 | record questions.jsonl --out r SERVER --set seed=3
record questions.jsonl --out r SERVER --set logprobs=true | record questions.jsonl --out r SERVER --set api_key=x
live questions.jsonl --out r SERVER --protocol debate:a --rule number | live questions.jsonl --out r SERVER --runs 2
live questions.jsonl --out r SERVER --protocol debate:a --runs 0 --rule number
live questions.jsonl --out r SERVER --protocol debte:a --runs 2 --rule number
live questions.jsonl --out r SERVER --protocol debate:a --runs 2 --rule number --called
live questions.jsonl --out r SERVER --protocol debate:b --runs 2 --rule number
live questions.jsonl --out r SERVER LIVE --called x
live questions.jsonl --out r SERVER --protocol debate:a,rounds=0 --runs 2 --rule number
live questions.jsonl --out r SERVER --protocol debate:a --runs 2 --rule number --prompts none.toml
live questions.jsonl --out r SERVER --protocol debate:a --runs 2 --rule number --seed 3
live questions.jsonl --out r SERVER --protocol debate:a --runs 2
live questions.jsonl --out r SERVER --protocol debate:a --runs 2 --rule number --max-cost 1
live questions.jsonl --out r SERVER --budget 4 --rule number | live questions.jsonl --out r SERVER LIVE --rule x
live questions.jsonl --out r SERVER LIVE | live questions.jsonl --out r SERVER LIVE --rule number --seed -1
live questions.jsonl --out r SERVER LIVE --rule number --budget 99999
live questions.jsonl --out r LIVE --plan plan.toml
live questions.jsonl --out r SERVER LIVE --rule number --sample-seed -1
live none.jsonl --out r SERVER LIVE --rule number
live questions.jsonl --out r SERVER --strategy sc:a,vote=confidence --budget 4 --rule number
live questions.jsonl --out r SERVER --strategy sc:b --budget 4 --rule number
live questions.jsonl --out r SERVER --strategy sc:a,max_tokens=9 --budget 4 --rule number
live questions.jsonl --out r SERVER --strategy sc:a,vote=shortest,m=2 --budget 4 --rule number --samples-per-request 2
live questions.jsonl --out sound SERVER LIVE --rule number
live questions.jsonl --out r SERVER LIVE --rule number --max-cost 1
record questions.jsonl --out r --model a+b --base-url http://127.0.0.1:9
record questions.jsonl --out r --model a --base-url ftp://x?y | record questions.jsonl --out r SERVER --concurrency 0
serve --strategy cov:m SERVED | serve --strategy sc:m SERVED --host 0.0.0.0 | serve --strategy sc:m SERVED --port -1
serve --strategy sc:m SERVED --key-env x | serve --strategy sc:x SERVED | serve --strategy alloc:m SERVED
serve --strategy sc:m,vote=max SERVED | serve --strategy sc:m SERVED --max-requests -1
record questions.jsonl --out r SERVER --seed -1 | record questions.jsonl --out r SERVER --set temperature=0 --dry-run
"""
SLOW = ("evaluate", "theory", "report", "simulate")
LINES = [line.strip() for row in FAILING.strip().splitlines() for line in row.split(" | ")]
SHORT = {
    "RAGGED": "ragged.csv --strategy",
    "SOUND": "sound --strategy",
    "SERVED": "--plan plan.toml --budget 4 --rule number --out served --port 0",
    "SERVER": "--model a --base-url http://127.0.0.1:9/v1",
    "LIVE": "--strategy sc:a --budget 4",
}
ARGUMENTS = "|".join(
    sorted({p.name for c in COMMANDS.values() for p in c.params} - {"m"} | set(ALSO) | {"jackknife", "n_splits"})
)
PYTHON = re.compile(
    rf"(?<![\w,:/-])(?:{ARGUMENTS})=|^mssim: error: (?:{ARGUMENTS}): |\b(?:True|False|None)\b"
    r"|\b(?:select|evaluate|from_table|load_pool|to_frame)\(|\w\.\w+\("
)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in sorted(COMMANDS)],
)
def test_no_command_speaks_python(run, command):
    lines = [line for line in LINES if line.split()[0] == command]
    assert len(lines) >= 2
    for line in lines:
        for short, long in SHORT.items():
            line = line.replace(short, long)
        _, _, err = run(*line.split())
        unquoted = re.sub(r"(?<!\w)(?:'[^']*'|\"[^\"]*\")(?!\w)", "''", err)
        assert err, line
        assert not PYTHON.search(unquoted), (line, err)


def test_messages_of_the_library_name_no_options():
    """Messages name arguments, argument=VALUE, which commands translate."""
    root = Path(mssim.__file__).parent
    for path in sorted(set(root.rglob("*.py")) - set((root / "cli").rglob("*.py"))):
        lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("VOTES = ")]
        assert not re.search(r"\w \(--[a-z]", "\n".join(lines)), path
