"""Readers that add what a test says, and imports by them; shared by the tests of importers."""

from mssim.importers import Common
from mssim.importers.pipeline import import_pool


def written(folder, content, name="a.json"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(*samples, question_id="q", model="m", **question):
    """A reader that adds samples of one model for one question."""
    return lambda _, sink: sink.add(question_id, model, samples, question=question or {"truth": "1"})


def both(*readers):
    def read(sources, sink):
        for reader in readers:
            reader(sources, sink)

    return read


def imported(tmp_path, read, **common):
    path = written(tmp_path, "x", "source.txt")
    return import_pool("made up", read, [path], tmp_path / "pool", Common(**common))


LONG = "a text that is long enough not to be the same by chance"
