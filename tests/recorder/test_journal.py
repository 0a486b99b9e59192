import ctypes
import os
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mssim import RecordError
from mssim.recorder import Choice, Journal, Reply, export, status
from mssim.recorder.dispatch import Run
from mssim.recorder.journal import Cell, Outcome
from tests.recording import Client, as_version_1, collect, plan, questions, stored

CELL = Cell("q", "a", "hash")


def outcome(*texts, index=0, error=None, failed=()):
    reply = Reply(tuple(Choice(text) for text in texts), 1, 1, "m", "f", "r")
    return Outcome(CELL, "http://x", len(texts), range(index, index + len(texts)), reply, error, failed, 0.1, 1e9, None)


def opened(folder):
    journal = Journal(folder, record=True)
    journal.write_plan(
        {"a": {"identity": {}, "server": "http://x", "samples": 9}},
        [{"question_id": "q", "question": "?", "truth": "7"}],
        [CELL],
        {},
    )
    return journal


@given(text=st.text(st.characters(codec=None)))
@example("\0")
@example("a\0b")
@example("\ud800 half a pair")
@example("\U0001f600\u202e")
@example("x" * 10**6)
@example("'); DROP TABLE samples; --")
def test_texts_come_back_as_they_were(tmp_path_factory, text):
    with opened(tmp_path_factory.mktemp("pool")) as journal:
        journal.store([outcome(text)])
        assert [sample["text"] for sample in journal.samples(CELL)] == [text]


def test_a_commit_holds_all_of_its_outcomes_or_none(tmp_path):
    with opened(tmp_path) as journal:
        journal.store([outcome("x")])
        with pytest.raises(RecordError, match="UNIQUE constraint failed"):
            journal.store([outcome("y", index=1), outcome("z")])
        assert [sample["text"] for sample in journal.samples(CELL)] == ["x"]
        assert journal.spend()[0]["requests"] == 1


def test_missing_are_those_neither_there_nor_given_up(tmp_path):
    with opened(tmp_path) as journal:
        journal.store([outcome("x", "y", index=2), outcome(error="no", failed=[5, 6])])
        assert journal.missing(CELL, 0, 8) == [0, 1, 4, 7]
        assert journal.missing(CELL, 0, 8, retry_failed=True) == [0, 1, 4, 5, 6, 7]
        assert journal.missing(Cell("q", "a", "other"), 0, 3) == [0, 1, 2]
        journal.store([outcome("z", index=5)])
        assert journal.reasons() == [("a", "no", 1)]


def test_a_second_recorder_is_refused_and_the_first_goes_on(tmp_path):
    with opened(tmp_path) as journal:
        with pytest.raises(RecordError, match=r"another process records into this folder\. Wait until it ends"):
            Journal(tmp_path, record=True)
        journal.store([outcome("x")])
        assert status(tmp_path).to_frame()["recorded"].tolist() == [1]
    Journal(tmp_path, record=True).close()


def test_a_folder_without_a_journal_is_refused(tmp_path):
    with pytest.raises(RecordError, match=r"does not contain journal.sqlite. Name the folder of a"):
        status(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordError, match=r"Committed samples are kept\. Check permissions"):
        collect(tmp_path / "file" / "pool", Client())


def test_a_damaged_or_newer_journal_is_refused_and_left_alone(tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(RecordError, match="file is not a database"):
        collect(tmp_path, Client())
    assert (tmp_path / "journal.sqlite").read_bytes() == b"not a database" * 100
    (tmp_path / "newer").mkdir()
    with sqlite3.connect(tmp_path / "newer" / "journal.sqlite") as newer:
        newer.execute("PRAGMA user_version = 9")
    newer.close()
    with pytest.raises(RecordError, match="has version 9, but this mssim reads version 1 or 2"):
        collect(tmp_path / "newer", Client())


def test_a_full_disk_ends_it_with_the_journal_intact(tmp_path, monkeypatch):
    class Kept(Journal):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            journals.append(self)

    class Filling(Client):
        async def sample(self, request):
            if len(self.requests) == 10:  # from now on the file may not grow
                journals[0]._writer.execute("PRAGMA max_page_count = 1")
            return await super().sample(request)

    journals = []
    monkeypatch.setattr("mssim.recorder._record.Journal", Kept)
    client = Filling(lambda _: Reply((Choice("x" * 3000),)))
    with pytest.raises(
        RecordError, match=r"database or disk is full.* Committed samples are kept.*could not be stored"
    ):
        collect(tmp_path, client, plan(samples=30, concurrency=4))
    kept = stored(tmp_path)
    assert 5 <= len(kept) < 20
    assert len(client.requests) - len(kept) <= 4
    with sqlite3.connect(tmp_path / "journal.sqlite") as checked:
        assert checked.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    checked.close()
    again = Client()
    assert collect(tmp_path, again, plan(samples=30)).complete
    assert len(again.requests) == 90 - len(kept)


def test_it_stops_before_the_disk_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10 * 2**20))
    client = Client()
    found = collect(tmp_path, client)
    assert client.requests == []
    assert found.notes == ("The disk has only 10 MB of free space. At least 64 MB are needed.",)


def test_a_folder_that_is_removed_or_moved_ends_it(tmp_path, monkeypatch):
    """SQLite would go on writing to files that no folder has."""

    class Moving(Client):
        async def sample(self, request):
            if len(self.requests) == 10:
                (tmp_path / "pool").rename(tmp_path / "moved")
                running[0]._tell(0.0)
            return await super().sample(request)

    class Kept(Run):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            running.append(self)

    running = []
    monkeypatch.setattr("mssim.recorder._record.Run", Kept)
    client = Moving()
    with pytest.raises(RecordError, match=r"journal.sqlite was removed or moved while samples were recorded"):
        collect(tmp_path / "pool", client, plan(samples=30, concurrency=4))
    assert len(client.requests) < 20
    assert not (tmp_path / "pool").exists()


def without_override():
    """Make even root obey the permissions of files, in this process and those that it becomes."""
    ctypes.CDLL(None, use_errno=True).prctl(24, 1, 0, 0, 0)  # drop CAP_DAC_OVERRIDE from the bounding set


def in_read_only(folder, command):
    folder.chmod(0o555)
    try:
        return subprocess.run(
            [sys.executable, "-m", "mssim", *command],
            capture_output=True,
            text=True,
            preexec_fn=without_override,
            check=False,
        )
    finally:
        folder.chmod(0o755)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's way of taking root's rights away")
def test_a_read_only_folder_is_refused_in_one_line_and_its_status_is_read(tmp_path):
    table, pool = tmp_path / "questions.csv", tmp_path / "pool"
    table.write_text("question_id,question,truth\nq0,Ask 0,7\nq1,Ask 1,7\nq2,Ask 2,7\n")
    collect(pool, Client())
    before = {path.name: path.read_bytes() for path in pool.iterdir()}
    asked = [
        "record",
        str(table),
        "--model",
        "a",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--samples",
        "5",
        "--out",
        str(pool),
    ]
    done = in_read_only(pool, asked)
    if done.returncode != 2 and os.geteuid() == 0:
        pytest.skip("root cannot give its rights up here")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Committed samples are kept. Check permissions" in done.stderr
    shown = in_read_only(pool, ["record", "--status", "--out", str(pool)])
    assert (shown.returncode, "12" in shown.stdout) == (0, True)
    assert {path.name: path.read_bytes() for path in pool.iterdir()} == before


def test_it_can_be_read_while_it_is_written(tmp_path):
    class Looking(Client):
        async def sample(self, request):
            seen.append(status(tmp_path).to_frame()["recorded"].item())
            return await super().sample(request)

    seen = []
    collect(tmp_path, Looking(), plan(concurrency=1), questions(2))
    assert seen == list(range(8))


def test_a_journal_that_was_tampered_with_is_refused(tmp_path):
    collect(tmp_path, Client())
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        journal.execute("UPDATE models SET identity = '{'")
    journal.close()
    for act in (lambda: status(tmp_path), lambda: collect(tmp_path, Client())):
        with pytest.raises(RecordError, match=r"journal.sqlite is damaged \(.*Restore it from a copy, or record into"):
            act()
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordError, match=r"file is not a folder\. Name the folder of a recording, or a new folder"):
        collect(tmp_path / "file", Client())


def test_a_journal_of_version_1_is_read_exported_and_continued(tmp_path):
    collect(tmp_path, Client(), plan(samples=2))
    as_version_1(tmp_path)
    texts = stored(tmp_path)
    found = status(tmp_path)
    assert found.complete
    assert found.warnings == ("samples of a were served by 'served', but the request names 'a'",)
    (tmp_path / "samples.parquet").unlink()
    assert export(tmp_path) is None
    assert pq.read_table(tmp_path / "samples.parquet").num_rows == 6
    with sqlite3.connect(tmp_path / "journal.sqlite") as untouched:
        assert untouched.execute("PRAGMA user_version").fetchone() == (1,)  # reading changes nothing
    untouched.close()
    thinking = Client(lambda _: Reply((Choice("7", reasoning="3 + 4"),), 10, 5))
    assert collect(tmp_path, thinking, plan(samples=3)).complete
    assert len(thinking.requests) == 3
    assert stored(tmp_path) == texts | {(f"q{i}", "a", 2): "7" for i in range(3)}
    frame = pq.read_table(tmp_path / "samples.parquet").to_pandas()
    assert frame.groupby("sample_index")["reasoning"].count().to_dict() == {0: 0, 1: 0, 2: 3}
    with sqlite3.connect(tmp_path / "journal.sqlite") as migrated:
        assert migrated.execute("PRAGMA user_version").fetchone() == (2,)
    migrated.close()


def test_what_a_sample_has_besides_its_text_comes_back(tmp_path):
    choice = Choice("7", reasoning="3 + \ud800", refusal="no", tool_calls='[{"a": "\udfff"}]')
    with opened(tmp_path) as journal:
        assert journal.besides() == []
        reply = Reply((choice,), served_model="m\ud800", fingerprint="f\ud800", request_id="r\ud800")
        journal.store([Outcome(CELL, "http://x", 1, [0], reply, None, (), 0.1, 1e9, None)])
        (sample,) = journal.samples(CELL)
        assert journal.besides() == ["reasoning", "refusal", "tool_calls"]
    names = ("reasoning", "refusal", "tool_calls", "served_model", "fingerprint", "request_id")
    expected = (choice.reasoning, choice.refusal, choice.tool_calls, "m\ud800", "f\ud800", "r\ud800")
    assert tuple(sample[name] for name in names) == expected


def test_a_range_of_samples_is_read_and_questions_are_added(tmp_path):
    collect(tmp_path, Client(), plan(samples=5), questions(1))
    with Journal(tmp_path, record=True) as journal:
        (cell,) = journal.cells()
        assert [sample["sample_index"] for sample in journal.samples(cell, 1, 4)] == [1, 2, 3]
        assert len(journal.samples(cell)) == 5
        journal.add_questions([{"question_id": "new", "question": "?"}], [Cell("new", "a", "hash")])
        assert [row["question_id"] for row in journal.questions()] == ["q0", "new"]
        assert [one.question for one in journal.cells()] == ["q0", "new"]
