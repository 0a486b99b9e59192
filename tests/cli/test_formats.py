"""Formats of tables: what is written can be read, names are inert, and every command that prints a table has them."""

import html
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mssim import evaluate
from mssim.cli import _command
from mssim.cli.formats import FORMATS, table_text
from mssim.cli.output import print_frame
from mssim.engine.shards import evaluate_shard
from tests.cli import test_cli, test_live, test_record
from tests.cli.test_cli import bad
from tests.conftest import make_pool

run, asked_live, asked_record = test_cli.run, test_live.asked, test_record.asked

COMMANDS = _command().commands
WITHOUT_TABLE = {"serve", "report"}  # a server, and a page

HOSTILE = [
    "a|b",
    "a&b_c%",
    "x\\|y\\",
    "<script>alert(1)</script>",
    "$x$ ~~s~~",
    "{}^#",
    "[x](http://y)",
    "`code` *b* **c** _d_",
    '=1+1,"2"',
    "line\n| 2 |\r\x1b[31m",
    "&lt;",
    "\rcr",
    r"\input{x} \\",
]
AS_ONE_LINE = [name.replace("\n", r"\n").replace("\r", r"\r").replace("\x1b", r"\x1b") for name in HOSTILE]


# Readers of what was written ------------------------------------------------------------------------------------------


def read_markdown(text):
    """Header and rows of the cells of a table, as a reader of Markdown shows them."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[shown(cell) for cell in re.findall(r"(?:\\.|[^|\\])+", line[1:-1])] for line in lines]
    assert all(re.fullmatch(r":---|---:", cell) for cell in rows[1])
    return rows[0], rows[2:]


def shown(cell):
    """The text of a cell; markup in it fails."""
    plain = re.sub(r"\\[^a-z0-9\s]", "", cell)
    assert not re.search(r"[`*_\[\]<>~$]", re.sub(r"&[#\w]+;", "", plain)), cell
    return html.unescape(re.sub(r"\\([^a-z0-9\s])", r"\1", cell.strip()))


LATEX = {
    "textbar{}": "|", "textless{}": "<", "textgreater{}": ">", "textbackslash ": "\\", "textasciitilde ": "~",
    "textasciicircum ": "^", "&": "&", "%": "%", "$": "$", "#": "#", "_": "_", "{": "{", "}": "}",
}  # fmt: skip
COMMAND = re.compile(rf"\\({'|'.join(map(re.escape, LATEX))})")


def read_latex(text):
    """Header and rows of the cells of a table, as LaTeX sets them; other commands than those of characters fail."""
    found = re.fullmatch(
        r"(?:\\begin\{table\}\n\\caption\{.*\}\n)?\\begin\{tabular\}\{([lr]*)\}\n\\toprule\n(.*) \\\\\n\\midrule\n"
        r"((?:.* \\\\\n)*)\\bottomrule\n\\end\{tabular\}\n(?:\\end\{table\}\n)?",
        text,
    )
    header, *rows = [found[2], *found[3].splitlines()]
    cells = [[set_text(cell) for cell in re.split(r"(?<!\\) & ", row.removesuffix(r" \\"))] for row in [header, *rows]]
    assert {len(row) for row in cells} == {len(found[1])}
    return cells[0], cells[1:]


def set_text(cell):
    plain = COMMAND.sub("", cell).replace("{[}", "").replace("{*}", "")
    assert not re.search(r"[\\{}$%#_&^~<>|\[*]", plain), cell
    return COMMAND.sub(lambda one: LATEX[one[1]], cell.replace("{[}", "[").replace("{*}", "*"))


def read_csv(text, texts=()):
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""], dtype=dict.fromkeys(texts, str))


READERS = {"md": read_markdown, "latex": read_latex}


# Text of a frame ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["md", "latex"])
def test_names_are_inert_and_remain_readable(form):
    frame = pd.DataFrame({"na|me_%": HOSTILE, "[b]": np.arange(len(HOSTILE))})
    header, rows = READERS[form](table_text(frame, form, "a_title"))
    assert header == list(frame.columns)
    assert rows == [[name, str(i)] for i, name in enumerate(AS_ONE_LINE)]


@pytest.mark.parametrize("name", ["[1in]", "*b"])
def test_what_begins_a_row_is_not_an_option_of_the_row_before(name):
    text = table_text(pd.DataFrame({"model": [name, name]}), "latex")
    assert not re.search(r"\\(?:\\|midrule)\s*[\[*]", text)
    assert read_latex(text)[1] == [[name], [name]]


def test_csv_keeps_names_and_all_digits():
    frame = pd.DataFrame({"model": HOSTILE, "x": np.random.default_rng(0).random(len(HOSTILE)) ** 9})
    frame.loc[3, "x"] = np.nan
    pd.testing.assert_frame_equal(read_csv(table_text(frame, "csv")), frame, check_exact=True)


def test_lists_and_objects_are_json_in_a_cell():
    frame = pd.DataFrame({"drawn": [{"a|b": 4}, {}], "warnings": [["é"], []]})
    assert read_csv(table_text(frame, "csv")).to_numpy().tolist() == [['{"a|b": 4}', '["é"]'], ["{}", "[]"]]
    assert read_markdown(table_text(frame, "md"))[1][0] == ['{"a|b": 4}', '["é"]']
    assert json.loads(table_text(frame, "json"))[0] == {"drawn": {"a|b": 4}, "warnings": ["é"]}


@pytest.mark.parametrize("form", ["md", "latex"])
def test_numbers_are_rounded_as_on_a_terminal_unless_nothing_would_remain(form):
    frame = pd.DataFrame(
        {
            "accuracy": [2 / 3, np.nan, 1e-17, -1e-6],
            "tokens": [1234.56, 0.01, 7.0, 0.0],
            "held_out_spend": [0.000123456789, 0.0, 0.0001, np.nan],
            "p_holm": [1e-20, 0.012345, 1.0, 0.0],
            "verdict": ["a", None, "c", "d"],
        }
    )
    assert READERS[form](table_text(frame, form))[1] == [
        ["0.6667", "1234.6", "0.000123457", "1e-20", "a"],
        ["", "0.01", "0.000000000", "0.0123", ""],
        ["0.0000", "7.0", "0.000100000", "1.0000", "c"],
        ["-1e-06", "0.0", "", "0.0000", "d"],
    ]


def test_titles_are_above_the_table():
    frame = pd.DataFrame({"a": [1]})
    assert table_text(frame, "md", "stop_quality, SYNTHETIC DATA").startswith("**stop\\_quality, SYNTHETIC DATA**\n\n|")
    assert r"\caption{stop\_quality, SYNTHETIC DATA}" in table_text(frame, "latex", "stop_quality, SYNTHETIC DATA")
    assert table_text(frame, "csv", "SYNTHETIC DATA") == "a\n1\n"
    assert "caption" not in table_text(frame, "latex")


# Commands -------------------------------------------------------------------------------------------------------------

EVALUATE = ("--strategy", "sc:'m|1'", "--strategy", "sc:n_2", "--budgets", "1,2")
PLAN = ("--difference", "0.05", "--between", "0.09", "--within", "0.2", "--price-per-sample", "0.001")
FLAGS = {form: ("--format", form) for form in FORMATS} | {"json": ("--json",)}
ARGUMENTS = {  # of every command that prints a table; live and record are below, with servers
    "info": [["pool"]],
    "import": [["--list"], ["table", "pool.csv", "--out", "imported", "--overwrite"]],
    "grade": [["texts", "--rule", "exact"]],
    "evaluate": [["pool", *EVALUATE], ["--rules"]],
    "merge": [["part.ckpt"]],
    "compare": [["results.parquet", "--against", "sc:n_2"], ["results.parquet", "--aiq", "samples_used"]],
    "tune": [["pool", "--budgets", "1,2", "--folds", "2"], ["pool", "--table", "diversity"]],
    "plan": [PLAN],
    "theory": [["pool", "--budgets", "2", "--table", table] for table in ("limits", "cost", "ceiling")],
    "simulate": [["pool", "--models", "n_2"]],
    "live": [],
    "record": [],
}
CASES = [
    pytest.param(name, arguments, marks=[pytest.mark.slow] if name == "simulate" else [])
    for name, several in ARGUMENTS.items()
    for arguments in several
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with small pools, results, a part of an evaluation, and texts to grade."""
    folder = tmp_path_factory.mktemp("formats")
    answers = {(m, f"q{q}"): list(("aabc", "abab")[q % 2]) for m in ("m|1", "n_2") for q in range(6)}
    pool = make_pool(answers)
    pool.save(folder / "pool")
    pool.to_frame().to_csv(folder / "pool.csv", index=False)
    replace(pool, info={**pool.info, "synthetic": True}).save(folder / "drawn")
    make_pool(answers, text="a").save(folder / "texts")
    evaluate(pool, ["sc:'m|1'", "sc:n_2"], [1, 3]).save(folder / "results.parquet")
    evaluate_shard(pool, ["sc:'m|1'"], [1, 2], shard=(1, 1), checkpoint=folder / "part.ckpt")
    return folder


def options_of(command):
    return {text for parameter in COMMANDS[command].params for text in parameter.opts}


def test_every_command_that_prints_a_table_has_the_formats():
    assert set(ARGUMENTS) == set(COMMANDS) - WITHOUT_TABLE
    for name in COMMANDS:
        assert options_of(name) & {"--json", "--format"} == ({"--json", "--format"} if name in ARGUMENTS else set())


def rows_of(text):
    """The rows of a table in JSON; those of models where the JSON is an object."""
    found = json.loads(text)
    return found if isinstance(found, list) else found["models"]


def flat(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def assert_same_in_all_formats(run, *command, code=0):
    """Each format has the columns and rows of the JSON, and nothing else is on stdout."""
    found = {form: run(*command, *FLAGS[form]) for form in ("json", "csv", "md", "latex")}
    assert {one[0] for one in found.values()} == {code}
    assert len({one[2] for one in found.values()}) == 1
    rows = rows_of(found["json"][1])
    frame = pd.DataFrame(rows).map(flat).astype(object)
    frame = frame.where(frame.notna(), np.nan)
    texts = [name for name in frame if frame[name].map(lambda value: isinstance(value, str)).any()]
    read = read_csv(found["csv"][1], texts)
    assert list(read.columns) == list(frame.columns)
    pd.testing.assert_frame_equal(read, frame, check_dtype=False, rtol=1e-13, atol=1e-14)
    for form, reader in READERS.items():
        header, cells = reader(found[form][1])
        assert header == list(frame.columns)
        for texts, values in zip(cells, frame.itertuples(index=False), strict=True):
            assert [is_cell(text, value) for text, value in zip(texts, values, strict=True)] == [True] * len(header)
    return frame


def is_cell(text, value):
    """Whether a text is a value, or a number rounded."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return text == "" if value != value else abs(float(text) - value) <= max(0.0501, 0.05 * abs(value))
    return text == (value if isinstance(value, str) else str(value))


@pytest.mark.parametrize(("command", "arguments"), CASES)
def test_a_table_is_the_same_in_every_format(run, files, monkeypatch, command, arguments):
    monkeypatch.chdir(files)
    frame = assert_same_in_all_formats(run, command, *arguments)
    assert len(frame) >= 1


def test_a_recording_and_its_status(run, asked_record, tmp_path):
    assert len(assert_same_in_all_formats(run, *asked_record)) == 1
    frame = assert_same_in_all_formats(run, "record", "--status", "--out", tmp_path / "pool")
    assert frame["warnings"].tolist() == ["[]"]


@pytest.mark.slow
def test_tables_of_a_live_run(run, asked_live):
    command, _ = asked_live
    for table, rows in (("stops", 1), ("questions", 12)):
        assert len(assert_same_in_all_formats(run, *command, "--table", table)) == rows
    code, text, _ = run(*command, "--format", "md")
    assert code == 0
    assert re.findall(r"^\*\*(.*)\*\*$", text, re.MULTILINE) == ["totals", "stops", "questions", "models"]


def test_several_tables_as_csv_are_refused_before_anything_is_paid(run, asked_live):
    command, client = asked_live
    says = "--format: csv holds one table, but there are several: totals, stops, questions, models. Add e.g. --table"
    bad(run(*command, "--format", "csv"), says)
    bad(run(*command, "--table", "runs"), "--table: 'runs' is not valid. Choose from 'totals', 'stops'")
    bad(run(*command, "--table", "prediction"), "--table: 'prediction' is not valid")
    protocol = (*command[:4], "--protocol", "mad:a", "--runs", 2, "--rule", "number", "--out", "x", "--format", "csv")
    bad(run(*protocol), "several: totals, ends, runs, models")
    assert client.samples() == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["md", "latex"])
def test_several_tables_have_their_names_as_captions(run, files, form):
    command = ("theory", files / "pool", "--budgets", 2, "--n-replays", 20, "--resamples", 20)
    found = json.loads(run(*command, "--json")[1])
    text = run(*command, "--format", form)[1]
    captions = re.findall(r"^\*\*(.*)\*\*$" if form == "md" else r"\\caption\{(.*)\}", text, re.MULTILINE)
    assert [caption.replace("\\_", "_") for caption in captions] == list(found)
    parts = re.split(r"\n\n(?=\*\*|\\begin)|\n(?=\\begin\{table)", text) if form == "latex" else text.split("\n\n**")
    for part, rows in zip(parts, found.values(), strict=True):
        header, cells = READERS[form](part.strip("\n") + "\n")
        assert (header, len(cells)) == (list(rows[0]), len(rows))


def test_a_table_that_does_not_exist_is_refused_with_the_remedy(run, files):
    theory = ("theory", files / "pool", "--budgets", 2)
    bad(run(*theory, "--format", "csv"), "several: limits, ceiling, cost, stop_quality, consistency, per_sample")
    bad(run(*theory, "--table", "limit"), "--table: 'limit' is not valid. Did you mean 'limits'")
    bad(run(*theory, "--table", "spending"), "--table: spending needs tokens, costs or latencies, and the pool has")
    bad(run(*theory, "--table", "extrapolation"), "--table: extrapolation needs numbers of samples. Add e.g.")


def test_only_one_table_is_printed_on_a_terminal_too(run, files):
    code, text, err = run("theory", files / "pool", "--budgets", 2, "--table", "ceiling")
    assert (code, err) == (0, "")
    assert re.findall(r"^(\w+): ", text, re.MULTILINE) == ["ceiling"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ("--format", "markdown"),
            "--format: 'markdown' is not valid. Choose from 'table', 'json', 'csv', 'md'",
        ),
        (("--json", "--format", "csv"), "--json, --format: --json is short for --format json, but --format csv is"),
        (("--json", "--format", "table"), "--json, --format: --json is short"),
    ],
)
def test_bad_formats_are_one_line_before_anything_is_read(run, options, says):
    bad(run("info", "nowhere", *options), says)


def test_json_is_short_for_its_format_and_a_table_is_the_default(run, files):
    assert run("info", files / "pool", "--format", "json") == run("info", files / "pool", "--json")
    assert run("info", files / "pool", "--format", "table") == run("info", files / "pool")


def test_synthetic_data_say_so_in_every_format_but_json(run, files):
    title, drawn = "SYNTHETIC DATA", files / "drawn"
    assert run("info", drawn, "--format", "md")[1].startswith(f"**{title}**\n\n| model |")
    assert rf"\caption{{{title}}}" in run("info", drawn, "--format", "latex")[1]
    for command in (("info", drawn), ("theory", drawn, "--table", "ceiling")):
        rows, frame = json.loads(run(*command, "--json")[1]), read_csv(run(*command, "--format", "csv")[1])
        assert list(frame.columns) == [*rows[0], "data"]
        assert set(frame["data"]) == {title}
    assert f"**ceiling, {title}**\n" in run("theory", drawn, "--budgets", 2, "--n-replays", 20, "--format", "md")[1]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_rules_that_tune_left_out_are_notes_on_stderr(run, files, form):
    given = ("tune", files / "pool", "--family", "votes", "--budgets", "1,2", "--folds", 2, "--n-replays", 20)
    code, text, err = run(*given, "--format", form)
    assert code == 0
    assert "mssim: note: left out: sc:M,vote=best_of_n (no column 'score')\n" in err
    assert "best_of_n" not in text


@pytest.mark.parametrize("form", ["csv", "md"])
def test_a_terminal_gets_no_control_characters(monkeypatch, capsys, form):
    frame = pd.DataFrame({"model": ["a\x1b[31m\u202eb"]})
    print_frame(frame, form)
    assert ("\x1b" in capsys.readouterr().out) is (form == "csv")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_frame(frame, form)
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert out.endswith("b\n" if form == "csv" else "b |\n")
