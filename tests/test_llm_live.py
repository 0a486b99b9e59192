"""Live runs of the strategies whose results ship, with scripted servers."""

import pandas as pd
import pytest

from analysis.sources import named
from mssim import MssimError
from mssim.rules import parse_strategy
from recorded.llm import live_runs, steps
from recorded.llm.live_runs import RUN, publish_live, run_live
from recorded.llm.publishing import publish
from recorded.llm.tasks import TASKS
from recorded.llm.weights import WEIGHTS
from tests.chat_server import serving

TASK = TASKS["products"]


def test_the_strategies_ask_for_several_samples_at_once():
    """Servers count the end of a text in requests for one sample only, so tokens could not be compared."""
    assert len(RUN) == len({strategy for strategy, _ in RUN}) == 3
    for text, budget in RUN:
        strategy = parse_strategy(text)
        assert budget % (8 * len(strategy.models)) == 0
        window = getattr(getattr(strategy, "stop", None), "size", 8)
        assert window > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_runs_resume_and_are_published_beside_the_samples(tmp_path):
    with serving(seeded=True) as server:
        plan = steps.plan_of(TASK, dict.fromkeys(WEIGHTS, server.base_url), 24)
        steps.record(TASK, dict.fromkeys(WEIGHTS, server.base_url), tmp_path, 24, number=2)
        runs = run_live(TASK, plan, tmp_path, 2)
        asked = len(server.log("received"))
        for again, done in zip(run_live(TASK, plan, tmp_path, 2), runs, strict=True):
            pd.testing.assert_frame_equal(again.to_frame(), done.to_frame())
        assert len(server.log("received")) == asked
    folder = tmp_path / "llm-products"
    publish(tmp_path / "products", folder, TASK)
    publish_live(runs, folder)
    found = pd.read_csv(folder / "live.csv")
    assert found[["strategy", "budget"]].drop_duplicates().to_numpy().tolist() == [list(one) for one in RUN]
    assert found["samples_used"].tolist() == [answer.samples_used for done in runs for answer in done.answers]
    assert found["correct"].tolist() == [answer.correct for done in runs for answer in done.answers]
    assert len(named(folder).live) == 6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_runs_with_the_seeds_of_the_recording_are_refused(tmp_path, monkeypatch):
    with serving(seeded=True) as server:
        urls = dict.fromkeys(WEIGHTS, server.base_url)
        steps.record(TASK, urls, tmp_path, 24, number=2)
        plan = steps.plan_of(TASK, urls, 24)
        monkeypatch.setattr(live_runs, "SEED", plan.models[0].seed - 1)
        runs = run_live(TASK, plan, tmp_path, 2)
    publish(tmp_path / "products", tmp_path / "llm-products", TASK)
    with pytest.raises(MssimError, match="same"):
        publish_live(runs, tmp_path / "llm-products")


def test_unfinished_questions_are_an_error(tmp_path, monkeypatch):
    class Unfinished:
        complete, unfinished = False, 3

    monkeypatch.setattr(live_runs, "run", lambda *_, **__: Unfinished())
    plan = steps.plan_of(TASK, dict.fromkeys(WEIGHTS, "http://127.0.0.1:9/v1"), 16)
    with pytest.raises(SystemExit, match=r"products, sc:gemma: 3 questions are unfinished\. Run it again\."):
        run_live(TASK, plan, tmp_path, 3)
