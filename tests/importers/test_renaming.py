"""Models that an import renames."""

import pytest

from mssim import MssimError, PoolError, load_pool
from mssim.importers import from_table
from mssim.pools.folder import read_info
from tests.cli import test_cli
from tests.conftest import make_pool

run = test_cli.run
ANSWERS = {("gpt-4o+search", "q"): ["a", "b"], ("llama,dtype=auto", "q"): ["a", "a"], ("x", "q"): ["b", "a"]}


@pytest.fixture
def path(tmp_path):
    make_pool(ANSWERS).to_frame().to_csv(tmp_path / "p.csv", index=False)
    return tmp_path / "p.csv"


@pytest.mark.parametrize(
    ("rename", "models"),
    [
        ({"llama": "llama,dtype=auto", "gpt": "gpt-4o+search"}, ("gpt", "llama", "x")),
        ({"x": "gpt-4o+search", "y": "x"}, ("x", "llama,dtype=auto", "y")),
        ({" x ": "x"}, ("gpt-4o+search", "llama,dtype=auto", "x")),
        ({}, ("gpt-4o+search", "llama,dtype=auto", "x")),
    ],
)
def test_models_have_their_new_names(path, rename, models):
    pool = from_table(path, rename=rename)
    expected = make_pool({(model, "q"): answers for model, answers in zip(models, ANSWERS.values(), strict=True)})
    assert pool.models == models
    assert pool.fingerprint == expected.fingerprint


@pytest.mark.parametrize(
    ("rename", "says"),
    [
        ({"a": "gpt-4o"}, "rename: the files have no model 'gpt-4o'. Did you mean 'gpt-4o+search'? Choose from"),
        ({"x": "gpt-4o+search"}, "rename: the models 'gpt-4o+search' and 'x' would both be called 'x'. Use different"),
        ({"a": "x", "b": "x"}, "rename: 'x' has two new names, 'a' and 'b'. Use one of them."),
        ({"a": "x", "a ": "gpt-4o+search"}, "rename: the models 'gpt-4o+search' and 'x' would both be called 'a'."),
        ({"": "x"}, "rename={'': 'x'} does not map new names to names in the files"),
        ({"a": 3}, "rename={'a': 3} does not map"),
        (["a"], r"rename=['a'] does not map"),
    ],
)
def test_names_that_cannot_be_given(path, rename, says):
    with pytest.raises(PoolError) as error:
        from_table(path, rename=rename)
    assert str(error.value).startswith(says)
    assert isinstance(error.value, MssimError)


def test_conditions_use_the_names_of_the_files(path):
    assert from_table(path, rename={"llama": "llama,dtype=auto"}, where={"model": "llama,dtype=auto"}).models == (
        "llama",
    )


def test_the_command_renames(run, path, tmp_path):
    names = ("--rename", "llama=llama,dtype=auto", "--rename", "gpt=gpt-4o+search")
    code, _, err = run("import", "table", path, *names, "--out", tmp_path / "pool")
    assert (code, err) == (0, "")
    assert load_pool(tmp_path / "pool").models == ("gpt", "llama", "x")
    renamed = {"llama": "llama,dtype=auto", "gpt": "gpt-4o+search"}
    assert read_info(tmp_path / "pool")["import"]["renamed"] == renamed
    result = run("import", "table", path, "--rename", "a=y", "--out", tmp_path / "other")
    test_cli.bad(result, "--rename: the files have no model 'y'. Choose from 'gpt-4o+search', 'llama,dtype=auto', 'x'.")
    assert not (tmp_path / "other").exists()
