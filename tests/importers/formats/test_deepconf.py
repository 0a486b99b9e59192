"""DeepConf: both versions of its results, four confidences against plain Python, and traces that it stopped."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import DeepConf, MssimError, PoolError, evaluate
from mssim.importers.formats import deepconf
from mssim.importers.formats.deepconf import from_deepconf, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, told, write_lines
from tests.importers.readers import written


def trace(answer, confs=(17.5, 16.5), **changed):
    one = {"stop_reason": "stop", "text": f"It is \\boxed{{{answer}}}.", "token_ids": [1, 2], "num_tokens": 2}
    one |= {"confs": list(confs), "extracted_answer": answer, "is_correct": answer == "4"} | changed
    return {name: value for name, value in one.items() if value != "absent"}


def scored(answer, min_conf, **changed):
    """A trace of the first version, online."""
    return {name: value for name, value in trace(answer, min_conf=min_conf, **changed).items() if name != "confs"}


def offline(traces, number=0, **changed):
    """A result of the first version, offline."""
    one = {"question_id": number, "run_id": "0", "question": f"{number}?", "ground_truth": "4", "all_traces": traces}
    one |= {"voted_answer": "4", "token_stats": {"total_tokens": 9}, "config": {"model_path": "openai/gpt-oss-120b"}}
    return {name: value for name, value in (one | changed).items() if value != "absent"}


def write(folder, result, name="deepconf_simple_qid0_rid0_20250901_120000.json"):
    return written(folder, json.dumps(result), name)


def test_traces_of_several_questions_and_runs(tmp_path):
    runs = [offline([trace("4"), trace("5")]), offline([trace("4"), trace(None)], run_id="1"), offline([trace("6")], 1)]
    for i, run in enumerate(runs):
        write(tmp_path, run, f"{i}.json")
    with told("range from 1 to 4"), told("no answer"):
        pool = from_deepconf(tmp_path)
    assert pool.models == ("openai/gpt-oss-120b",)
    verdicts = [one["is_correct"] for run in runs for one in run["all_traces"]]
    assert pool.sample_correct().sum() / pool.lengths.sum() == np.mean(verdicts) == 2 / 5
    assert pool.questions.to_dict("list") == {"question_id": ["0", "1"], "question": ["0?", "1?"], "truth": ["4", "4"]}
    assert pool.numbers["score"][0, 0].tolist() == [17.0] * 4
    assert "score is the mean confidence over all tokens of the trace." in pool.info["import"]["remarks"]
    assert pool.numbers["output_tokens"][0, 0].tolist() == [2] * 4


def test_sums_of_scores_are_the_weights_of_the_votes_of_deepconf(tmp_path):
    traces = [trace("4", [20.0]), trace("5", [11.0, 10.0]), trace("5", [12.0]), trace("6", [19.0]), trace(None, [9.0])]
    with told("no answer"):
        pool = from_deepconf(write(tmp_path, offline(traces)))
    weights = {}
    for one in traces:
        if one["extracted_answer"]:
            weights[one["extracted_answer"]] = weights.get(one["extracted_answer"], 0) + np.mean(one["confs"])
    codes, scores = pool.codes[0, 0], pool.numbers["score"][0, 0]
    labels = pool.class_labels.to_pylist()
    assert {labels[code]: scores[codes == code].sum() for code in set(codes.tolist()) - {-1}} == weights


def plain(kind, confs, size):
    """The confidences of DeepConf, window by window."""
    windows = [confs[i : i + size] for i in range(len(confs) - size + 1)] if len(confs) >= size else [confs]
    means = sorted(sum(window) / len(window) for window in windows)
    lowest = means[: max(1, int(len(means) * 0.1))]
    tail = confs[-size:]
    return {
        "mean": sum(confs) / len(confs),
        "tail": sum(tail) / len(tail),
        "bottom": sum(lowest) / len(lowest),
        "lowest": means[0],
    }[kind]


@pytest.mark.parametrize("kind", ["mean", "tail", "bottom", "lowest"])
def test_confidences_agree_with_plain_python(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(deepconf, "_WINDOW", 8)
    lists = [np.random.default_rng(0).uniform(5, 25, n).round(3).tolist() for n in (1, 7, 8, 9, 60)]
    pool = from_deepconf(write(tmp_path, offline([trace("4", confs) for confs in lists])), confidence=kind)
    np.testing.assert_allclose(pool.numbers["score"][0, 0], [plain(kind, confs, 8) for confs in lists], rtol=1e-12)


@pytest.mark.parametrize("stride", [1, 5])
def test_groups_are_means_of_windows_in_order(tmp_path, monkeypatch, stride):
    monkeypatch.setattr(deepconf, "_WINDOW", 8)
    lists = [np.random.default_rng(0).uniform(5, 25, n).round(3).tolist() for n in (1, 7, 8, 9, 60)]
    traces = [trace("4", confs, num_tokens=len(confs)) for confs in lists]
    pool = from_deepconf(write(tmp_path, offline(traces)), stride=stride)
    for q, confs in enumerate(lists):
        values, offsets = pool.lists("group_confidence", pool.models[0])
        starts = range(0, max(len(confs) - 7, 1), stride)
        expected = [np.mean(confs[i : i + 8]) for i in starts]
        np.testing.assert_allclose(values[offsets[q] : offsets[q + 1]], expected, rtol=1e-12)
    rule = DeepConf(pool.models[0], warmup=2, window=8, stride=stride)
    assert evaluate(pool, rule, 2, n_replays=5).samples_used.item() == 2


def test_without_a_stride_there_are_no_groups(tmp_path):
    assert "group_confidence" not in from_deepconf(write(tmp_path, offline([trace("4")]))).extra.column_names
    with pytest.raises(PoolError, match=r"has no confs, of which stride= makes group confidences\. Omit stride="):
        from_deepconf(write(tmp_path, online()), stride=1)
    with pytest.raises(MssimError, match=r"stride=0 is out of range\. Use an integer from 1"):
        from_deepconf(write(tmp_path, offline([trace("4")])), stride=0)


def online(**changed):
    """A result of the first version, online."""
    warm = [scored("4", 15.5), scored("5", 12.5)]
    final = [scored("4", 16.5), scored(None, 9.5, stop_reason="gconf_threshold")]
    return offline("absent", warmup_traces=warm, final_traces=final, conf_bar=15.0, **changed)


def test_traces_that_deepconf_stopped_failed(tmp_path):
    path = write(tmp_path, online())
    assert is_own(Source(path))
    with told("1 stopped by DeepConf"), told("traces of online runs are selected by their confidence"):
        pool = from_deepconf(path)
    assert pool.sample_correct()[0, 0].tolist() == [True, False, True]
    assert pool.numbers["score"][0, 0].tolist() == [15.5, 12.5, 16.5]
    assert "score is the confidence of the lowest window of 2048 tokens of the trace." in pool.info["import"]["remarks"]


def test_results_of_the_second_version(tmp_path):
    old = online(question_id="absent", qid=3, config={"model": "deepseek", "mode": "online"}, voting_answers=["4"])
    both = {name: [one | {"confs": [18.0]} for one in old[name]] for name in ("warmup_traces", "final_traces")}
    traces = both["warmup_traces"] + both["final_traces"]
    for one in traces:
        del one["is_correct"]
    whole = old | both | {"all_traces": traces, "mode": "online"}
    with told("1 stopped by DeepConf"), told("selected by their confidence"):
        pool = from_deepconf(write(tmp_path, whole, "deepthink_online_qid3.json"))
    assert (pool.models, pool.question_ids, pool.lengths.tolist()) == (("deepseek",), ["3"], [[3]])
    assert pool.sample_correct()[0, 0].tolist() == [True, False, True]  # compared with the truth
    assert pool.numbers["score"][0, 0].tolist() == [18.0] * 3


def test_lines_and_lists_of_results(tmp_path):
    results = [offline([trace("4")], 0), offline([trace("5")], 1) | {"warmup_traces": []}]
    lines, listed = write_lines(tmp_path, results, "a.jsonl"), write(tmp_path, results, "b.json")
    assert from_deepconf(lines).sample_correct().ravel().tolist() == [True, False]
    assert from_deepconf(listed, model="m").models == ("m",)
    assert is_own(Source(lines))
    assert is_own(Source(listed))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"all_traces": [trace("4"), trace("4", is_correct="absent")]}, "only some samples have verdicts"),
        ({"all_traces": [trace("4"), scored("4", 9.5)]}, "only some traces have confs"),
        ({"all_traces": "absent"}, "has none of all_traces, warmup_traces, final_traces"),
        ({"question_id": "absent"}, "has no 'qid'"),
        ({"config": "absent"}, r"has no model in its config\. Pass model=NAME"),
        ({"all_traces": [trace("4", confs=["17"])]}, "'confs', item 1 is text. It must be a number"),
        ({"all_traces": [[1]]}, "expected an object, found a list"),
    ],
)
def test_faults(tmp_path, changed, says):
    path = write(tmp_path, offline([trace("4")]) | changed if "absent" not in changed.values() else
                 offline([trace("4")], **changed))  # fmt: skip
    with pytest.raises(PoolError, match=says):
        import_pool("deepconf", deepconf.read, [path], tmp_path / "pool", Common())


def test_confidences_that_are_unknown_or_absent_are_refused(tmp_path):
    path = write(tmp_path, online())
    with pytest.raises(MssimError, match=r"confidence: 'median' is not known\. .*Choose from 'mean', 'tail'"):
        from_deepconf(path, confidence="median")
    with pytest.raises(PoolError, match="confidence='tail': no trace has 'confs'"):
        from_deepconf(path, confidence="tail")


def test_files_of_its_own(tmp_path):
    assert is_own(Source(write(tmp_path, offline([trace("4")]))))
    assert is_own(Source(written(tmp_path, b"\x80\x04", "deepthink_offline_qid0.pkl")))
    assert not is_own(Source(written(tmp_path, b"\x80\x04", "routerbench_0shot.pkl")))
    assert not is_own(Source(written(tmp_path, json.dumps({"traces": [{"text": "4"}], "runs": [{"a": 1}]}))))
    assert not is_own(Source(written(tmp_path, "{", "a.json")))


TRACES = st.fixed_dictionaries(
    {
        "text": or_odd(st.just("x")),
        "num_tokens": or_odd(st.integers(0, 9)),
        "extracted_answer": or_odd(st.sampled_from(["4", "5", None])),
        "stop_reason": or_odd(st.sampled_from(["stop", "gconf_threshold"])),
    },
    optional={
        "is_correct": or_odd(st.just(False)),
        "confs": or_odd(st.lists(or_odd(st.floats(0, 20)), max_size=3)),
        "min_conf": or_odd(st.floats(0, 20)),
    },
)
RESULTS = st.fixed_dictionaries(
    {
        "question_id": or_odd(st.integers(0, 1)),
        "ground_truth": or_odd(st.just("4")),
        "config": st.fixed_dictionaries({"model_path": or_odd(st.just("m"))}),
    },
    optional={
        **{
            name: or_odd(st.lists(TRACES, min_size=1, max_size=2))
            for name in ("all_traces", "warmup_traces", "final_traces")
        },
    },
)


@given(result=or_odd(RESULTS), lines=st.booleans())
def test_any_result_gives_a_pool_or_an_error(tmp_path_factory, result, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    path = write_lines(folder, [result] * 2, "a.jsonl") if lines else write(folder, result)
    assert is_own(Source(path)) in (True, False)
    pool_or_error(folder, "deepconf", deepconf.read, path)
