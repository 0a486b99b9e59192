"""Curves over samples and tokens, of every model and of models together."""

import numpy as np
import pytest

from analysis import by_cost
from mssim import ModelSwitch, PoolError
from tests.analysis import stand_ins

pytestmark = pytest.mark.slow


def test_all_models_stand_beside_modelswitch_and_the_mix():
    source = stand_ins.source(protocols=None)
    found = by_cost.run(source, n_replays=50)
    budgets = {name: part["budget"].tolist() for name, part in found.groupby("strategy", sort=False)}
    alone = [1, 2, 4, 8, 16]
    assert budgets == {"strong": alone, "weak": alone, "ModelSwitch": [*alone[1:], 32], "mix": [*alone[1:], 32]}
    spent = found.set_index(["strategy", "budget"])["tokens"]
    np.testing.assert_allclose([spent["strong", 4], spent["weak", 4], spent["mix", 4]], [4 * 12, 4 * 13, 4 * 12.5])


def test_modelswitch_to_a_control_is_drawn_where_there_is_one():
    models = ("strong", "weak", "cold")
    for of in ("strong", "weak"):
        source = stand_ins.source(models=models, controls={"cold": of}, protocols=None)
        assert by_cost.together(source)["ModelSwitch to control"] == ModelSwitch([of, "cold"], agreement=0.75)
        assert set(by_cost.alone(source)) == set(models)
    other = stand_ins.source(models=models, controls={"cold": "another"}, protocols=None)
    assert "ModelSwitch to control" not in by_cost.together(other)


def test_a_single_model_has_nothing_to_switch_to():
    with pytest.raises(PoolError, match="is the only model"):
        by_cost.run(stand_ins.source(models=("strong",), protocols=None))
