"""What a command does with its streams, with errors of the system, and with warnings."""

import io
import os
import subprocess
import sys
import warnings

import pytest

from mssim import MssimError
from mssim.cli.running import run_command

BROKEN = BrokenPipeError(32, "Broken pipe")


def failing(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MssimError("x: odd. Mend it."), 2, "mssim: error: x: odd. Mend it.\n"),
        (FileNotFoundError(2, "No such file", "a\nb"), 2, "mssim: error: a\\nb: No such file. Check the path"),
        (OSError("odd"), 2, "mssim: error: odd. Check the path"),
        (MemoryError(), 2, "mssim: error: the memory is full (out of memory)"),
        (KeyboardInterrupt(), 130, "mssim: interrupted\n"),
        (SystemExit(None), 0, ""),
        (SystemExit(3), 3, ""),
        (SystemExit("odd"), 1, ""),
    ],
)
def test_errors_are_one_line(capsys, error, code, says):
    assert run_command(failing(error), "mssim") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(says)
    assert err.count("\n") == bool(says)


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(failing(ZeroDivisionError), "mssim")


def test_warnings_are_one_line(capsys):
    def command():
        warnings.simplefilter("always")
        warnings.warn("odd\n\x1b[31m", stacklevel=1)

    before = warnings.showwarning
    assert run_command(command, "mssim") == 0
    assert capsys.readouterr().err == "mssim: warning: odd\\n\\x1b[31m\n"
    assert warnings.showwarning is before


def test_characters_that_the_encoding_does_not_have_are_escapes(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert run_command(lambda: print("é \udc80"), "mssim") == 0
    assert run_command(failing(MssimError("水")), "mssim") == 2
    assert sys.stdout.buffer.getvalue() == b"\\xe9 \\udc80\n"
    sys.stderr.flush()
    assert sys.stderr.buffer.getvalue() == b"mssim: error: \\u6c34\n"


def test_closed_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run_command(failing(MssimError("x")), "mssim") == 2
    sys.stdout.close()
    sys.stderr.close()


@pytest.mark.parametrize(
    ("error", "code", "says"), [(BROKEN, 1, ""), (OSError(28, "No space left"), 2, "No space left")]
)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_output_that_cannot_be_written(monkeypatch, capsys, error, code, says, at_the_end):
    class Stream(io.StringIO):
        def flush(self):
            if at_the_end:
                raise error

    monkeypatch.setattr(sys, "stdout", Stream())
    assert run_command(int if at_the_end else failing(error), "mssim") == code
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == bool(says)


@pytest.mark.parametrize(
    ("name", "value"), [("NUMBA_NUM_THREADS", "0"), ("NUMBA_NUM_THREADS", "x"), ("SOURCE_DATE_EPOCH", "now\n")]
)
def test_variables_with_which_libraries_cannot_be_imported(monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    assert run_command(failing(AssertionError), "mssim") == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mssim: error: {name}={value!r}: the environment variable is not an integer of at least")
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_commands_in_other_encodings(tmp_path, encoding):
    rows = "".join(f"q{q},水_$x,{i},é{i % 2},é1\n" for q in range(3) for i in range(4))
    (tmp_path / "t.csv").write_text(f"question_id,model,sample_index,answer,truth\n{rows}", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "mssim", "info", str(tmp_path / "t.csv")]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert ("水_$x" if encoding == "utf-8" else "\\u6c34_$x") in done.stdout.decode(encoding)
    assert done.stderr == b""


@pytest.mark.slow
def test_a_reader_that_ends_early():
    command = f"{sys.executable} -m mssim evaluate --rules | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
