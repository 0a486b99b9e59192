"""Files that appear whole or not at all."""

import os

import pyarrow as pa
import pytest

from mssim import MssimError
from mssim._files import usable_path, whole_file


def test_a_file_appears_when_its_block_ends(tmp_path):
    path = tmp_path / "out.txt"
    with whole_file(path) as part:
        part.write_text("new")
        assert part.parent == tmp_path
        assert not path.exists()
    assert path.read_text() == "new"
    with whole_file(str(path)) as part:
        part.write_text("newer")
        assert path.read_text() == "new"
    assert path.read_text() == "newer"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def fail_with(error, path):
    """Write half of a file, then raise."""
    with whole_file(path) as part:
        part.write_text("half")
        raise error


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (OSError(28, "No space left on device"), MssimError, r"out\.txt: cannot be written \(No space left on device"),
        (pa.ArrowInvalid("not a column"), MssimError, r"out\.txt: cannot be written \(not a column\)"),
        (KeyError("a bug"), KeyError, "a bug"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, error, raised, says):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(raised, match=says):
        fail_with(error, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(MssimError, match="cannot be written"), whole_file(tmp_path / "out.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [("a" * 300, "File name too long"), ("a\0b", "zero byte"), (5, "path=5 is not a path"), (None, "is not a path")],
)
def test_paths_that_no_file_can_have(given, says):
    with pytest.raises(MssimError, match=says):
        usable_path(given)
    with pytest.raises(MssimError, match=says), whole_file(given):
        raise AssertionError


def test_the_longest_names_are_usable(tmp_path):
    path = tmp_path / ("é" * 127)  # 254 bytes; the name of the temporary file is no longer
    with whole_file(usable_path(path)) as part:
        part.write_text("x")
    assert path.read_text() == "x"


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MssimError, match="is a device or a pipe"), whole_file(tmp_path / "pipe"):
        pytest.fail("nothing may be written")
    assert (tmp_path / "pipe").is_fifo()
