"""How far a recording is, while it runs and afterwards."""

from mssim.recorder import Journal, status
from mssim.recorder.progress import Progress
from tests.recorder.test_dispatch import fails
from tests.recording import Client, collect, plan, questions


def test_progress_ends_with_everything(tmp_path):
    seen = []
    collect(
        tmp_path,
        Client(fails("no", times=12, transient=False)),
        report=lambda p: seen.append((p.done, p.failed, p.left)),
    )
    assert seen[0] == (0, 0, 12)
    assert seen[-1] == (0, 12, 0)


def test_progress_names_the_last_trouble_until_it_is_over(tmp_path):
    seen = []

    class Watching(Client):
        async def sample(self, request):
            seen.append(progress[0].trouble)
            return await super().sample(request)

    progress = []
    client = Watching(fails("HTTP 429: slow", times=2))
    collect(tmp_path, client, plan(samples=2, concurrency=1), questions(1), report=progress.append)
    assert seen == [None, "HTTP 429: slow", "HTTP 429: slow", None]


def test_reasons_may_hold_any_text(tmp_path):
    found = collect(tmp_path, Client(fails("bad \ud800 reason", transient=False)), plan(samples=1), questions(1))
    assert found.reasons["reason"].tolist() == ["bad ? reason"]


def test_what_is_not_asked_for_now_is_told_and_does_not_count(tmp_path):
    collect(tmp_path, Client(), max_requests=10)
    found = collect(tmp_path, Client(), None, questions(1))
    assert found.complete
    assert found.notes == ("2 more samples are missing for questions or models that are not in this plan.",)


def test_what_is_left_and_how_fast_it_comes():
    progress = Progress(wanted=10, done=4, failed=1, arrived=3, seconds=1.5)
    assert (progress.left, progress.rate) == (5, 2.0)
    assert Progress(wanted=1, done=0, failed=0).rate == 0


def test_status_adds_up_per_model(tmp_path):
    collect(tmp_path, Client(), plan(["a", "b"], samples=3), questions(2))
    found = status(tmp_path)
    assert found.complete
    assert found.to_frame() is found.models
    rows = found.to_frame().set_index("model")
    assert rows["wanted"].tolist() == rows["recorded"].tolist() == [6, 6]
    assert rows["input_tokens"].tolist() == [60, 60]
    assert rows["output_tokens"].tolist() == [30, 30]
    assert rows["cost"].isna().all()


def test_a_live_run_lacks_nothing_that_its_strategy_did_not_ask_for(tmp_path):
    collect(tmp_path, Client(), plan(samples=2))
    with Journal(tmp_path, record=True) as journal:
        models, info = journal.models(), journal.info()
        models["a"]["samples"] = 9
        journal.write_plan(models, [], [], {**info, "live": {"strategy": "sc:a"}})
    found = status(tmp_path)
    assert found.complete
    assert found.to_frame()[["wanted", "recorded", "missing"]].iloc[0].tolist() == [6, 6, 0]
