"""Scenario states of HELM: completions and trials are samples, answers as in its own exact_match or by a rule."""

import json

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats.helm import from_helm, read
from mssim.importers.pipeline import Common, import_pool
from tests.cli import test_cli

run, bad = test_cli.run, test_cli.bad

COLOURS = ("red", "blue", "green")
MAPPING = dict(zip("ABC", COLOURS, strict=True))


def state(number, texts, *, right=(0,), trial=0, mapping=None, instance=None, request=None, result=None, **changed):
    """One request about instance id<number>."""
    references = [{"output": {"text": name}, "tags": ["correct"] * (i in right)} for i, name in enumerate(COLOURS)]
    asked = {"model": "org/m", "model_deployment": "host/m", "prompt": f"examples of trial {trial}, q{number}"}
    asked |= {"temperature": 0.7, "num_completions": len(texts), "max_tokens": 20, "top_p": 1}
    completions = [
        {"text": text, "logprob": -0.5, "tokens": [{"text": "x"}] * 2, "finish_reason": {"reason": "stop"}}
        for text in texts
    ]
    one = {
        "instance": {"input": {"text": f"q{number}"}, "references": references, "split": "test", "id": f"id{number}"}
        | (instance or {}),
        "train_trial_index": trial,
        "request": asked | (request or {}),
        "result": {"success": True, "completions": completions, "cached": False, "request_time": 1.5} | (result or {}),
    }  # fmt: skip
    return one | ({} if mapping is None else {"output_mapping": mapping}) | changed


def write(folder, states, *, spec=None, **adapter):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scenario_state.json"
    spec_of_adapter = {"method": "generation", "model": "org/m", "max_train_instances": 5, "num_outputs": 2} | adapter
    path.write_text(json.dumps({"adapter_spec": spec_of_adapter, "request_states": states}))
    if spec:
        (folder / "run_spec.json").write_text(json.dumps({"name": folder.name, "scenario_spec": spec}))
    return path


def rows(pool, *columns):
    frame = pool.to_frame()
    frame["answer"] = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    return list(frame[list(columns)].itertuples(index=False, name=None))


def told(says):
    return pytest.warns(PoolWarning, match=says)


def test_completions_are_samples(tmp_path):
    path = write(tmp_path, [state(0, [" red\n", "Red"]), state(1, ["blue", "blue."], right=[1])])
    pool = from_helm(path)
    assert rows(pool, "question_id", "model", "sample_index", "answer", "correct", "text") == [
        ("id0", "org/m", 0, "red", True, " red\n"),
        ("id0", "org/m", 1, "Red", False, "Red"),
        ("id1", "org/m", 0, "blue", True, "blue"),
        ("id1", "org/m", 1, "blue.", False, "blue."),
    ]
    first = pool.to_frame().iloc[0]
    expected = {
        "question": "q0", "truth": "red", "split": "test", "prompt": "generation 5-shot trial 0", "temperature": 0.7,
        "top_p": 1.0, "max_tokens": 20, "latency": 1.5, "output_tokens": 2, "mean_logprob": -0.25,
        "finish_reason": "stop",
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected


def test_trials_are_samples_of_other_prompts(tmp_path):
    states = [state(0, ["red"], trial=trial, request={"random": seed}) for trial in (0, 1) for seed in (None, "1")]
    with told(r"mixed settings: column 'prompt' varies within a model \(generation 5-shot trial 0, "):
        pool = from_helm(write(tmp_path, states))
    assert pool.lengths.tolist() == [[4]]
    assert from_helm(tmp_path, where={"prompt": "generation 5-shot trial 1"}).lengths.tolist() == [[2]]
    pool = from_helm(write(tmp_path, states, max_train_instances=0))
    assert set(pool.to_frame()["prompt"]) == {"generation 0-shot"}


@pytest.mark.parametrize(
    ("pattern", "answers"),
    [
        (None, [("red", True), ("blue", False), (None, False), (None, False)]),
        ("[A-D]", [("red", True), ("blue", False), ("green", False), (None, False)]),
        ("^(?:([AB])|C)", [("red", True), ("blue", False), (None, False), (None, False)]),
    ],
)
def test_letters_stand_for_choices(tmp_path, pattern, answers):
    method = "multiple_choice_joint"
    path = write(
        tmp_path, [state(0, ["A", " B\n", "C.", "D"], mapping=MAPPING)], method=method, output_mapping_pattern=pattern
    )
    with told("gives no answer"):
        pool = from_helm(path)
    assert rows(pool, "answer", "correct") == answers
    with told("gives no answer in 25.0%"):
        pool = from_helm(path, rule="choice")
    assert rows(pool, "answer", "correct") == [("A", True), ("B", False), ("C", False), (None, False)]
    assert list(pool.to_frame()["choices"][0]) == list(COLOURS)


def test_letters_out_of_order_are_no_choices(tmp_path):
    pool = from_helm(write(tmp_path, [state(0, ["x", "y"], mapping={"x": "red", "y": "blue"})]))
    assert rows(pool, "answer", "correct") == [("red", True), ("blue", False)]
    assert "choices" not in pool.to_frame()


def test_texts_graded_by_a_rule(tmp_path):
    references = [{"output": {"text": "7.0"}, "tags": ["correct"]}]
    path = write(tmp_path, [state(0, ["It is 7", "8"], instance={"references": references})])
    pool = from_helm(path, rule="number")  # in HELM's exact match "It is 7" is not 7.0
    assert rows(pool, "answer", "correct") == [("7", True), ("8", False)]
    assert "correct_in_source" not in pool.extra.column_names


def test_several_correct_references(tmp_path):
    path = write(tmp_path, [state(0, ["red", "blue", "green"], right=[1, 2])])
    with told("1 question has several correct references. Without a rule, each of them is accepted"):
        pool = from_helm(path)
    assert rows(pool, "answer", "correct", "truth") == [
        ("red", False, "blue"), ("blue", True, "blue"), ("green", True, "blue")
    ]  # fmt: skip


def test_failures_are_counted(tmp_path):
    empty = {"success": False, "error": "no luck\nat all", "completions": [{"text": "", "logprob": 0, "tokens": []}]}
    states = [
        state(0, ["red", "blue"]),
        state(1, ["red"], request={"num_completions": 3}, result=empty),
        state(2, ["red"], request={"num_completions": None}, result={"success": False}),
        state(3, []),
        state(4, ["red"]) | {"result": None},
    ]
    with pytest.warns(PoolWarning) as caught:
        pool = from_helm(write(tmp_path, states))
    assert str(caught[-1].message) == (
        "6 samples failed and are not in the pool: 3 no luck, 2 request without completions, "
        "1 request without a result."
    )
    assert pool.question_ids == ["id0"]


def test_copies_from_the_cache_are_told(tmp_path):
    states = [state(0, ["red", "blue"]), state(0, ["red", "blue"], result={"cached": True})]
    with told("1 request repeats an earlier request with the same seed .* from the cache of HELM"):
        pool = from_helm(write(tmp_path, states))
    assert pool.lengths.tolist() == [[4]]
    other = state(0, ["red", "blue"], request={"random": "1"}, result={"cached": True})
    assert from_helm(write(tmp_path, [states[0], other])).lengths.tolist() == [[4]]


def test_perturbed_instances_are_questions_of_one_cluster(tmp_path):
    low, typos = {"name": "lowercase", "robustness": True}, {"name": "typos", "prob": 0.1, "computed_on": "perturbed"}
    states = [
        state(0, ["red"]),
        state(0, ["red"], instance={"perturbation": low}),
        state(0, ["blue"], instance={"perturbation": typos, "input": {"text": "qo"}}),
        state(1, ["red"]),
    ]
    frame = from_helm(write(tmp_path, states)).to_frame()
    columns = (frame["question_id"], frame["cluster"], frame["perturbation"].fillna(""))
    assert list(zip(*columns, strict=True)) == [
        ("id0", "id0", ""), ("id0/lowercase", "id0", "lowercase"), ("id0/typos,prob=0.1", "id0", "typos,prob=0.1"),
        ("id1", "id1", ""),
    ]  # fmt: skip
    assert "cluster" not in from_helm(write(tmp_path, states[::3])).to_frame()


def test_scenarios_and_models(tmp_path):
    law = {"class_name": "helm.mmlu.MMLUScenario", "args": {"subject": "law", "old": False, "files": ["x"]}}
    for model in ("org/a", "org/b"):
        write(tmp_path / f"law,model={model[-1]}", [state(0, ["red"], request={"model": model})], spec=law)
    history = [state(0, ["blue"], request={"model": "org/a"}, instance={"input": {"text": "other"}})]
    write(tmp_path / "mmlu:subject=history,model=org_a,model_deployment=x", history)
    with told("model 'org/b' has no samples for 1 of 2"):
        pool = from_helm(tmp_path)
    assert pool.question_ids == ["MMLUScenario,old=False,subject=law/id0", "mmlu,subject=history/id0"]
    assert pool.models == ("org/a", "org/b")
    assert pool.info["import"]["remarks"][-1].startswith("the tool reports the 2 values of scenario separately: 'MMLU")
    assert pool.questions["scenario"].tolist() == ["MMLUScenario,old=False,subject=law", "mmlu,subject=history"]
    only = from_helm([tmp_path / f"law,model={model}" for model in "ab"])
    assert (only.question_ids, only.models) == (["id0"], ("org/a", "org/b"))
    assert from_helm(tmp_path / "law,model=b", model="mine").models == ("mine",)


def test_other_questions_of_the_same_id_are_refused(tmp_path):
    write(tmp_path / "a", [state(0, ["red"])])
    write(tmp_path / "b", [state(0, ["red"], instance={"input": {"text": "other"}})])
    with pytest.raises(PoolError, match=r"question 'id0' has two texts, .* Keep run_spec.json beside each file"):
        from_helm(tmp_path)
    write(tmp_path / "b", [state(0, ["red"], right=[1])])
    with pytest.raises(PoolError, match="two truths"):
        from_helm(tmp_path)


def test_older_and_newer_shapes(tmp_path):
    chat = {
        "text": "",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Colour?"}],
    }
    picture = {"multimedia_content": {"media_objects": []}, "messages": [{"role": "user", "content": [{}]}]}
    old = {"input": "old?", "references": [{"output": " red ", "tags": ["correct"]}]}
    states = [
        state(0, ["red"], instance=old, request={"model": None, "temperature": None, "max_tokens": None}),
        state(1, ["red"], instance={"input": chat}),
        state(2, ["red"], instance={"input": picture}),
        state(3, ["red"], instance={"input": None}, request={"prompt": None}),
    ]
    for one in states:
        one["result"]["completions"][0] |= {"logprob": 0, "tokens": [], "finish_reason": "length"}
    frame = from_helm(write(tmp_path, states, temperature=0.7, max_tokens=20, method=None)).to_frame()
    assert list(frame["question"].astype(object).where(frame["question"].notna(), None)) == [
        "old?", "Be brief.\n\nColour?", "examples of trial 0, q2", None
    ]  # fmt: skip
    assert frame["correct"].all()
    assert set(frame["temperature"]) == {0.7}
    assert not {"mean_logprob", "output_tokens", "finish_reason"} & set(frame.columns)


GOOD = [state(0, ["red"])]


@pytest.mark.parametrize(
    ("states", "adapter", "says"),
    [
        (GOOD, {"method": "multiple_choice_separate_original"}, "choices or texts, not samples. Pass runs with"),
        (GOOD, {"method": "language_modeling"}, "not samples"),
        (GOOD, {"method": "ranking_binary"}, "not samples"),
        ([state(0, ["red"], reference_index=0)], {}, "record 1: contains likelihoods of choices or texts"),
        ([state(0, ["red"], request_mode="original")], {}, "contains likelihoods of choices or texts"),
        ([state(0, ["red"], right=[])], {}, "has no reference that is tagged correct"),
        ([state(0, ["red"], instance={"id": None})], {}, "'id' is null"),
        ([state(0, ["red"], request={"model": None})], {"model": " "}, r"does not name a model.* Pass model=NAME"),
        ([state(0, ["red"], mapping={})], {"output_mapping_pattern": "("}, "the pattern .* is not a valid regular"),
        ([state(0, ["red"], train_trial_index=-1)], {}, "'train_trial_index' is -1. It must be a non-negative integer"),
        ([], {}, "The files contain no samples"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, states, adapter, says):
    with pytest.raises(PoolError, match=says) as caught:
        from_helm(write(tmp_path, states, **adapter))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ('{"adapter_spec": {}, "request_states": [{"inst', "not valid JSON, or truncated"),
        ("[]", "not a JSON object with"),
        ("{}", "The files contain no samples"),
        ('{"adapter_spec": [], "request_states": []}', "'adapter_spec': expected an object, found a list"),
        ('{"request_states": [NaN]}', "not valid JSON, or truncated"),
    ],
)
def test_damaged_files(tmp_path, text, says):
    path = tmp_path / "scenario_state.json"
    path.write_text(text)
    with pytest.raises(PoolError, match=says):
        from_helm(path)


def test_a_damaged_run_spec_is_refused(tmp_path):
    path = write(tmp_path, GOOD, spec={"class_name": 7})
    assert from_helm(path).question_ids == ["id0"]
    (tmp_path / "run_spec.json").write_text('{"scenario_spec": {}}')
    with pytest.raises(PoolError, match=r"run_spec\.json, 'scenario_spec': has no 'class_name'. It is an empty object"):
        from_helm(path)


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(PoolError, match=r"this folder has no file scenario_state\.json"):
        from_helm(tmp_path)


def test_on_the_command_line(run, tmp_path):
    write(tmp_path / "runs" / "a", [state(0, ["red", "blue"])])
    found = ("import", "helm", tmp_path / "runs", "--model", "mine", "--out")
    code, text, err = run(*found, tmp_path / "pool")
    assert (code, err) == (0, "")
    assert text.startswith("1 question, 1 model, 2 samples\n")
    assert load_pool(tmp_path / "pool").models == ("mine",)
    write(tmp_path / "runs" / "a", [])
    bad(run(*found, tmp_path / "other"), "The files contain no samples")
    assert not (tmp_path / "other").exists()


# Fuzz -----------------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [
        *(None, True, -1, 1.5, 10**400, "", " ", "7", "red", "\ud800", "(", "x" * 50, {}, {"a": 1}, {"A": None}),
        *([], [[]], ["a"], [{}], [{"text": 7}], [{"content": "x"}], {"text": "x"}, {"name": "x", "p": "\udfff"}),
    ]
)


def changes(*keys):
    """Mostly none, so that a file of several states is often whole."""
    return st.integers(0, 7).flatmap(
        lambda n: st.just({}) if n else st.dictionaries(st.sampled_from(keys), ODD, min_size=1, max_size=2)
    )


STATES = st.builds(
    state,
    st.integers(0, 2),
    st.lists(st.sampled_from(["red", "A", "", "blue"]), max_size=3),
    trial=st.integers(0, 1),
    mapping=st.sampled_from([None, MAPPING]),
    instance=changes("id", "input", "references", "perturbation", "split"),
    request=changes("model", "prompt", "random", "temperature", "top_p", "max_tokens", "num_completions"),
    result=changes("success", "completions", "cached", "error", "request_time"),
)


@given(
    states=st.lists(st.tuples(STATES, changes("instance", "request", "result", "output_mapping")), max_size=4),
    adapter=changes("method", "model", "max_train_instances", "output_mapping_pattern"),
    spec=st.one_of(st.none(), changes("class_name", "args").map(lambda change: {"class_name": "x.Y"} | change)),
    rule=st.sampled_from([None, None, "choice", "number"]),
)
def test_any_json_gives_a_pool_or_an_error(tmp_path_factory, states, adapter, spec, rule):
    folder = tmp_path_factory.mktemp("fuzz")
    path = write(folder, [one | change for one, change in states], spec=spec, **adapter)
    said = ""
    try:
        import_pool("helm", read, [path], folder / "pool", Common(rule=rule))
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)
