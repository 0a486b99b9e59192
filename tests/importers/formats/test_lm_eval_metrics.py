"""Metrics of lm-evaluation-harness as verdicts: which one, on which response, and when they are refused."""

import json

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError
from mssim.importers.fields import Fields
from mssim.importers.formats.lm_eval import from_lm_eval, read
from mssim.importers.formats.lm_eval_metrics import Metrics, agreed
from mssim.importers.pipeline import Common, import_pool
from tests.cli import test_cli
from tests.importers.formats.test_lm_eval import EXACT, ODD, config, line, rows, told, write

run = test_cli.run

OWN = config(filter_list=None, process_results="def process_results(doc, results): ...")


def judged(doc, text="an answer", /, filtered=None, *, filter_="none", target="7", **metrics):
    """A line of a task with metrics of its own."""
    own = {"filter": filter_, "metrics": list(metrics), "target": target, "exact_match": None, **metrics}
    own |= {"doc_id": doc, "doc_hash": str(doc), "filtered_resps": [text if filtered is None else filtered]}
    return line(0, "maj@3", [text], **own)


def imported(folder, lines, results=OWN, **options):
    return from_lm_eval(write(folder / "m", lines, results=results), **{"filter_name": "none", **options})


def verdicts(pool):
    return rows(pool, "question_id", "correct"), pool.info.get("votes")


IFEVAL = [
    judged(0, strict=True, inst_level=[True, True], target=0),
    judged(1, strict=False, inst_level=[True, False], target=0),
    judged(2, strict=True, inst_level=[True], target=0),
]
CODE = [
    judged(doc, "return 1", [f"def f{doc}(): return 1"], target=f"check(f{doc})", **{"pass@1": right})
    | {"metrics": ["pass_at_k"]}
    for doc, right in enumerate((1.0, 0.0, 1.0))
]
MATH = [judged(0, r"\boxed{7}", exact_match=1, math_verify=1), judged(1, r"\boxed{12.0}", exact_match=0, math_verify=1)]
SCORES = [judged(0, em=1.0, f1=1.0, metric=3), judged(1, em=0.0, f1=0.4, metric=1)]
RIGHT_WRONG_RIGHT = [("0", True), ("1", False), ("2", True)]


@pytest.mark.parametrize(("results", "older"), [(OWN, False), (False, True)], ids=["own code", "older"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (IFEVAL, RIGHT_WRONG_RIGHT),  # a list is not a verdict
        (CODE, RIGHT_WRONG_RIGHT),  # the function pass_at_k is named, its value is pass@1
        (SCORES, RIGHT_WRONG_RIGHT[:2]),  # neither is a score, though it is 1 in one line
    ],
)
def test_the_only_metric_that_is_right_or_wrong_is_the_verdict(tmp_path, lines, expected, results, older):
    if older:  # before 0.4.7 a line had neither
        lines = [{k: v for k, v in one.items() if k not in ("filter", "metrics")} for one in lines]
    assert verdicts(imported(tmp_path, lines, results)) == (expected, False)


def test_several_metrics_are_refused_until_one_is_chosen(tmp_path):
    with pytest.raises(PoolError, match=r"right or wrong: 'exact_match', 'math_verify'. Choose one .*metric=NAME"):
        imported(tmp_path, MATH)
    assert verdicts(imported(tmp_path, MATH, metric="math_verify")) == ([("0", True), ("1", True)], False)
    for results in (OWN, False):  # a whole response is not what exact_match compares
        pool = imported(tmp_path / f"results {bool(results)}", MATH, results, metric="exact_match")
        assert verdicts(pool) == ([("0", True), ("1", False)], False)


def test_a_metric_alone_chooses_the_only_filter(tmp_path):
    assert verdicts(imported(tmp_path, MATH, filter_name=None, metric="math_verify"))[0] == [("0", True), ("1", True)]
    lines = [*MATH, *(one | {"filter": "strict"} for one in MATH)]
    with pytest.raises(
        PoolError, match=r"lines of several filters: 'none', 'strict'. Choose one with filter_name=NAME"
    ):
        imported(tmp_path, lines, filter_name=None, metric="math_verify")


def test_a_metric_may_be_chosen_although_the_comparison_is_known(tmp_path):
    lines = [judged(0, "7", exact_match=1, other=0), judged(1, "8", exact_match=0, other=1)]
    known = config(filter_list=None, metric_list=[EXACT, {"metric": "other"}])
    assert rows(imported(tmp_path, lines, known), "answer", "correct") == [("7", True), ("8", False)]
    assert rows(imported(tmp_path, lines, known, metric="exact_match"), "answer") == [("7",), ("8",)]
    assert verdicts(imported(tmp_path, lines, known, metric="other")) == ([("0", False), ("1", True)], False)


@pytest.mark.parametrize(
    ("results", "filtered", "expected"),
    [
        (False, "Yes.", [("Yes.", True)]),
        (OWN, "yes", [("yes", True)]),  # the filter extracted it
        (OWN, "Yes.", [("0 right", True)]),
        (False, "It is \\boxed{yes}.", [("0 right", True)]),  # the task found the answer in it
        (False, "It is no.", [("It is no.", False)]),
        (config(filter_list=None), "It is \\boxed{yes}.", [("it is \\boxed{yes}", True)]),  # a known comparison
    ],
)
def test_exact_match_alone_judges_the_answers_of_a_filter(tmp_path, results, filtered, expected):
    text = "Yes." if filtered == "yes" else filtered
    lines = [judged(0, text, filtered, exact_match=float("no" not in text), target="yes")]
    assert rows(imported(tmp_path, lines, results), "answer", "correct") == expected


REPEATS = [
    line(0, "maj@3", ["a", "b"], filtered_resps=[["a", "b"]], filter="none", metrics=["pass@1"], exact_match=None)
    | {"pass@1": 0.5}
]


@pytest.mark.parametrize(
    ("lines", "options", "says"),
    [
        (REPEATS, {}, "documents have up to 2 responses, but one value of 'pass@1' for all of them"),
        ([REPEATS[0] | {"pass@1": 1.0}], {"metric": "pass@1"}, "the verdict on each response is not logged. Grade the"),
        ([judged(0, bleu=0.3, parts=[1])], {}, r"is right or wrong, e.g. 'bleu': .*line 1: 'bleu' is a number"),
        ([judged(0, exact_match=0.5)], {}, "no metric of its lines is right or wrong, e.g. 'exact_match'"),
        ([judged(0, exact_match=0.5)], {"results": False}, "no metric of its lines is right or wrong"),
        ([judged(0, **{f"m{number}": 1 for number in range(10)})], {}, "wrong: 'm0', .*, 'm7' and 2 more. Choose one"),
        (SCORES, {"metric": "f1"}, "line 2: 'f1' is a number. It must be true or false. Choose another metric"),
        (IFEVAL, {"metric": "inst_level"}, "line 1: 'inst_level' is a list"),
        (IFEVAL, {"metric": "strikt"}, "no metric 'strikt'. Did you mean 'strict'"),
        ([judged(0)], {"metric": "acc"}, r"no metric 'acc'. They have none. Remove metric="),
        (IFEVAL, {"filter_name": "nones"}, "no line of filter 'nones'. Did you mean 'none'"),
        ([*MATH[:1], judged(0, r"\boxed{7}", "7", exact_match=0)], {"metric": "exact_match"},
         "document '0' has other answers in an earlier line of filter 'none'. Versions before 0.4.7 do not name"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, lines, options, says):
    with pytest.raises(PoolError, match=says) as caught:
        imported(tmp_path, lines, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("said", "right"), [(1 / 3, True), (2 / 3, False), (1.0, False)])
def test_a_mean_over_repeats_must_be_that_of_the_answers(tmp_path, said, right):
    lines = [line(0, "maj@3", ["7", "8", "7."], filtered_resps=[["7", "8", "7."]], filter="none", exact_match=said)]
    lines[0]["target"] = "7"
    if right:
        with told("the metric of filter 'none' is not known. Answers are compared with the truth literally"):
            pool = imported(tmp_path, lines, False)
        assert rows(pool, "answer", "correct") == [("7", True), ("8", False), ("7.", False)]
        return
    with pytest.raises(PoolError, match=r"exact_match of 3 responses is (0.66|1).* literally is 0.333333. Grade with"):
        imported(tmp_path, lines, False)


def test_a_metric_that_is_lower_for_better_responses_is_no_verdict(tmp_path):
    metrics = [{"metric": "toxic", "higher_is_better": False}, {"metric": "polite", "higher_is_better": True}]
    results = config(filter_list=None, metric_list=metrics)
    lines = [judged(0, toxic=1, polite=0), judged(1, toxic=0, polite=1)]
    assert verdicts(imported(tmp_path, lines, results)) == ([("0", False), ("1", True)], False)
    with pytest.raises(PoolError, match=r"'toxic' is lower for better responses. Choose another metric"):
        imported(tmp_path, lines, results, metric="toxic")
    with pytest.raises(PoolError, match=r"e.g. 'toxic': .*'toxic' is lower for better responses. Grade the texts"):
        imported(tmp_path, [judged(0, toxic=1)], results)


def test_documents_without_a_value_failed(tmp_path):
    lines = [judged(0, acc=1), judged(1, acc=None), judged(2), judged(3, None, acc=0)]
    with told(r"3 samples failed and are not in the pool: 2 no value of acc, 1 no response"):
        pool = imported(tmp_path, lines)
    assert verdicts(pool) == ([("0", True)], False)


def test_targets_of_any_kind_are_no_truths(tmp_path):
    lines = [judged(0, acc=1, target={"a": 1}), judged(1, acc=0, target=[["7"], "8"]), judged(2, acc=1, target="7")]
    pool = imported(tmp_path, lines)
    assert pool.questions["truth"].fillna("").tolist() == ["", "", "7"]


def test_tasks_with_and_without_answers_have_only_verdicts(tmp_path):
    exact = [judged(0, "7", exact_match=1), judged(1, "8", exact_match=0)]
    results = {"model_name": "org/m", "configs": {"ifeval": OWN["configs"]["sums"], "sums": {"num_fewshot": 5}}}
    write(tmp_path / "m", IFEVAL, task="ifeval", results=results)
    write(tmp_path / "m", exact, results=results)
    pool = from_lm_eval(tmp_path, filter_name="none")
    assert verdicts(pool)[1] is False
    assert [right for name, right in rows(pool, "question_id", "correct") if name.startswith("sums")] == [True, False]
    assert any("ifeval has verdicts but no answers" in remark for remark in pool.info["import"]["remarks"])
    chosen = from_lm_eval(tmp_path, filter_name="none", metric="strict")  # which the other task does not have
    assert chosen.sample_correct().tolist() == pool.sample_correct().tolist()


def test_the_metric_is_kept_beside_a_rule(tmp_path):
    with told("the rule boxed and the verdicts of the file disagree on 1 of 2 samples, e.g. question 1: answer '12.0'"):
        frame = imported(tmp_path, MATH, rule="boxed", metric="math_verify").to_frame()
    assert frame["correct_in_source"].tolist() == [True, True]


def test_which_metric_is_compared_with_a_rule():
    def logged(*lines):
        metrics = Metrics()
        for one in lines:
            metrics.add(Fields.of(one, "line"), one["doc_id"], one["resps"][0])
        return metrics

    assert agreed([logged(*MATH)]) == {0: True, 1: False}  # exact_match before others
    assert agreed([logged(judged(0, x=1, y=0))]) == {}
    assert agreed([logged(judged(0, x=1, y=0.5))]) == {0: True}
    assert agreed([logged(judged(0, x=1, y=1), judged(1, x=0, y=1), judged(2, y=0))]) == {0: True, 2: False}
    assert agreed([logged(*IFEVAL), logged(judged(0, acc=0))]) == {1: False, 2: True}
    assert agreed([logged(*REPEATS), logged(judged(0, acc=0))]) == {}


def test_the_option_on_the_command_line(run, tmp_path):
    write(tmp_path / "m", MATH, results=False)
    found = ("import", "lm-eval", tmp_path / "m", "--metric", "math_verify", "--json", "--out", tmp_path / "pool")
    code, text, _ = run(*found)
    assert code == 0
    assert json.loads(text)["models"][0]["accuracy"] == 1.0
    test_cli.bad(run("import", "table", tmp_path / "m", "--metric", "acc", "--out", tmp_path / "b"), "--metric: not an")


VALUES = st.one_of(st.sampled_from([0, 1, True, False, 1.0, 0.5, None, [True], 2]), ODD)
CHANGED = st.dictionaries(st.sampled_from(["acc", "exact_match", "pass@1", "f1", "metrics", "doc", "filter"]), VALUES)


@st.composite
def tasks(draw):
    """Lines of one task, some of them changed, and options that fit the task."""
    lines, metric = draw(st.sampled_from([(IFEVAL, "strict"), (CODE, "pass@1"), (MATH, "math_verify"), (SCORES, "em")]))
    changed = st.tuples(st.sampled_from([*lines, *REPEATS]), st.one_of(st.just({}), CHANGED))
    options = [{"filter_name": "none"}, {"filter_name": "none", "metric": metric}, {"metric": metric}]
    numbered = enumerate(draw(st.lists(changed, min_size=1, max_size=4)))
    return [one | change | {"doc_id": number} for number, (one, change) in numbered], draw(st.sampled_from(options))


@pytest.mark.slow
@given(task=tasks(), own=st.booleans(), rule=st.sampled_from([None, "boxed"]))
def test_any_values_give_a_pool_or_an_error(tmp_path_factory, task, own, rule):
    folder, (lines, options) = tmp_path_factory.mktemp("fuzz"), task
    path, said = write(folder / "m", lines, results=OWN if own else False), ""
    try:
        import_pool(
            "lm-eval", lambda sources, sink: read(sources, sink, **options), [path], folder / "p", Common(rule=rule)
        )
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "p").exists() == (not said)
