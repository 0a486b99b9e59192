"""The notebook runs without warnings, and returns the texts that are stored in it.

`python -m tests.test_notebook` runs it and stores what it returns.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "examples" / "tour.ipynb"


def run(path):
    """Run a notebook as Jupyter does: in its own folder, by the Python of this process, with an empty user folder."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}})
    # pytest's own folders have names too long for sockets.
    with tempfile.TemporaryDirectory() as folder:
        # Without folders of kernels there is the one of this Python, whatever users or machines have installed.
        client.km = AsyncKernelManager(
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            connection_file=f"{folder}/kernel.json",
        )
        environment = os.environ | {"IPYTHONDIR": folder, "PYTHONPATH": str(ROOT)}
        environment.pop("MPLBACKEND", None)  # figures are shown in the notebook
        return client.execute(env=environment)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell):
    """What a cell wrote, and what it returned or showed; of figures, whose bytes depend on fonts, only the size."""
    written = {output.name: output.text for output in cell.outputs if output.output_type == "stream"}
    return written, [output.data["text/plain"] for output in cell.outputs if "data" in output]


@pytest.mark.slow
def test_the_tour_returns_what_is_stored():
    import nbformat

    stored, found = nbformat.read(TOUR, as_version=4), run(TOUR)
    for before, after in zip(code(stored), code(found), strict=True):
        assert "stderr" not in texts(after)[0]
        assert texts(before) == texts(after), f"cell {after.id}; store outputs by python -m tests.test_notebook"


def test_figures_and_tables_are_stored_and_the_file_is_small():
    import nbformat

    stored = nbformat.read(TOUR, as_version=4)
    kinds = [kind for cell in code(stored) for output in cell.outputs for kind in output.get("data", ())]
    assert kinds.count("image/png") == 2
    assert kinds.count("text/html") == 9
    assert TOUR.stat().st_size < 500_000


if __name__ == "__main__":
    import nbformat

    notebook = run(TOUR)
    for cell in code(notebook):
        cell.metadata.clear()  # times of this run
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, TOUR)
    sys.exit(any("stderr" in texts(cell)[0] for cell in code(notebook)))
