"""Pickles, which no importer opens: reading one can run any code."""

from __future__ import annotations

from mssim.importers.safe_files import Source

__all__ = ["is_pickle", "refuse_pickle"]

_ENDINGS = (".pkl", ".pickle")
_STARTS = tuple(bytes([0x80, version]) for version in (2, 3, 4, 5))  # of the protocols that are in use


def is_pickle(source: Source) -> bool:
    """Return whether a file is a pickle, by its name or by its first bytes."""
    if any(part.lower() in _ENDINGS for part in source.path.suffixes):
        return True
    return any(map(source.starts_with, _STARTS))


def refuse_pickle(source: Source, script: str) -> None:
    """Raise if a file is a pickle, and name a script by which users convert one that they trust.

    Parameters
    ----------
    source : Source
        A file.
    script : str
        Python code that reads the pickle sys.argv[1] and writes sys.argv[2].
    """
    if is_pickle(source):
        source.refuse(
            "is a pickle. Reading a pickle can run any code in it, so it is not opened. If you trust its origin, "
            f'convert it yourself: python -c "{script}" INPUT OUTPUT. Then pass OUTPUT.'
        )
