"""tau-bench and tau2-bench: rewards as verdicts, costs of the agent, and names of runs."""

import json
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import tau_bench
from mssim.importers.formats.tau_bench import from_tau_bench
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.recognition import recognised
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, right, told

RUN = "tool-calling-gpt-4o-0.0_range_0-2_user-gpt-4o-mini-llm_0101120000.json"


def run(task, trial, reward, **more):
    """A run of tau-bench."""
    info = {"task": {"user_id": "u", "instruction": f"You want {task}.", "actions": []}, "source": "user"}
    traj = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"Done {task}, {trial}."}]
    traj.append({"role": "assistant", "content": None, "tool_calls": []})
    return {"task_id": task, "trial": trial, "reward": reward, "info": info | {"user_cost": 0.25}, "traj": traj} | more


def simulation(task, trial, reward, **more):
    """A simulation of tau2-bench."""
    one = {"id": f"{task}-{trial}", "task_id": str(task), "trial": trial, "agent_cost": 0.5, "user_cost": 0.125}
    one |= {"duration": 60.0, "termination_reason": "user_stop", "messages": [{"role": "assistant", "content": "Bye"}]}
    return one | {"reward_info": {"reward": reward}} | more


def results(simulations, *, model="gpt-4.1", user="gpt-4.1", domain="retail", **more):
    info = {"agent_info": {"implementation": "llm_agent", "llm": model, "llm_args": {"temperature": 0.0}}}
    info |= {"user_info": {"llm": user}, "environment_info": {"domain_name": domain, "policy": "..."}}
    return {"timestamp": "t", "info": info, "tasks": [{"id": "0"}], "simulations": simulations} | more


def write(path, content):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps(content))
    return path


# tau-bench ------------------------------------------------------------------------------------------------------------


def test_runs_are_samples_and_pass_hat_k_is_as_by_hand(tmp_path):
    rewards = {0: [1.0, 0.0, 1.0, 1.0], 1: [0.0, 0.0, 0.0, 1.0]}
    runs = [run(task, trial, values[trial]) for trial in range(4) for task, values in rewards.items()]
    pool = from_tau_bench(write(tmp_path / RUN, runs))
    assert pool.models == ("gpt-4o",)
    assert right(pool) == {"0": [True, False, True, True], "1": [False, False, False, True]}
    assert pool.info["votes"] is False
    assert pool.questions["question"].tolist() == ["You want 0.", "You want 1."]
    assert pool.extra["text"].to_pylist()[0] == "Done 0, 0."
    assert pool.extra["temperature"].to_pylist() == [0.0] * 8
    assert pool.info["user_cost"] == {"gpt-4o": 2.0}
    assert "cost" not in {*pool.extra.column_names, *pool.numbers}
    correct = pool.sample_correct()[0].sum(axis=1)  # pass^k of the authors: comb(c, k) / comb(n, k), over tasks
    hat = [np.mean([comb(int(c), k) / comb(4, k) for c in correct]) for k in (1, 2, 3, 4)]
    naive = [np.mean([comb(sum(r == 1 for r in v), k) / comb(4, k) for v in rewards.values()]) for k in (1, 2, 3, 4)]
    assert hat == naive == [0.5, 0.25, 0.125, 0.0]


def test_runs_with_an_error_are_failed_and_partial_rewards_are_told(tmp_path):
    runs = [run(0, 0, 1.0, agent_cost=0.5), run(0, 1, 0.0, info={"error": "rate limit", "traceback": "..."}, traj=[])]
    runs += [run(0, 2, 0.5, agent_cost=0.25), run(0, 3, 1 - 1e-9, agent_cost=1, info={"user_cost": 2})]
    with (
        told(
            "1 sample failed and is not in the pool: 1 with an error before they were judged, for which tau-bench has"
        ),
        told("1 reward is neither 0 nor 1.*only the reward 1 is a success. The mean reward is 0.8333"),
    ):
        pool = from_tau_bench(write(tmp_path / "gpt-4o-airline.json", runs))
    assert right(pool) == {"airline/0": [True, False, True]}
    assert pool.numbers["cost"][0, 0].tolist() == [0.5, 0.25, 1.0]
    assert pool.info["user_cost"] == {"gpt-4o": 2.5}  # a run has none


def test_what_differs_between_runs_of_a_model_is_in_its_name(tmp_path):
    names = [RUN, RUN.replace("tool-calling", "act"), RUN.replace("-0.0_", "-1.0_")]
    names += [RUN.replace("tool-calling-gpt", "act-o"), RUN.replace("range_0-2", "range_2--1")]
    paths = [write(tmp_path / name, [run(i, 0, 1.0)]) for i, name in enumerate(names)]
    with told("has no samples for"):
        pool = from_tau_bench(paths)
    usual, other = "gpt-4o tool-calling temperature-0.0", "gpt-4o tool-calling temperature-1.0"
    assert pool.models == (usual, "gpt-4o act temperature-0.0", other, "o-4o")
    assert pool.lengths.sum(axis=1).tolist() == [2, 1, 1, 1]
    assert from_tau_bench(paths[:2], model="m").models == ("m",)


def test_the_domain_is_in_a_folder_or_in_the_name(tmp_path):
    write(tmp_path / "airline" / RUN, [run(0, 0, 1.0)])
    write(tmp_path / "gpt-4o-retail.json", [run(0, 0, 0.0)])
    with told("has no samples for"):
        pool = from_tau_bench(tmp_path)
    assert pool.question_ids == ["airline/0", "retail/0"]
    assert pool.questions["domain"].tolist() == ["airline", "retail"]


# tau2-bench -----------------------------------------------------------------------------------------------------------


def test_simulations_are_samples(tmp_path):
    rewards = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    found = [simulation(task, trial, reward) for task, row in enumerate(rewards) for trial, reward in enumerate(row)]
    found.append(simulation(2, 2, 0.0, termination_reason="infrastructure_error"))
    found.append(simulation(2, 3, None, reward_info=None, termination_reason="too_many_errors"))
    with told("2 samples failed and are not in the pool: 1 infrastructure_error, 1 too_many_errors"):
        pool = from_tau_bench(write(tmp_path / "run" / "results.json", results(found)))
    assert pool.models == ("gpt-4.1",)
    assert pool.question_ids == ["retail/0", "retail/1", "retail/2"]
    assert pool.sample_correct()[0].mean() == np.mean(np.array(rewards) == 1)
    assert pool.numbers["cost"][0].tolist() == [[0.5, 0.5]] * 3
    assert pool.numbers["latency"][0, 0].tolist() == [60.0, 60.0]
    assert set(pool.extra["finish_reason"].to_pylist()) == {"user_stop"}
    assert pool.info["user_cost"] == {"gpt-4.1": 1.0}


def test_runs_with_other_users_and_domains(tmp_path):
    given = [("a", "u1", "retail"), ("a", "u2", "retail"), ("b", "u1", "airline")]
    for i, (model, user, domain) in enumerate(given):
        write(tmp_path / f"{i}.json", results([simulation(0, 0, 1.0)], model=model, user=user, domain=domain))
    out = tmp_path / "pool"
    found = import_pool("tau-bench", tau_bench.read, [*tmp_path.glob("*.json")], out, Common())
    assert set(found.models) == {"a user-u1", "a user-u2", "b"}
    assert any("reports the 2 values of domain separately" in remark for remark in found.remarks)
    assert any("simulated users cost 0.375 in total" in remark for remark in found.remarks)


def test_a_folder_with_a_file_per_simulation(tmp_path):
    found = [simulation(0, trial, float(trial)) for trial in range(3)]
    names = ("id", "task_id", "trial", "agent_cost", "termination_reason")
    index = [{name: one[name] for name in names} | one["reward_info"] for one in found]
    whole = results([], simulation_index=index)
    del whole["simulations"]
    path = write(tmp_path / "run" / "results.json", whole)
    for one in found[:2]:
        write(tmp_path / "run" / "simulations" / f"{one['id']}.json", one)
    with told("1 reward is neither 0 nor 1"):
        assert right(from_tau_bench(path)) == {"retail/0": [False, True, False]}  # the index has all
    pool = from_tau_bench(tmp_path)
    assert right(pool) == {"retail/0": [False, True]}
    assert {file.name for file in recognised([tmp_path]).paths} == {"results.json", "0-0.json", "0-1.json"}
    assert pool.extra["text"].to_pylist() == ["Bye", "Bye"]
    with pytest.raises(PoolError, match="has no 'agent_info' in 'info'"):
        from_tau_bench(tmp_path / "run" / "simulations")


# Faults ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([run(0, 0, 1.0), run(0, 0, 1.0)], "record 2: trial 0 of task '0' appears twice"),
        ([run(0, 0, "good")], "record 1: 'reward' is text. It must be a number"),
        ([run(None, 0, 1.0)], "'task_id' is null"),
        ([run(0, 0, None)], r"The files contain no samples \(1 failed: without a reward\)"),
        ([run(0, 0, 1.0, traj="x")], "'traj' is text. It must be a list"),
        ({"info": {}}, "has no 'agent_info' in 'info'"),
        (results([]), "has no simulations"),
        (results([simulation(0, 0, None)]), r"\(1 failed: without a reward\)"),
        (results([simulation(0, 0, 1.0), 1]), "record 2: expected an object"),
    ],
)
def test_files_that_are_refused(tmp_path, content, says):
    with pytest.raises(PoolError, match=says):
        from_tau_bench(write(tmp_path / "a.json", content))


def test_files_are_recognised_by_their_records(tmp_path):
    assert tau_bench.is_own(Source(write(tmp_path / "a.json", [run(0, 0, 1.0)])))
    assert tau_bench.is_own(Source(write(tmp_path / "b.json", results([simulation(0, 0, 1.0)]))))
    assert tau_bench.is_own(Source(write(tmp_path / "c.json", simulation(0, 0, 1.0))))
    others = [{"task_id": "HumanEval/0", "passed": True}, {"task_id": 1, "trial": 2, "reward": 1}, results([])["info"]]
    for i, other in enumerate(others):
        assert not tau_bench.is_own(Source(write(tmp_path / f"{i}.json", [other])))


RUNS = st.builds(
    lambda task, trial, reward, changed: run(task, trial, reward, **changed),
    or_odd(st.integers(0, 1)), or_odd(st.integers(0, 1)), or_odd(st.sampled_from([0.0, 1.0])),
    st.dictionaries(
        st.sampled_from(["info", "traj", "agent_cost", "reward_info", "termination_reason"]),
        or_odd(st.just({})),
        max_size=1,
    ),
)  # fmt: skip


@given(runs=st.lists(or_odd(RUNS), min_size=1, max_size=4), inside=st.booleans())
def test_any_runs_give_a_pool_or_an_error(tmp_path_factory, runs, inside):
    folder = tmp_path_factory.mktemp("fuzz")
    path = write(folder / "a.json", results(runs) if inside else runs)
    assert tau_bench.is_own(Source(path)) in (True, False)
    pool_or_error(folder, "tau-bench", tau_bench.read, path)
