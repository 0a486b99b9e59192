"""Errors and warnings: one base, which is a ValueError, so that users can catch either."""

import inspect

import pytest

from mssim import errors


def test_every_public_error_is_an_mssim_error_and_a_value_error():
    named = {name: getattr(errors, name) for name in errors.__all__}
    defined = {name for name, found in vars(errors).items() if inspect.isclass(found)}
    assert set(named) == defined
    for name, error in named.items():
        assert issubclass(error, UserWarning if name == "PoolWarning" else errors.MssimError)
        assert error.__doc__
    assert issubclass(errors.MssimError, ValueError)


def test_one_except_catches_them_all():
    for error in (errors.PoolError, errors.StrategyError, errors.BudgetError, errors.RecordError):
        with pytest.raises(errors.MssimError, match="column: missing"):
            raise error("column: missing")
