from dataclasses import replace

import numpy as np
import pytest

from analysis import published, simulated
from analysis.sources import embedded, named
from mssim import PoolError
from tests.analysis import stand_ins
from tests.conftest import long_frame, make_pool


def test_models_are_ordered_by_the_accuracy_of_one_sample(tmp_path):
    answers = {("poor", "q"): ["b", "b", "a"], ("good", "q"): ["a", "a", "a"], ("fair", "q"): ["a", "b", "a"]}
    make_pool(answers).save(tmp_path / "pool")
    source = named(tmp_path / "pool")
    assert source.models == source.pool.models == ("good", "fair", "poor")
    assert named(tmp_path / "pool", ("poor", "good")).models == ("poor", "good")


def test_questions_without_the_samples_are_left_out(tmp_path):
    answers = {("x", "q"): ["a"] * 3, ("y", "q"): ["a"] * 4, ("x", "r"): ["a"] * 3, ("y", "r"): ["a"]}
    path = tmp_path / "table.csv"
    long_frame(answers).assign(run=lambda f: f["sample_index"] % 2).to_csv(path, index=False)
    with pytest.warns(UserWarning, match="samples"):
        source = named(path)
    assert source.pool.question_ids == ["q"]
    assert source.name == source.title == "table"
    with (
        pytest.warns(UserWarning, match="samples"),
        pytest.raises(PoolError, match=r"table.csv: no question has at least .* Lower --min-samples"),
    ):
        named(path, min_samples=4)


def test_budgets_are_those_that_were_recorded(tmp_path):
    make_pool({("x", "q"): ["a"] * 3, ("y", "q"): ["a", "a", "a"]}).save(tmp_path / "pool")
    source = named(tmp_path / "pool")
    assert source.most(["x", "y"]) == 3
    assert source.within([1, 2, 3, 4, 6, 8], ["x", "y"]) == [1, 2, 3]
    assert source.within([1, 2, 3, 4, 6, 8], ["x", "y"], shared=True) == [1, 2, 3, 4, 6]


@pytest.mark.slow
def test_what_is_synthetic_says_so(tmp_path):
    assert not any("synthetic" in source.title or "simulated" in source.title for source in embedded())
    assert named("tests/demo-synthetic").title == "synthetic demonstration pool"
    pool = make_pool({("x", "q"): ["a", "a"]})
    for title in ("numbers", ""):
        path = tmp_path / f"pool-{title}"
        object.__setattr__(pool, "info", {"title": title, "synthetic": True})
        pool.save(path)
        assert named(path).title.endswith(" (synthetic)")


def test_the_fingerprint_tells_pools_apart(tmp_path):
    for name, answer in (("one", "a"), ("other", "b")):
        make_pool({("x", "q"): ["a", answer]}).save(tmp_path / name)
    assert named(tmp_path / "one").fingerprint != named(tmp_path / "other").fingerprint
    assert named(tmp_path / "one").fingerprint == named(tmp_path / "one").fingerprint


# Simulated ------------------------------------------------------------------------------------------------------------


def test_twelve_sources_stand_for_the_paper():
    sources = simulated.paper()
    assert len({source.name for source in sources}) == len({source.fingerprint for source in sources}) == 12
    for source in sources:
        assert source.title == f"{source.dataset} (simulated)"
        assert source.models == published.pair(source.dataset, source.pair)


@pytest.mark.slow
def test_a_simulated_pool_has_the_published_questions_and_the_fitted_curves():
    source = simulated.pair("DATE", "closed")
    pool = source.pool
    assert pool.info["synthetic"]
    assert pool.info["title"].startswith("simulated DATE")
    assert len(pool.questions) == published.dataset("DATE")["n"]
    model = simulated.coupled("DATE", "closed").answer_model
    described = pool.describe().set_index("model")["accuracy"]
    for name in source.models:
        # Evenly spread questions: chance alone would be off by 2.3 points, one standard error of 369 questions.
        assert abs(described[name] - model.accuracy_at_k(name, 1)) < 0.008
    assert simulated.pair("DATE", "closed").pool.fingerprint == pool.fingerprint
    assert simulated.pair("DATE", "closed", n_samples=16).fingerprint != source.fingerprint


@pytest.mark.slow
def test_the_coupling_meets_the_published_point_it_is_fitted_to():
    coupling = simulated.coupled("DATE", "closed")
    given = published.point(figure="fig4", dataset="DATE", strategy="ModelSwitch", budget=8)["accuracy"]
    assert coupling.within_reach
    assert coupling.given == given
    assert abs(coupling.fitted - given) < 0.004


@pytest.mark.slow
def test_a_team_leaves_out_models_of_which_nothing_is_published():
    six = simulated.six_models()
    assert simulated.team("MATH", six).models == tuple(
        model for model in six if "Claude" not in model and "Qwen" not in model
    )
    team = simulated.team("DATE", six)
    assert team.models == tuple(six)
    accuracy = team.pool.describe().set_index("model")["accuracy"]
    given = published.points(figure="fig6", dataset="DATE", strategy="single").set_index("models")["accuracy"]
    assert np.abs(accuracy - given).max() < 0.03


def test_even_questions_are_near_what_is_expected():
    model = simulated.fitted("DATE", "closed").answer_model
    name = model.models[0]
    off = {
        evenly: [
            model.draw(200, 8, seed=seed, evenly=evenly).describe()["accuracy"][0] - model.accuracy_at_k(name, 1)
            for seed in range(20)
        ]
        for evenly in (True, False)
    }
    # The ratio of standard deviations is below .4; twenty of each, that it appears above .7 is beyond one in a million.
    assert np.std(off[True]) < 0.7 * np.std(off[False])
    assert abs(np.mean(off[True])) < 0.01


def test_runs_of_protocols_are_found_beside_the_samples(tmp_path):
    stand_ins.samples().save(tmp_path / "llm-task")
    alone = named(tmp_path / "llm-task")
    assert alone.protocols is None
    stand_ins.runs().save(tmp_path / "llm-task-protocols")
    found = named(tmp_path / "llm-task")
    assert found.protocols.models == tuple(stand_ins.PROTOCOLS)
    assert found.models == alone.models
    assert found.fingerprint != alone.fingerprint


def test_controls_are_last_however_strong(tmp_path):
    """Models with the weights of a model before them are controls of it."""
    pool = stand_ins.samples(("weak", "strong", "other"))
    described = {"weak": {"model_id": "w"}, "strong": {"model_id": "w"}, "other": {"model_id": "o"}}
    replace(pool, info={**pool.info, "models": described}).save(tmp_path / "pool")
    found = named(tmp_path / "pool")
    assert found.controls == {"strong": "weak"}
    assert found.models[-1] == "strong"
    assert named(tmp_path / "pool", ["strong", "other"]).models == ("strong", "other")
    assert named(tmp_path / "pool", ["other"]).controls == {}


def test_models_without_descriptions_have_no_controls(tmp_path):
    pool = stand_ins.samples()
    for n, described in enumerate(
        ({"strong": {}, "weak": {}}, {"strong": {"model_id": 1}, "weak": {"model_id": 1}}, 3)
    ):
        replace(pool, info={**pool.info, "models": described}).save(tmp_path / f"pool{n}")
        assert named(tmp_path / f"pool{n}").controls == {}


def test_runs_of_protocols_are_no_source(tmp_path, monkeypatch):
    for name in ("llm-b", "llm-a"):
        stand_ins.samples().save(tmp_path / name)
    stand_ins.runs().save(tmp_path / "llm-a-protocols")
    monkeypatch.setattr("analysis.sources.RECORDED", tmp_path)
    assert [one.name for one in embedded()] == ["llm-a", "llm-b"]
