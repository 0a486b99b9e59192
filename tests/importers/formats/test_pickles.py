"""Pickles are found by name or content, refused with advice, and never opened."""

import os
import pickle

import pytest

from mssim import PoolError
from mssim.importers.formats.deepconf import from_deepconf
from mssim.importers.formats.pickles import is_pickle, refuse_pickle
from mssim.importers.formats.routerbench import from_routerbench
from mssim.importers.safe_files import Source
from tests.importers.readers import written


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("routerbench_0shot.pkl", b"anything", True),
        ("a.PICKLE.gz", b"anything", True),
        ("a.json", pickle.dumps([1], protocol=2), True),
        ("a.json", pickle.dumps([1]), True),
        ("pkl.json", b"[]", False),
        ("a.parquet", b"PAR1", False),
    ],
)
def test_a_pickle_is_known_by_its_name_or_by_its_first_bytes(tmp_path, name, content, found):
    source = Source(written(tmp_path, content, name))
    assert is_pickle(source) == found
    if not found:
        refuse_pickle(source, "")


@pytest.mark.parametrize("name", ["routerbench_0shot.pkl", "export.json"])
@pytest.mark.parametrize(
    ("import_", "script"), [(from_routerbench, "pandas.read_pickle"), (from_deepconf, "json.dump")]
)
def test_nothing_in_a_pickle_runs(tmp_path, import_, script, name):
    trap = tmp_path / "trap"
    path = written(tmp_path, pickle.dumps(Trap(trap)), name)
    with pytest.raises(PoolError, match=r"is a pickle.*so it is not opened") as caught:
        import_(path)
    assert script in str(caught.value)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists()  # the trap works


def test_the_scripts_convert_a_pickle(tmp_path):
    """The advice in the messages is code that runs."""
    import runpy
    import sys

    import numpy as np
    import pandas as pd

    table = pd.DataFrame({"sample_id": ["a.1"], "prompt": ["?"], "eval_name": ["a"], "gpt": [1.0]})
    table["gpt|model_response"] = ["['x']"]
    table.astype({"gpt": object}).to_pickle(tmp_path / "r.pkl")
    trace = {
        "text": "x",
        "extracted_answer": "4",
        "confs": np.array([1.5]),
        "num_tokens": np.int64(1),
        "token_ids": [7],
    }
    result = {"question_id": 0, "ground_truth": "4", "config": {"model_path": "m"}, "all_traces": [trace]}
    (tmp_path / "d.pkl").write_bytes(pickle.dumps(result))
    made = {"r.pkl": (from_routerbench, "r.parquet"), "d.pkl": (from_deepconf, "d.json")}
    for name, (import_, converted) in made.items():
        with pytest.raises(PoolError) as caught:
            import_(tmp_path / name)
        script = written(tmp_path, str(caught.value).split('python -c "')[1].split('" INPUT')[0], "script.py")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["-c", str(tmp_path / name), str(tmp_path / converted)])
            runpy.run_path(str(script))
        assert import_(tmp_path / converted).lengths.tolist() == [[1]]
    assert "token_ids" not in (tmp_path / "d.json").read_text()
