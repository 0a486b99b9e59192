"""Every block of code in the documentation is run.

Blocks with `>>>` are doctests, which pytest collects from the same pages. The others are run here, page by page and in
order, in a folder with a tenth of the questions of the pools that ship:

- `bash`: commands of mssim, with few replays. Any other program needs a mark.
- `python`: executed; the blocks of a page share their names.
- A block below `<!-- NAME.EXT -->` is written to that file first.
- A block below `<!-- not run: REASON -->` is only read: its commands have the options that they use.
"""

import json
import re
import shlex
import textwrap
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import typer

from mssim.cli import app
from mssim.pools.loading import read_pool
from tests.cli import test_cli

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "recorded/README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")),
]
FOLLOWED = {  # pages that tests of their own follow from block to block
    "docs/how-to/add-a-format.md": "tests/importers/test_add_a_format.py",
    "docs/how-to/add-a-rule.md": "tests/rules/test_add_a_rule.py",
    "recorded/README.md": "tests/test_recorded_readme.py",
}
RUN_BY_CI = ("main command", "test command")  # of the README, by .ci/run
READ = {  # languages of blocks that are not run, and how they are checked
    "csv": str.splitlines,
    "json": lambda text: [json.loads(line) for line in text.splitlines()],
    "text": str,
    "toml": tomllib.loads,
    "yaml": str,
}
COMMANDS = typer.main.get_command(app).commands
BLOCK = re.compile(
    r"^(?P<comments>(?: *<!-- [^\n]* -->\n)*)(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)

run = test_cli.run


@dataclass
class Block:
    """A block of code, its place in the page, and the comments right above it."""

    language: str
    text: str
    line: int
    comments: list[str] = field(default_factory=list)

    @property
    def is_run(self):
        return not any(comment.startswith("not run: ") or comment in RUN_BY_CI for comment in self.comments)

    @property
    def file(self):
        return next((comment for comment in self.comments if re.fullmatch(r"[\w./-]+\.\w+", comment)), None)

    def commands(self):
        """Commands of a bash block, split into words; lines that end in a backslash continue."""
        lines = (shlex.split(line, comments=True) for line in self.text.replace("\\\n", " ").splitlines())
        return [words for words in lines if words]


def blocks_of(text):
    """Blocks of a page, but not doctests."""
    found = [
        Block(
            match["language"],
            textwrap.dedent(match["text"]),
            text[: match.start("language")].count("\n") + 1,
            re.findall(r"<!-- (.*) -->", match["comments"]),
        )
        for match in BLOCK.finditer(text)
    ]
    assert 2 * len(found) == len(re.findall(r"^ *```", text, re.MULTILINE)), "a block has no end"
    return [block for block in found if not (block.language == "python" and block.text.startswith(">>>"))]


def check(block):
    """Check a block that is not run."""
    if block.language == "bash":
        for words in block.commands():
            while re.fullmatch(r"\w+=.*", words[0]) and words[1:]:  # a variable of the environment
                words = words[1:]
            if words[0] == "mssim":
                command = COMMANDS[words[1]]
                command.make_parser(typer.Context(command, info_name=words[1])).parse_args(words[2:])
    elif block.language == "python":
        compile(block.text, f"line {block.line}", "exec")
    else:
        assert block.language in READ, f"unknown language {block.language!r}"
        READ[block.language](block.text)


def execute(block, run, names):
    """Run a block in the current folder; a block of Python adds to `names`."""
    if block.file:
        Path(block.file).parent.mkdir(parents=True, exist_ok=True)
        Path(block.file).write_text(block.text, encoding="utf-8")
    elif block.language == "python" and block.is_run:
        exec(compile(block.text, f"line {block.line}", "exec"), names)
    elif block.language == "bash" and block.is_run:
        for program, *words in block.commands():
            assert program == "mssim", f"{program!r} cannot run here: write <!-- not run: REASON --> above the block"
            replays = any(param.name == "n_replays" for param in COMMANDS[words[0]].params)
            few = ["--n-replays", "20"] if replays and (words[0] != "plan" or "--pool" in words) else []
            files = [
                path for word in words for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
            ]
            code, out, err = run(*files, *few)
            assert (code, "mssim: error" in err) == (0, False), f"mssim {shlex.join(words)}: {err}"
            assert out
    else:
        check(block)


@pytest.fixture(scope="module")
def small_pools(tmp_path_factory):
    """A tenth of the questions of the pools that ship, which is enough to run commands."""
    folder = tmp_path_factory.mktemp("recorded")
    for path in (ROOT / "recorded").glob("*/pool.json"):
        pool = read_pool(path.parent)
        part = pool.select(questions=pool.question_ids[::10])
        replace(part, info=part.info | {"known_warnings": part.warnings()}).save(folder / path.parent.name)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch, small_pools):
    """An empty folder, but for the small pools and the examples, which is the current one."""
    (tmp_path / "recorded").symlink_to(small_pools)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", [page for page in PAGES if page not in FOLLOWED])
def test_the_blocks_of_a_page(page, run):
    names = {}
    for block in blocks_of((ROOT / page).read_text(encoding="utf-8")):
        try:
            execute(block, run, names)
        except Exception as error:
            error.add_note(f"{page}, line {block.line}")
            raise


@pytest.mark.parametrize(("page", "test"), FOLLOWED.items())
def test_a_followed_page_has_its_test(page, test):
    """Its blocks have names, by which the test finds them, or are not run."""
    text = (ROOT / test).read_text(encoding="utf-8")
    assert Path(page).name in text
    for block in blocks_of((ROOT / page).read_text(encoding="utf-8")):
        if block.is_run:
            assert any(f'"{comment}"' in text for comment in block.comments), block.line
        else:
            check(block)


def test_reasons_are_given():
    for page in PAGES:
        for comment in re.findall(r"<!-- not run(.*) -->", (ROOT / page).read_text(encoding="utf-8")):
            assert re.fullmatch(r": \S.{5,}", comment), (page, comment)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("```ruby\n1\n```\n", "unknown language 'ruby'"),
        ("```\n1\n```\n", "unknown language ''"),
        ("```bash\npip install mssim\n```\n", "'pip' cannot run here"),
        ("```bash\nmssim info no-such-pool\n```\n", "no-such-pool"),
        (
            "<!-- not run: it needs a server -->\n```bash\nKEY=1 mssim info pool --no-such\n```\n",
            "[Nn]o such option",
        ),
        ("```python\nx = 1\n```\n```python\nassert x == 2, x\n```\n", "1"),
        ("<!-- not run: it needs a server -->\n```python\nx = = 1\n```\n", "invalid syntax"),
        ("```toml\nx = = 1\n```\n", "Invalid value"),
        ("- a\n    ```json\n    {\n    ```\n", "Expecting property name"),
    ],
)
def test_a_block_that_fails_is_noticed(run, text, says):
    names = {}
    *before, last = blocks_of(text)
    for block in before:
        execute(block, run, names)
    with pytest.raises(Exception, match=says):
        execute(last, run, names)


def test_files_are_written_and_doctests_left_to_pytest(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "<!-- a/b.csv -->\n```csv\nx,y\n```\n\n```python\n>>> 1 + 1\n3\n```\n"
    (block,) = blocks_of(text)
    execute(block, run, {})
    assert Path("a/b.csv").read_text() == "x,y\n"


def test_the_guide_to_output_formats_shows_what_is_printed(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guide = (ROOT / "docs/how-to/output-formats.md").read_text(encoding="utf-8")
    (tmp_path / "answers.csv").write_text(re.search(r"<!-- answers.csv -->\n```csv\n(.*?)```", guide, re.DOTALL)[1])
    shown = re.findall(r"```bash\nmssim ([^\n]*)\n```\n\n```(?:csv|text)\n(.*?)```", guide, re.DOTALL)
    assert [command.split()[-1] for command, _ in shown] == ["csv", "md", "latex"]
    for command, output in shown:
        assert run(*command.split()) == (0, output, "")
