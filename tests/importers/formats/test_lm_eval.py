"""lm-evaluation-harness logs: one sample per repeat, answers by a rule or by the task's own filter."""

import gzip
import json

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats.lm_eval import from_lm_eval, read
from mssim.importers.pipeline import Common, import_pool
from tests.cli import test_cli
from tests.conftest import SHARED

run, bad = test_cli.run, test_cli.bad

DATE = "2026-03-01T12-30-45.123456"
STRICT = {"function": "regex", "regex_pattern": r"#### (\-?[0-9\.\,]+)"}
FLEXIBLE = {"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"}
EXACT = {"metric": "exact_match", "ignore_case": True, "regexes_to_ignore": [",", r"\$", "(?s).*#### ", r"\.$"]}
CONFIG = {
    "task": "sums",
    "output_type": "generate_until",
    "num_fewshot": 5,
    "metric_list": [EXACT],
    "filter_list": [
        {"name": "strict-match", "filter": [STRICT, {"function": "take_first"}]},
        {"name": "flexible-extract", "filter": [FLEXIBLE, {"function": "take_first"}]},
        {"name": "maj@3", "filter": [STRICT, {"function": "majority_vote"}, {"function": "take_first"}]},
    ],
}
# What each filter finds: strict 7 7. none, flexible 7 7. 1,007; strict none 12 12, flexible 5 12 12
TEXTS = {0: ["so #### 7", "3 and 4: #### 7. Done #### 9", "about $1,007"], 1: ["5", "#### 12", "#### 12"]}
SOLUTIONS = {0: "3 + 4 = 7\n#### 7", 1: "1 + 11\n#### 12"}
LOGGED = {"strict-match": ("7", "[invalid]"), "flexible-extract": ("7", "5"), "maj@3": ("7", "12")}
RIGHT = {"strict-match": (1.0, 0.0), "flexible-extract": (1.0, 0.0), "maj@3": (1.0, 1.0)}


def line(doc, name, texts=None, /, **changed):
    return {
        "doc_id": doc,
        "doc": {"question": f"sum {doc}?", "answer": SOLUTIONS.get(doc)},
        "target": SOLUTIONS.get(doc),
        "arguments": {"gen_args_0": {"arg_0": f"Q: sum {doc}? A:", "arg_1": {"until": ["Q:"], "temperature": 0.7}}},
        "resps": [TEXTS[doc] if texts is None else texts],
        "filtered_resps": [LOGGED[name][doc]],
        "filter": name,
        "doc_hash": f"hash of {doc}",
        "exact_match": RIGHT[name][doc],
    } | changed


LINES = [line(doc, name) for name in LOGGED for doc in TEXTS]


def write(folder, lines, *, task="sums", date=DATE, results=None, model="org/m"):
    """Write a run as lm-eval lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"samples_{task}_{date}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    if results is not False:
        results = results or {"model_name": model, "configs": {task: CONFIG}}
        (folder / f"results_{date}.json").write_text(json.dumps(results))
    return path


def config(**changed):
    return {"model_name": "org/m", "configs": {"sums": {k: v for k, v in (CONFIG | changed).items() if v is not None}}}


def rows(pool, *columns):
    frame = pool.to_frame()
    frame["answer"] = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    return list(frame[list(columns)].itertuples(index=False, name=None))


def told(says):
    return pytest.warns(PoolWarning, match=says)


def test_repeats_are_samples_and_each_document_counts_once(tmp_path):
    write(tmp_path / "org__m", LINES)
    pool = from_lm_eval(tmp_path, rule="number")
    assert rows(pool, "question_id", "model", "sample_index", "answer", "correct", "text") == [
        ("0", "org/m", 0, "7", True, TEXTS[0][0]),
        ("0", "org/m", 1, "9", False, TEXTS[0][1]),
        ("0", "org/m", 2, "1007", False, TEXTS[0][2]),
        ("1", "org/m", 0, "5", False, TEXTS[1][0]),
        ("1", "org/m", 1, "12", True, TEXTS[1][1]),
        ("1", "org/m", 2, "12", True, TEXTS[1][2]),
    ]
    frame = pool.to_frame()
    assert set(zip(frame["question"], frame["truth"], frame["task"], strict=True)) == {
        ("sum 0?", "7", "sums"), ("sum 1?", "12", "sums")
    }  # fmt: skip
    assert set(frame["temperature"]) == {0.7}
    assert set(frame["prompt"]) == {"5-shot"}


def test_a_rule_beside_a_filter_grades_and_what_the_filter_says_is_kept(tmp_path):
    path = write(tmp_path / "org__m", LINES)
    with told("the rule number and the verdicts of the file disagree on 1 of 6 samples, e.g. question 0: answer '9'"):
        pool = from_lm_eval(path, filter_name="strict-match", rule="number")
    assert rows(pool, "correct", "correct_in_source")[1] == (False, True)


def test_runs_without_repeats_have_what_the_log_says(tmp_path):
    lines = [line(0, "strict-match", ["??"], filtered_resps=["seven"], exact_match=1.0)]
    first = write(tmp_path / "m", lines, results=config(process_results="def grade(doc, results): ..."))
    lines = [line(0, "strict-match", ["!!"], filtered_resps=["8"], exact_match=0)]
    second = write(tmp_path / "m", lines, date="2026-03-02T00-00-00", results=config(filter_list=None))
    pool = from_lm_eval([first, second], filter_name="strict-match")
    assert rows(pool, "sample_index", "answer", "correct") == [(0, "seven", True), (1, "8", False)]


def test_models_tasks_and_runs(tmp_path):
    write(tmp_path / "a", LINES, model="org/a")
    write(tmp_path / "a", LINES[:3], task="more_sums", model="org/a", results=False)
    write(tmp_path / "org__b", LINES[2:], results=False)
    write(tmp_path / "org__b", LINES[1:], results=False, date="2026-03-02T00-00-00")
    with pytest.warns(PoolWarning) as caught:
        pool = from_lm_eval(tmp_path, rule="number")
    assert [str(warning.message)[:34] for warning in caught] == [
        "samples per question and model ran",
        "model 'org__b' has no samples for ",
        "mixed settings: column 'prompt' va",  # of the run without a results file nothing is known
    ]
    assert pool.question_ids == ["more_sums/0", "more_sums/1", "sums/0", "sums/1"]
    assert pool.info["import"]["remarks"][-1].startswith(
        "the tool reports the 2 values of task separately: 'more_sums'"
    )
    assert pool.models == ("org/a", "org__b")
    assert pool.lengths.tolist() == [[3, 3, 3, 3], [0, 0, 6, 6]]
    with pytest.warns(PoolWarning):
        assert from_lm_eval(tmp_path, rule="number", model="one").models == ("one",)


def test_results_under_the_name_of_an_output_file(tmp_path):
    path = write(tmp_path, LINES, results=False)
    (tmp_path / f"mine_{DATE}.json").write_text(json.dumps({"model_name": "org/m", "chat_template": "x", **SYSTEM}))
    pool = from_lm_eval(path, rule="number")
    assert pool.models == ("org/m",)
    assert set(pool.to_frame()["system_prompt"]) == {"Add."}


SYSTEM = {"system_instruction": "Add.", "configs": {"sums": CONFIG}}


@pytest.mark.parametrize("text", ['{"results": {"stderr": NaN}}', '{"results"', "", "[1]"])
def test_results_that_cannot_be_read_are_told(tmp_path, text):
    path = write(tmp_path / "folder", LINES, results=False)
    (tmp_path / "folder" / f"results_{DATE}.json").write_text(text)
    with told("Its model, settings and filters are not used"):
        pool = from_lm_eval(path, rule="number")
    assert pool.models == ("folder",)


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 40, "max_gen_toks": 64}, (0.5, 0.9, 40, 64)),
        ({"do_sample": False, "max_new_tokens": 32, "top_k": -1}, (0.0, None, None, 32)),
        ({"do_sample": True, "reasoning_effort": "low"}, (None, None, None, None)),
    ],
)
def test_settings(tmp_path, given, settings):
    arguments = {"gen_args_0": {"arg_0": "?", "arg_1": given}}
    path = write(tmp_path / "m", [line(0, "strict-match", ["7"], arguments=arguments)], results=False)
    frame = from_lm_eval(path, rule="number").to_frame()
    names = ("temperature", "top_p", "top_k", "max_tokens")
    assert tuple(frame[name][0] if name in frame else None for name in names) == settings
    assert ("reasoning_effort" in frame) == ("reasoning_effort" in given)


def test_older_files_are_one_list_with_lists_of_arguments(tmp_path):
    old = line(0, "strict-match", arguments=[["Q: sum?", {"temperature": 0.3}]], doc={"n": 0}, doc_hash=None)
    path = tmp_path / "pretrained__m_sums.jsonl"
    path.write_text(json.dumps([old], indent=2))
    frame = from_lm_eval(path, rule="number", model="m").to_frame()
    assert set(zip(frame["temperature"], frame["question"], frame["truth"], strict=True)) == {(0.3, "Q: sum?", "7")}


def test_compressed_files_keep_their_task_and_model(tmp_path):
    path = write(tmp_path / "m", LINES)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    pool = from_lm_eval(tmp_path, rule="number")
    assert (pool.models, set(pool.questions["task"])) == (("org/m",), {"sums"})


@pytest.mark.parametrize(
    ("changed", "question", "truth", "choices"),
    [
        ({"doc": {"problem": "p", "options": ["a", "b"]}}, "p", "7", ["a", "b"]),
        ({"doc": {"question": " ", "input": ["x"], "goal": "g", "choices": {"text": ["a"]}}}, "g", "7", None),
        ({"doc": "?", "arguments": {"gen_args_0": {"arg_0": ['[{"role": "user"}]'], "arg_1": {}}}},
         '[{"role": "user"}]', "7", None),
        ({"doc": None, "arguments": None, "target": " seven "}, None, "seven", None),
        ({"target": 7}, "sum 0?", "7", None),
        ({"target": "# Title\n#### Part\ntext"}, "sum 0?", "# Title\n#### Part\ntext", None),
    ],
)  # fmt: skip
def test_questions(tmp_path, changed, question, truth, choices):
    path = write(tmp_path / "m", [line(0, "strict-match", ["7"], **changed)], results=False)
    if truth == "7":
        frame = from_lm_eval(path, rule="exact").to_frame()
    else:
        with told("disagree on 1 of 1 sample"):
            frame = from_lm_eval(path, rule="exact").to_frame()
    found = frame["question"][0] if "question" in frame else None
    assert (found, frame["truth"][0]) == (question, truth)
    assert (list(frame["choices"][0]) if "choices" in frame else None) == choices


def test_choices_that_each_run_shuffles_are_told_by_their_texts(tmp_path):
    """As gpqa does: (A) of one run is (B) of the other, and doc_hash differs."""

    def run_of(model, names, said, right, truth):
        doc = {"question": "Which flies?"} | {f"choice{i}": name for i, name in enumerate(names, 1)}
        changed = {"doc": doc, "target": truth, "doc_hash": model, "filtered_resps": [said], "exact_match": right}
        return write(tmp_path / model, [line(0, "strict-match", [f"It is {said}"], **changed)], model=model)

    runs = [
        run_of("x", ["cow", "crow", "cat"], "(B)", 1.0, "(B)"),
        run_of("y", ["crow", "cat", "cow"], "(B)", 0.0, "(A)"),
    ]
    pool = from_lm_eval(runs, filter_name="strict-match")
    assert rows(pool, "model", "answer", "correct") == [("x", "crow", True), ("y", "cat", False)]
    assert pool.questions["truth"].tolist() == ["crow"]
    with pytest.raises(PoolError, match="rule: the choices of 1 question were shuffled, so letters in the texts of"):
        from_lm_eval(runs, rule="choice")
    for names, truth, says in (("hen", "(A)", "lists of choices"), ("cow", "(B)", "truths, 'crow' and 'cat'")):
        other = run_of("z", ["crow", "cat", names], "(A)", 1.0, truth)
        with pytest.raises(PoolError, match=f"question '0' has two {says}"):
            from_lm_eval([*runs, other], filter_name="strict-match")


def test_targets_that_are_numbers_of_choices(tmp_path):
    names = ["red", "blue"]
    lines = [line(0, "strict-match", ["blue", "red"], filter="none", filtered_resps=["blue"], target="1")]
    results = config(filter_list=None, metric_list=None, doc_to_choice=names)
    pool = from_lm_eval(write(tmp_path / "m", lines, results=results), filter_name="none")
    assert rows(pool, "answer", "correct") == [("blue", True), ("red", False)]


def test_several_targets(tmp_path):
    lines = [line(0, "strict-match", ["8", "7", "6"], filter="none", filtered_resps=["8"], target=["7", "8"])]
    path = write(tmp_path / "m", lines, results=config(filter_list=None))
    with told("some documents have several correct answers. A rule compares with the first"):
        pool = from_lm_eval(path, filter_name="none")
    assert rows(pool, "answer", "correct") == [("8", True), ("7", True), ("6", False)]
    with told("and with none if the list is text"), told(r"no answer of org/m is right, e.g. question 0: answer"):
        from_lm_eval(write(tmp_path / "n", [line(0, "strict-match", target="['7', '8']")]), rule="exact")


def test_responses_that_were_not_had_are_counted(tmp_path):
    path = write(tmp_path / "m", [line(0, "strict-match", ["so #### 7", None, "#### 7"]), line(1, "strict-match", [])])
    for options in ({"rule": "number"}, {"filter_name": "strict-match"}):
        with told("2 samples failed and are not in the pool: 2 no response"):
            pool = from_lm_eval(path, **options)
        assert rows(pool, "question_id", "answer", "correct") == [("0", "7", True)] * 2


OTHER = [line(0, "strict-match"), line(0, "maj@3", ["8", "8", "8"])]
LIKELIHOODS = line(0, "strict-match") | {"resps": [[["-1.5", "False"]], [["-0.5", "True"]]]}
ROLLING = line(0, "strict-match", ["-123.4"], arguments={"gen_args_0": {"arg_0": "text"}})
FEW = {"function": "multi_choice_regex", "regex_pattern": "x"}


def broken(**changed):
    return config(filter_list=[{"name": "strict-match", "filter": [STRICT | changed]}])


@pytest.mark.parametrize(
    ("lines", "results", "filter_name", "says"),
    [
        (OTHER, None, None, "line 2: document '0' has other responses .* Store each run in"),
        ([LIKELIHOODS], None, None, "likelihoods, not generated texts. Pass files of tasks that"),
        ([ROLLING], None, None, "likelihoods"),
        ([line(0, "strict-match", [-3.5])], None, None, "likelihoods"),
        ([line(0, "strict-match") | {"arguments": [1]}], None, None, "likelihoods"),
        ([line(0, "strict-match") | {"arguments": 1}], None, None, "'arguments': expected an object, found a number"),
        ([line(0, "strict-match") | {"resps": None}], None, None, r"'resps' is null. It must have a value"),
        ([{"custom_id": "1"}], None, None, "no 'doc_id'. Choose from 'custom_id'"),
        (LINES, None, None, "texts but no answers. Extract the answers with a rule"),
        (LINES, None, "strict", "no line of filter 'strict'. Did you mean 'strict-match'"),
        (LINES[:3], None, "flexible-extract", "document '1' has no line of the chosen filter. The file is incomplete"),
        (LINES, False, "strict-match", "no results file defines filter 'strict-match'. Grade with a rule"),
        (LINES, config(filter_list=None), "strict-match", "no results file defines filter 'strict-match'"),
        (LINES, broken(regex_pattern="("), "strict-match", r"the pattern '\(' is not a valid regular"),
        (LINES, broken(regex_pattern=None), "strict-match", "'regex_pattern' is null"),
        (LINES, broken(function="multi_choice_regex"), "strict-match", "'multi_choice_regex' is not supported"),
        (LINES, broken(group_select=1), "strict-match", r"yields \['\[invalid\]'\], but the log has \['7'\]"),
        (LINES, config(process_results="def f"), "strict-match", "does not use exact_match alone"),
        (LINES, config(metric_list=[{"metric": "f1"}]), "strict-match", "does not use exact_match alone"),
        (LINES, config(metric_list=[{"metric": "exact_match"}]), "strict-match",
         "exact_match of '7' is 1 in the log, but 0 here. Grade with a rule"),
        ([line(0, "maj@3") | {"target": None}], None, "maj@3", "has no target to compare answers with"),
        ([line(0, "maj@3") | {"filtered_resps": [{}]}], None, "maj@3", "'filtered_resps', item 1 is an object"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, lines, results, filter_name, says):
    path = write(tmp_path / "m", lines, results=results)
    with pytest.raises(PoolError, match=says) as caught:
        from_lm_eval(path, filter_name=filter_name, rule="number" if "likelihoods" in says else None)
    assert "\n" not in str(caught.value)


def test_other_documents_in_another_file_are_refused(tmp_path):
    write(tmp_path / "a", LINES)
    write(tmp_path / "b", [line(0, "strict-match", doc_hash="another")], model="other")
    with pytest.raises(PoolError, match="question '0' has two values of doc_hash, 'hash of 0' and 'another'"):
        from_lm_eval(tmp_path, rule="number")
    write(tmp_path / "b", [line(0, "strict-match", target="8")], model="other")
    with pytest.raises(PoolError, match="two truths"):
        from_lm_eval(tmp_path, rule="number")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ('{"doc_id": 0, "resps": [["a"', "line 1: is not valid JSON, or truncated"),
        ("7\n", "line 1: expected an object, found a number"),
        ('[{"doc_id": 0}', "no 'resps'"),
        ("{}", "no 'doc_id'"),
        (json.dumps(LINES[0]) + '\n{"doc_id": NaN}', "line 2: is not valid JSON, or truncated"),
    ],
)
def test_damaged_files(tmp_path, text, says):
    path = tmp_path / f"samples_sums_{DATE}.jsonl"
    path.write_text(text)
    with pytest.raises(PoolError, match=says):
        from_lm_eval(path, rule="number")


def test_a_file_of_no_known_model_is_refused(tmp_path):
    path = tmp_path / "renamed.jsonl"
    path.write_text(json.dumps(LINES[0]))
    with pytest.raises(PoolError, match=r"neither the file name nor a results file .* Pass model=NAME"):
        from_lm_eval(path, rule="number")
    with pytest.raises(PoolError, match=r"this folder has no file samples_\*\.jsonl"):
        from_lm_eval(tmp_path, rule="number")


def test_on_the_command_line(run, tmp_path):
    write(tmp_path / "org__m", LINES)
    found = ("import", "lm-eval", tmp_path / "org__m", "--out", tmp_path / "pool")
    code, text, err = run(*found, "--filter", "flexible-extract", "--model", "mine")
    assert (code, err) == (0, "")
    assert text.startswith("2 questions, 1 model, 6 samples\n")
    assert load_pool(tmp_path / "pool").models == ("mine",)
    bad(run(*found[:-1], tmp_path / "other", "--filter", "strict"), "no line of filter 'strict'. Did you mean")
    assert not (tmp_path / "other").exists()


def test_the_shared_fixture():
    path = SHARED / "fixtures" / "lm_eval_repeats3_two_filters.jsonl"
    if not path.exists():
        pytest.skip("the fixtures of others, which are not part of the project, are not beside the checkout")
    with told("gives no answer in 100.0%"):
        pool = from_lm_eval(path, rule="number", model="m")
    assert (pool.question_ids, pool.models, pool.lengths.tolist()) == (["0", "1"], ("m",), [[3, 3]])
    assert set(pool.to_frame()["text"]) == {"lol"}


# Fuzz -----------------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [
        *(None, True, -1, 1.5, 10**400, "", " ", "7", "\ud800", "[invalid]", "(", "x" * 50, {}, {"a": 1}),
        *([], [[]], ["a"], [["7", None]], [[["-1", "False"]]], [["p", {"top_k": 10**30}]]),
        {"gen_args_0": {"arg_1": {"temperature": "x"}}},
    ]
)
LINE_KEYS = (*LINES[0], "metrics", "acc")
STEP_KEYS = ("function", "regex_pattern", "group_select", "fallback")
METRIC_KEYS = ("metric", "ignore_case", "ignore_punctuation", "regexes_to_ignore")


def changes(keys):
    return st.one_of(st.just({}), st.dictionaries(st.sampled_from(keys), ODD, max_size=2))


@given(
    lines=st.lists(
        st.tuples(st.sampled_from(LINES), st.one_of(st.just({}), changes(LINE_KEYS))), min_size=1, max_size=6
    ),
    step=changes(STEP_KEYS),
    metric=changes(METRIC_KEYS),
    of_config=changes((*CONFIG, "process_results", "doc_to_choice")),
    of_results=changes(("model_name", "configs", "system_instruction")),
    options=st.sampled_from([{"rule": "number"}, {"filter_name": "strict-match"}, {"filter_name": "maj@3"}, {}]),
)
def test_any_json_gives_a_pool_or_an_error(tmp_path_factory, lines, step, metric, of_config, of_results, options):
    folder = tmp_path_factory.mktemp("fuzz")
    filters = [{"name": name, "filter": [STRICT | step, {"function": "take_first"}]} for name in LOGGED]
    results = config(**{"filter_list": filters, "metric_list": [EXACT | metric]} | of_config) | of_results
    path = write(folder, [one | change for one, change in lines], results=results)
    rule, filter_name = options.get("rule"), options.get("filter_name")
    said = ""
    try:
        import_pool(
            "lm-eval",
            lambda sources, sink: read(sources, sink, filter_name=filter_name),
            [path],
            folder / "pool",
            Common(rule=rule),
        )
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)


def test_filters_are_named_where_answers_are_missing(tmp_path):
    path = write(tmp_path / "m", [line(0, "strict-match", ["7"]), line(0, "flexible-extract", ["7"])], results=False)
    with pytest.raises(
        PoolError, match=r"regex=PATTERN, or .* filter_name='strict-match' or filter_name='flexible-extract'"
    ):
        from_lm_eval(path)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"exact_match": 1.0}, True),
        ({"exact_match": 0}, False),
        ({"exact_match": None, "metrics": ["f1"], "f1": 1}, True),
        ({"exact_match": None, "metrics": ["f1"], "f1": 0.5}, None),
        ({"exact_match": None, "acc": 0.0, "metrics": 7}, False),
        ({"exact_match": None}, None),
    ],
)
def test_verdicts_on_single_responses_are_kept(tmp_path, given, verdict):
    path = write(tmp_path / "m", [line(0, "strict-match", ["7"], **given)], results=False)
    if verdict is False:
        with told(
            "the rule number and the verdicts of the file disagree on 1 of 1 sample, e.g. question 0: answer '7'"
        ):
            frame = from_lm_eval(path, rule="number").to_frame()
    else:
        frame = from_lm_eval(path, rule="number").to_frame()
    assert (frame["correct_in_source"].tolist() if "correct_in_source" in frame else [None]) == [verdict]


def test_the_verdict_on_several_responses_belongs_to_none_of_them(tmp_path):
    path = write(tmp_path / "m", [line(0, "strict-match", ["7", "8"], exact_match=0)], results=False)
    assert "correct_in_source" not in from_lm_eval(path, rule="number").to_frame()


def test_filters_that_do_not_agree_give_no_verdict(tmp_path):
    def lines(doc, strict, flexible):
        named = {"strict-match": strict, "flexible-extract": flexible}
        return [line(doc, name, ["7"], target="7", exact_match=right) for name, right in named.items()]

    path = write(tmp_path / "m", [*lines(0, 0, 1), *lines(1, 0, 0)], results=False)
    with told("the rule number and the verdicts of the file disagree on 1 of 1 sample, e.g. question 1: answer '7'"):
        frame = from_lm_eval(path, rule="number").to_frame()
    assert frame["correct_in_source"].astype(object).where(frame["correct_in_source"].notna(), None).tolist() == [
        None, False
    ]  # fmt: skip
