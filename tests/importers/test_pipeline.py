"""What all imports share: reading files that may be hostile, the long table, diagnostics, and a pool or nothing."""

import json
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers import Common, diagnose
from mssim.importers.fields import Fields
from mssim.importers.patterns import Pattern
from mssim.importers.pipeline import as_paths, import_pool, to_pool
from mssim.importers.registry import FORMATS, find, options_of
from mssim.importers.safe_files import Source, expand
from tests.cli import test_cli

run = test_cli.run


def written(folder, content, name="a.json"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(*samples, question_id="q", model="m", **question):
    """A reader that adds samples of one model for one question."""
    return lambda _, sink: sink.add(question_id, model, samples, question=question or {"truth": "1"})


def both(*readers):
    def read(sources, sink):
        for reader in readers:
            reader(sources, sink)

    return read


def imported(tmp_path, read, **common):
    path = written(tmp_path, "x", "source.txt")
    return import_pool("made up", read, [path], tmp_path / "pool", Common(**common))


# Reading --------------------------------------------------------------------------------------------------------------

DEEP = "[" * 100_000 + "]" * 100_000
FAULTS = {
    "empty": ("", "is empty"),
    "white space": (" \n ", "not (a )?JSON"),
    "cut off": ('[{"a": 1}, {"a"', "not JSON, or cut off"),
    "not JSON": ("hello", "not (a )?JSON"),
    "UTF-16": ('[{"a": "é"}]'.encode("utf-16"), "not (a )?JSON|not UTF-8"),
    "mixed encodings": (b'[{"a": 1, "b": "\xc3\xa9"}, {"a": 2, "b": "\xe9"}]', "not JSON, or cut off|not UTF-8"),
    "bare NaN": ('[{"a": NaN}]', "not JSON, or cut off"),
    "bare Infinity": ('[{"a": -Infinity}]', "not JSON, or cut off"),
    "deep lists": (f'[{{"a": {DEEP}}}]', "not JSON, or cut off .*(nested|recursion)"),
    "deep objects": ('[{"a": ' * 50_000, "not JSON, or cut off"),
    "huge integer": ('[{"a": 1' + "0" * 5000 + "}]", "not JSON, or cut off"),
    "large integer": ('[{"a": 1' + "0" * 400 + "}]", "not JSON, or cut off|too large"),
    "NUL": ("\0" * 100, "not (a )?JSON"),
    "numbers": ("[1, 2]", "a (number|list) where an object belongs"),
    "a list of a list": ("[[]]", "a list where an object belongs"),
}


def asked(records):
    """Ask every record for a number; readers ask for what they need."""
    return [record.number("a") for record in records]


def of_document(source):
    found = source.document()
    return [Fields.of(value, "here") for value in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("read", [Source.items, Source.lines, of_document])
def test_a_fault_is_one_error(tmp_path, fault, read):
    content, message = FAULTS[fault]
    if read is Source.lines and isinstance(content, str):
        content = content.removeprefix("[").removesuffix("]").replace("}, {", "}\n{")
        if fault == "white space":
            assert asked(Source(written(tmp_path, content)).lines()) == []  # blank lines are no fault
            return
        message = f"{message}|a number where|Extra data"
    with pytest.raises(PoolError, match=message) as error:
        asked(read(Source(written(tmp_path, content))))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_list_inside_an_object_is_streamed(tmp_path):
    record = {"z": [[1]], "list": [{"a": 1}, {"a": 2}], "k": {"list": [{"a": 3}]}}
    assert asked(Source(written(tmp_path, json.dumps(record))).items("list")) == [1, 2]
    assert asked(Source(written(tmp_path, json.dumps({"list": {"a": [1]}}))).items("list")) == []
    with pytest.raises(PoolError, match="not a JSON object with 'list'"):
        asked(Source(written(tmp_path, "[]")).items("list"))


def test_lines_and_items_and_byte_order_marks(tmp_path):
    mark = b"\xef\xbb\xbf"
    lines = Source(written(tmp_path, mark + b'{"a": 1}\r\n\r\n  \n{"a": 2.5}', "a.jsonl")).lines()
    assert [(record.number("a"), record.place[-7:]) for record in lines] == [(1, " line 1"), (2.5, " line 4")]
    items = Source(written(tmp_path, mark + b' [ {"a": 1}, {"a": 2.5} ]', "b.json")).items()
    assert [(record.number("a"), record.place[-9:]) for record in items] == [(1, " record 1"), (2.5, " record 2")]
    assert Source(written(tmp_path, mark + b'{"a": 1}', "c.json")).document() == {"a": 1}


def test_progress_is_told_in_bytes(tmp_path):
    told = []
    path = written(tmp_path, '{"a": 1}\n{"a": 2}\n')
    assert len(list(Source(path, told.append).lines())) == 2
    assert told == [9, 18, 18]


VALUE = {
    "text": "é",
    "n": 3,
    "x": 0.5,
    "yes": True,
    "none": None,
    "list": [1, None, "b"],
    "part": {"a": 1},
    "half": "\ud83d",
}


def test_fields_are_checked_as_they_are_asked_for():
    fields = Fields.of(VALUE, "here")
    assert (fields.text("text"), fields.text("n"), fields.text("x"), fields.text("none")) == ("é", "3", "0.5", None)
    assert fields.text("half") == "?" or fields.text("half") == "\ufffd" or "\ufffd" in fields.text("half")
    assert (fields.number("n"), fields.number("none"), fields.count("n"), fields.flag("yes")) == (3.0, None, 3, True)
    assert fields.texts("list") == ["1", None, "b"]
    assert (fields.values("none"), fields.part("none").value, fields.part("part").number("a")) == ([], {}, 1.0)
    assert ("none" in fields, "n" in fields) == (False, True)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda f: f.required("txt"), r"here: no 'txt'; did you mean 'text'"),
        (lambda f: f.name("none"), r"here: no 'none'"),
        (lambda f: f.text("list"), r"here: 'list' is a list; text belongs there"),
        (lambda f: f.number("text"), r"here: 'text' is text; a number belongs there"),
        (lambda f: f.number("yes"), r"here: 'yes' is true or false; a number belongs there"),
        (lambda f: f.count("x"), r"here: 'x' is 0.5; a whole number from 0 belongs there"),
        (lambda f: f.flag("n"), r"here: 'n' is a number; true or false belongs there"),
        (lambda f: f.values("part"), r"here: 'part' is an object; a list belongs there"),
        (lambda f: f.part("list"), r"here, 'list': a list where an object belongs"),
        (lambda f: f.parts("list"), r"here, 'list', item 1: a number where an object belongs"),
        (lambda f: f.numbers("list"), r"here: 'list', item 3 is text; a number belongs there"),
        (lambda f: f.flags("list"), r"here: 'list', item 3 is text; true or false belongs there"),
        (lambda _: Fields.of({"a": 10**5000}, "here").text("a"), r"here: 'a' is a number too long to be written"),
        (lambda _: Fields.of({"a": 10**400}, "here").number("a"), r"here: 'a' is too large or not a number"),
        (lambda _: Fields.of({"a": float("nan")}, "here").number("a"), r"too large or not a number"),
        (lambda _: Fields.of({"a": " "}, "here").name("a"), r"here: 'a' is blank"),
    ],
)
def test_a_field_of_another_kind_is_refused(ask, message):
    with pytest.raises(PoolError, match=message):
        ask(Fields.of(VALUE, "here"))


def test_folders_are_searched_by_pattern(tmp_path):
    for name in ("b/x.json", "a/x.json", "a/y.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[]")
    assert expand([tmp_path], "*.json") == [tmp_path / "a/x.json", tmp_path / "b/x.json"]
    assert expand([tmp_path / "a/y.txt"], "*.json") == [tmp_path / "a/y.txt"]  # what is named is read
    with pytest.raises(PoolError, match=r"no \*.eval or \*.log in this folder"):
        expand([tmp_path], "*.eval", "*.log")
    with pytest.raises(PoolError, match="nowhere does not exist"):
        as_paths("nowhere")
    with pytest.raises(PoolError, match="no file is given"):
        as_paths([])


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(PoolError, match="is neither a file nor a folder"):
        as_paths(tmp_path / "pipe.json")  # reading it would wait for ever
    with pytest.raises(PoolError, match="cannot be read or written"):
        as_paths("x" * 5000)
    with pytest.raises(PoolError, match="cannot be read or written"):
        import_pool("made up", rows({"answer": "1"}), [], tmp_path / ("x" * 300), Common())


def test_a_pattern_of_a_file_does_not_search_for_ever():
    pattern = Pattern("(a|aa)+$", Fields({}, "here"))
    assert pattern.findall("caa") == ["a"]
    assert (pattern.search("caa")[0], pattern.without("caa"), pattern.groups) == ("aa", "c", 1)
    with pytest.raises(PoolError, match=r"here: the pattern '\(a\|aa\)\+\$' takes more than 1 s for one text"):
        pattern.search("a" * 60 + "b")
    with pytest.raises(PoolError, match=r"here: the pattern '\(' does not compile"):
        Pattern("(", Fields({}, "here"))


@pytest.mark.parametrize("same", ["path", "content"])
def test_a_file_given_twice_would_count_twice(tmp_path, same):
    first = written(tmp_path, "x")
    second = first if same == "path" else written(tmp_path, "x", "b.json")
    with pytest.raises(PoolError, match=r"is given twice|has the same content as a file given before"):
        import_pool("made up", rows({"answer": "1"}), [first, second], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


# The long table -------------------------------------------------------------------------------------------------------


def test_samples_are_numbered_as_they_come(tmp_path):
    read = both(rows({"answer": "1"}, {"answer": "2"}), rows({"answer": "3"}), rows({"answer": "1"}, model="n"))
    assert "range from 1 to 3" in imported(tmp_path, read).warnings[0]
    with pytest.warns(PoolWarning, match="range from 1 to 3"):
        pool = load_pool(tmp_path / "pool")
    assert pool.to_frame()[["model", "sample_index", "answer", "correct"]].values.tolist() == [
        ["m", 0, "1", True],
        ["m", 1, "2", False],
        ["m", 2, "3", False],
        ["n", 0, "1", True],
    ]


def test_pieces_of_other_columns_are_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr("mssim.importers.sink._MOST_ROWS", 2)
    read = both(
        rows({"answer": "1", "text": "one"}, {"answer": "2", "text": "two"}),
        rows({"answer": "1", "output_tokens": 5}, {"answer": None, "cost": 0.5}, {"answer": "1", "text": "five"}),
    )
    imported(tmp_path, read)
    with pytest.warns(PoolWarning, match="no answer"):
        pool = load_pool(tmp_path / "pool")
    assert pool.extra["text"].to_pylist() == ["one", "two", None, None, "five"]
    assert pool.to_frame()["answer"].tolist() == ["1", "2", "1", np.nan, "1"]
    assert pool.numbers["cost"][0, 0].tolist()[3] == 0.5
    assert np.isnan(pool.numbers["cost"][0, 0][:3]).all()


def test_what_is_known_of_questions_is_put_together(tmp_path):
    read = both(
        rows({"answer": "1"}, truth="1", question=None, topic="a"), rows({"answer": "1"}, question="1?", topic="b")
    )
    imported(tmp_path, read)
    question = load_pool(tmp_path / "pool").questions.iloc[0].to_dict()
    assert question == {"question_id": "q", "truth": "1", "topic": "a", "question": "1?"}


def test_where_takes_samples_and_their_questions(tmp_path):
    read = both(
        rows({"answer": "1", "temperature": 0.0, "text": "a"}, {"answer": "2", "temperature": 1.0, "text": "b"}),
        rows({"answer": "1", "temperature": 1.0, "text": "c"}, question_id="r", truth="1", topic="late"),
        rows({"answer": "1", "temperature": 0.0, "text": "d"}, question_id="s", truth="1", topic="late"),
    )
    imported(tmp_path, read, where={"temperature": 1.0})
    pool = load_pool(tmp_path / "pool")
    assert (pool.question_ids, pool.extra["text"].to_pylist()) == (["q", "r"], ["b", "c"])
    assert to_pool("made up", read, [], Common(where={"topic": "late", "temperature": 0.0})).question_ids == ["s"]
    with pytest.raises(PoolError, match="temperature=3 matches no rows"):
        to_pool("made up", read, [], Common(where={"temperature": 3}))
    with pytest.raises(PoolError, match="no sample is left"):
        to_pool("made up", read, [], Common(where=[("temperature", ">", 5)]))


def test_texts_are_graded_and_what_the_files_say_stays_beside(tmp_path):
    read = rows(
        {"text": "it is 1", "correct": True},
        {"text": "it is 2", "correct": True},
        {"text": "no idea", "correct": False},
    )
    found = imported(tmp_path, read, rule="number")
    with pytest.warns(PoolWarning, match="no answer"):
        pool = load_pool(tmp_path / "pool")
    assert pool.to_frame()[["answer", "correct", "correct_in_source"]].values.tolist() == [
        ["1", True, True],
        ["2", False, True],
        [np.nan, False, False],
    ]
    assert any("do not agree on 1 of 3 samples" in warning for warning in found.warnings)
    assert pool.info["grader"]["rule"] == "number"


@pytest.mark.parametrize("rule", [None, "number"])
def test_texts_can_be_left_out(tmp_path, rule):
    read = rows({"text": "it is 1" * 10, "answer": "1"}, {"text": "it is 1" * 10, "answer": "1"})
    found = imported(tmp_path, read, rule=rule, texts=False)
    pool = load_pool(tmp_path / "pool")
    assert ("text" in pool.extra.column_names, pool.to_frame()["answer"].tolist()) == (False, ["1", "1"])
    assert (found.long_texts, found.identical_texts) == (2, 1)


def test_samples_without_answers_are_answers_of_their_own(tmp_path):
    read = both(rows({"correct": True}, {"correct": False}), rows({"correct": True}, model="n", truth=None))
    found = imported(tmp_path, read)
    with pytest.warns(PoolWarning) as caught:
        pool = load_pool(tmp_path / "pool")
    assert pool.to_frame()["answer"].tolist() == ["0 right", "1 wrong", "0 right"]
    assert "votes are meaningless" in found.remarks[0]
    assert [("votes are meaningless" in str(warning.message)) for warning in caught] == [False, True]
    assert pool.info["votes"] is False


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda *_: None, "no sample is in these files"),
        (lambda _, sink: sink.fail("timeout", 3), r"no sample is in these files \(3 failed: timeout\)"),
        (rows({"text": "a"}), "these files give no answers; say how to find them with a rule"),
        (rows({"output_tokens": 3}), "there is nothing to vote on or to grade"),
        (rows({"answer": "1"}, topic="a"), "neither what is right nor the truth"),
        (both(rows({"answer": "1"}), rows({"answer": "1"}, question_id="r", topic="a")), "question 'r' has no truth"),
        (both(rows({"answer": "1"}), rows({"answer": "1"}, truth="2")), "two truths, '1' and '2'"),
        (rows({"answer": "1", "sample_index": 3}, {"answer": "1", "sample_index": 3}), "2 rows hold the same sample"),
        (rows({"answer": "1", "correct": True}, {"answer": "1", "correct": False}), "is correct in .* and wrong in"),
        (rows({"answer": "1", "output_tokens": 2**70}), "a sample holds what its column cannot"),
    ],
)
def test_what_is_no_pool_is_refused_and_nothing_is_written(tmp_path, read, message):
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(PoolError, match=message):
        imported(tmp_path, read)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*before, "source.txt"]


def test_a_rule_without_texts_is_refused(tmp_path):
    with pytest.raises(PoolError, match="a rule grades texts, and these files have none; leave it out"):
        imported(tmp_path, rows({"answer": "1"}), rule="number")


# Diagnostics ----------------------------------------------------------------------------------------------------------

LONG = "a text that is long enough not to be the same by chance"
ODD = {
    "a failure": (both(rows({"answer": "1"}), lambda _, sink: sink.fail("timeout", 2)), "2 samples failed and are not"),
    "a note": (both(rows({"answer": "1"}), lambda _, sink: sink.note("odd it is")), "odd it is"),
    "no answer": (rows({"answer": None}, {"answer": "1"}), "'m' gives no answer in 50.0%"),
    "identical texts": (rows({"answer": "1", "text": LONG}, {"answer": "1", "text": LONG}), "1 of 2 long texts repeat"),
    "a missing question": (
        both(rows({"answer": "1"}), rows({"answer": "1"}, model="n"), rows({"answer": "1"}, question_id="r")),
        "'n' has no samples for 1 of 2 questions",
    ),
    "ragged": (both(rows({"answer": "1"}), rows({"answer": "1"}, {"answer": "1"}, model="n")), "range from 1 to 2"),
    "mixed settings": (
        rows({"answer": "1", "temperature": 0.0}, {"answer": "1", "temperature": 1.0}), "column 'temperature' varies"
    ),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("texts", [True, False])
def test_what_is_odd_is_said_and_refused_where_strict(tmp_path, odd, texts):
    read, message = ODD[odd]
    found = imported(tmp_path, read, texts=texts)
    assert [message in warning for warning in found.warnings].count(True) == 1
    with pytest.raises(PoolError, match="strict is asked for"):
        to_pool("made up", read, [], Common(strict=True, texts=texts))
    with pytest.warns(PoolWarning) as caught:
        to_pool("made up", read, [], Common(texts=texts))
    assert [str(warning.message) for warning in caught] == list(found.warnings)


def test_diagnostics_are_counts_and_a_frame(tmp_path):
    read = both(rows({"answer": "1"}, {"answer": None}), rows({"answer": "2"}, model="n", question_id="r", truth="1"))
    found = imported(tmp_path, both(read, lambda _, sink: sink.fail("timeout")))
    assert (found.questions, found.samples, found.models, found.failed) == (2, 3, ("m", "n"), {"timeout": 1})
    frame = found.to_frame()
    shown = ["model", "questions", "missing", "samples_min", "samples_max", "no_answer", "accuracy"]
    assert frame[shown].values.tolist() == [
        ["m", 1, 1, 2, 2, 0.5, 0.5],
        ["n", 1, 1, 1, 1, 0.0, 0.0],
    ]  # fmt: skip
    with pytest.warns(PoolWarning):
        again = diagnose(load_pool(tmp_path / "pool"))
    assert (again.warnings, repr(again)) == (found.warnings, repr(found))
    assert repr(found) == f"Diagnostics(2 questions, 2 models, 3 samples, {len(found.warnings)} odd)"
    pd.testing.assert_frame_equal(again.to_frame(), frame)


# The folder -----------------------------------------------------------------------------------------------------------


def test_a_pool_is_replaced_only_where_it_may_be(tmp_path):
    path, out = written(tmp_path, "x"), tmp_path / "pool"
    once = partial(import_pool, "made up", paths=[path], out=out, common=Common(info={"title": "t"}))
    once(read=rows({"answer": "1"}))
    with pytest.raises(PoolError, match="exists already; choose another path, or say that it may be overwritten"):
        once(read=rows({"answer": "2"}))
    with pytest.raises(PoolError, match="no sample"):
        once(read=lambda *_: None, overwrite=True)
    assert load_pool(out).to_frame()["answer"].tolist() == ["1"]  # what fails leaves the old one
    once(read=rows({"answer": "2"}), overwrite=True)
    assert load_pool(out).to_frame()["answer"].tolist() == ["2"]
    assert load_pool(out).info["title"] == "t"
    with pytest.raises(PoolError, match="is not a pool folder"):
        import_pool("made up", rows({"answer": "1"}), [path], tmp_path, Common(), overwrite=True)
    with pytest.raises(PoolError, match=r"the folder .*nowhere does not exist; create it first"):
        import_pool("made up", rows({"answer": "1"}), [path], tmp_path / "nowhere" / "pool", Common())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_what_is_cut_off_leaves_nothing(tmp_path, error):
    def read(sources, sink):
        rows({"answer": "1"})(sources, sink)
        raise error

    before = sorted(tmp_path.iterdir())
    with pytest.raises((KeyboardInterrupt, PoolError)):
        to_out(tmp_path, read)
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_killed_import_left_is_cleared_after_a_day(tmp_path):
    for name, age in ((".pool.1.part", 2 * 86400), (".pool.2.part", 60), (".other.3.part", 2 * 86400)):
        (tmp_path / name / "work").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    to_out(tmp_path, rows({"answer": "1"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.3.part", ".pool.2.part", "pool"]


def to_out(tmp_path, read):
    return import_pool("made up", read, [], tmp_path / "pool", Common())


# The registry and the command line ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_reader_and_a_function(name):
    import mssim.importers

    module = find(name)
    function = getattr(mssim.importers, f"from_{name.replace('-', '_')}")
    assert name in FORMATS
    assert module.PATTERNS
    assert set(options_of(module)) <= set(__import__("inspect").signature(function).parameters)


def test_unknown_formats_and_options_are_refused(run, tmp_path):
    path, out = written(tmp_path, "[]"), tmp_path / "pool"
    assert run("import", "inspekt", path, "--out", out)[::2] == (
        2,
        "mssim: error: no format 'inspekt'; did you mean 'inspect'? Choose from "
        + ", ".join(map(repr, FORMATS))
        + "\n",
    )
    code, _, err = run("import", "monkeys", path, "--out", out, "--scorer", "match")
    assert (code, err) == (
        2,
        "mssim: error: --scorer: not an option of format monkeys, only of inspect. Remove --scorer.\n",
    )
    code, _, err = run("import", "monkeys", tmp_path / "none.json", "--out", out)
    assert (code, err) == (2, f"mssim: error: {tmp_path / 'none.json'} does not exist\n")
    assert not out.exists()


def test_the_command_line_shows_diagnostics(run, tmp_path):
    record = {"question": "1?", "samples": [LONG, LONG], "is_corrects": [True, False]}
    path = written(tmp_path, json.dumps([record]), "GSM8K_llama.json")
    code, text, err = run("import", "monkeys", path, "--out", tmp_path / "a", "--title", "t", "--licence", "MIT")
    assert code == 0
    assert "1 questions, 1 models, 2 samples; 1 of 2 long texts repeat an earlier one" in text
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
    assert "mssim import lm-eval" in " ".join(text.split())
    with pytest.raises(MssimError):
        find("lm_eval")
