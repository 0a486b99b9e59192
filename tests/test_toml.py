"""TOML files of users: what is read, and how mistakes are named."""

import pytest

from mssim import MssimError
from mssim._toml import check_keys, check_table, read_toml


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("samples = 3\n[models.a]\nserver = 's'\n")
    assert read_toml(path) == {"samples": 3, "models": {"a": {"server": "s"}}}


def test_a_missing_or_damaged_file_is_named(tmp_path):
    path = tmp_path / "plan.toml"
    with pytest.raises(MssimError, match=r"plan\.toml: cannot be read \(No such file or directory\)\. Check the path"):
        read_toml(path)
    path.write_text("samples = ")
    with pytest.raises(MssimError, match=r"plan\.toml: is not valid TOML \(.*\)\. Correct it"):
        read_toml(path)


def test_a_table_is_a_table_whose_value_is_not_shown():
    assert check_table("servers", {"a": 1}) == {"a": 1}
    with pytest.raises(MssimError) as error:
        check_table("servers", "https://name:password@host")
    assert str(error.value) == ("servers has type str. It must be a table: [servers], followed by lines name = value.")


def test_unknown_keys_are_named_with_the_nearest():
    check_keys("", {"date": 1}, ["date", "models"])
    with pytest.raises(MssimError, match=r"^unknown key 'dat'\. Did you mean 'date'\? Choose from 'date'\.$"):
        check_keys("", {"dat": 1}, ["date"])
    with pytest.raises(MssimError, match=r"^models\.gpt-4: unknown key '1'\..*Names with dots need quotes: models"):
        check_keys("models.gpt-4", {"1": {}}, ["input"])
