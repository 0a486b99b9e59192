"""The commands of docs/how-to/import-logs.md, on the files that it shows."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli import test_cli
from tests.importers.formats_page import PAGE

run = test_cli.run
BLOCK = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<content>.*?)```", re.DOTALL)


@pytest.mark.slow
def test_the_commands_of_the_guide_work(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = 0
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["file"]:
            path = Path(block["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["content"])
        elif block["kind"] == "bash" and "SOURCE" not in block["content"]:
            for line in block["content"].replace("\\\n", " ").splitlines():
                program, *arguments = shlex.split(line)
                assert program == "mssim"
                code, out, err = run(*arguments)
                assert (code, "error" in err) == (0, False), err
                assert "1 model" in out or "2 models" in out
                ran += 1
            shutil.rmtree("my-pool")
    assert ran >= 9
