"""Mutation testing: change one operator or constant at a time, and see whether the tests of its module notice.

    python -m tests.mutation mssim/rules mssim/engine mssim/results --sample 100 --seed 1

A mutant changes one comparison, arithmetic or boolean operator, number, truth value, `not`, sign or returned value. It
is written into a temporary copy of the checkout, where the test file at the mirrored path of the module runs with a
time limit. With `--wider`, a mutant that survives must pass all tests of its package too. Modules of mssim/kernels run
without compilation, because Numba's cache does not know that a callee has changed.
"""

import argparse
import ast
import contextlib
import importlib
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NOT_COPIED = (".git", "__pycache__", ".*_cache", ".hypothesis", ".venv", "*.egg-info", "out", "build", "dist")
IMPORTED_ONCE = ("numba", "numpy", "pandas", "pyarrow", "scipy.stats", "matplotlib.pyplot", "pytest")
SERVER = multiprocessing.get_context("forkserver")  # forks processes that have imported these
SERVER.set_forkserver_preload(list(IMPORTED_ONCE))
MOST_MEMORY = 6 * 2**30  # bytes of a test process: mutants may ask for any amount

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
SKIPPED = {"annotation", "returns", "decorator_list"}  # fields of nodes that say nothing about what is computed


class Mutant(NamedTuple):
    """One change of one module."""

    module: Path  # below the root
    line: int
    change: str
    source: str


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node is changed into."""
    if type(node) in SWAPS:
        yield SWAPS[type(node)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        others = {node.value + 1, node.value - 1, *((0.0,) if isinstance(node.value, float) else ())}
        yield from (ast.Constant(other) for other in sorted(others - {node.value}))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None))


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Yield every node below another: its parent, field, place in a list, and itself."""
    for field, value in ast.iter_fields(tree):
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and field not in SKIPPED:
                yield tree, field, i, child
                yield from places(child)


def put(parent: ast.AST, field: str, i: int | None, child: ast.AST) -> None:
    """Set a child of a node."""
    setattr(parent, field, child) if i is None else getattr(parent, field).__setitem__(i, child)


def mutants(module: Path) -> Iterator[Mutant]:
    """Yield all mutants of a module."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    for parent, field, i, child in list(places(tree)):
        of_statement = isinstance(child, ast.stmt)  # others are shown with their parent: an operator with its operands
        line = getattr(child, "lineno", getattr(parent, "lineno", 0))
        for other in replacements(child):
            before = ast.unparse(child if of_statement else parent)
            put(parent, field, i, other)
            after = ast.unparse(other if of_statement else parent)
            source = ast.unparse(ast.fix_missing_locations(tree))
            put(parent, field, i, child)
            shown = (textwrap.shorten(code, 90, placeholder=" ...") for code in (before, after))
            yield Mutant(module, line, "  ->  ".join(shown), source)


def tests_of(module: Path, *, wider: bool) -> list[Path]:
    """Return the mirrored test file of a module, and the folder of all tests of its package."""
    inside = module.relative_to("mssim")
    file = Path("tests", inside.parent, f"test_{inside.name.lstrip('_')}")
    return [file, Path("tests", inside.parts[0])] if wider and len(inside.parts) > 1 else [file]


def passed(copy: Path, tests: Path, limit: float) -> bool:
    """Run tests in a process of their own."""
    process = SERVER.Process(target=_in_child, args=(copy, tests))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode == 0


def _in_child(copy: Path, tests: Path) -> None:
    os.chdir(copy)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    for name in [name for name in sys.modules if name.split(".")[0] in ("mssim", "tests")]:
        del sys.modules[name]
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True  # bytecode is told by time and size, which two mutants may share
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    import pytest

    mssim = importlib.import_module("mssim")
    assert str(mssim.__file__).startswith(str(copy))
    os._exit(int(pytest.main(["-x", "-q", "--slow", "-p", "no:cacheprovider", str(tests)])))


def survivors(chosen: Iterable[Mutant], copy: Path, *, wider: bool) -> Iterator[Mutant]:
    """Yield the mutants that no test notices."""
    seconds: dict[Path, float] = {}
    for mutant in chosen:
        noticed, path = False, copy / mutant.module
        for tests in tests_of(mutant.module, wider=wider):
            for _ in range(0 if tests in seconds else 2):  # once for the cache, once for the time
                begin = time.monotonic()
                if not passed(copy, tests, 3600):
                    raise SystemExit(f"{tests} fails without any mutant")
                seconds[tests] = time.monotonic() - begin
            if not noticed:
                original = path.read_text(encoding="utf-8")
                path.write_text(mutant.source, encoding="utf-8")
                noticed = not passed(copy, tests, 10 + 5 * seconds[tests])
                path.write_text(original, encoding="utf-8")
        if not noticed:
            yield mutant


def main() -> None:
    """Print the mutants that survive, and how many did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", help="modules or packages, e.g. mssim/rules")
    parser.add_argument("--sample", type=int, help="number of mutants, chosen at random; default: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice")
    parser.add_argument("--wider", action="store_true", help="try survivors on all tests of their package too")
    asked = parser.parse_args()
    found = {p for path in asked.paths for p in ([Path(path)] if path.endswith(".py") else Path(path).rglob("*.py"))}
    modules = sorted(path for path in found if path.name != "__init__.py")
    chosen = [mutant for module in modules for mutant in mutants(module)]
    print(f"{len(chosen)} mutants of {len(modules)} modules", flush=True)
    if asked.sample is not None:
        chosen = sorted(random.Random(asked.seed).sample(chosen, min(asked.sample, len(chosen))))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        os.environ |= {"NUMBA_CACHE_DIR": f"{folder}/numba", "MPLBACKEND": "Agg"}
        if any("kernels" in module.parts for module in modules):
            os.environ["NUMBA_DISABLE_JIT"] = "1"
        copy = Path(shutil.copytree(ROOT, Path(folder).resolve() / "copy", ignore=shutil.ignore_patterns(*NOT_COPIED)))
        n_survivors = 0
        for mutant in survivors(chosen, copy, wider=asked.wider):
            n_survivors += 1
            print(f"survived {mutant.module}:{mutant.line}: {mutant.change}", flush=True)
        print(f"{len(chosen) - n_survivors} of {len(chosen)} killed, {n_survivors} survived")


if __name__ == "__main__":
    main()
