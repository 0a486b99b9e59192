"""Dask clusters whose workers compute the same results as this process to the last bit."""

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

_TO_CONNECT = 5  # seconds to connect
_LARGE = "1GB"  # a plan with a shared budget is one large task, about which Dask would warn


@contextmanager
def dask_executor(address: str, *, patience: float = 60) -> Iterator[Executor]:
    """Connect to a Dask scheduler, and check that all workers have the versions of this process.

    With an existing client, pass ``client.get_executor()`` to `evaluate`; its workers check their versions themselves.

    Parameters
    ----------
    address : str
        Address ``tcp://HOST:8786``, or path of a scheduler file such as ``scheduler.json``.
    patience : float, default 60
        Seconds to wait for the first worker.

    Yields
    ------
    concurrent.futures.Executor
        Executor that runs on the cluster.

    Raises
    ------
    MssimError
        If Dask is not installed, the scheduler cannot be reached, no worker connects, or the scheduler or a worker does
        not have mssim or has other versions.
    """
    try:
        import dask
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise MssimError(f'--dask: Dask is not installed ({error}). Run pip install "mssim[dask]".') from error
    scheduler, connect = _reachable(address), cast("Any", Client)
    try:
        client: Any = connect(scheduler, timeout=_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MssimError(
            f"--dask {address}: not a Dask scheduler ({error}). Use the address printed by `dask scheduler`."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise MssimError(
                f"--dask {address}: the scheduler has no workers after {patience:g} seconds. Start workers with `dask "
                f"worker {scheduler}`."
            ) from None
        _check_fitness(client)
        try:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGE}):
                yield client.get_executor(pure=False)  # tasks are never equal, so arrays need not be hashed
        except KilledWorker as error:
            raise MssimError(
                f"--dask {address}: the same block terminated several workers, the last at "
                f"{error.last_worker.address}. They may have too little memory."
            ) from error


def _reachable(address: str) -> str:
    """Check that the address accepts connections, and return it with its scheme."""
    from distributed.comm.addressing import get_address_host_port, parse_address

    if address.endswith(".json"):
        address = _read_scheduler_file(Path(address))
    try:
        scheme, _ = parse_address(address)
        host, port = get_address_host_port(address)
    except (ValueError, TypeError) as error:
        raise MssimError(f"--dask {address}: not a valid address ({error}). Use tcp://HOST:8786.") from None
    try:
        socket.create_connection((host, port), timeout=_TO_CONNECT).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise MssimError(
            f"--dask {address}: no scheduler answers ({reason}). Start one on that host with `dask scheduler --port "
            f"{port}`."
        ) from None
    return address if "://" in address else f"{scheme}://{address}"


def _read_scheduler_file(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or f"{error!r:.200}"
        raise MssimError(
            f"--dask {path}: not a scheduler file ({reason}). Use a file written by `dask scheduler --scheduler-file`."
        ) from None


def _check_fitness(client: Any) -> None:
    """Raise if a worker or the scheduler has other versions, naming it."""
    here = versions()
    found: dict[str, Any] = {
        f"the worker at {at}": said for at, said in client.run(versions, on_error="return").items()
    }
    try:
        found["the scheduler"] = client.run_on_scheduler(versions)
    except Exception as error:  # any failure to import
        found["the scheduler"] = error
    for who, said in found.items():
        if not isinstance(said, Mapping):
            raise MssimError(f"--dask: {who} cannot run mssim ({said}). Install the packages of this process there.")
        differs = mismatch(said, here)
        if differs:
            raise MssimError(
                f"--dask: {who} has other versions, which could change the last bits of results: {differs}. Install "
                "the same versions there."
            )
