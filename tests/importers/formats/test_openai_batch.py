"""Files of batches, made up here: outputs, errors and requests of servers that speak OpenAI's protocol."""

import gzip
import json
import re

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats.openai_batch import from_openai_batch
from tests.cli import test_cli

run = test_cli.run

QUESTIONS = [
    {"question_id": "q1", "question": "2 + 2?", "truth": "4"},
    {"question_id": "q2", "question": "3 * 3?", "truth": "9"},
]


def chat(custom_id, *texts, model="gpt", id_="", usage=(10, 5), **body):
    """A line of an output file; each text is a choice."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text, "refusal": None}, "finish_reason": "stop"}
        for i, text in enumerate(texts)
    ]
    usage = None if usage is None else {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    body = {"id": f"chatcmpl-{custom_id}{id_}", "model": model, "choices": choices, "usage": usage, **body}
    response = {"status_code": 200, "request_id": f"r-{custom_id}{id_}", "body": body}
    return {"id": f"batch_req_{custom_id}{id_}", "custom_id": custom_id, "response": response, "error": None}


def refused(custom_id, status=400, code="context_length_exceeded"):
    """A line of OpenAI's error file: the error is in the body."""
    body = {"error": {"message": f"no {custom_id}", "type": "invalid_request_error", "code": code}}
    return {"custom_id": custom_id, "response": {"status_code": status, "body": body}, "error": None}


def asked(custom_id, model="gpt", **body):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]
    body = {"model": model, "messages": messages, **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def direct(custom_id, *texts, **more):
    """The same of an old version of vLLM: the response is the body."""
    line = chat(custom_id, *texts, **more)
    return line | {"response": line["response"]["body"]}


def written(folder, *lines, name="output.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def questions(tmp_path):
    (tmp_path / "asked").mkdir()
    return written(tmp_path / "asked", *QUESTIONS, name="questions.jsonl")


@pytest.fixture
def imported(tmp_path, questions):
    def imported(*lines, warns=None, more=(), **options):
        paths = [written(tmp_path, *lines), *more] if lines else [*more]
        options = {"rule": "number", "questions": questions, **options}
        if warns is None:
            return from_openai_batch(paths, **options)
        with pytest.warns(PoolWarning) as caught:
            pool = from_openai_batch(paths, **options)
        messages = [str(one.message) for one in caught]
        for says in [warns] if isinstance(warns, str) else warns:
            assert any(re.search(says, message) for message in messages), messages
        return pool

    return imported


def failed(pool):
    return dict(pool.info["import"]["failed"])


def texts(pool, **where):
    frame = pool.to_frame()
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame["text"].tolist()


# Samples --------------------------------------------------------------------------------------------------------------


def test_lines_in_any_order_become_samples_in_the_order_of_their_ids(imported):
    lines = [chat("q2-1", "9"), chat("q1-2", "4"), chat("q1-0", "5"), chat("q2-0", "9."), chat("q1-1", "4.0")]
    pool = imported(*lines, chat("q2-2", "So 8"))
    assert pool.models == ("gpt",)
    assert pool.question_ids == ["q1", "q2"]
    assert pool.sample_correct()[0].tolist() == [[False, True, True], [True, True, False]]
    assert texts(pool) == ["5", "4.0", "4", "9.", "9", "So 8"]
    assert pool.questions.to_dict("list") == {
        "question_id": ["q1", "q2"], "question": ["2 + 2?", "3 * 3?"], "truth": ["4", "9"]
    }  # fmt: skip
    assert pool.numbers["input_tokens"].tolist() == [[[10.0] * 3] * 2]
    assert pool.numbers["output_tokens"].tolist() == [[[5.0] * 3] * 2]
    frame = pool.to_frame()
    assert frame["request_id"].tolist() == ["r-q1-0", "r-q1-1", "r-q1-2", "r-q2-0", "r-q2-1", "r-q2-2"]
    assert set(frame["served_model"]) == {"gpt"}
    assert set(frame["finish_reason"]) == {"stop"}
    assert failed(pool) == {}


@pytest.mark.parametrize(
    ("custom_id", "question", "number"),
    [
        ("q17-3", "q17", 3),
        ("q17_sample_3", "q17", 3),
        ("gsm8k-12#4", "gsm8k-12", 4),
        ("q17__run2", "q17", 2),
        ("gsm8k/test/5/s0", "gsm8k/test/5", 0),
        ("a-12", "a-12", None),  # a question as it is, though it ends in a number
        ("a-12-7", "a-12", 7),
        ("7-10", "7", 10),
        ("7", "7", None),
    ],
)
def test_a_custom_id_is_a_question_or_one_and_a_number(tmp_path, custom_id, question, number):
    ids = ["q17", "gsm8k-12", "gsm8k/test/5", "a-12", "a", "7"]
    table = written(tmp_path, *({"question_id": i, "question": "?", "truth": "4"} for i in ids), name="q.jsonl")
    path = written(tmp_path, chat(custom_id, "4"))
    with pytest.warns(PoolWarning, match="5 of 6 questions have no samples"):
        pool = from_openai_batch(path, questions=table, rule="number")
    assert pool.question_ids == [question]
    index = pool.to_frame()["sample_index"].tolist()
    assert index == [number or 0]


def test_a_pattern_finds_question_model_and_sample(imported):
    lines = [chat(f"{m}|{s}|of q{q}", "4", model="x") for s in (11, 3) for m in ("big", "small") for q in (1, 2)]
    pool = imported(*lines, id_pattern=r"(?P<model>\w+)\|(?P<sample>\d*)\|of (?P<question_id>.*)")
    assert pool.models == ("big", "small")
    assert pool.lengths.tolist() == [[2, 2], [2, 2]]
    assert pool.to_frame()["sample_index"].tolist() == [3, 11] * 4
    assert set(pool.to_frame()["served_model"]) == {"x"}


def test_a_pattern_without_a_number_takes_samples_as_they_come(imported):
    lines = [chat(f"{letter}.q{q}", letter) for letter in "ba" for q in (1, 2)]
    pool = imported(*lines, id_pattern=r"(?P<sample>\d*)\w\.(?P<question_id>.*)", warns="no answer in 100.0%")
    assert texts(pool) == ["b", "a", "b", "a"]
    assert "sample_index" not in pool.extra.column_names


def test_huge_numbers_in_ids_only_keep_their_samples_apart(imported):
    lines = [chat(f"q{q}-{number}", "4") for q in (1, 2) for number in (10**30, 10**300, 7)]
    pool = imported(*lines)
    assert pool.lengths.tolist() == [[3, 3]]
    assert pool.to_frame()["sample_index"].tolist() == [0, 1, 7] * 2


def test_numbers_of_samples_do_not_collide_where_requests_have_several_choices_and_one(imported):
    lines = [chat(f"q{q}-{s}", *map(str, range(4, 4 + n))) for q in (1, 2) for s, n in ((1, 4), (2, 2), (4, 1), (5, 1))]
    pool = imported(*lines)
    assert pool.lengths.tolist() == [[8, 8]]
    assert pool.to_frame()["sample_index"].tolist()[:8] == [4, 5, 6, 7, 8, 9, 10, 11]


def test_models_may_share_their_ids(imported):
    lines = [chat(f"q{q}-{s}", "4", model=model) for model in ("b", "a") for q in (1, 2) for s in (0, 1)]
    pool = imported(*lines)
    assert pool.models == ("b", "a")
    assert pool.lengths.tolist() == [[2, 2], [2, 2]]


def test_the_model_can_be_named(imported):
    assert imported(chat("q1", "4", model="gpt-4o-2024-08-06"), chat("q2", "9", model=None), model="gpt").models == (
        "gpt",
    )


# Failures -------------------------------------------------------------------------------------------------------------


def test_what_was_asked_again_and_answered_did_not_fail(imported, tmp_path):
    error = written(tmp_path, refused("q1"), refused("q1"), refused("q2", 500), name="errors.jsonl")
    again = written(tmp_path, refused("q2", 503, "busy"), chat("q1", "4"), name="again.jsonl")
    more = written(tmp_path, chat("q1-1", "4"), chat("q2-1", "9"), name="more.jsonl")
    for paths in ([error, again, more], [again, error, more]):
        pool = imported(more=paths, warns=["range from 1 to 2", "1 sample failed"])
        assert pool.lengths.tolist() == [[2, 1]]
        assert sum(failed(pool).values()) == 1


def test_a_failure_of_one_of_two_models_is_counted(imported):
    lines = [chat(f"q{q}-{s}", "4", model=m) for m in "ab" for q in (1, 2) for s in (0, 1) if (m, q, s) != ("b", 1, 1)]
    pool = imported(*lines, refused("q1-1"), warns=["1 sample failed", "range from 1 to 2"])
    assert failed(pool) == {"HTTP 400 (context_length_exceeded)": 1}


def test_only_failures_are_no_pool(imported):
    with pytest.raises(PoolError, match=r"The files contain no samples \(2 failed: HTTP 400 \(context_length_exceeded"):
        imported(refused("q1"), refused("q2"))


# Requests -------------------------------------------------------------------------------------------------------------


def test_requests_tell_settings_and_what_has_no_response(imported, tmp_path):
    settings = {"temperature": 0.7, "top_p": 0.9, "max_completion_tokens": 99, "n": 2, "reasoning_effort": "low"}
    lines = [asked(f"q{q}-{s}", top_k=-1, **settings) for q in (1, 2) for s in range(3)]
    requests = written(tmp_path, *lines, name="z-requests.jsonl")
    output = [chat(f"q{q}-0", "4", "9", model="gpt-2024-08-06") for q in (1, 2)]
    output += [chat("q1-1", "4", model="gpt-2024-08-06"), refused("q2-1")]
    warns = ["range from 2 to 3", "7 samples failed", "4 no response"]
    pool = imported(*output, more=[requests], warns=warns)
    assert failed(pool) == {"no response": 4, "HTTP 400 (context_length_exceeded)": 2, "choice missing": 1}
    frame = pool.to_frame()
    assert frame["sample_index"].tolist() == [0, 1, 2, 0, 1]
    expected = {
        "temperature": 0.7, "top_p": 0.9, "max_tokens": 99, "reasoning_effort": "low", "system_prompt": "Be brief."
    }  # fmt: skip
    for name, value in expected.items():
        assert set(frame[name]) == {value}
    assert "top_k" not in frame
    assert pool.models == ("gpt-2024-08-06",)


def test_mixed_settings_are_seen(imported, tmp_path):
    lines = [asked(f"q{q}-{s}", temperature=s / 2, top_k=20) for q in (1, 2) for s in (0, 1)]
    requests = written(tmp_path, *lines, name="requests.jsonl")
    output = [chat(f"q{q}-{s}", "4") for q in (1, 2) for s in (0, 1)]
    pool = imported(*output, more=[requests], warns="column 'temperature' varies within a model")
    assert pool.to_frame()["top_k"].tolist() == [20] * 4
    only = imported(*output, more=[requests], where={"temperature": 0.5})
    assert only.to_frame()["sample_index"].tolist() == [1, 1]


def test_each_model_has_the_settings_of_its_own_request(imported, tmp_path):
    lines = [asked(f"q{q}", m, temperature=t) for q in (1, 2) for m, t in (("gpt-4o", 0), ("gpt-4o-mini", 1))]
    requests = written(tmp_path, *lines, name="requests.jsonl")
    output = [chat(f"q{q}", "4", model=m) for q in (1, 2) for m in ("gpt-4o-2024", "gpt-4o-mini-2024", "other")]
    frame = imported(*output, more=[requests], warns=None).to_frame().set_index("model")["temperature"]
    assert frame["gpt-4o-2024"].tolist() == [0, 0]
    assert frame["gpt-4o-mini-2024"].tolist() == [1, 1]
    assert frame["other"].isna().all()
    pool = imported(*output[:1], *output[3:4], more=[requests], warns="2 samples failed")
    assert failed(pool) == {"no response": 2}
    assert failed(imported(*output[:1], *output[3:4], more=[requests], model="gpt")) == {}


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_folder_holds_all(imported, questions):
    folder = questions.parent
    written(folder, asked("q1"), asked("q2"), name="requests.jsonl")
    written(folder, chat("q1", "4"), name="output.jsonl")
    written(folder, refused("q2"), name="errors.jsonl")
    (folder / "notes.txt").write_text("not read")
    pool = imported(more=[folder], warns=["1 sample failed", "1 of 2 questions have no samples"])
    assert pool.question_ids == ["q1"]
    assert sorted(file["name"] for file in pool.info["import"]["files"]) == [
        "errors.jsonl", "output.jsonl", "questions.jsonl", "requests.jsonl"
    ]  # fmt: skip


def test_compressed_lines_and_lists(imported, tmp_path):
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(chat("q1", "4")).encode()))
    listed = tmp_path / "listed.json"
    listed.write_text(json.dumps([chat("q2", "9")], indent=1))
    assert imported(more=[packed, listed]).sample_correct().tolist() == [[[True], [True]]]


def test_several_runs_of_one_file_are_further_samples(imported, tmp_path):
    again = written(tmp_path, chat("q2", "8", id_="b"), chat("q1", "5", id_="b"), name="again.jsonl")
    pool = imported(
        chat("q1", "4"), chat("q2", "9"), more=[again], warns="2 responses have a custom_id that was answered before"
    )
    assert texts(pool) == ["4", "5", "9", "8"]
    assert "sample_index" not in pool.extra.column_names


def test_a_response_that_is_there_twice_is_refused(imported, tmp_path):
    again = written(tmp_path, chat("q2", "9"), name="again.jsonl")
    with pytest.raises(
        PoolError, match=r"again.jsonl, line 1: this response appears twice. Remove one of the copies, or give"
    ):
        imported(chat("q1", "4"), chat("q2", "9"), more=[again])


def test_questions_come_from_csv_and_keep_their_columns(imported, tmp_path):
    table = tmp_path / "questions.csv"
    table.write_text(
        'question_id,question,truth,choices,topic\nq1,"2 + 2?",A,"[""4"",""5""]",sum\nq2,"3 * 3?",B,"[""8"",""9""]",\n'
    )
    pool = imported(chat("q1-0", "(A)"), chat("q2-0", "The answer is 8"), questions=str(table), rule="choice")
    assert pool.sample_correct().tolist() == [[[True], [False]]]
    assert pool.questions["topic"].tolist()[0] == "sum"
    assert [list(choices) for choices in pool.questions["choices"]] == [["4", "5"], ["8", "9"]]


def test_further_columns_of_questions_may_hold_anything(imported, tmp_path):
    rows = [{**row, "more": more, "n": 3} for row, more in zip(QUESTIONS, [{}, {}], strict=True)]
    pool = imported(chat("q1", "4"), chat("q2", "9"), questions=written(tmp_path, *rows, name="nested.jsonl"))
    assert pool.questions["more"].tolist() == ["{}", "{}"]
    assert pool.questions["n"].tolist() == [3, 3]


def test_the_command_line(run, tmp_path, questions):
    path = written(tmp_path, *(chat(f"s{s}-of-q{q}", "4", model="x") for s in (0, 1) for q in (1, 2)))
    arguments = ("import", "openai-batch", path, "--questions", questions, "--rule", "number", "--model", "y")
    pattern = ("--id-pattern", r"s(?P<sample>\d)-of-(?P<question_id>q\d)")
    code, out, err = run(*arguments, *pattern, "--out", tmp_path / "pool")
    assert (code, err) == (0, "")
    assert "2 questions, 1 model, 4 samples" in out
    pool = load_pool(tmp_path / "pool")
    assert pool.models == ("y",)
    assert pool.sample_correct().tolist() == [[[True, True], [False, False]]]
    test_cli.bad(
        run(*arguments, "--out", tmp_path / "other"), "custom_id 's0-of-q1' refers to question 's0-of-q1', which"
    )
    assert not (tmp_path / "other").exists()


# Bad input ------------------------------------------------------------------------------------------------------------


def test_without_questions_there_is_no_truth(tmp_path):
    with pytest.raises(PoolError, match=r"batches do not contain the truth. Pass a .* as questions=FILE"):
        from_openai_batch(written(tmp_path, chat("q1", "4")), rule="number")


def test_without_a_rule_there_is_no_answer(imported):
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        imported(chat("q1", "4"), rule=None)


@pytest.mark.parametrize(
    ("lines", "options", "says"),
    [
        ([chat("q3-1", "4")], {}, r"line 1: custom_id 'q3-1' refers to question 'q3', which is not in questions.jsonl. "
                                  r"custom_ids look like 'q3-1', question_ids like 'q1', 'q2'. .* id_pattern="),
        ([chat("q1", "4"), refused("request-7")], {},
         r"line 2: custom_id 'request-7' refers to question 'request', .*\. 1 of 2 custom_ids are found. Add the"),
        ([asked("nope")], {}, "custom_id 'nope' refers to question 'nope', which is not in"),
        ([chat("q1", "4")], {"id_pattern": "x(?P<question_id>.*)"},
         r"'q1' does not match id_pattern. Describe custom_ids: id_pattern='\(.P<question_id>.\+\)' finds 1 of 1"),
        ([chat("q1", "4")], {"id_pattern": "(?P<question_id>x)?q1"}, "custom_id 'q1' refers to question '', which"),
        ([chat("q1", "4")], {"id_pattern": "(?P<question_id>.*"}, r"id_pattern: '\(.*' is not a valid regular"),
        ([chat("q1", "4")], {"id_pattern": "(.*)"}, "has the groups none. It must have question_id"),
        ([chat("q1", "4")], {"id_pattern": "(?P<question_id>.)(?P<run>.)"}, "has the groups question_id, run. It must"),
        ([chat("q1b", "4")], {"id_pattern": "(?P<question_id>..)(?P<sample>.)"}, "id_pattern matches 'b'"),
        ([chat("q1", "4")], {"id_pattern": "(?P<question_id>.+)(?P<model>)", "model": "m"}, "model='m', but id"),
        ([chat("q1", "4", model=None)], {}, r"does not name its model. Pass model=NAME"),
        ([chat("q" * 1001, "4")], {}, "the custom_id has 1001 characters. At most 1000"),
        ([chat("", "4")], {}, "'custom_id' is blank"),
        ([{"response": {}}], {}, "no 'custom_id'. Choose from 'response'"),
        ([{"custom_id": "q1", "params": {}}], {}, "line 1: is neither a response .* nor a request"),
        ([chat("q1", "4"), asked("q2")], {}, "line 2: the file mixes requests and responses. Split it into two"),
        ([asked("q2"), chat("q1", "4")], {}, "line 2: the file mixes requests and responses"),
        ([[]], {}, "The files contain no samples"),
        ([[1]], {}, "record 1: expected an object, found a number"),
        ([{"custom_id": "q1", "response": "ok"}], {}, "'response': expected an object, found text"),
        ([chat("q1", "4", choices=[1])], {}, "'choices', item 1: expected an object, found a number"),
        ([chat("q1", "4", choices=[{"index": 0}])], {}, "item 1: has no 'text'. Choose from 'index'"),
        ([chat("q1", "4", choices={"a": 1})], {}, "'choices' is an object. It must be a list"),
        ([chat("q1", "4", usage=(-1, 2))], {}, "'prompt_tokens' is -1. It must be a non-negative integer"),
        ([chat("q1", {})], {}, "'content' is an object. It must be text"),
        ([chat("q1", "4")], {"rule": "numbr"}, "Did you mean 'number'"),
        ([chat("q1", "4")], {"strict": True}, "1 of 2 questions have no samples"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(imported, lines, options, says):
    with pytest.raises(MssimError, match=says) as caught:
        imported(*lines, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "output.jsonl is empty"),
        (b"\n\n", "The files contain no samples"),
        (json.dumps(chat("q1", "4")).encode()[:-20], "line 1: is not valid JSON, or truncated"),
        (b'{"custom_id": "q1", "response": null, "error": NaN}', "NaN is not allowed in JSON, write null"),
        (b"custom_id,response\nq1,4\n", "line 1: is not valid JSON, or truncated"),
        (json.dumps(chat("q1", "\u00e9"), ensure_ascii=False).encode("latin-1"), "line 1: is not UTF-8"),
        (
            b'{"custom_id": "q1", "error": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "line 1: is not valid JSON, or truncated",
        ),
    ],
)
def test_damaged_files_are_refused(imported, tmp_path, content, says):
    path = tmp_path / "output.jsonl"
    path.write_bytes(content)
    with pytest.raises(PoolError, match=says):
        imported(more=[path])


def test_bad_questions_are_refused(imported, tmp_path):
    with pytest.raises(MssimError, match="column 'truth' is missing"):
        imported(chat("q1", "4"), questions=written(tmp_path, {"question_id": 1, "question": "?"}, name="q.jsonl"))
    with pytest.raises(MssimError, match=r"is not a file\. Name a JSONL, CSV or Parquet file"):
        imported(chat("q1", "4"), questions=tmp_path / "none.csv")


# Fuzz -----------------------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["\ud800", 10**400, "4", "q1", "message", -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content", "error", "text"]), inner),
    max_leaves=5,
)  # fmt: skip
BODY, CHOICE = ("response", "body"), ("response", "body", "choices", 0)
PATHS = [
    ("custom_id",), ("id",), ("error",), ("response",), ("response", "status_code"), ("response", "request_id"), BODY,
    *(("response", name) for name in ("id", "model", "choices", "output", "usage")), ("response", "choices", 0),
    *((*BODY, name) for name in ("id", "model", "usage", "choices", "error", "output", "system_fingerprint")),
    *((*BODY, "usage", name) for name in ("prompt_tokens", "completion_tokens", "input_tokens")), CHOICE,
    *((*CHOICE, name) for name in ("message", "text", "finish_reason", "logprobs")), (*CHOICE, "message", "content"),
    ("body",), *(("body", name) for name in ("model", "messages", "n", "temperature", "top_k", "max_tokens", "input")),
    ("body", "reasoning"), ("body", "messages", 0), ("body", "messages", 0, "content"), ("body", "messages", 0, "role"),
]  # fmt: skip
CHANGE = st.tuples(st.integers(0, 7), st.sampled_from(PATHS), ANYTHING)
IDS = st.text("abc", min_size=1, max_size=4)  # few are the same
LINE = st.one_of(
    st.builds(
        chat, st.sampled_from(["q1", "q2", "q1-1", "q2_3", "q1-99999999999999999999"]), st.sampled_from("49 "), id_=IDS
    ),
    st.builds(chat, st.sampled_from(["q1", "q2-7"]), st.just("4"), st.text(max_size=3), id_=IDS),
    st.builds(direct, st.sampled_from(["q1", "q2"]), st.just("4"), id_=IDS),
    st.builds(refused, st.sampled_from(["q1", "q2"])),
    st.builds(asked, st.sampled_from(["q1", "q2", "q2-7"]), n=st.integers(0, 3)),
)


def replaced(line, path, value):
    """The line with another value at a path, if its steps are there."""
    line = json.loads(json.dumps(line))
    inner = line
    try:
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
    except (TypeError, KeyError, IndexError):
        pass
    return line


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
@given(st.lists(LINE, min_size=1, max_size=8), st.lists(CHANGE, max_size=2))
def test_arbitrary_json_is_a_pool_or_an_error(tmp_path_factory, lines, changes):
    folder = tmp_path_factory.mktemp("fuzz")
    for number, path, value in changes:
        lines[number % len(lines)] = replaced(lines[number % len(lines)], path, value)
    kinds = [[line for line in lines if ("body" in line) == asks] for asks in (True, False)]
    paths = [written(folder, *kind, name=f"{number}.jsonl") for number, kind in enumerate(kinds) if kind]
    questions = written(folder, *QUESTIONS, name="questions.jsonl")
    try:
        pool = from_openai_batch(paths, questions=questions, rule="number")
    except MssimError:
        event("refused")
    else:
        event("pool")
        assert pool.lengths.sum() > 0
