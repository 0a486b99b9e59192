import os

# Before NumPy is imported: workers run side by side, and threads of linear algebra that wait for each other's processor
# make tests that fit models three times as slow.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import gc
import math
import threading
from concurrent.futures import Executor, Future
from functools import cache, partial
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from mssim import Pool, evaluate
from mssim.pools import loading
from tests import compile_once, strict_arrays

mpl.use("Agg")
if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    strict_arrays.install(check=os.environ.get("STRICT_ARRAYS") == "1")
else:
    compile_once.install()

RECORDED = Path(__file__).parents[1] / "recorded"


def load_once(plain):
    """Keep the pools that ship, which do not change: examples of docstrings load them forty times."""
    keep = cache(plain)
    return lambda folder: (keep if folder.absolute().parent == RECORDED else plain)(folder)


loading._load_folder = load_once(loading._load_folder)

# Tests state their numbers of examples for `--hypothesis-profile=many`; without it they run a quarter of them.
MANY = 60
settings.register_profile(
    "many", derandomize=True, deadline=None, max_examples=MANY, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("default", settings.get_profile("many"), max_examples=MANY // 4)
settings.register_profile("few", settings.get_profile("many"), max_examples=MANY // 20)  # enough for 97 % of lines
settings.register_profile("some", settings.get_profile("many"), max_examples=MANY // 8)  # for all lines of kernels
settings.load_profile("default")


def examples(many):
    """Number of examples in the profile of this run, of so many in the profile "many"."""
    return math.ceil(many * settings.default.max_examples / MANY)


# Long files first. A worker takes two files if the first has a single test, so one compiles most kernels for the first
# and the third of these, while the other tests what needs none.
FIRST = [
    "tests/recorder/test_kill.py",
    "tests/rules/test_catalogue.py",
    "tests/recorder/test_http.py",
    "tests/figures/test_figures.py",
    "tests/simulate/test_curve_fit.py",
    "tests/analysis/test_analysis.py",
    "tests/report/test_page.py",
    "tests/test_notebook.py",
    "docs/explanation/protocols.md",
    "docs/how-to/run-live.md",
]

SLOW_EXAMPLES = {  # in docstrings, where no marker can be; those in Markdown files are slow too
    "analysis.best_k.best_number_of_samples",
    "mssim.live.prediction.predict",
    "mssim.recorder.openai_sampler.OpenAISampler",
    "mssim.simulate.coupling.fit_coupling",
    "mssim.tuning._tune.tune",
}


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run tests that take a third of a second or more")


def pytest_collection_modifyitems(config, items):
    """Skip slow tests without --slow, and order files for workers, which take whole files (`--dist loadfile`)."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and (item.path.suffix == ".md" or item.name in SLOW_EXAMPLES):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow; add --slow"))
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.nodeid.split("::")[0], len(FIRST)))


def pytest_collection_finish():
    """Let the garbage collector pass over imported modules and collected tests, which live until the end."""
    gc.collect()
    gc.freeze()


replay = partial(evaluate, method="monte_carlo")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared_pools():
    folder = SHARED / "pools"
    if not folder.is_dir():
        pytest.skip("the recorded pools of others, which are not part of the project, are not beside the checkout")
    return folder


def long_frame(answers, truth="a", **columns):
    """A frame from {(model, question): [answers]}; the right answer of every question is `truth`."""
    rows = [
        {"question_id": question, "model": model, "sample_index": i, "answer": answer, "truth": truth}
        for (model, question), given in answers.items()
        for i, answer in enumerate(given)
    ]
    return pd.DataFrame(rows).assign(**columns)


def make_pool(answers, truth="a", **columns):
    return Pool.from_frame(long_frame(answers, truth, **columns))


class Backwards(Executor):
    """Does one task at a time, of those that wait the one that came last."""

    def __init__(self):
        self._waiting, self._busy = [], threading.Lock()

    def submit(self, function, *args, **options):
        future = Future()
        self._waiting.append((future, function, args, options))
        threading.Thread(target=self._do_one).start()
        return future

    def _do_one(self):
        with self._busy:
            future, function, args, options = self._waiting.pop()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*args, **options))
                except BaseException as error:
                    future.set_exception(error)
