"""Options of servers: a plan of them, or of a file, and not of both."""

import pytest

from mssim import MssimError
from mssim.cli.servers import OF_PLAN, plan_of
from tests.recording import URL


def plan(path=None, models=None, base_url=None, samples=None, **options):
    every = dict.fromkeys(OF_PLAN) | options
    return plan_of(path, models, base_url, every, samples=samples, default=7, besides="Only X.")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(f'samples = 3\nseed = 2\n[servers.x]\nbase_url = "{URL}"\n[models.a]\n[models.b]\n')
    return path


def test_options_make_a_plan_of_models_of_one_server():
    found = plan(models=["a", "b=org/B"], base_url=URL, seed=4, settings=["top_p=0.5"])
    assert [(m.name, m.model_id, m.samples, m.seed) for m in found.models] == [("a", "a", 7, 4), ("b", "org/B", 7, 4)]
    assert found.models[0].settings["top_p"] == 0.5
    assert plan(models=["a"], base_url=URL, samples=2).models[0].samples == 2


def test_a_file_says_everything_but_the_number_of_samples(file):
    assert [(m.name, m.samples, m.seed) for m in plan(file).models] == [("a", 3, 2), ("b", 3, 2)]
    assert plan(file, samples=9).models[0].samples == 9


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": ["a"]}, "already names models and servers. Remove --model and --base-url"),
        ({"base_url": URL}, "already names models and servers"),
        ({"settings": ["top_p=1"]}, r"--set: not allowed with --plan\. Set it in .*plan\.toml\. Only X\."),
        ({"samples_per_request": 4}, "--samples-per-request: not allowed with --plan"),
    ],
)
def test_a_file_and_options_are_refused(file, options, says):
    with pytest.raises(MssimError, match=says):
        plan(file, **options)


@pytest.mark.parametrize("options", [{}, {"models": ["a"]}, {"base_url": URL}])
def test_without_a_file_models_and_server_are_required(options):
    with pytest.raises(MssimError, match="--model, --base-url: both are required without --plan"):
        plan(**options)
