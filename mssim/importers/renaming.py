"""Renaming of models on import."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute

from mssim._validation import choose_from, shown
from mssim.errors import PoolError
from mssim.pools.texts import normal

__all__ = ["check_rename", "renamed"]


def check_rename(rename: Mapping[str, str] | None) -> None:
    """Raise unless new names of models are mapped to different names in the files."""
    if rename is None:
        return
    names = [*rename, *rename.values()] if isinstance(rename, Mapping) else [None]
    if not all(isinstance(name, str) and normal(name) for name in names):
        raise PoolError(
            f"rename={shown(rename)} does not map new names to names in the files. Use e.g. {{'llama': 'llama,v=2'}}."
        )
    new_of: dict[str, str] = {}
    for new, old in rename.items():
        if new_of.setdefault(normal(old), new) is not new:
            raise PoolError(f"rename: {old!r} has two new names, {new_of[normal(old)]!r} and {new!r}. Use one of them.")


def renamed(chosen: pa.ChunkedArray, models: pa.ChunkedArray, rename: Mapping[str, str]) -> pa.ChunkedArray:
    """Return the models of chosen rows under their new names.

    Parameters
    ----------
    chosen : ChunkedArray
        Models of the chosen rows.
    models : ChunkedArray
        Models of all rows.
    rename : mapping of str to str
        The name in the files of each new name.

    Raises
    ------
    PoolError
        If the files have no model of a name, or two models would have one name.

    Examples
    --------
    >>> models = pa.chunked_array([["a,v=1", "b", "a,v=1"]])
    >>> renamed(models, models, {"a": "a,v=1"}).to_pylist()
    ['a', 'b', 'a']
    """
    known = {name: normal(name) for name in pa.compute.unique(models.cast(pa.string())).to_pylist() if name is not None}
    for old in rename.values():
        if normal(old) not in known.values():
            raise PoolError(f"rename: the files have no model {old!r}. {choose_from(old, known)}.")
    new_of = {normal(old): normal(new) for new, old in rename.items()}
    owner: dict[str, str] = {}
    for name in known.values():
        other = owner.setdefault(new_of.get(name, name), name)
        if other != name:
            new = new_of.get(name, name)
            raise PoolError(
                f"rename: the models {other!r} and {name!r} would both be called {new!r}. Use different names."
            )
    place = pa.compute.index_in(chosen.cast(pa.string()), value_set=pa.array(list(known), pa.string()))
    return pa.chunked_array([pa.array([new_of.get(name, name) for name in known.values()], pa.string())]).take(place)
