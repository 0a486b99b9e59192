"""Dask clusters: an executor on machines that were found fit to give the same bits as this one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from mssim.engine.versions import mismatch, versions
from mssim.errors import MssimError

__all__ = ["dask_executor"]

_TO_CONNECT = 5  # seconds
_LARGE = "1GB"  # one task of a plan whose questions share a budget has all of them, which Dask would warn of


@contextmanager
def dask_executor(address: str, *, patience: float = 60) -> Iterator[Executor]:
    """Connect to a Dask scheduler, and make sure that all its workers compute the same bits as this process.

    Whoever has a client already gives ``client.get_executor()`` to `evaluate`, which has workers check themselves.

    Parameters
    ----------
    address : str
        ``tcp://HOST:8786``, or the path of a scheduler file, ``scheduler.json``.
    patience : float, default 60
        Seconds to wait for the first worker.

    Yields
    ------
    concurrent.futures.Executor

    Raises
    ------
    MssimError
        If Dask is not installed, nothing answers, no worker comes, or a worker or the scheduler lacks mssim or has
        other versions.
    """
    try:
        import dask
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise MssimError(f'Dask needs a further package: pip install "mssim[dask]" ({error})') from error
    scheduler, connect = _reachable(address), cast("Any", Client)
    try:
        client: Any = connect(scheduler, timeout=_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MssimError(f"--dask {address}: what answers there is no Dask scheduler ({error})") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise MssimError(
                f"--dask {address}: the scheduler has no workers after {patience:g} seconds; start some: dask worker "
                f"{scheduler}"
            ) from None
        _check_fitness(client)
        try:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGE}):
                yield client.get_executor(pure=False)  # hashing arrays to find equal tasks is work for nothing
        except KilledWorker as error:
            raise MssimError(
                f"--dask {address}: one block ended several workers, the last {error.last_worker.address}; have they "
                "too little memory?"
            ) from error


def _reachable(address: str) -> str:
    """Find out within seconds whether anything listens; returns the address with its scheme."""
    from distributed.comm.addressing import get_address_host_port, parse_address

    if address.endswith(".json"):
        address = _read_scheduler_file(Path(address))
    try:
        scheme, _ = parse_address(address)
        host, port = get_address_host_port(address)
    except (ValueError, TypeError) as error:
        raise MssimError(f"--dask {address}: no address ({error}); write tcp://HOST:8786") from None
    try:
        socket.create_connection((host, port), timeout=_TO_CONNECT).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise MssimError(
            f"--dask {address}: no scheduler answers ({reason}); start one there: dask scheduler --port {port}"
        ) from None
    return address if "://" in address else f"{scheme}://{address}"


def _read_scheduler_file(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MssimError(
            f"--dask {path}: cannot be read as the file that `dask scheduler --scheduler-file` writes ({error})"
        ) from None


def _check_fitness(client: Any) -> None:
    """Refuse a cluster that could give other bits, naming the machine."""
    here = versions()
    found: dict[str, Any] = {
        f"the worker at {at}": said for at, said in client.run(versions, on_error="return").items()
    }
    try:
        found["the scheduler"] = client.run_on_scheduler(versions)
    except Exception as error:  # whatever it cannot import
        found["the scheduler"] = error
    for who, said in found.items():
        if not isinstance(said, Mapping):
            raise MssimError(f"{who} cannot run mssim ({said}); install there what is installed here")
        differs = mismatch(said, here)
        if differs:
            raise MssimError(f"{who} has {differs}; install the same there: numbers could differ in their last bits")
