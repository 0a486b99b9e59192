"""The structure of the project: imports keep to the layers of pyproject.toml, and tests mirror the modules."""

import ast
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from importlinter import cli

from mssim.engine.versions import DECIDING, code_hash

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
EXTERNAL_TO_KERNELS = {"numba", "numpy", "mssim"}
# What an evaluation reaches and yet does not decide its numbers: refusals, files, price tables, which are settings, and
# the tables made of the numbers.
NOT_DECIDING = {"errors", "prices", "results", "_files", "_toml", "_validation", "_version"}


def test_imports_keep_to_the_layers(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert cli.lint_imports(no_cache=True) == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("mssim", include_external_packages=True, cache_dir=None)


def test_every_module_stands_on_a_layer(graph):
    layers = next(contract["layers"] for contract in CONFIG["contracts"] if contract["type"] == "layers")
    named = {name.strip() for layer in layers for name in layer.replace(":", "|").split("|")}
    rooms = {module.split(".")[1] for module in graph.modules if module.startswith("mssim.")}
    assert rooms - named == {"__main__"}


def test_kernels_import_numpy_and_numba_alone(graph):
    kernels = [module for module in graph.modules if module.startswith("mssim.kernels.")]
    imported = {name for module in kernels for name in graph.find_modules_directly_imported_by(module)}
    inside = {name for name in imported if name.startswith("mssim.")}
    assert {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) == EXTERNAL_TO_KERNELS
    assert all(name.startswith("mssim.kernels.") for name in inside)


def test_the_hash_of_what_decides_numbers_covers_all_that_an_evaluation_reaches(graph):
    """A package that `evaluate` reaches is hashed, or listed above with the reason why it need not be."""
    reached = graph.find_upstream_modules("mssim.engine.evaluate") | {"mssim.engine.evaluate"}
    rooms = {module.split(".")[1] for module in reached if module.startswith("mssim.")}
    assert rooms == {*DECIDING, *NOT_DECIDING}


def test_the_hash_changes_with_every_module_that_it_covers(tmp_path):
    package = ROOT / "mssim"
    modules = [path.relative_to(package) for name in DECIDING for path in sorted((package / name).rglob("*.py"))]
    assert len(modules) > 40
    for path in modules:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((package / path).read_text(encoding="utf-8"), encoding="utf-8")
    before = code_hash(tmp_path, DECIDING)
    assert before == code_hash(package, DECIDING)
    for path in modules:
        text = (tmp_path / path).read_text(encoding="utf-8")
        (tmp_path / path).write_text(text + "\n", encoding="utf-8")
        assert code_hash(tmp_path, DECIDING) != before, path
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "rules" / "new.py").write_text("", encoding="utf-8")
    assert code_hash(tmp_path, DECIDING) != before


def has_code(path):
    """Whether a module does more than import, name what is public, and say what it is for."""
    kinds = (ast.Import, ast.ImportFrom)
    statements = [n for n in ast.parse(path.read_text(encoding="utf-8")).body if not isinstance(n, kinds)]
    docstrings = [n for n in statements if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    names = [n for n in statements if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    return len(statements) > len(docstrings) + len(names)


def mirrored(module):
    """The test file of a module: at the mirrored path, for `__init__.py` with the name of its package."""
    name = module.parent.name if module.name == "__init__.py" else module.stem.lstrip("_")
    folder = module.parent.relative_to(ROOT / "mssim")
    return ROOT / "tests" / folder / f"test_{name}.py"


def test_every_module_has_its_test_file():
    modules = [path for path in (ROOT / "mssim").rglob("*.py") if path.name != "__main__.py"]
    tested = [path for path in modules if path.name != "__init__.py" or has_code(path)]
    assert len(tested) > 150
    missing = {path: mirrored(path) for path in tested if not mirrored(path).exists()}
    assert {str(p.relative_to(ROOT)): str(test.relative_to(ROOT)) for p, test in sorted(missing.items())} == {}


@pytest.mark.slow
def test_every_test_file_has_tests():
    """A file that holds none satisfies the rule above and tests nothing."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in nodes), path
