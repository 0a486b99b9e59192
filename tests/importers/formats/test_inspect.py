"""Logs of Inspect AI in both formats: made up here, by inspect_ai itself and by hand, and damaged or hostile."""

import asyncio
import json
import sys
import zipfile

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats.inspect import from_inspect
from tests.cli import test_cli
from tests.conftest import SHARED

models = pytest.importorskip("inspect_ai.log")
scorers, outputs = pytest.importorskip("inspect_ai.scorer"), pytest.importorskip("inspect_ai.model")

run = test_cli.run
ZSTANDARD = 93


def header(status="success", model="openai/m", epochs=2, samples=1, config=None, plan=None, **spec):
    dataset = {"samples": samples, "sample_ids": spec.pop("sample_ids", None)}
    spec = {"created": "2026-01-01T00:00:00+00:00", "task": "sums", "run_id": "r", "eval_id": model, **spec}
    spec |= {"dataset": dataset, "model": model, "config": {"epochs": epochs}, "model_generate_config": config or {}}
    return {"version": 2, "status": status, "eval": spec, "plan": {"config": plan or {}}, "stats": {}}


def sample(answer="4", value="C", *, name="q", epoch=1, scorer="match", **more):
    score = {"value": value, "answer": answer, "explanation": "so it is"}
    told = {"id": name, "epoch": epoch, "input": "2+2?", "target": "4", "scores": {scorer: score}}
    return told | {"uuid": f"{name} {epoch} {answer} {scorer}"} | more


def logged(told, text="I say 4."):
    """A whole sample of what its summary tells."""
    output = {"model": "m", "choices": [{"message": {"role": "assistant", "content": text}}]}
    return told | {"messages": [{"role": "user", "content": "2+2?"}], "output": output}


def eval_log(path, summaries, head=None, *, whole=(), compression=zipfile.ZIP_DEFLATED, chunked=False):
    """An .eval log; a `whole` sample is one member, or if chunked the first of several."""
    head = header() if head is None else head
    members = {"header.json": head, "summaries.json": summaries, "_journal/start.json": head}
    for one in whole:
        folder = f"samples/{one['id']}_epoch_{one['epoch']}"
        members[f"{folder}/sample.json" if chunked else f"{folder}.json"] = one
    return archived(path, members, compression)


def archived(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in members.items():
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


def json_log(path, samples, head=None):
    path.write_text(json.dumps((header() if head is None else head) | {"samples": samples}))
    return path


def either(kind, folder, samples, head=None, name="log"):
    make = {"eval": eval_log, "json": json_log}[kind]
    return make(folder / f"{name}.{kind}", samples, head)


kinds = pytest.mark.parametrize("kind", ["eval", "json"])


def answers_of(pool, model="openai/m", question=0):
    """Labels of the samples of a model, and whether each is right."""
    m, first = pool.model_index(model), pool.class_offsets[question]
    codes = pool.codes[m, question, : pool.lengths[m, question]]
    labels = [None if code < 0 else pool.class_labels[int(first + code)].as_py() for code in codes]
    return labels, [bool(code >= 0 and pool.class_correct[first + code]) for code in codes]


# What inspect_ai writes -----------------------------------------------------------------------------------------------


def test_the_fixture_imports():
    path = SHARED / "fixtures" / "mockllm_epochs4_zstd.eval"
    if not path.is_file():
        pytest.skip("the log of others, which is not part of the project, is not beside the checkout")
    pool = from_inspect(path)
    assert (pool.models, pool.question_ids) == (("mockllm/model",), ["q0", "q1", "q2"])
    assert pool.lengths.tolist() == [[4, 4, 4]]
    assert [answers_of(pool, "mockllm/model", q) for q in range(3)] == [([a] * 4, [True] * 4) for a in "123"]
    assert pool.questions["topic"].tolist() == ["add"] * 3
    assert from_inspect(path, transcripts=True, rule="number").extra["text"][0].as_py() == "ANSWER: 1"


def written_by_inspect(path, status="success"):
    """Two questions, three epochs: right, wrong, and an error of the API; with the scores of two scorers."""
    samples = []
    for name in ("b", "a"):
        for epoch, answer in enumerate(["4", "5"], 1):
            value = "C" if answer == "4" else "I"
            scores = {"match": scorers.Score(value=value, answer=answer), "length": scorers.Score(value=0.25 * epoch)}
            usage = outputs.ModelUsage(
                input_tokens=7, output_tokens=epoch, total_tokens=10 + epoch, input_tokens_cache_read=3
            )
            output = outputs.ModelOutput.from_content("openai/m", f"I say {answer}.")
            samples.append(
                models.EvalSample(
                    id=name, epoch=epoch, input=[outputs.ChatMessageUser(content="2+2?")], target=["4", "four"],
                    choices=["4", "5"], output=output, scores=scores, metadata={"topic": "sums", "luck": epoch},
                    model_usage={"openai/m": usage, "openai/judge": usage + usage}, working_time=0.5 * epoch,
                    total_time=9.0, uuid=f"{name}{epoch}",
                )
            )  # fmt: skip
        error = models.EvalError(message="RateLimitError('slow down')", traceback="", traceback_ansi="")
        samples.append(models.EvalSample(id=name, epoch=3, input="2+2?", target=["4", "four"], error=error))
    spec = header(epochs=3, samples=2, sample_ids=["a", "b"], config={"temperature": 0.5}, plan={"max_tokens": 9})
    log = models.EvalLog.model_validate(spec | {"status": status, "samples": samples})
    models.write_eval_log(log, path)
    return path


@kinds
def test_logs_written_by_inspect_are_read(tmp_path, kind):
    path = written_by_inspect(tmp_path / f"log.{kind}")
    with pytest.warns(PoolWarning, match=r"2 samples failed .*: 2 error: RateLimitError\('slow down'\)"):
        pool = from_inspect(path, scorer="match", texts=False)
    assert (pool.question_ids, pool.lengths.tolist()) == (["a", "b"], [[2, 2]])
    assert answers_of(pool) == answers_of(pool, question=1) == (["4", "5"], [True, False])
    questions = pool.questions.astype(object).to_dict("records")[0]
    assert list(questions.pop("choices")) == ["4", "5"]
    assert questions == {"question_id": "a", "question": "2+2?", "truth": "4 | four", "topic": "sums"}
    assert pool.numbers["input_tokens"][0, 0].tolist() == [10, 10]
    assert pool.numbers["output_tokens"][0, 0].tolist() == [1, 2]
    assert pool.numbers["latency"][0, 0].tolist() == [0.5, 1.0]
    assert pool.info["dataset"] == "sums"
    settings = {name: set(pool.extra[name].to_pylist()) for name in ("temperature", "max_tokens")}
    assert settings == {"temperature": {0.5}, "max_tokens": {9}}
    assert "text" not in pool.extra.column_names


@kinds
def test_texts_are_read_from_the_samples(tmp_path, kind):
    path = written_by_inspect(tmp_path / f"log.{kind}")
    with pytest.warns(PoolWarning, match="2 samples failed"):
        pool = from_inspect(path, scorer="match")
    assert pool.extra["text"].to_pylist() == ["I say 4.", "I say 5."] * 2
    assert pool.extra["finish_reason"].to_pylist() == ["stop"] * 4
    with pytest.warns(PoolWarning, match="2 samples failed"):
        assert "text" not in from_inspect(path, scorer="match", transcripts=False).extra.column_names


@kinds
@pytest.mark.parametrize("status", ["started", "cancelled", "error"])
def test_what_is_there_of_an_unfinished_log_is_read(tmp_path, kind, status):
    path = written_by_inspect(tmp_path / f"log.{kind}", status)
    with pytest.warns(PoolWarning) as caught:
        pool = from_inspect(path, scorer="match")
    assert pool.lengths.tolist() == [[2, 2]]
    assert f"log.{kind} is incomplete (status {status}): it has 6 of 6 samples." in [str(w.message) for w in caught]


def test_a_run_that_was_killed_leaves_its_journal(tmp_path):
    start = {name: header(epochs=4, sample_ids=["q"])[name] for name in ("version", "eval", "plan")}
    again = sample("4", epoch=2)
    journal = {f"_journal/summaries/{n}.json": [sample(str(n), "I", epoch=n)] for n in (10, 9)}
    journal |= {"_journal/summaries/2.json": [sample("5", "I", epoch=2)], "_journal/summaries/11.json": [again]}
    path = archived(tmp_path / "log.eval", {"_journal/start.json": start, **journal}, ZSTANDARD)
    with pytest.warns(PoolWarning) as caught:
        pool = from_inspect(path)
    assert answers_of(pool) == (["4", "9", "10"], [True, False, False])
    assert [str(warning.message) for warning in caught] == [
        "log.eval is incomplete (status started): it has 3 of 4 samples.",
        "log.eval: 1 sample was repeated. The last repetition is used.",
    ]


def test_it_reads_within_a_running_loop_and_says_nothing(tmp_path, capfd, caplog):
    path = eval_log(tmp_path / "log.eval", [sample()])

    async def within():
        return from_inspect(path)

    assert answers_of(asyncio.run(within())) == (["4"], [True])
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


# Samples --------------------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(
    ("value", "right"), [("C", 1), ("I", 0), (1, 1), (0.0, 0), (True, 1), ("yes", 1), ("No", 0), ("1", 1), ("0.0", 0)]
)
def test_values_that_are_verdicts(tmp_path, kind, value, right):
    path = either(kind, tmp_path, [sample(value=value), sample("5", 1 - right, epoch=2)])
    pool = from_inspect(path)
    assert pool.sample_correct()[pool.recorded].tolist() == [right, not right]


@kinds
@pytest.mark.parametrize("value", [7, -1, "B", ["C"], 10**400, "1e999"], ids=lambda value: str(value)[:5])
def test_values_that_are_no_verdicts_are_refused(tmp_path, kind, value):
    path = either(kind, tmp_path, [sample(value=value)])
    with pytest.raises(
        PoolError,
        match=r"log\.\w+: (sample 'q', epoch 1: its score 'match' is .* 1\.|is not valid JSON|is not a log .*overflow)",
    ):
        from_inspect(path)


@kinds
def test_partial_credit_counts_as_wrong_and_is_noted(tmp_path, kind):
    path = either(kind, tmp_path, [sample(), sample("5", "P", epoch=2), sample("6", 0.9, epoch=3)])
    with pytest.warns(PoolWarning, match=rf"log.{kind}: 2 samples have partial credit by 'match' and count as wrong"):
        pool = from_inspect(path)
    assert answers_of(pool) == (["4", "5", "6"], [True, False, False])
    assert "score" not in pool.numbers


@kinds
def test_samples_without_a_verdict_are_counted_as_failed(tmp_path, kind):
    limit = {"type": "token", "limit": 9} if kind == "json" else "token"
    error = {"message": "boom\n" * 50, "traceback": "", "traceback_ansi": ""} if kind == "json" else "boom\n" * 50
    path = either(
        kind,
        tmp_path,
        [
            sample(metadata={"topic": "sums"}),
            sample(epoch=2, metadata={"topic": "sums"}, limit=limit, error=error),  # it has a score
            sample(epoch=3, scores=None, error=error),
            sample(epoch=4, scores={}, limit=limit),
            sample(epoch=5, scores=None),
            sample(epoch=6, value=float("nan")),
            sample(epoch=7, scorer="other"),
            sample(name="r", scores=None),
        ],
    )
    with pytest.warns(PoolWarning) as caught:
        pool = from_inspect(path, scorer="match")
    assert answers_of(pool) == (["4", "4"], [True, True])
    boom = f"error: {' '.join(['boom'] * 12)}"
    assert pool.info["import"]["failed"] == {
        boom: 1, "stopped by the limit 'token'": 1, "not scored": 2, "not scored by 'match'": 2
    }  # fmt: skip
    assert str(caught[-1].message).startswith("6 samples failed and are not in the pool: 1 error: boom")


@kinds
def test_a_log_without_any_score_has_no_samples(tmp_path, kind):
    path = either(kind, tmp_path, [sample(scores=None)])
    with pytest.raises(PoolError, match=r"The files contain no samples \(1 failed: not scored\)"):
        from_inspect(path)


@kinds
def test_a_rule_grades_samples_that_are_not_scored(tmp_path, kind):
    """As of a run with --no-score. A sample that failed is no wrong answer."""
    said = [answered(sample(epoch=n + 1, scores=None), text) for n, text in enumerate(["4", "5", ""])]
    boom = {"message": "boom", "traceback": "", "traceback_ansi": ""}
    others = [sample(epoch=4, scorer="other"), sample(epoch=5, scores=None, error=boom), sample(name="r", scores=None)]
    path = with_texts(kind, tmp_path, [*said, *(answered(one, "4") for one in others)])
    with pytest.warns(PoolWarning) as caught:
        pool = from_inspect(path, scorer="other", rule="number")
    told = "2 samples failed and are not in the pool: 1 neither scored nor a text, 1 error: boom."
    assert told in [str(one.message) for one in caught]
    assert answers_of(pool) == (["4", "5", "4"], [True, False, True])
    path = with_texts(kind, tmp_path, said)
    with pytest.raises(PoolError, match=r"its samples are not scored\. Grade the texts with a rule, such as rule='nu"):
        from_inspect(path)


@kinds
def test_the_scorer_is_chosen(tmp_path, kind):
    both = {"match": {"value": "C", "answer": "4"}, "judge": {"value": {"style": 0, "truth": 1}, "answer": "four"}}
    path = either(kind, tmp_path, [sample(scores=both)])
    listed = "from 'judge.style', 'judge.truth', 'match'"
    with pytest.raises(PoolError, match=rf"has 3 scorers, but none was named\. Pass scorer=NAME\. Choose {listed}"):
        from_inspect(path)
    with pytest.raises(PoolError, match=rf"no scorer 'mach'\. Did you mean 'match'\? Choose {listed}"):
        from_inspect(path, scorer="mach")
    assert answers_of(from_inspect(path, scorer="match")) == (["4"], [True])
    assert answers_of(from_inspect(path, scorer="judge.style")) == (["four"], [False])
    other = either(kind, tmp_path, [sample(scorer="exact")], header(model="openai/n"), "other")
    with pytest.warns(PoolWarning, match="the logs use different scorers: 'exact', 'includes'"):
        from_inspect([either(kind, tmp_path, [sample(scorer="includes")]), other])


@kinds
def test_blank_answers_are_no_answer(tmp_path, kind):
    samples = [sample(epoch=1), sample("?", "N", epoch=2), sample(" ", "I", epoch=3), sample(None, "I", epoch=4)]
    with pytest.warns(PoolWarning, match="gives no answer in 75.0%"):
        pool = from_inspect(either(kind, tmp_path, samples))
    assert answers_of(pool) == (["4", None, None, None], [True, False, False, False])


@kinds
def test_where_the_scorer_gives_no_answer_each_sample_is_one_of_its_own(tmp_path, kind):
    samples = [sample(None, value, epoch=epoch) for epoch, value in enumerate("CIC", 1)]
    pool = from_inspect(either(kind, tmp_path, samples))
    assert pool.sample_correct()[pool.recorded].tolist() == [True, False, True]
    assert pool.info["votes"] is False


@kinds
def test_a_right_sample_without_an_answer_among_others_with_one_is_refused(tmp_path, kind):
    path = either(kind, tmp_path, [sample(), sample(None, epoch=2)])
    with pytest.raises(
        PoolError,
        match=r"log\.\w+: sample 'q', epoch 2, is correct but .*Choose a scorer that reports an answer for all",
    ):
        from_inspect(path)


@kinds
def test_a_scorer_that_wavers_is_refused_unless_the_texts_are_graded(tmp_path, kind):
    samples = [logged(sample()), logged(sample(value="I", epoch=2), "I say 5.")]
    path = either(kind, tmp_path, samples)
    if kind == "eval":
        path = eval_log(path, [sample(), sample(value="I", epoch=2)], whole=samples)
    with pytest.raises(
        PoolError,
        match=r"'4' to question 'q' is right and wrong for 'openai/m'.* Choose another scorer, or grade the texts",
    ):
        from_inspect(path)
    pool = from_inspect(path, rule="number")
    assert answers_of(pool) == (["4", "5"], [True, False])


@pytest.mark.parametrize("chunked", [False, True])
def test_answers_that_a_summary_cuts_are_read_from_the_sample(tmp_path, chunked):
    """Equal in their first 1024 characters, they would be one answer."""
    long = "so " * 400
    whole = [logged(sample(long + "4")), logged(sample(long + "5", "I", epoch=2))]
    summaries = [models.EvalSample.model_validate(one).summary().model_dump(mode="json") for one in whole]
    assert summaries[0]["scores"]["match"]["answer"] == summaries[1]["scores"]["match"]["answer"]
    with pytest.warns(PoolWarning, match="answers of openai/m by the scorer match are whole texts, and hardly any"):
        pool = from_inspect(eval_log(tmp_path / "log.eval", summaries, whole=whole, chunked=chunked))
    assert answers_of(pool) == ([long + "4", long + "5"], [True, False])
    with pytest.warns(PoolWarning, match="whole texts"):
        assert answers_of(from_inspect(json_log(tmp_path / "log.json", whole))) == answers_of(pool)
    lone = eval_log(tmp_path / "log.eval", [*summaries, sample("4", epoch=3)])
    pool = from_inspect(lone)
    assert (answers_of(pool)[1], pool.info["votes"]) == ([True, False, True], False)
    assert pool.info["import"]["remarks"] == [
        "2 answers are truncated in the summaries, and the logs lack the whole samples, so that no answers are used."
    ]
    with pytest.raises(PoolError, match=r"has no member 'samples/q_epoch_1.json', which holds the whole sample"):
        from_inspect(lone, rule="number")


@kinds
def test_tokens_are_those_of_the_model_and_count_a_cache_once(tmp_path, kind):
    """Older versions count cached tokens in; a model that grades is named beside."""
    old = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "input_tokens_cache_read": 8}
    new = {"input_tokens": 2, "output_tokens": 5, "total_tokens": 15, "input_tokens_cache_read": 8, "total_cost": 0.5}
    usages = [{"openai/m": old, "judge": new}, {"openai/m": new}, {"x": new, "y": new}, {}]
    samples = [sample(epoch=n, model_usage=usage, total_time=n, working_time=0) for n, usage in enumerate(usages, 1)]
    pool = from_inspect(either(kind, tmp_path, samples))
    assert [str(number) for number in pool.numbers["input_tokens"][0, 0]] == ["10.0", "10.0", "20.0", "nan"]
    assert [str(number) for number in pool.numbers["output_tokens"][0, 0]] == ["5.0", "5.0", "10.0", "nan"]
    assert [str(number) for number in pool.numbers["cost"][0, 0]] == ["nan", "0.5", "1.0", "nan"]
    assert pool.numbers["latency"][0, 0].tolist() == [1, 2, 3, 4]


@kinds
def test_graders_that_gave_up_are_no_verdicts(tmp_path, kind):
    """Whatever value they wrote, as until 2026, or only one of several values."""
    gave_up = [
        {"value": "I", "answer": "5", "explanation": "Grade not found in model output: well"},
        {"value": "I", "answer": "5", "metadata": {"unscored_reason": "grade_parse_failure"}},
        {"value": 0, "answer": "5", "reason": "scoring_failed"},
        {"value": float("nan"), "answer": "5"},
        {"value": "nan", "answer": "5"},
    ]
    samples = [sample(epoch=epoch, scores={"match": score}) for epoch, score in enumerate(gave_up, 1)]
    samples.append(
        sample(epoch=6, scores={"match": {"value": "I", "answer": "6", "reason": "invalid_response_format"}})
    )
    with pytest.warns(PoolWarning, match="5 samples failed"):
        pool = from_inspect(either(kind, tmp_path, [sample(epoch=7), *samples]))
    assert answers_of(pool) == (["6", "4"], [False, True])
    assert pool.info["import"]["failed"] == {
        "the grader gave no verdict": 2, "the scorer failed": 1, "not scored by 'match'": 2
    }  # fmt: skip
    values = [sample(epoch=n, scores={"j": {"value": {"a": a}, "answer": "4"}}) for n, a in enumerate([1, None, 1], 1)]
    values.append(sample(epoch=4, scores={"j": {"value": {"b": 1}, "answer": "4"}}))
    with pytest.warns(PoolWarning, match="2 samples failed"):
        assert answers_of(from_inspect(either(kind, tmp_path, values), scorer="j.a"))[1] == [True, True]


# Choices --------------------------------------------------------------------------------------------------------------


def chosen(choices, target, answer, **more):
    """A sample of a multiple-choice question."""
    right = "C" if answer == target else "I"
    return logged(sample(answer, right, scorer="choice", choices=choices, target=target) | more)


def chosen_log(kind, folder, samples, name, *, old=False):
    """A log of a run of its own; an old one has no choices in summaries."""
    head = header(model=f"mock/{name}", run_id=name)
    samples = [one | {"uuid": f"{name} {i}", "epoch": i} for i, one in enumerate(samples, 1)]
    if kind == "json":
        return json_log(folder / f"{name}.json", samples, head)
    summaries = [models.EvalSample.model_validate(one).summary().model_dump(mode="json") for one in samples]
    for summary in summaries:
        summary["choices"] = None if old else summary["choices"]
    return eval_log(folder / f"{name}.eval", summaries, head, whole=samples)


ANIMALS = ["cow", "sparrow", "dog"]


@pytest.mark.parametrize(
    ("kind", "old", "transcripts"), [("json", False, None), ("eval", False, False), ("eval", True, False)]
)
def test_letters_of_shuffled_choices_become_their_texts(tmp_path, kind, old, transcripts):
    """Orders differ between logs, with the same letter of the truth and another one."""
    one = [chosen(ANIMALS, "B", "A"), chosen(ANIMALS, "B", "B"), chosen(ANIMALS, "B", "none")]
    for target, order in (("B", ANIMALS[::-1]), ("C", ["dog", "cow", "sparrow"])):
        answers = ["ABC"[order.index(name)] for name in ("cow", "sparrow")]
        other = [chosen(order, target, answer) for answer in [*answers, "C, A"]]
        paths = [chosen_log(kind, tmp_path, given, name, old=old) for name, given in (("a", one), ("b", other))]
        pool = from_inspect(paths, transcripts=transcripts)
        assert answers_of(pool, "mock/a") == (["cow", "sparrow", "none"], [False, True, False])
        both = "cow | dog" if target == "B" else "sparrow | dog"
        assert answers_of(pool, "mock/b") == (["cow", "sparrow", both], [False, True, False])
        assert pool.questions["truth"].tolist() == ["sparrow"]
        assert list(pool.questions["choices"][0]) == ANIMALS
        assert pool.info["import"]["remarks"][0].startswith("the choices of 1 question were shuffled")
    with pytest.raises(PoolError, match="rule: the choices of 1 question were shuffled, so letters in the texts"):
        from_inspect(paths, rule="choice")
    assert answers_of(from_inspect(paths[0], transcripts=transcripts), "mock/a")[0] == ["A", "B", "none"]


@kinds
def test_orders_of_epochs_and_several_letters(tmp_path, kind):
    epochs = [
        chosen(ANIMALS, ["A", "C"], "A, C", scores=right("A, C")),
        chosen(ANIMALS[::-1], "AC", "C", scores=right("A, C")),
    ]
    epochs.append(chosen(["sparrow", "dog", "cow"], ["B", "C"], "B, C", scores=right("B, C")))
    pool = from_inspect(chosen_log(kind, tmp_path, epochs, "a"))
    assert answers_of(pool, "mock/a") == (["cow | dog"] * 3, [True] * 3)
    assert pool.questions["truth"].tolist() == ["cow | dog"]


@kinds
def test_one_choice_that_is_right_in_one_order_only_is_refused(tmp_path, kind):
    """The letter of another order is not a contradiction, but the text of the same choice is."""
    one = [chosen(ANIMALS, "B", "B"), chosen(ANIMALS[::-1], "B", "A", scores=right("A"))]
    with pytest.raises(PoolError, match="answer: 'dog' to question 'q' is right and wrong for 'mock/a'"):
        from_inspect(chosen_log(kind, tmp_path, [*one, chosen(ANIMALS, "B", "C")], "a"))


def right(answer):
    return {"choice": {"value": "C", "answer": answer}}


@pytest.mark.parametrize("holding", [True, False])
def test_shuffled_choices_that_are_nowhere_are_refused(tmp_path, holding):
    """Summaries of an interrupted run in an old version may be all there is of a sample."""
    one = chosen_log("eval", tmp_path, [chosen(ANIMALS, "B", "B")], "a", old=not holding)
    other = chosen_log("eval", tmp_path, [chosen(None, "C", "C")], "b")
    if not holding:
        one = eval_log(tmp_path / "c.eval", [chosen(None, "B", "B", uuid="x")], header(run_id="c"))
    with pytest.raises(
        PoolError, match=r"b.eval: the truth .* is 'B' in .* and 'C' in .*, as if its choices were shuf"
    ):
        from_inspect([one, other], transcripts=False)


@kinds
@pytest.mark.parametrize(
    ("scorer", "says"), [("model_graded_qa", True), ("model_graded_fact1", True), ("match", False)]
)
def test_scorers_whose_answers_are_responses_are_named(tmp_path, kind, scorer, says):
    """Short responses are told only if the scorer is known to keep them; numbers are not."""
    answers = ["So it is 4.", "Clearly, it must be 4!", "I guess 5, not sure", "Well, the sum is 5"]
    samples = [sample(answer, "C", epoch=n, scorer=scorer) for n, answer in enumerate(answers, 1)]
    path = either(kind, tmp_path, samples)
    if says:
        with pytest.warns(
            PoolWarning, match=f"answers of openai/m by the scorer {scorer} are whole texts, and hardly any"
        ):
            pool = from_inspect(path)
    else:
        pool = from_inspect(path)
    assert pool.info["scorer"] == scorer
    numbers = [sample(str(n), "I", epoch=n, scorer=scorer) for n in range(5, 9)]
    assert from_inspect(either(kind, tmp_path, [sample(scorer=scorer), *numbers])).lengths.tolist() == [[5]]


# Several logs ---------------------------------------------------------------------------------------------------------


@kinds
def test_logs_of_one_model_are_joined_and_those_of_others_stand_beside(tmp_path, kind):
    first = either(kind, tmp_path, [sample(epoch=2), sample("5", "I", epoch=1)], name="1_a")
    more = either(kind, tmp_path, [sample("6", "I", uuid="x")], header(run_id="s"), name="2_b")
    other = either(kind, tmp_path, [sample("7", "I", uuid="y")], header(model="openai/n"), name="3_c")
    with pytest.warns(PoolWarning, match="samples per question and model range from"):
        pool = from_inspect([first, more, other])
    assert answers_of(pool) == (["5", "4", "6"], [False, True, False])
    assert answers_of(pool, "openai/n") == (["7"], [False])
    (tmp_path / "logs.json").write_text("{}")
    (tmp_path / "eval-set.json").write_text("{}")
    with pytest.warns(PoolWarning, match="samples per question and model range from"):
        assert from_inspect(tmp_path).fingerprint == pool.fingerprint


@kinds
def test_other_settings_of_one_model_are_noticed(tmp_path, kind):
    warm = either(kind, tmp_path, [sample()], header(config={"temperature": 1.0}), name="warm")
    cold = either(kind, tmp_path, [sample(uuid="x")], header(plan={"temperature": 0.0}, run_id="s"), name="cold")
    with pytest.warns(PoolWarning, match="temperature"):
        from_inspect([warm, cold])


@pytest.mark.parametrize("uuid", ["u", None])
def test_a_log_and_its_copy_are_refused(tmp_path, uuid):
    """The same samples in another format, or taken over by a retry, which is another run but for samples without id."""
    one = eval_log(tmp_path / "one.eval", [sample(uuid=uuid)])
    other = json_log(tmp_path / "other.json", [sample(uuid=uuid)], header(run_id="s" if uuid else "r"))
    with pytest.raises(PoolError, match=r"other.json: its sample 'q', epoch 1, is also in one.eval. One log is a copy"):
        from_inspect([one, other])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "5"}, "question 'q' has two truths"),
        ({"input": "3+1?"}, "question 'q' has two texts, .* and '3.1.'"),
    ],
)
def test_logs_about_other_questions_are_refused(tmp_path, change, says):
    one = eval_log(tmp_path / "one.eval", [sample()])
    other = eval_log(tmp_path / "other.eval", [sample(uuid="x", **change)], header(model="openai/n"))
    with pytest.raises(PoolError, match=rf"{says}.*different questions under the same ids. Import them separately"):
        from_inspect([one, other])


def test_what_all_samples_of_a_question_share_describes_it(tmp_path):
    shared = {"topic": "sums", "level": 2, "model": "taken", "parts": [1], "half": "\ud800"}
    one = eval_log(
        tmp_path / "one.eval",
        [sample(metadata=shared | {"luck": 1}), sample(epoch=2, metadata=shared | {"luck": 2})],
    )
    other = eval_log(
        tmp_path / "other.eval", [sample(uuid="x", metadata=shared | {"luck": 1})], header(model="openai/n")
    )
    with pytest.warns(PoolWarning, match="samples per question and model range from"):
        questions = from_inspect([one, other]).questions
    assert list(questions) == ["question_id", "question", "truth", "half", "level", "topic"]
    assert questions[["level", "topic"]].values.tolist() == [[2, "sums"]]
    with pytest.warns(PoolWarning, match="samples per question and model range from"):
        assert from_inspect([one, other], where={"level": 2}).question_ids == ["q"]


def test_an_invalid_log_is_noted(tmp_path):
    path = eval_log(tmp_path / "log.eval", [sample()], header() | {"invalidated": True})
    with pytest.warns(PoolWarning, match="log.eval is marked as invalid"):
        from_inspect(path)


# Logs without samples -------------------------------------------------------------------------------------------------


def results(total=4, **more):
    return {"results": {"total_samples": total, "completed_samples": total, "scores": [], **more}}


@kinds
def test_header_only_logs_are_called_that(tmp_path, kind):
    path = either(kind, tmp_path, [], header() | results(), "1_a")
    says = f"1_a.{kind}: reports results of 4 samples but holds none: it was written without them .header only.. The"
    refused(path, says + " .eval log of the same run may hold them. Import that log instead.")
    if kind == "json":
        (tmp_path / "1_a.eval").write_bytes(b"PK")
        refused(path, says + "re is 1_a.eval beside it|1_a.eval beside it may hold them")
    else:
        score = {"name": "match", "scorer": "match", "metrics": {}}
        refused(
            either(kind, tmp_path, [], header() | results(0, scores=[score])), "reports results of samples but holds"
        )


def test_a_header_beside_its_log_is_not_needed(tmp_path):
    either("json", tmp_path, [], header() | results(1), "1_a")
    either("eval", tmp_path, [sample()], header() | results(1), "1_a")
    pool = from_inspect(tmp_path)
    assert answers_of(pool) == (["4"], [True])
    assert pool.info["import"]["remarks"] == ["1_a.json holds no samples. Those of 1_a.eval are used."]


@pytest.mark.parametrize("status", ["started", "error"])
def test_logs_of_runs_that_ended_before_a_sample_are_noted(tmp_path, status):
    empty = either("json", tmp_path, [], header(status), "1_a")
    with pytest.warns(PoolWarning, match=f"1_a.json is incomplete .status {status}.: it has 0 of an unknown number"):
        assert answers_of(from_inspect([empty, either("json", tmp_path, [sample()], name="2_b")])) == (["4"], [True])


@pytest.mark.parametrize("whole", [True, False])
def test_an_unpacked_log_is_read(tmp_path, whole):
    """The folder, its header or its summaries name it; texts are read if they are there too."""
    samples = [logged(sample(), "It is 4."), logged(sample("5", "I", epoch=2), "It is 5.")]
    with zipfile.ZipFile(eval_log(tmp_path / "log.eval", samples, whole=samples if whole else ())) as archive:
        archive.extractall(tmp_path / "logs" / "run")
    (tmp_path / "log.eval").unlink()
    folder = tmp_path / "logs" / "run"
    header_json, summaries = folder / "header.json", folder / "summaries.json"
    for paths in (tmp_path / "logs", header_json, summaries, [header_json, summaries]):
        pool = from_inspect(paths)
        assert answers_of(pool) == (["4", "5"], [True, False])
        assert not whole or pool.extra["text"].to_pylist() == ["It is 4.", "It is 5."]
    summaries.write_text("{")
    refused(
        header_json, "header.json: .* is not a log of Inspect AI, or is damaged|member summaries.json has unexpected"
    )
    summaries.unlink()
    header_json.write_text(json.dumps(header() | results()))
    refused(header_json, "header.json: reports results of 4 samples but holds none")
    summaries.write_text("[]")
    header_json.unlink()
    refused(summaries, "belongs to a log whose header.json is not beside it")


def refused(path, says, **options):
    """One line of error, and nothing is written."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(PoolError, match=says) as caught:
        from_inspect(path, **options)
    assert str(caught.value).count("\n") == 0
    assert len(str(caught.value)) < 600
    assert sorted(path.parent.iterdir()) == before


def test_a_missing_inspect_ai_names_the_extra(tmp_path, monkeypatch):
    path = eval_log(tmp_path / "log.eval", [sample()])
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    with pytest.raises(MssimError, match=r'not installed: python -m pip install "mssim\[inspect\]"'):
        from_inspect(path)


# What the model said --------------------------------------------------------------------------------------------------


def answered(told, content, reason="stop", logprobs=None, **message):
    """A whole sample with this output."""
    choice = {"message": {"role": "assistant", "content": content, **message}, "stop_reason": reason}
    if logprobs is not None:
        tokens = [{"token": "t", "logprob": value, "bytes": None, "top_logprobs": None} for value in logprobs]
        choice["logprobs"] = {"content": tokens}
    return told | {"messages": [], "output": {"model": "m", "choices": [choice]}}


def with_texts(kind, folder, whole):
    if kind == "json":
        return json_log(folder / "log.json", whole)
    summaries = [models.EvalSample.model_validate(one).summary().model_dump(mode="json") for one in map(logged, whole)]
    return eval_log(folder / "log.eval", summaries, whole=whole)


@kinds
def test_texts_reasoning_and_calls_are_columns(tmp_path, kind):
    parts = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "It is "},
        {"type": "text", "text": "4"},
    ]
    call = {"id": "c", "function": "f", "arguments": {"x": 1}, "type": "function"}
    whole = [
        answered(sample(epoch=1), parts),
        answered(sample(epoch=2), "4", "max_tokens"),
        answered(sample("5", "I", epoch=3), "", "tool_calls", tool_calls=[call]),
    ]
    with pytest.warns(PoolWarning) as caught:
        pool = from_inspect(with_texts(kind, tmp_path, whole))
    assert [str(one.message) for one in caught] == [
        "1 of 3 samples of openai/m was cut off (finish_reason length).",
        "1 of 3 texts of openai/m is empty, with tool calls only.",
    ]
    frame = pool.to_frame().astype(object)
    names = ["text", "reasoning", "finish_reason"]
    assert [text.replace("\n", "") for text in frame["text"]] == ["It is 4", "4", ""]
    assert frame.where(frame.notna(), None)[names[1:]].values.tolist() == [
        ["hm", "stop"], [None, "length"], [None, "tool_calls"]
    ]  # fmt: skip
    assert json.loads(frame["tool_calls"][2]) == [call]
    assert pool.info["import"]["remarks"] == ["1 of 3 samples of openai/m has reasoning, kept in the column reasoning."]


@kinds
def test_outputs_without_choices_and_old_reasoning(tmp_path, kind):
    nothing = sample(epoch=2) | {"messages": [], "output": {"model": "m", "choices": [None]}}
    whole = [answered(sample(epoch=1), "4", reasoning="hm"), nothing, sample(epoch=3) | {"output": None}]
    frame = from_inspect(with_texts(kind, tmp_path, whole)).to_frame().astype(object)
    assert frame.where(frame.notna(), None)[["text", "reasoning"]].values.tolist() == [
        ["4", "hm"], [None, None], [None, None]
    ]  # fmt: skip


@kinds
@pytest.mark.parametrize("mark", [None, -9999.0, 0.5])
def test_log_probabilities_are_the_confidence(tmp_path, kind, mark):
    known = [answered(sample(epoch=epoch), "4", logprobs=[-1, -0.5 * epoch]) for epoch in (1, 2)]
    path = with_texts(kind, tmp_path, known)
    assert from_inspect(path).numbers["confidence"][0, 0].tolist() == [-0.75, -1.0]
    path = with_texts(kind, tmp_path, [*known[:1], answered(sample(epoch=2), "4", logprobs=[-1, mark])])
    with pytest.warns(PoolWarning, match="have no confidence, which votes need of all samples"):
        pool = from_inspect(path)
    assert [str(value) for value in pool.number("confidence")[0, 0]] == ["-0.75", "nan"]


@kinds
@pytest.mark.parametrize(("reason", "finish"), [("model_length", "length"), ("length", "length"), ("unknown", None)])
def test_stop_reasons_are_those_of_other_formats(tmp_path, kind, reason, finish):
    path = with_texts(kind, tmp_path, [answered(sample(), "4", reason)])
    if finish is None:
        assert "finish_reason" not in from_inspect(path).extra.column_names
    else:
        with pytest.warns(PoolWarning, match="1 of 1 sample of openai/m was cut off"):
            assert from_inspect(path).extra["finish_reason"].to_pylist() == [finish]


@kinds
@pytest.mark.parametrize(
    ("reason", "error", "says"),
    [
        ("error", "upstream\ndied", "error: upstream died"),
        ("error", None, "stop_reason error"),
        ("network_error", None, "stop_reason network_error"),
    ],
)
def test_generations_that_failed_are_no_samples(tmp_path, kind, reason, error, says):
    died = answered(sample("5", "I", epoch=2), "It is", reason)
    died["output"]["error"] = error
    with pytest.warns(PoolWarning, match=f"1 sample failed and is not in the pool: 1 {says}"):
        pool = from_inspect(with_texts(kind, tmp_path, [answered(sample(), "4"), died]))
    assert answers_of(pool) == (["4"], [True])


@kinds
def test_refusals_are_kept(tmp_path, kind):
    refusal = answered(sample("", "I", epoch=2), "", "content_filter")
    refusal["output"]["error"] = "not allowed"
    with pytest.warns(PoolWarning) as caught:
        pool = from_inspect(with_texts(kind, tmp_path, [answered(sample(), "4"), refusal]))
    assert "1 of 2 texts of openai/m is empty, refused." in [str(one.message) for one in caught]
    assert pool.extra["refusal"].to_pylist() == [None, "not allowed"]


def test_large_transcripts_are_read_only_where_asked_for(tmp_path, monkeypatch):
    path = with_texts("eval", tmp_path, [answered(sample(), "4")])
    monkeypatch.setattr("mssim.importers.formats.inspect._MOST_TRANSCRIPTS", 10)
    pool = from_inspect(path)
    assert "text" not in pool.extra.column_names
    (remark,) = pool.info["import"]["remarks"]
    assert (
        remark == "log.eval: texts were not read, since the transcripts have 0 MB. Pass transcripts=True to read them."
    )
    assert from_inspect(path, transcripts=True).extra["text"].to_pylist() == ["4"]


# The command line -----------------------------------------------------------------------------------------------------


def test_the_command_line_takes_a_scorer(tmp_path, run):
    both = {"match": {"value": "C", "answer": "4"}, "judge": {"value": "I", "answer": "four"}}
    path = eval_log(tmp_path / "log.eval", [sample(scores=both)])
    code, out, err = run("import", "inspect", path, "--scorer", "judge", "--out", tmp_path / "pool")
    assert (code, err) == (0, "")
    assert out.startswith("1 question, 1 model, 1 sample")
    assert answers_of(load_pool(tmp_path / "pool")) == (["four"], [False])
    result = run("import", "inspect", path, "--out", tmp_path / "other")
    test_cli.bad(result, "has 2 scorers, but none was named. Pass --scorer NAME. Choose from 'judge', 'match'")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "texts"),
    [([], 1), (["--rule", "number"], 1), (["--transcripts"], 1), (["--no-transcripts"], 0), (["--no-texts"], 0)],
)
def test_the_command_line_reads_texts(tmp_path, run, options, texts):
    path = either("json", tmp_path, [logged(sample())])
    assert run("import", "inspect", path, *options, "--out", tmp_path / "pool")[0] == 0
    extra = load_pool(tmp_path / "pool").extra
    assert ("text" in extra.column_names) == texts
    assert not texts or extra["text"].to_pylist() == ["I say 4."]


# Anything -------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.just(10**30), st.floats(), st.just("\ud800"), st.text(max_size=3)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
NAMES = ["id", "epoch", "uuid", "input", "choices", "target", "metadata", "scores", "error", "limit", "model_usage"]
NAMES += ["total_time", "working_time", "output", "messages"]
GOOD = st.builds(
    sample,
    st.sampled_from(["4", "5", None, "4...", "A", "B", "A, B"]),
    st.sampled_from(["C", "I", 1, 0, 0.5]),
    name=st.sampled_from(["q", "r", 3]),
    epoch=st.integers(1, 4),
    metadata=st.dictionaries(st.sampled_from(["topic", "é", "model"]), JSON, max_size=2),
    choices=st.none() | st.sampled_from([["4", "5"], ["5", "4"], ["4", "4"], ["", "5", "6"]]),
    target=st.sampled_from(["4", "4", "A", "B", ["A", "B"], "AB"]),
)


@st.composite
def broken(draw, good, names):
    """Mostly as it should be, else with other values in a few places."""
    value = draw(good)
    for name in draw(st.just([]) | st.just([]) | st.lists(st.sampled_from(names), max_size=2)):
        value = value | {name: draw(JSON)}
    return value


SCORED = broken(GOOD, NAMES) | st.builds(
    lambda told, score: told | {"scores": {"match": score}},
    GOOD,
    broken(st.just({"value": "C", "answer": "4"}), ["value", "answer", "metadata"]),
)
HEADERS = st.builds(
    lambda head, spec: head | {"eval": spec},
    broken(st.just(header()), ["version", "status", "plan", "stats", "results", "invalidated", "error"]),
    broken(st.just(header()["eval"]), ["model", "dataset", "config", "model_generate_config", "task", "run_id"]),
)


@pytest.mark.slow
@given(
    head=HEADERS, samples=st.lists(SCORED, min_size=1, max_size=4), kind=st.sampled_from(["eval", "json"]),
    transcripts=st.booleans(),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::mssim.errors.PoolWarning")
def test_anything_gives_a_pool_or_an_error_of_ours(tmp_path_factory, head, samples, kind, transcripts):
    folder = tmp_path_factory.mktemp("fuzz")
    if kind == "eval":
        whole = [one for one in map(logged, samples) if all(isinstance(one[n], str | int) for n in ("id", "epoch"))]
        path = eval_log(
            folder / "log.eval", samples, head, whole=[one for one in whole if "\ud800" not in str(one["id"])]
        )
    else:
        path = json_log(folder / "log.json", [logged(one) for one in samples], head)
    try:
        pool = from_inspect(path, transcripts=transcripts)
    except MssimError:
        event("refused")
    else:
        assert pool.lengths.sum() >= 1
        event("a pool")
