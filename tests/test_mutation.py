"""The script of mutation testing: what it changes, which tests it runs, and that it tells killed from survived."""

import ast
import inspect
from pathlib import Path

import pytest

from tests import conftest, mutation

SOURCE = '''
FEW = 10
SLACK = 1e-9

def f(a: int = 3, *, b=True) -> int | None:
    """Return 4."""
    if not a or a < 2:
        return -a + 1
    return None
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one module and its tests, which miss its constant."""
    for folder in ("mssim/rules", "tests/rules"):
        (tmp_path / folder).mkdir(parents=True)
        for package in (folder, folder.split("/")[0]):
            (tmp_path / package / "__init__.py").touch()
    (tmp_path / "mssim" / "rules" / "_small.py").write_text("LIMIT = 5\n\n\ndef double(x):\n    return x + x\n")
    tests = "from mssim.rules._small import double\n\n\ndef test_double():\n    assert double(3) == 6\n"
    (tmp_path / "tests" / "rules" / "test_small.py").write_text(tests)
    (tmp_path / "tests" / "conftest.py").write_text(inspect.getsource(conftest.pytest_addoption))
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    return tmp_path


def test_constants_operators_and_returns_are_changed_one_at_a_time(tmp_path, monkeypatch):
    (tmp_path / "m.py").write_text(SOURCE)
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    found = list(mutation.mutants(Path("m.py")))
    changes = {mutant.change for mutant in found}
    for change in (
        "FEW = 10  ->  FEW = 9",
        "SLACK = 1e-09  ->  SLACK = 0.0",
        "a: int=3, *, b=True  ->  a: int=3, *, b=False",
        "not a or a < 2  ->  not a and a < 2",
        "not a or a < 2  ->  a or a < 2",
        "a < 2  ->  a <= 2",
        "-a + 1  ->  a + 1",
        "-a + 1  ->  -a - 1",
        "return -a + 1  ->  return None",
    ):
        assert change in changes
    assert len({mutant.source for mutant in found}) == len(found) == 18
    original = ast.unparse(ast.parse(SOURCE))
    for mutant in found:
        differ = [
            line for line in zip(original.splitlines(), mutant.source.splitlines(), strict=True) if len(set(line)) > 1
        ]
        assert len(differ) == 1, mutant


def test_the_test_file_of_a_module_is_at_the_mirrored_path():
    module = Path("mssim/rules/stops/beta.py")
    assert mutation.tests_of(module, wider=False) == [Path("tests/rules/stops/test_beta.py")]
    assert mutation.tests_of(module, wider=True) == [Path("tests/rules/stops/test_beta.py"), Path("tests/rules")]
    assert mutation.tests_of(Path("mssim/_files.py"), wider=True) == [Path("tests/test_files.py")]


@pytest.mark.slow
def test_mutants_that_tests_notice_are_killed_and_files_are_restored(checkout):
    module = Path("mssim/rules/_small.py")
    before = (checkout / module).read_text()
    survived = list(mutation.survivors(mutation.mutants(module), checkout, wider=False))
    assert {mutant.change for mutant in survived} == {"LIMIT = 5  ->  LIMIT = 4", "LIMIT = 5  ->  LIMIT = 6"}
    assert (checkout / module).read_text() == before


@pytest.mark.slow
def test_tests_that_fail_without_a_mutant_end_it(checkout):
    (checkout / "tests" / "rules" / "test_small.py").write_text("def test_nothing():\n    assert False\n")
    with pytest.raises(SystemExit, match=r"test_small\.py fails without any mutant"):
        list(mutation.survivors(mutation.mutants(Path("mssim/rules/_small.py")), checkout, wider=False))
