"""The picture of the layers is that of the contracts, and the architecture page names every package."""

import re

from website import layers
from website.layers import PICTURE, ROOT, picture

TEXT = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_that_of_the_contracts():
    assert PICTURE.read_text(encoding="utf-8") == picture(), "write it anew: python -m website.layers"


def test_the_picture_has_all_modules_and_packages():
    named = [name for row in layers.layers() for name in row]
    found = {path.stem for path in (ROOT / "mssim").glob("*.py")} - {"__init__", "__main__"}
    found |= {path.parent.name for path in (ROOT / "mssim").glob("*/__init__.py")}
    assert sorted(named) == sorted(found | {"analysis", "figures"})
    assert re.findall(r">(\w+)</text>", picture().split("mssim</text>")[1]) == named


def test_the_tree_is_complete():
    tree = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)[1]
    named = set(re.findall(r"^  (\w+)/", tree, re.MULTILINE))
    assert named == {path.parent.name for path in (ROOT / "mssim").glob("*/__init__.py")}
    folders = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    assert [name for name in sorted(folders) if not (ROOT / name).is_dir()] == []


def test_files_that_the_page_names_exist():
    named = re.findall(r"`((?:mssim|tests|cli|pools|rules|engine|results|live)/[\w/.]+)`", TEXT)
    assert len(named) > 15
    assert [name for name in named if not ((ROOT / name).exists() or (ROOT / "mssim" / name).exists())] == []
