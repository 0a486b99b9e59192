"""What separates the cells of a CSV file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

__all__ = ["delimiter_in", "delimiter_of"]

_MOST = 2**16  # bytes of a header


def delimiter_in(header: bytes) -> str:
    r"""Return the separator of cells, given the first bytes of a CSV file.

    It is a comma, unless the first line has no comma outside of quotes but semicolons, as spreadsheets write CSV in
    many countries, or tabs.

    Examples
    --------
    >>> delimiter_in(b"question_id,model;x\n"), delimiter_in(b'"a,b";c\n1,5;2\n'), delimiter_in(b"a\tb\n")
    (',', ';', '\t')
    """
    line = header.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    quoted, counts = False, dict.fromkeys(b",;\t", 0)
    for byte in line:
        if byte == ord('"'):
            quoted = not quoted
        elif not quoted and byte in b"\r\n":
            break
        elif not quoted and byte in counts:
            counts[byte] += 1
    if counts[ord(",")]:
        return ","
    return next((chr(byte) for byte in b";\t" if counts[byte]), ",")


def delimiter_of(path: Path) -> str:
    """Return the separator of cells of a CSV file, which may be compressed."""
    with pa.input_stream(str(path), compression="detect") as file:
        return delimiter_in(file.read(_MOST))
