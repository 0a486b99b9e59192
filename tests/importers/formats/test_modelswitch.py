"""Files of the ModelSwitch release, in both shapes, made up here; and their figures beside published numbers."""

import json

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from matplotlib.container import BarContainer
from matplotlib.text import Text

from analysis import equal_budget, number_and_order, published, simulated
from analysis.running import Tables
from analysis.sources import named
from figures import fig4_equal_budget, fig5_debate, fig6_number_and_order, theory
from figures.drawing import FIGURES, sheets
from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers import from_modelswitch
from tests.cli import test_cli
from tests.conftest import SHARED

run = test_cli.run


def merged(no=None, question="2+2?", solution="4", **models):
    """A merged record: {model: answers}, each with a text."""
    record = {"question": question, "solution": solution} | ({} if no is None else {"no": no})
    for model, answers in models.items():
        record[f"{model}_Sampling"] = [f"It is \\boxed{{{answer}}}." for answer in answers]
        record[f"{model}_ans_list"] = answers
        record[f"{model}_final_answer"] = answers[0] if answers else ""
    return record


def written(folder, name, records):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def answers_of(pool, model, question=0):
    """Labels of the samples of a model, and whether each is right."""
    m, first = pool.model_index(model), pool.class_offsets[question]
    codes = pool.codes[m, question, : pool.lengths[m, question]]
    labels = [None if code < 0 else pool.class_labels[int(first + code)].as_py() for code in codes]
    return labels, [bool(code >= 0 and pool.class_correct[first + code]) for code in codes]


# Shapes ---------------------------------------------------------------------------------------------------------------


def test_merged_records_hold_several_models(tmp_path):
    records = [merged(7, "a?", "4", **{"gpt-4o-mini": ["4", "5", "4"], "claude": ["", "Error", "4"]})]
    records.append(merged(9, "b?", "1", **{"gpt-4o-mini": ["1", "1", "2"], "claude": ["3", "1", "1"]}))
    with pytest.warns(PoolWarning, match="'claude' gives no answer in 33.3%"):
        pool = from_modelswitch(written(tmp_path, "MathBench/results.json", records))
    assert (pool.models, pool.question_ids) == (("gpt-4o-mini", "claude"), ["7", "9"])
    assert answers_of(pool, "gpt-4o-mini") == (["4", "5", "4"], [True, False, True])
    assert answers_of(pool, "claude") == ([None, None, "4"], [False, False, True])
    assert pool.questions.to_dict("list") == {"question_id": ["7", "9"], "question": ["a?", "b?"], "truth": ["4", "1"]}
    assert (pool.info["dataset"], pool.info["title"]) == ("MathBench", "MathBench")
    assert pool.info["import"]["files"][0]["name"] == "results.json"
    assert pool.extra["text"][0].as_py() == "It is \\boxed{4}."


@pytest.mark.parametrize("texts", ["step_sampling", "ans_sampling", "outputs"])
@pytest.mark.parametrize(
    ("name", "model"), [("gpt-4o.json", "gpt-4o"), ("results_gemini-1.5-pro.json", "gemini-1.5-pro")]
)
def test_records_of_one_model_take_its_name_from_the_file(tmp_path, texts, name, model):
    record = {"question": "a?", "no": 3, "solution": "7", texts: ["so 7"], "ans_list": ["7"], "Correctness": True}
    pool = from_modelswitch(written(tmp_path, name, [record]), dataset="gsm8k")
    assert (pool.models, pool.question_ids, answers_of(pool, model)) == ((model,), ["3"], (["7"], [True]))
    assert pool.extra["text"].to_pylist() == ["so 7"]
    assert from_modelswitch(tmp_path / name, dataset="GSM8K", model="m").models == ("m",)


def test_files_are_joined_by_the_text_of_the_question(tmp_path):
    """Their records come in other orders, and one has no numbers; a text that is asked twice stays two questions."""
    written(
        tmp_path,
        "DATE/a.json",
        [merged(5, "q?", "1", x=["1"]), merged(6, "q?", "1", x=["2"]), merged(8, "r?", x=["4"])],
    )
    single = [
        {"question": q, "solution": s, "ans_list": [a]}
        for q, s, a in (("r?", "4", "3"), ("q?", "1", "1"), ("q?", "1", "0"))
    ]
    written(tmp_path, "DATE/y.json", single)
    pool = from_modelswitch(tmp_path)
    assert (pool.models, pool.question_ids) == (("x", "y"), ["5", "6", "8"])
    assert [answers_of(pool, "y", q)[0] for q in range(3)] == [["1"], ["0"], ["3"]]
    assert pool.lengths.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_numbers_that_are_taken_are_not_given_twice(tmp_path):
    pool = from_modelswitch(
        written(
            tmp_path, "MATH.json", [merged(1, "a?", x=["4"]), merged(1, "b?", x=["4"]), merged(question="c?", x=["4"])]
        ),
        dataset="MMLU-Pro",
    )
    assert pool.question_ids == ["1", "question 1", "question 2"]


def test_more_files_of_a_model_are_more_samples(tmp_path):
    for name, answers in (("one/m.json", ["1", "2"]), ("two/m.json", ["3"])):
        written(tmp_path, name, [{"question": "q?", "solution": "1", "ans_list": answers}])
    pool = from_modelswitch(tmp_path, dataset="MathBench")
    assert answers_of(pool, "m")[0] == ["1", "2", "3"]


def test_samples_that_are_in_two_files_count_once(tmp_path):
    """In the release single files lie beside the merged one that holds the same samples."""
    big = {"question": "q?", "solution": "1", "ans_sampling": ["It is \\boxed{1}."], "ans_list": ["1"]}
    written(tmp_path, "MathBench/results.json", [merged(1, "q?", "1", **{"gpt-4o-mini": ["1", "2"], "gpt-4o": ["1"]})])
    written(tmp_path, "MathBench/results_gpt-4o.json", [big])
    with pytest.warns(PoolWarning) as caught:
        pool = from_modelswitch(tmp_path)
    assert any("samples of 'gpt-4o' appear in several files" in str(warning.message) for warning in caught)
    assert pool.lengths.tolist() == [[2], [1]]
    again = big | {"ans_sampling": ["Another way leads to \\boxed{1}."]}  # the same answer, and not the same sample
    written(tmp_path, "MathBench/results_gpt-4o.json", [again])
    assert from_modelswitch(tmp_path).lengths.tolist() == [[2], [2]]


def test_texts_that_belong_to_no_answer_are_left_out(tmp_path):
    record = merged(1, x=["4", "5"]) | {"x_Sampling": ["only one"]}
    pool = from_modelswitch(written(tmp_path, "DATE.json", [record]))
    assert "text" not in pool.extra.column_names


def test_reward_scores_are_the_score(tmp_path):
    record = merged(1, x=["4", "5"], y=["4", ""]) | {
        "x_reward_score": [1.5, -2],
        "y_score": [0.25, None],
        "x_7_score": 4,
    }
    with pytest.warns(PoolWarning, match="no answer"):
        pool = from_modelswitch(written(tmp_path, "MathBench.json", [record]))
    assert pool.numbers["score"][:, 0].tolist()[0] == [1.5, -2]
    assert pool.numbers["score"][1, 0, 0] == 0.25
    assert np.isnan(pool.numbers["score"][1, 0, 1])


def test_scores_of_some_models_are_no_score(tmp_path):
    record = merged(1, x=["4", "5"], claude=["4"]) | {"x_reward_score": [1.5, -2]}
    path = written(tmp_path, "MathBench.json", [record])
    with pytest.warns(PoolWarning) as caught:
        pool = from_modelswitch(path)
    assert any("samples of 'claude' have no score" in str(warning.message) for warning in caught)
    assert "score" not in pool.numbers
    assert pool.number("score_of_some")[0, 0].tolist() == [1.5, -2]
    assert "score" in from_modelswitch(path, where=[("model", "!=", "claude")]).numbers
    with pytest.raises(PoolError, match=r"strict: the import has .* errors. .*have no score"):
        from_modelswitch(path, strict=True)


# Right and wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "truth", "right", "wrong"),
    [
        ("GSM8K", "1,400", ["1400", "1400.0", "1,400"], ["1400.1", "14", "many"]),
        ("MGSM", 276000, ["276000", "276000.0000001"], ["276.000", "000"]),
        ("MathBench", "0.5", ["0.5", "0 .5"], ["0.50", ".5", "1/2"]),
        ("MMLU-Pro", "B", ["B", "b"], ["A", "BC"]),
        (
            "DATE",
            "08/10/1997",
            ["08/10/1997", "so \\boxed{08/10/1997}", "from 08/03/1997 to 08/10/1997."],
            ["8/10/1997"],
        ),
        ("MATH", "\\frac{1}{2}", ["\\frac{1}{2}", "0.5", "1/2", "\\dfrac12"], ["2", "\\frac{1}{3}"]),
    ],
)
def test_right_is_what_the_release_has_right(tmp_path, dataset, truth, right, wrong):
    path = written(tmp_path, "m.json", [merged(1, solution=truth, m=[*right, *wrong])])
    pool = from_modelswitch(path, dataset=dataset)
    assert answers_of(pool, "m")[1] == [True] * len(right) + [False] * len(wrong)


def test_answers_vote_as_they_are_spelled_unless_they_are_graded_anew(tmp_path):
    path = written(tmp_path, "GSM8K.json", [merged(1, x=["4", "4.0", "5"])])
    as_released, graded = from_modelswitch(path), from_modelswitch(path, rule="gsm8k")
    assert answers_of(as_released, "x") == (["4", "4.0", "5"], [True, True, False])
    assert answers_of(graded, "x") == (["4", "4", "5"], [True, True, False])
    assert graded.info["grader"]["rule"] == "gsm8k"


def test_questions_of_mgsm_are_clustered_by_problem(tmp_path):
    records = [merged(no, f"q{no}?", 4, x=["4"]) for no in (230, 480, 7)]
    pool = from_modelswitch(written(tmp_path, "MGSM/x.json", records))
    assert pool.questions["cluster"].tolist() == ["230", "230", "7"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="files of others, which are not part of the project, are not there")
def test_a_released_file_has_the_accuracy_that_was_published():
    pool = from_modelswitch(SHARED / "fixtures" / "modelswitch" / "mathbench_results_70B.json")
    row = pool.describe().iloc[0]
    given = published.point(figure="fig1", dataset="MathBench", strategy="single")
    assert (row["model"], row["questions"], round(100 * row["accuracy"], 2)) == (given["models"], 300, 68.67)
    assert round(row["accuracy"], 4) == given["accuracy"]


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "records", "message"),
    [
        ("a.json", [merged(1, x=["4"])], r"no path names the data set. Pass one of .* as dataset"),
        ("DATE/MATH.json", [], r"The files contain no samples"),
        ("DATE.json", {"question": "q"}, r"DATE.json: is not a JSON list of objects"),
        ("DATE.json", ["q"], r"record 1: expected an object, found text"),
        ("DATE.json", [{"question": "q?", "solution": "1"}], "has neither 'ans_list' nor '<model>_ans_list'"),
        ("DATE/results.json", [{"question": "q?", "solution": "1", "ans_list": []}], r"Pass model=NAME"),
        ("DATE.json", [{"question": "q?", "a_ans_list": ["1"]}], "has no 'solution'. Did you mean 'question'"),
        ("DATE.json", [{"solution": "1", "a_ans_list": ["1"]}], r"record 1: has no 'question'"),
        ("DATE.json", [{"question": "q?", "solution": "1", "a_ans_list": [["1"]]}], r"'a_ans_list', item 1 is a list"),
        ("DATE.json", [["q"]], r"record 1: expected an object, found a list"),
        ("DATE.json", [merged(x=["1"]) | {"x_score": [1, 2]}], r"2 numbers in 'x_score', but 1 answers"),
        ("DATE.json", [merged(x=["1"]) | {"x_score": [10**400]}], r"(?i)too large|integer|JSON"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(tmp_path, name, records, message):
    with pytest.raises(MssimError, match=message):
        from_modelswitch(written(tmp_path, name, records))


def test_a_model_is_not_named_where_records_name_theirs(tmp_path):
    with pytest.raises(PoolError, match=r"model='m', but the record names its own models \(x\). Omit model"):
        from_modelswitch(written(tmp_path, "DATE.json", [merged(x=["1"])]), model="m")


def test_files_of_two_data_sets_are_refused(tmp_path):
    for dataset in ("DATE", "MGSM"):
        written(tmp_path, f"{dataset}/x.json", [merged(1, x=["4"])])
    with pytest.raises(MssimError, match=r"the paths name DATE, MGSM\. Pass one of"):
        from_modelswitch(tmp_path)
    with pytest.raises(MssimError, match=r"dataset='DATES' is not known\. Did you mean 'DATE'"):
        from_modelswitch(tmp_path, dataset="DATES")


def test_two_truths_of_one_question_are_refused(tmp_path):
    written(tmp_path, "DATE/x.json", [merged(1, x=["4"])])
    written(tmp_path, "DATE/y.json", [merged(1, solution="5", y=["4"])])
    with pytest.raises(PoolError, match="question '1' has two truths, '4' and '5'"):
        from_modelswitch(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
ANSWERS = st.lists(st.sampled_from(["1", "2", "", "Error", "{1}", "\ud800", None]) | JSON, max_size=3)
RECORDS = st.fixed_dictionaries(
    {"question": st.sampled_from(["q?", "r?", "s?"]), "solution": st.sampled_from(["1", "2", 1, 1.5])},
    optional={"x_ans_list": ANSWERS, "y_ans_list": ANSWERS, "ans_list": ANSWERS, "no": JSON, "x_Sampling": ANSWERS,
              "x_reward_score": st.lists(st.floats(allow_nan=False) | JSON, max_size=3), "y_score": JSON},
)  # fmt: skip


@given(st.lists(RECORDS | RECORDS | RECORDS | JSON, max_size=4) | JSON, st.sampled_from(["GSM8K", "DATE", "MathBench"]))
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_any_json_gives_a_pool_or_an_error(tmp_path_factory, records, dataset):
    path = written(tmp_path_factory.mktemp("fuzz"), "m.json", records)
    try:
        pool = from_modelswitch(path, dataset=dataset)
    except MssimError:
        event("refused")
    else:
        event(str(len(pool.models)))
        assert pool.lengths.sum() > 0


# Beside published numbers ---------------------------------------------------------------------------------------------

FILES = {
    "GPT-4o mini": "gpt-4o-mini", "Gemini 1.5 Flash": "gemini-1.5-flash-latest", "Claude 3 Haiku": "claude",
    "Gemma-2-9B-it": "gemma-2-9b-it",
}  # fmt: skip


def release(folder, dataset, models, scores=False, n_samples=16):
    """Files of the release's shape: random answers, right in seven of ten cases, of 40 questions."""
    rng = np.random.default_rng(0)
    records = []
    for no in range(40):
        truth = "01/02/2003" if dataset == "DATE" else "1"
        record = {"question": f"question {no}?", "no": no, "solution": truth, "GPT-4o": 0}
        for model in models:
            right = rng.random(n_samples) < 0.7
            record[f"{model}_ans_list"] = [truth if r else str(rng.integers(2, 5)) for r in right]
            record[f"{model}_sampling"] = [f"answer {rng.integers(10**9)}" for _ in right]
            if scores:
                record[f"{model}_reward_score"] = (right + rng.normal(size=n_samples)).tolist()
        record |= {"gpt-4o_ans_list": [truth], "gpt-4o_sampling": ["a big model has one sample"]}
        records.append(record)
    return written(folder, f"{dataset}/MS/closed_source/results.json", records)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", simulated.DATASETS)
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_published_points_stand_beside_a_released_data_set(run, tmp_path, dataset):
    path = release(tmp_path, dataset, list(FILES.values())[:3])
    code, text, _ = run("import", "modelswitch", path, "--out", tmp_path / "pool")
    assert (code, text.split()[0]) == (0, "40")
    source = named(tmp_path / "pool")
    pair = published.pair(dataset, "closed")
    assert (source.dataset, source.pair) == (dataset, "closed")
    assert (source.models[:2], source.models[2:]) == (pair, ("Claude 3 Haiku",))  # GPT-4o has one sample: left out
    figure = fig4_equal_budget.draw(Tables(tmp_path / "cache"), [source])
    given = published.points(figure="fig4", dataset=dataset, strategy=["SC", "ModelSwitch"])
    hollow = [line for line in figure.axes[0].get_lines() if line.get_markerfacecolor() == "white"]
    drawn = sorted((round(x, 6), round(y, 6)) for line in hollow for x, y in zip(*line.get_data(), strict=True))
    expected = zip(given["samples_used"], 100 * given["accuracy"], strict=True)
    assert drawn == sorted((round(x, 6), round(y, 6)) for x, y in expected)
    # ours is the released pool: the first budget is the accuracy of a single sample
    first = equal_budget.run(source).query("strategy == @pair[0] and budget == 1")["accuracy"].iloc[0]
    described = load_pool(tmp_path / "pool").describe().set_index("model")["accuracy"]
    assert first == pytest.approx(described[FILES[pair[0]]])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_all_figures_of_a_released_data_set(tmp_path):
    names = [*list(FILES.values())[:3], "Llama-3.1-8B-Instruct", "gemma-2-9b-it", "Qwen2.5-7B-Instruct"]
    from_modelswitch(release(tmp_path, "MathBench", names, scores=True), where=[("model", "!=", "gpt-4o")]).save(
        tmp_path / "p"
    )
    source = named(tmp_path / "p")
    assert set(source.models) == set(simulated.six_models())
    assert set(number_and_order.orders(source)) == {"closed first", "open first"}
    wanted = sheets(None, [source])
    needing_more = {"curves", "protocols"}  # tokens of the samples, runs of protocols
    assert [sheet.name for sheet in wanted] == [f"{name}-p" for name in FIGURES if name not in needing_more]
    tables = Tables(tmp_path / "cache")
    for sheet in sheets(["fig1", "fig3", "fig5", "fig7"], [source]):
        texts = [text.get_text() for text in sheet.module.draw(tables, [source]).findobj(Text)]
        assert ("published" in " ".join(texts)) == (sheet.name != "fig3-p")  # its r was not published


@pytest.mark.parametrize("models", [["gemma-2-9b-it", "Llama-3.1-8B-Instruct"], ["mine", "yours"]])
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_what_is_published_of_others_does_not_stand_beside_a_model(tmp_path, models):
    from_modelswitch(release(tmp_path, "MathBench", models)).save(tmp_path / "p")
    source, tables = named(tmp_path / "p"), Tables(tmp_path / "cache")
    assert source.pair == ("open" if "gemma-2-9b-it" in models else None)
    bars = fig5_debate.draw(tables, [source]).axes[0].containers
    assert [bar.get_label() for bar in bars if isinstance(bar, BarContainer)] == list(fig5_debate.OURS)
    for axes in theory.draw(tables, [source]).axes:
        assert not [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]


@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_models_with_one_sample_are_left_out_of_any_data_set_of_the_paper(tmp_path):
    from_modelswitch(release(tmp_path, "AIME24", ["gpt-4o-mini"])).save(tmp_path / "p")
    source = named(tmp_path / "p")
    assert (source.models, source.dataset) == (("GPT-4o mini",), None)


@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_figure_6_shows_what_is_published_of_an_order(tmp_path):
    from_modelswitch(release(tmp_path, "DATE", list(FILES.values())), where=[("model", "!=", "gpt-4o")]).save(
        tmp_path / "p"
    )
    source = named(tmp_path / "p")
    figure = fig6_number_and_order.draw(Tables(tmp_path / "cache"), [source])
    alone = published.points(figure="fig6", dataset="DATE", strategy="single").set_index("models")["accuracy"]
    hollow = [
        line
        for line in figure.axes[0].get_lines()
        if line.get_markerfacecolor() == "white" and line.get_marker() == "s"
    ]
    heights = hollow[0].get_ydata()
    assert heights == pytest.approx([100 * alone[model] for model in source.models])


@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_other_models_of_a_data_set_have_their_own_names(tmp_path):
    from_modelswitch(release(tmp_path, "MathBench", ["claude", "claude-3-haiku-20240307", "mine"])).save(tmp_path / "p")
    source = named(tmp_path / "p")
    assert set(source.models) == {"claude", "claude-3-haiku-20240307", "mine"}
    assert (source.dataset, source.pair) == ("MathBench", None)
    assert named(tmp_path / "p", ["mine", "claude"]).models == ("mine", "claude")
