"""Plans from the command line and from files."""

from dataclasses import replace
from pathlib import Path

import pytest

from mssim.recorder import ModelPlan, Plan, Server, plan_from_options, read_plan
from tests.recorder.test_plan import SECRET, URL, says


def options(*names, **given_):
    return plan_from_options(names or ["m"], **{"base_url": URL, "samples": 8, **given_})


def test_options_make_a_plan(tmp_path):
    for name, text in {"t": "{{question}}\r\nThink.\r\n\r\n", "s": "\ufeffBe brief.", "p": "x"}.items():
        (tmp_path / name).write_bytes(text.encode())
    plan = options(
        "a",
        " b = org/b=1",
        samples_per_request=4,
        template=tmp_path / "t",
        system=tmp_path / "s",
        settings=["temperature=0.7", 'stop=["\\n"]', "top_p=null", " reasoning_effort =low", "user=a=b", "x=-"],
        logprobs=True,
        seed=7,
        key_env="MY_KEY",
        concurrency=3,
        timeout=9.5,
        prices=tmp_path / "p",
    )
    settings = {"temperature": 0.7, "stop": ["\n"], "reasoning_effort": "low", "user": "a=b", "x": "-"}
    text = "{{question}}\nThink.\n"
    server = Server(URL, "MY_KEY", 3, 9.5)
    a = ModelPlan("a", "a", server, 8, 4, settings, text, "Be brief.", True, 7)
    assert plan == Plan((a, replace(a, name="b", model_id="org/b=1")), {}, tmp_path / "p")
    assert a.settings == settings


def test_a_temperature_of_null_is_not_sent():
    assert options(settings=["temperature=null"]).models[0].settings == {}


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"settings": ["temperature"]}, "setting 'temperature' is not of the form KEY=VALUE, such as temperature=0.7"),
        ({"settings": ["=1"]}, "setting '=1' is not of the form KEY=VALUE"),
        ({"settings": ["a=1", "a=2"]}, "setting 'a' appears twice. Remove one of them"),
        ({"settings": ["stop=[END]"]}, "setting stop='[END]' is not valid JSON. Enclose it in single quotes"),
        ({"settings": ["stop=" + "[" * 10**5]}, "is not valid JSON"),
        ({"settings": ["top_p=NaN"]}, "setting top_p=nan cannot be written as JSON"),
        ({"settings": ["top_p=1e999"]}, "setting top_p=inf cannot be written as JSON"),
        ({"settings": ["seed=5"]}, "would be the same for all samples and repeat them"),
        ({"base_url": f"http://u:{SECRET}@h"}, "base_url contains user:password@"),
        ({"samples": 0}, "samples=0 is out of range. Use an integer from 1"),
    ],
)
def test_bad_options_are_refused(given_, text):
    says(lambda: options(**given_), text)


@pytest.mark.parametrize("name", ["", "=x", "a=", " = "])
def test_a_model_has_a_name(name):
    says(lambda: options(name), f"model {name!r} is not of the form NAME or NAME=MODEL_ID")


@pytest.mark.parametrize("key", ["template", "system"])
def test_text_files_must_be_there_and_hold_text(tmp_path, key):
    path = tmp_path / "t.txt"
    says(lambda: options(**{key: path}), f"{key}: the file {path} does not exist. Correct the path")
    says(lambda: options(**{key: tmp_path}), f"{key}: the file {tmp_path} does not exist")
    path.write_text(" \n")
    says(lambda: options(**{key: path}), f"{key}: {path} is empty. Add text, or omit {key}")
    path.write_bytes(b"\xff")
    says(lambda: options(**{key: path}), f"{key}: {path} cannot be read ('utf-8' codec can't decode")


def test_prices_must_be_there(tmp_path):
    says(lambda: options(prices=tmp_path / "no.toml"), "no.toml does not exist. Correct the path")
    says(lambda: options(prices=5), "prices=5 is not a file name. Use the path of a file")
    says(lambda: options(prices=tmp_path / ("x" * 5000)), "is not a file name (OSError)")


def test_a_stream_that_is_off_is_what_is_sent_anyway():
    assert options(settings=["stream=false"]) == options()
    for value in ("true", "False", "0"):
        says(lambda value=value: options(settings=[f"stream={value}"]), "setting 'stream' is not supported")


FILE = """
samples = 512
samples_per_request = 8
template = "prompt.txt"
logprobs = true
seed = 7
prices = "prices.toml"
[pool]
title = "T"
licence = "CC0"
[settings]
temperature = 0.8
top_p = 0.9
[servers.local]
base_url = "http://127.0.0.1:8000/v1/"
key_env = "MY_KEY"
concurrency = 4
timeout = 120
[servers.other]
base_url = "https://other.org"
[models.llama]
server = "local"
model_id = "meta-llama/Llama-3.1-8B-Instruct"
samples_per_request = 4
settings = {max_tokens = 512, top_p = "null"}
[models."gpt-4.1"]
server = "other"
samples = 16
template = ""
system = "system.txt"
logprobs = false
seed = 8
"""


@pytest.fixture
def plan_file(tmp_path):
    (tmp_path / "prompt.txt").write_text("{{question}}!\n")
    (tmp_path / "system.txt").write_text("Be brief.\n")
    (tmp_path / "prices.toml").write_text("")

    def writes(text):
        path = tmp_path / "plan.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return writes


def test_a_file_is_read_as_written(plan_file):
    path = plan_file(FILE)
    local = Server(URL, "MY_KEY", 4, 120)
    llama = ModelPlan(
        "llama", "meta-llama/Llama-3.1-8B-Instruct", local, 512, 4,
        {"temperature": 0.8, "max_tokens": 512}, "{{question}}!", None, True, 7,
    )  # fmt: skip
    gpt = ModelPlan(
        "gpt-4.1", "gpt-4.1", Server("https://other.org"), 16, 8,
        {"temperature": 0.8, "top_p": 0.9}, None, "Be brief.", False, 8,
    )  # fmt: skip
    assert read_plan(str(path)) == Plan((llama, gpt), {"title": "T", "licence": "CC0"}, path.parent / "prices.toml")


def test_samples_of_the_command_line_go_before_all_others(plan_file):
    assert [one.samples for one in read_plan(plan_file(FILE), samples=3).models] == [3, 3]
    assert read_plan(plan_file(FILE.replace("samples = 512", "")), samples=3).models[0].samples == 3


def test_the_shortest_file(plan_file):
    plan = read_plan(plan_file('samples = 2\n[servers.s]\nbase_url = "http://h"\n[models.a]\n'))
    assert plan == Plan((ModelPlan("a", "a", Server("http://h"), 2),))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "samples_per_request = 8",
            "sample_per_request = 8",
            "unknown key 'sample_per_request'. Did you mean 'samples_per",
        ),
        (
            'title = "T"',
            'titel = "T"',
            "pool: unknown key 'titel'. Did you mean 'title'? Choose from 'title', 'source'",
        ),
        ('title = "T"', "title = 5", "pool.title=5 is not allowed. It must be one line of text"),
        ("concurrency", "concurency", "servers.local: unknown key 'concurency'. Did you mean 'concurrency'?"),
        ("key_env", "api_key", "servers.local: unknown key 'api_key'. "),
        ("timeout = 120", "timeout = -1", "servers.local: timeout=-1 is not allowed"),
        ('"https://other.org"', f'"https://u:{SECRET}@other.org"', "servers.other: base_url contains user:password@"),
        ('base_url = "https://other.org"', "", "servers.other: base_url: the given text is not the URL"),
        (
            "[servers.other]",
            f'[servers]\nx = "{SECRET}"\n[servers.other]',
            "servers.x has type str. It must be a table: [servers.x]",
        ),
        ("model_id =", "modelid =", "models.llama: unknown key 'modelid'. Did you mean 'model_id'?"),
        (
            'server = "other"',
            'server = "othr"',
            "models.gpt-4.1: server='othr' is not defined. Did you mean 'other'? Choose from 'local'",
        ),
        (
            'server = "other"',
            "server = 5",
            "models.gpt-4.1: server=5 is not defined. Choose from 'local', 'other', or add a table",
        ),
        ('server = "other"', "", "models.gpt-4.1: server is missing. Choose from 'local', 'other', or add a table"),
        ('."gpt-4.1"', ".gpt-4.1", "models.gpt-4: unknown key '1'. Choose from "),
        ('."gpt-4.1"', ".gpt-4.1", 'Names with dots need quotes: models."NAME"'),
        (
            "samples = 512",
            "",
            "models.llama: samples is missing. Set it for this model, for all models, or with",
        ),
        ("samples = 16", 'samples = "16"', "models.gpt-4.1: samples='16' is not an integer. Use an integer from 1"),
        (
            "samples_per_request = 4",
            "samples_per_request = 0.5",
            "models.llama: samples_per_request=0.5 is not an integer. Use",
        ),
        (
            "logprobs = false",
            'logprobs = "no"',
            "models.gpt-4.1: logprobs='no' is not allowed. It must be true or false",
        ),
        ("seed = 8", "seed = -8", "models.gpt-4.1: seed=-8 is out of range. Use an integer from 0"),
        ("max_tokens = 512", "n = 512", "models.llama: setting 'n' is part of the plan. Use samples_per_request"),
        (
            "max_tokens = 512",
            "max_tokens = 2026-01-01",
            "models.llama: setting max_tokens=datetime.date(2026, 1, 1) cannot be written as JSON",
        ),
        ("temperature = 0.8", "temperature = inf", "models.llama: setting temperature=inf cannot be written as JSON"),
        ("[settings]", "[[settings]]", "settings has type list. It must be a table: [settings]"),
        (
            'settings = {max_tokens = 512, top_p = "null"}',
            "settings = 5",
            "models.llama.settings has type int. It must be a table",
        ),
        ('"prompt.txt"', '"promt.txt"', "promt.txt does not exist. Correct the path"),
        ('"prompt.txt"', "5", "models.llama: template=5 is not a file name. Use a path relative to the plan"),
        (
            '"system.txt"',
            '"a\\u0000"',
            "models.gpt-4.1: system='a\\x00' is not a file name. Use a path relative to the plan",
        ),
        ('"prices.toml"', '"price.toml"', "price.toml does not exist. Correct the path"),
        ('"prices.toml"', "[]", "prices=[] is not a file name. Use a path relative to the plan"),
        (
            'model_id = "meta-llama/Llama-3.1-8B-Instruct"',
            "model_id = 5",
            "models.llama: model_id=5 is not allowed. It must be one line of text",
        ),
        ("samples = 512", "samples = 512\nsamples = 512", "is not valid TOML (Cannot overwrite a value"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_file_and_key(plan_file, old, new, text):
    assert old in FILE
    path = plan_file(FILE.replace(old, new, 1))
    assert says(lambda: read_plan(path), text).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["samples = 1", "samples = 1\nmodels = {}"])
def test_a_file_without_models_is_refused(plan_file, text):
    says(lambda: read_plan(plan_file(text)), "plan.toml: models: the plan has no models. Add at least one")


def test_a_file_without_servers_is_refused(plan_file):
    says(
        lambda: read_plan(plan_file("samples = 1\n[models.a]")),
        "models.a: the plan has no servers. Add a table [servers.NAME] with base_url",
    )


@pytest.mark.parametrize("text", [b"\xff", b"a = " + b"[" * 10**5, b"[models"])
def test_a_damaged_file_is_refused(plan_file, text):
    says(lambda: read_plan(plan_file(text)), "plan.toml: is not valid TOML (")


def test_a_missing_file_is_refused(tmp_path):
    says(lambda: read_plan(tmp_path / "no.toml"), "no.toml: cannot be read (No such file or directory)")


def test_the_example_is_a_plan():
    plan = read_plan(Path(__file__).parents[2] / "examples" / "record" / "plan.toml")
    assert [(model.name, model.samples, model.samples_per_request) for model in plan.models] == [
        ("llama", 512, 8),
        ("other", 512, 1),
    ]
    assert "{{question}}" in plan.models[0].template
