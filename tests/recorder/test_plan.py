"""Plans: what is asked of whom, what changes an answer, and what is refused."""

import copy
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.recorder import ModelPlan, Plan, Server, plan_from_options, read_plan
from mssim.recorder.settings_hash import differences, settings_hash

URL = "http://127.0.0.1:8000/v1"
SERVER = Server(URL)
QUESTIONS = pa.table({"question_id": ["a"], "question": ["x"], "truth": ["1"], "hint": ["h"]})
SECRET = "sk-Very-Secret"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

SETTINGS = st.dictionaries(st.text().filter(str.isprintable), JSON, max_size=4)


def model(**given_):
    return ModelPlan(**{"name": "m", "model_id": "org/m", "server": SERVER, "samples": 8, **given_})


def options(*names, **given_):
    return plan_from_options(names or ["m"], **{"base_url": URL, "samples": 8, **given_})


def says(act, text):
    with pytest.raises(MssimError) as error:
        act()
    assert text in str(error.value)
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)
    return str(error.value)


# Servers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [URL, "https://api.openai.com/v1", "http://localhost", "http://[::1]:80/v1"])
def test_a_slash_at_the_end_of_a_url_does_not_matter(url):
    assert Server(url + "/") == Server(url)
    assert Server(url).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        None,
        5,
        "127.0.0.1:8000/v1",
        "ftp://host",
        "http://",
        "http:///v1",
        "http://h:99999",
        "http://h:x",
        "http://[h",
        "http://h:0",
        "http://ho st",
        "http://h\n",
        "file:///etc",
        SECRET,
        f"http://h:{SECRET}/v1",
        f"http://[{SECRET}",
    ],
)
def test_what_is_no_url_of_a_server_is_refused_and_not_shown(url):
    says(lambda: Server(url), "base_url (not shown, it may hold a key) is no URL of a server; give one with http:// or")


@pytest.mark.parametrize(
    "url", ["http://user:{}@h/v1", "http://{}@h", "user:{}@h", "http://user:a/{}@h", "http://:{}@[h"]
)
def test_credentials_in_a_url_are_refused_and_not_shown(url):
    says(
        lambda: Server(url.format(SECRET)),
        "base_url has user:password@ in it; credentials come from the environment only: name the variable with key_env",
    )


@pytest.mark.parametrize("url", ["http://h/v1?key={}", "http://h/v1#{}", "http://h?"])
def test_queries_and_fragments_are_refused_and_not_shown(url):
    says(lambda: Server(url.format(SECRET)), "base_url goes on after ? or #; end it before that, and if a key is there")


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"concurrency": 0}, "concurrency=0 is out of range. Use an integer from 1 to 1000"),
        ({"concurrency": 10_001}, "concurrency=10001 is out of range. Use"),
        ({"concurrency": 1.5}, "concurrency=1.5 is not an integer. Use"),
        ({"timeout": 0}, "timeout=0; give seconds, a number above 0"),
        ({"timeout": math.inf}, "timeout=inf; give seconds"),
        ({"timeout": math.nan}, "timeout=nan; give seconds"),
        ({"timeout": "60"}, "timeout='60'; give seconds"),
        ({"key_env": SECRET}, "key_env (not shown, it may be a key) is not the name of an environment variable; give"),
        ({"key_env": "gsk_aB3"}, "in upper-case letters, digits and _, e.g. OPENAI_API_KEY"),
        ({"key_env": ""}, "key_env (not shown"),
        ({"key_env": 5}, "key_env (not shown"),
        ({"key_env": "A\n"}, "key_env (not shown"),
    ],
)
def test_bad_options_of_a_server_are_refused(given_, text):
    says(lambda: Server(URL, **given_), text)


def test_the_key_is_read_when_it_is_asked_for_and_kept_nowhere(monkeypatch):
    server = Server(URL, key_env="MY_KEY")
    monkeypatch.setenv("MY_KEY", f" {SECRET}\n")
    assert server.key() == SECRET
    monkeypatch.setenv("MY_KEY", "other")
    assert server.key() == "other"
    assert "other" not in repr(server) + str(vars(server))


def test_without_a_name_only_openai_gets_the_key_that_is_for_it(monkeypatch):
    theirs = Server("https://api.openai.com/v1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert theirs.key() is None
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    assert theirs.key() is None
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert theirs.key() == SECRET
    for url in (URL, "https://openai.com.example.com/v1", "https://notopenai.com/v1"):
        assert Server(url).key() is None


def test_a_named_key_must_be_there(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    for value in (None, "", " \n"):
        monkeypatch.delenv("MY_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("MY_KEY", value)
        says(Server(URL, key_env="MY_KEY").key, "environment variable MY_KEY is not set or blank; export MY_KEY=...")


@pytest.mark.parametrize("value", [f"{SECRET} x", f"{SECRET}\nx", f"{SECRET}é"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("MY_KEY", value)
    says(Server(URL, key_env="MY_KEY").key, "environment variable MY_KEY (not shown) holds what no key can; set it to")


# Models ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"name": ""}, "name=''; give one line of text that is not empty"),
        ({"name": 5}, "name=5; give one line of text"),
        ({"name": "a+b"}, "name='a+b': strategies are written with + and , between models; give one without them"),
        ({"name": "a,b"}, "give one without them, e.g. NAME=MODEL_ID"),
        ({"name": "a\nb"}, r"name='a\nb'; give one line of text"),
        ({"name": "\ud800"}, "give one line of text"),
        ({"template": "\ud800"}, "give what JSON can hold"),
        ({"model_id": " "}, "model_id=' '; give one line of text"),
        ({"template": ""}, "template=''; give text that is not empty, or leave it out"),
        ({"system": " "}, "system=' '; give text that is not empty, or leave it out"),
        ({"server": URL}, "server='http://127.0.0.1:8000/v1'; give a Server"),
        ({"samples": 0}, "samples=0 is out of range. Use an integer from 1"),
        ({"samples": True}, "samples=True is not an integer. Use an integer"),
        ({"samples": "8"}, "samples='8' is not an integer. Use an integer"),
        ({"samples_per_request": 0}, "samples_per_request=0 is out of range. Use an integer from 1"),
        ({"logprobs": 1}, "logprobs=1; give true or false"),
        ({"seed": -1}, "seed=-1 is out of range. Use an integer from 0"),
        ({"seed": 1.0}, "seed=1.0 is not an integer. Use an integer"),
        ({"settings": [1]}, "settings=[1]; give names and values"),
        ({"settings": {"": 1}}, "name of a setting=''; give one line of text"),
        ({"settings": {"temperature": "hot"}}, "setting temperature='hot'; give a number from 0"),
        ({"settings": {"temperature": -1}}, "setting temperature=-1; give a number from 0"),
        (
            {"settings": {"temperature": math.nan}},
            "setting temperature=nan; give what JSON can hold: text, finite numbers",
        ),
        ({"settings": {"logit_bias": {"1": math.inf}}}, "setting logit_bias=inf; give what JSON can hold"),
        ({"settings": {"stop": {1, 2}}}, "setting stop={1, 2}; give what JSON can hold"),
        ({"settings": {"stop": ["\ud800"]}}, "give what JSON can hold"),
        ({"settings": {"logit_bias": {1: 2}}}, "setting logit_bias={1: 2}; give what JSON can hold"),
        ({"settings": {"max_tokens": 0}}, "setting max_tokens=0 is out of range. Use an integer from 1"),
        (
            {"settings": {"max_completion_tokens": "9"}},
            "setting max_completion_tokens='9' is not an integer. Use an integer from 1",
        ),
    ],
)
def test_bad_plans_of_a_model_are_refused(given_, text):
    says(lambda: model(**given_), text)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model", "the plan names the model; give model_id"),
        ("messages", "they are made of the questions; give a template"),
        ("n", "give samples_per_request (--samples-per-request)"),
        ("stream", "a sample is stored when it is whole"),
        ("logprobs", "use logprobs = true (--logprobs)"),
        ("top_logprobs", "use logprobs = true (--logprobs)"),
        ("seed", "a constant seed would give one sample over and over; give --seed BASE"),
        ("api_key", "credentials come from the environment only"),
    ],
)
def test_settings_that_the_recorder_sends_itself_are_refused(name, reason):
    for value in (1, None, SECRET):
        says(lambda value=value: model(settings={name: value}), f"setting {name!r}: {reason}")


def test_the_temperature_is_1_unless_given_and_none_is_not_sent():
    assert model().settings == {"temperature": 1.0}
    assert model(settings={"top_p": 0.5}).settings == {"temperature": 1.0, "top_p": 0.5}
    assert model(settings={"temperature": 0.5, "top_p": None}).settings == {"temperature": 0.5}
    without = model(settings={"temperature": None, "stop": ("a",)})
    assert without.settings == {"stop": ["a"]}
    assert replace(without, name="other").settings == {"stop": ["a"]}


def test_settings_are_a_copy_that_cannot_be_changed():
    given_ = {"stop": ["a"]}
    asked = model(settings=given_, template="t")
    given_["stop"].append("b")
    asked.identity()["settings"]["stop"].append("c")
    assert asked.settings["stop"] == ["a"]
    with pytest.raises(TypeError):
        asked.settings["stop"] = []


def test_the_identity_is_what_changes_the_answer_and_is_json():
    asked = model(template="{{question}}", settings={"max_tokens": 5})
    assert json.loads(json.dumps(asked.identity())) == {
        "model_id": "org/m",
        "settings": {"temperature": 1.0, "max_tokens": 5},
        "template": "{{question}}",
        "system": None,
        "seed": None,
    }
    for same in (
        {"name": "x"},
        {"samples": 9},
        {"samples_per_request": 2},
        {"server": Server("http://x")},
        {"logprobs": True},
    ):
        assert replace(asked, **same).identity() == asked.identity()
    for other in ({"model_id": "x"}, {"settings": {}}, {"template": "x"}, {"system": "x"}, {"seed": 0}):
        assert replace(asked, **other).identity() != asked.identity()


def test_a_model_without_a_template_has_no_identity_yet():
    says(model().identity, "model 'm' has no template yet; take the plan that Plan.resolve returns")


def test_most_tokens_is_the_smaller_limit():
    assert model().most_tokens() is None
    assert model(settings={"max_tokens": 9}).most_tokens() == 9
    assert model(settings={"max_completion_tokens": 7}).most_tokens() == 7
    assert model(settings={"max_tokens": 9, "max_completion_tokens": 7}).most_tokens() == 7


@given(st.integers(0, 2**63 - 1), st.text(), st.integers(0, 10**6))
def test_the_seed_of_a_sample_is_its_sha_256(seed, question_id, index):
    text = f'[{seed},"{model().name}",{json.dumps(question_id)},{index}]'
    expected = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) // 2
    assert model(seed=seed).sample_seed(question_id, index) == expected < 2**31


def test_samples_have_seeds_of_their_own_and_none_without_a_base():
    assert model().sample_seed("q", 0) is None
    seeds = {model(seed=seed).sample_seed(q, i) for seed in (0, 1) for q in ("q1", "q2") for i in range(512)}
    assert len(seeds) == 2048  # by chance they would collide once in a thousand times; these do not
    assert model(name="other", seed=0).sample_seed("q1", 0) not in seeds  # or models on one server might draw alike


# What changes an answer -----------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), JSON), st.lists(st.dictionaries(st.text(), st.text())))
def test_the_hash_is_that_of_sorted_json(identity, messages):
    def floats_as_whole_numbers(value):
        if isinstance(value, dict):
            return {key: floats_as_whole_numbers(one) for key, one in value.items()}
        if isinstance(value, list):
            return [floats_as_whole_numbers(one) for one in value]
        whole = type(value) is float and value == math.floor(value) and -(2**53) < value < 2**53
        return int(value) if whole else value

    text = json.dumps([floats_as_whole_numbers(identity), messages], sort_keys=True, separators=(",", ":"))
    expected = hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
    assert settings_hash(identity, messages) == expected
    assert settings_hash(dict(reversed(identity.items())), messages) == expected


def test_a_hash_survives_half_of_a_surrogate_pair_and_tells_texts_apart():
    texts = ["", "\ud800", "\\ud800", "\udfff", "a", "A", "\0"]
    hashes = {settings_hash({}, [{"role": "user", "content": text}]) for text in texts}
    assert len(hashes) == len(texts)
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in hashes)


def test_true_and_1_differ_but_1_and_one_point_zero_do_not():
    hashes = [settings_hash({"settings": {"x": value}}, []) for value in (True, 1, 1.0, "1", [1], None)]
    assert hashes[1] == hashes[2]
    assert len(set(hashes)) == 5
    assert differences({"settings": {"x": 1}}, {"settings": {"x": 1.0}}) == []
    assert differences({"settings": {"x": 1}}, {"settings": {"x": True}}) == ["x 1 -> true"]


@given(SETTINGS, SETTINGS)
def test_there_is_a_difference_if_and_only_if_the_hashes_differ(old, new):
    old, new = ({key: value for key, value in given_.items() if value is not None} for given_ in (old, new))
    old, new = {"settings": old}, {"settings": new}
    assert bool(differences(old, new)) == (settings_hash(old, []) != settings_hash(new, []))
    assert all("\n" not in line for line in differences(old, new))
    assert differences(old, copy.deepcopy(old)) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"settings": {"temperature": 1.0}}, {"settings": {"temperature": 0.7}}, "temperature 1.0 -> 0.7"),
        ({"settings": {}}, {"settings": {"top_p": 0.9}}, "top_p (not set) -> 0.9"),
        ({"settings": {"stop": ["a"]}}, {}, 'stop ["a"] -> (not set)'),
        ({"model_id": "a"}, {"model_id": "b"}, "model_id 'a' -> 'b'"),
        ({"seed": None}, {"seed": 7}, "seed (not set) -> 7"),
        ({"system": None}, {"system": "Be brief.\n"}, r"system (not set) -> 'Be brief.\n'"),
        (
            {"template": "a\nb\nfoo"},
            {"template": "a\nb\nbar"},
            "template changed (first difference in line 3: 'foo' -> 'bar')",
        ),
        ({"template": "a"}, {"template": "a\n"}, "template changed (first difference in line 2: (no line) -> '')"),
        ({"system": "a\r\nb"}, {"system": "a\nb"}, r"system changed (first difference in line 1: 'a\r' -> 'a')"),
        ({"model_id": "x" * 200}, {"model_id": "b"}, f"model_id '{'x' * 76}... -> 'b'"),
        (
            {"template": "x" * 90 + "foo"},
            {"template": "x" * 90 + "bar"},
            f"template changed (first difference in line 1: '...{'x' * 20}foo' -> '...{'x' * 20}bar')",
        ),
    ],
)
def test_differences_say_what_changed(old, new, line):
    assert differences(old, new) == [line]


# Plans ----------------------------------------------------------------------------------------------------------------


def test_a_plan_needs_models_with_names_of_their_own():
    says(lambda: Plan(()), "the plan has no model; give at least one")
    says(lambda: Plan((model(), model(model_id="x"))), "model 'm' is there 2 times; give each a name of its own")


def test_resolving_fills_in_the_default_template_and_nothing_else():
    plan = Plan((model(settings={"temperature": None}), model(name="own", template="{{hint}}")), {"title": "t"})
    resolved = plan.resolve(QUESTIONS)
    assert [one.template for one in resolved.models] == ["{{question}}", "{{hint}}"]
    assert replace(resolved.models[0], template=None) == plan.models[0]
    assert resolved.info == {"title": "t"}
    choices = QUESTIONS.append_column("choices", [[["yes", "no"]]])
    assert plan.resolve(choices).models[0].template == "{{question}}\n\n{{choices}}"


def test_resolving_checks_every_prompt_and_names_the_model():
    plan = Plan((model(template="{{qestion}}"),))
    says(lambda: plan.resolve(QUESTIONS), "model 'm': {{qestion}}: no such column; did you mean 'question'")
    plan = Plan((model(system="{{hint}}"),))
    gap = QUESTIONS.set_column(3, "hint", [[None]]).cast(QUESTIONS.schema)
    says(lambda: plan.resolve(gap), "model 'm': question 'a' has no hint")


def test_warnings_name_what_may_not_be_meant():
    assert Plan((model(), model(name="other", model_id="x"))).warnings() == []
    cold = model(settings={"temperature": 0})
    assert Plan((cold,)).warnings() == [
        "model 'm' has temperature 0, which gives nearly the same sample over and over; "
        "8 samples per question are asked for"
    ]
    assert Plan((replace(cold, samples=1), replace(cold, name="no", settings={"temperature": None}))).warnings() == []
    assert Plan((model(), model(name="twin", samples=9))).warnings() == [
        "models 'm' and 'twin' are asked the same; this records the same twice"
    ]
    assert Plan((model(), model(name="elsewhere", server=Server("http://x")))).warnings() == []


# From the command line ------------------------------------------------------------------------------------------------


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
        ({"settings": ["temperature"]}, "setting 'temperature'; write KEY=VALUE, e.g. temperature=0.7"),
        ({"settings": ["=1"]}, "setting '=1'; write KEY=VALUE"),
        ({"settings": ["a=1", "a=2"]}, "setting 'a' is there twice; give it once"),
        ({"settings": ["stop=[END]"]}, "setting stop='[END]' is not whole JSON; put it in single quotes"),
        ({"settings": ["stop=" + "[" * 10**5]}, "is not whole JSON"),
        ({"settings": ["top_p=NaN"]}, "setting top_p=nan; give what JSON can hold"),
        ({"settings": ["top_p=1e999"]}, "setting top_p=inf; give what JSON can hold"),
        ({"settings": ["seed=5"]}, "a constant seed would give one sample over and over"),
        ({"base_url": f"http://u:{SECRET}@h"}, "base_url has user:password@ in it"),
        ({"samples": 0}, "samples=0 is out of range. Use an integer from 1"),
    ],
)
def test_bad_options_are_refused(given_, text):
    says(lambda: options(**given_), text)


@pytest.mark.parametrize("name", ["", "=x", "a=", " = "])
def test_a_model_has_a_name(name):
    says(lambda: options(name), f"model {name!r}; write NAME or NAME=MODEL_ID")


@pytest.mark.parametrize("key", ["template", "system"])
def test_text_files_must_be_there_and_hold_text(tmp_path, key):
    path = tmp_path / "t.txt"
    says(lambda: options(**{key: path}), f"{key}: {path} is no file; give the path of one")
    says(lambda: options(**{key: tmp_path}), f"{key}: {tmp_path} is no file")
    path.write_text(" \n")
    says(lambda: options(**{key: path}), f"{key}: {path} is empty; write the text or leave it out")
    path.write_bytes(b"\xff")
    says(lambda: options(**{key: path}), f"{key}: {path} cannot be read ('utf-8' codec can't decode")


def test_prices_must_be_there(tmp_path):
    says(lambda: options(prices=tmp_path / "no.toml"), "no.toml is no file; give the path of one")


# From a file ----------------------------------------------------------------------------------------------------------

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
            "unknown key 'sample_per_request'; did you mean 'samples_per",
        ),
        (
            'title = "T"',
            'titel = "T"',
            "pool: unknown key 'titel'; did you mean 'title'? Choose from 'title', 'source'",
        ),
        ('title = "T"', "title = 5", "pool.title=5; give one line of text"),
        ("concurrency", "concurency", "servers.local: unknown key 'concurency'; did you mean 'concurrency'?"),
        ("key_env", "api_key", "servers.local: unknown key 'api_key'; "),
        ("timeout = 120", "timeout = -1", "servers.local: timeout=-1; give seconds"),
        ('"https://other.org"', f'"https://u:{SECRET}@other.org"', "servers.other: base_url has user:password@ in it"),
        ('base_url = "https://other.org"', "", "servers.other: base_url (not shown"),
        (
            "[servers.other]",
            f'[servers]\nx = "{SECRET}"\n[servers.other]',
            "servers.x is of type str; write a table: [servers.x]",
        ),
        ("model_id =", "modelid =", "models.llama: unknown key 'modelid'; did you mean 'model_id'?"),
        (
            'server = "other"',
            'server = "othr"',
            "models.gpt-4.1: server='othr'; did you mean 'other'? Choose from 'local'",
        ),
        ('server = "other"', "server = 5", "models.gpt-4.1: server=5; choose from 'local', 'other'; each is a table"),
        ('server = "other"', "", "models.gpt-4.1: server is missing; choose from 'local', 'other'; each is a table"),
        ('."gpt-4.1"', ".gpt-4.1", "models.gpt-4: unknown key '1'; choose from "),
        ('."gpt-4.1"', ".gpt-4.1", 'a name with dots needs quotes: models."NAME"'),
        (
            "samples = 512",
            "",
            "models.llama: samples is missing; say how many per question, here, for all models or with",
        ),
        ("samples = 16", 'samples = "16"', "models.gpt-4.1: samples='16' is not an integer. Use an integer from 1"),
        (
            "samples_per_request = 4",
            "samples_per_request = 0.5",
            "models.llama: samples_per_request=0.5 is not an integer. Use",
        ),
        ("logprobs = false", 'logprobs = "no"', "models.gpt-4.1: logprobs='no'; give true or false"),
        ("seed = 8", "seed = -8", "models.gpt-4.1: seed=-8 is out of range. Use an integer from 0"),
        ("max_tokens = 512", "n = 512", "models.llama: setting 'n': give samples_per_request"),
        (
            "max_tokens = 512",
            "max_tokens = 2026-01-01",
            "models.llama: setting max_tokens=datetime.date(2026, 1, 1); give",
        ),
        ("temperature = 0.8", "temperature = inf", "models.llama: setting temperature=inf; give what JSON can hold"),
        ("[settings]", "[[settings]]", "settings is of type list; write a table: [settings]"),
        (
            'settings = {max_tokens = 512, top_p = "null"}',
            "settings = 5",
            "models.llama.settings is of type int; write a table",
        ),
        ('"prompt.txt"', '"promt.txt"', "promt.txt is no file; give the path of one"),
        ('"prompt.txt"', "5", "models.llama: template=5; give the name of a file, relative to the plan"),
        (
            '"system.txt"',
            '"a\\u0000"',
            "models.gpt-4.1: system='a\\x00'; give the name of a file, relative to the plan",
        ),
        ('"prices.toml"', '"price.toml"', "price.toml is no file; give the path of one"),
        ('"prices.toml"', "[]", "prices=[]; give the name of a file, relative to the plan"),
        (
            'model_id = "meta-llama/Llama-3.1-8B-Instruct"',
            "model_id = 5",
            "models.llama: model_id=5; give one line of text",
        ),
        ("samples = 512", "samples = 512\nsamples = 512", "not TOML (Cannot overwrite a value"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_file_and_key(plan_file, old, new, text):
    assert old in FILE
    path = plan_file(FILE.replace(old, new, 1))
    assert says(lambda: read_plan(path), text).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["samples = 1", "samples = 1\nmodels = {}"])
def test_a_file_without_models_is_refused(plan_file, text):
    says(lambda: read_plan(plan_file(text)), "plan.toml: the plan has no model; give at least one")


def test_a_file_without_servers_is_refused(plan_file):
    says(
        lambda: read_plan(plan_file("samples = 1\n[models.a]")),
        "models.a: the plan has no server; write a table [servers.NAME] with base_url",
    )


@pytest.mark.parametrize("text", [b"\xff", b"a = " + b"[" * 10**5, b"[models"])
def test_a_damaged_file_is_refused(plan_file, text):
    says(lambda: read_plan(plan_file(text)), "plan.toml: not TOML (")


def test_a_missing_file_is_refused(tmp_path):
    says(lambda: read_plan(tmp_path / "no.toml"), "no.toml: cannot be read (No such file or directory)")


def test_the_example_is_a_plan():
    plan = read_plan(Path(__file__).parents[2] / "examples" / "record" / "plan.toml")
    assert [(model.name, model.samples, model.samples_per_request) for model in plan.models] == [
        ("llama", 512, 8),
        ("other", 512, 1),
    ]
    assert "{{question}}" in plan.models[0].template
