"""Running a command: streams that take any text, warnings and errors in one line each, and exit codes."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from mssim._validation import printable
from mssim.cli.language import as_options
from mssim.errors import MssimError

__all__ = ["run_command"]


def run_command(command: Callable[[], Any], name: str) -> int:
    """Run a command and return its exit code; invalid input and errors of the system print one line."""
    _prepare_streams()
    with _plain_warnings(name):
        code = _run(command, name)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            code = code or 1
            _discard(sys.stdout)
        except OSError as error:
            code = _failed(name, f"the output cannot be written ({error.strerror}).")
            _discard(sys.stdout)
    return code


def _run(command: Callable[[], Any], name: str) -> int:
    try:
        _check_environment()
        command()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except MssimError as error:
        return _failed(name, error)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output, such as head, has ended
        _discard(sys.stdout)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        return _failed(name, f"{place}{error.strerror or error}. Check the path, its permissions and the free space.")
    except MemoryError as error:
        return _failed(name, f"the memory is full ({str(error) or 'out of memory'}). Use fewer questions or models.")
    return 0


def _check_environment() -> None:
    """Raise if a variable has a value with which NumPy or Numba cannot be imported."""
    for variable, least in (("NUMBA_NUM_THREADS", 1), ("SOURCE_DATE_EPOCH", 0)):
        given = os.environ.get(variable)
        try:
            fits = given is None or int(given) >= least
        except ValueError:
            fits = False
        if not fits:
            raise MssimError(
                f"{variable}={given!r:.40}: the environment variable is not an integer of at least {least}. Correct "
                f"it, or run `unset {variable}`."
            )


def _failed(name: str, error: object) -> int:
    print(f"{name}: error: {printable(error)}", file=sys.stderr)
    return 2


# Streams --------------------------------------------------------------------------------------------------------------


def _prepare_streams() -> None:
    """Write characters that the encoding of a stream does not have as escapes; accept that a stream is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (for the whole process)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard(stream: TextIO) -> None:
    """Let the interpreter flush a stream without an error when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _plain_warnings(name: str) -> Iterator[None]:
    """Print each warning as one line without its place in the code."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"{name}: warning: {printable(as_options(str(message)))}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
