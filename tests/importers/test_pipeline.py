"""What all imports share: reading files that may be hostile, the long table, diagnostics, and a pool or nothing."""

import os
import time
from functools import partial

import pytest

from mssim import PoolError, load_pool
from mssim.importers import Common
from mssim.importers.pipeline import import_pool
from tests.importers.readers import rows, written


def test_a_pool_is_replaced_only_where_it_may_be(tmp_path):
    path, out = written(tmp_path, "x"), tmp_path / "pool"
    once = partial(import_pool, "made up", paths=[path], out=out, common=Common(info={"title": "t"}))
    once(read=rows({"answer": "1"}))
    with pytest.raises(PoolError, match=r"already exists\. Choose another path, or pass overwrite=True"):
        once(read=rows({"answer": "2"}))
    with pytest.raises(PoolError, match="no sample"):
        once(read=lambda *_: None, overwrite=True)
    assert load_pool(out).to_frame()["answer"].tolist() == ["1"]  # what fails leaves the old one
    once(read=rows({"answer": "2"}), overwrite=True)
    assert load_pool(out).to_frame()["answer"].tolist() == ["2"]
    assert load_pool(out).info["title"] == "t"
    with pytest.raises(PoolError, match="is not a pool folder"):
        import_pool("made up", rows({"answer": "1"}), [path], tmp_path, Common(), overwrite=True)
    with pytest.raises(PoolError, match=r"the folder .*nowhere does not exist. Create it first"):
        import_pool("made up", rows({"answer": "1"}), [path], tmp_path / "nowhere" / "pool", Common())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_what_is_cut_off_leaves_nothing(tmp_path, error):
    def read(sources, sink):
        rows({"answer": "1"})(sources, sink)
        raise error

    before = sorted(tmp_path.iterdir())
    with pytest.raises((KeyboardInterrupt, PoolError)):
        to_out(tmp_path, read)
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_killed_import_left_is_cleared_after_a_day(tmp_path):
    for name, age in ((".pool.1.part", 2 * 86400), (".pool.2.part", 60), (".other.3.part", 2 * 86400)):
        (tmp_path / name / "work").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    to_out(tmp_path, rows({"answer": "1"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.3.part", ".pool.2.part", "pool"]


def to_out(tmp_path, read):
    return import_pool("made up", read, [], tmp_path / "pool", Common())
