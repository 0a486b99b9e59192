"""The version: one number, in the form that installers order."""

import re

import mssim
from mssim import _version


def test_the_version_has_three_numbers_and_is_the_packages():
    assert mssim.__version__ == _version.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", _version.__version__)
