"""Protocols played by language models, with scripted ones: plans, runs, and the pool that ships."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import mssim
from mssim import load_pool
from mssim.grading import parse_rule
from mssim.importers import from_table
from mssim.live.protocols import parse_protocol, prompts_for, read_prompts
from recorded.llm import steps
from recorded.llm.protocols import PLAYED, plan_of_protocols, play, publish_runs
from recorded.llm.publishing import publish
from recorded.llm.tasks import PROMPTS, TASKS
from recorded.llm.weights import WEIGHTS
from tests.chat_server import serving

TASK = TASKS["products"]
RECORDED = Path(__file__).parents[1] / "recorded"
PLAYED_ON = [name for name in TASKS if (RECORDED / f"llm-{name}-protocols").exists()]
URLS = dict.fromkeys(WEIGHTS, "http://127.0.0.1:9/v1")


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_has_a_plan_and_prompts_for_all_protocols(task):
    plan = plan_of_protocols(steps.plan_of(task, URLS, 1))
    names = {model.name for model in plan.models}
    for text in PLAYED.values():
        protocol = parse_protocol(text)
        assert {*protocol.participants()} <= names
        assert prompts_for(protocol, read_prompts(PROMPTS / f"{task.name}.toml"))
        assert protocol.calls().least <= 6 <= protocol.calls().most
    models = {model.name: model for model in plan.models}
    assert models["judge"].model_id == models["gemma"].model_id
    assert models["judge"].settings["temperature"] == 0.0
    assert models["judge"].settings["top_k"] == models["gemma"].settings["top_k"]
    assert {model.server.concurrency for model in plan.models} == {8}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_runs_resume_and_are_published_beside_the_samples(tmp_path):
    some = {name: PLAYED[name] for name in ("debate", "mad")}
    with serving(seeded=True) as server:
        urls = dict.fromkeys(WEIGHTS, server.base_url)
        steps.record(TASK, urls, tmp_path, 8, number=2)
        before = len(server.log("received"))
        for runs in (1, 2):
            play(TASK, steps.plan_of(TASK, urls, 1), tmp_path, runs, 2, some)
        calls = len(server.log("received")) - before
    pool = publish_runs(tmp_path, tmp_path / "llm-products-protocols", TASK, some)
    rows = pq.read_table(tmp_path / "llm-products-protocols" / "samples.parquet").to_pandas()
    assert rows["calls"].sum() == calls
    assert rows.groupby("model")["calls"].min()["debate"] == 6
    assert pool.models == tuple(some)
    assert (pool.lengths == 2).all()
    assert "127.0.0.1" not in str(pool.info)
    text = (tmp_path / "llm-products-protocols" / "README.md").read_text(encoding="utf-8")
    assert "| `mad` | `mad:gemma,judge=judge,rounds=2` | 0." in text
    publish(tmp_path / "products", tmp_path / "llm-products", TASK)
    joined = from_table([tmp_path / "llm-products", tmp_path / "llm-products-protocols"], texts=False)
    alone = mssim.evaluate(load_pool(tmp_path / "llm-products"), "sc:gemma", [2])
    for strategy, one in (("sc:gemma", alone), ("debate@1", mssim.evaluate(pool, "debate@1", [1]))):
        together = mssim.evaluate(joined, strategy, [2])
        assert together.tokens == pytest.approx(one.tokens)
        assert together.accuracy == pytest.approx(one.accuracy)


class Unfinished:
    notes, complete, unfinished = ("a note",), False, 3


def test_missing_runs_are_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("recorded.llm.protocols.run_protocol", lambda *_, **__: Unfinished())
    with pytest.raises(SystemExit, match="products, debate: 3 runs are missing"):
        play(TASK, steps.plan_of(TASK, URLS, 1), tmp_path, 1, 3)
    assert capsys.readouterr().out == "a note\n"


@pytest.mark.slow
@pytest.mark.parametrize("task", PLAYED_ON)
def test_the_runs_that_ship(task):
    folder = RECORDED / f"llm-{task}-protocols"
    pool, samples = load_pool(folder), load_pool(RECORDED / f"llm-{task}")
    assert pool.models == tuple(PLAYED)
    assert pool.lengths.min() >= 2
    assert pool.question_ids == samples.question_ids
    assert list(pool.questions["truth"]) == list(samples.questions["truth"])
    frame, text = pool.to_frame(), (folder / "README.md").read_text(encoding="utf-8")
    rule = parse_rule(TASKS[task].rule)
    for name, protocol in PLAYED.items():
        own, calls = frame[frame["model"] == name], parse_protocol(protocol).calls()
        assert own["calls"].between(calls.least, calls.most).all()
        assert (own["output_tokens"] > 0).all()
        assert (own["input_tokens"] > 10 * own["calls"]).all()  # every call has the examples of its prompt
        right = [
            isinstance(a, str) and rule.key(a) == rule.key(t)
            for a, t in own[["answer", "truth"]].itertuples(index=False)
        ]
        assert own["correct"].tolist() == right
        shown = (
            f"{own['calls'].mean():.1f} | {(own['input_tokens'] + own['output_tokens']).mean():.0f} | {len(own):,} |"
        )
        assert f"| `{name}` | `{protocol}` | {np.mean(right):.3f} | " in text
        assert shown in text
    assert not re.search(r"127\.0\.0\.1|localhost|/tmp|/home|/work", str(pool.info))
