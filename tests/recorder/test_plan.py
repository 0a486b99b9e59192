"""Plans: what is asked of whom, what changes an answer, and what is refused."""

import hashlib
import json
import math
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.recorder import ModelPlan, Plan, Server

URL = "http://127.0.0.1:8000/v1"
SERVER = Server(URL)
QUESTIONS = pa.table({"question_id": ["a"], "question": ["x"], "truth": ["1"], "hint": ["h"]})
SECRET = "sk-Very-Secret"


def model(**given_):
    return ModelPlan(**{"name": "m", "model_id": "org/m", "server": SERVER, "samples": 8, **given_})


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
        "http://[v1.x]/v1",
        "http://[127.0.0.1]",
        "http://ho st",
        "http://h\n",
        "file:///etc",
        SECRET,
        f"http://h:{SECRET}/v1",
        f"http://[{SECRET}",
    ],
)
def test_what_is_no_url_of_a_server_is_refused_and_not_shown(url):
    says(
        lambda: Server(url),
        "base_url: the given text is not the URL of a server. It is not shown, since it may contain a key. Use http://",
    )


@pytest.mark.parametrize(
    "url", ["http://user:{}@h/v1", "http://{}@h", "user:{}@h", "http://user:a/{}@h", "http://:{}@[h"]
)
def test_credentials_in_a_url_are_refused_and_not_shown(url):
    says(
        lambda: Server(url.format(SECRET)),
        "base_url contains user:password@. Remove it. Store the key in an environment variable and name the variable",
    )


@pytest.mark.parametrize("url", ["http://h/v1?key={}", "http://h/v1#{}", "http://h?"])
def test_queries_and_fragments_are_refused_and_not_shown(url):
    says(lambda: Server(url.format(SECRET)), "base_url contains ? or #. Remove this part.")


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"concurrency": 0}, "concurrency=0 is out of range. Use an integer from 1 to 1000"),
        ({"concurrency": 10_001}, "concurrency=10001 is out of range. Use"),
        ({"concurrency": 1.5}, "concurrency=1.5 is not an integer. Use"),
        ({"timeout": 0}, "timeout=0 is not allowed. It must be a positive number of seconds"),
        ({"timeout": math.inf}, "timeout=inf is not allowed"),
        ({"timeout": math.nan}, "timeout=nan is not allowed"),
        ({"timeout": "60"}, "timeout='60' is not allowed"),
        ({"key_env": SECRET}, "key_env: the given text is not the name of an environment variable. It is not shown"),
        ({"key_env": "gsk_aB3"}, "Use a name of upper-case letters, digits and _, such as OPENAI_API_KEY"),
        ({"key_env": ""}, "key_env: the given text is not the name"),
        ({"key_env": 5}, "key_env: the given text is not the name"),
        ({"key_env": "A\n"}, "key_env: the given text is not the name"),
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
        says(
            Server(URL, key_env="MY_KEY").key,
            "The environment variable MY_KEY is not set or blank. Run `export MY_KEY=...` first",
        )


@pytest.mark.parametrize("value", [f"{SECRET} x", f"{SECRET}\nx", f"{SECRET}é"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("MY_KEY", value)
    says(
        Server(URL, key_env="MY_KEY").key,
        "The environment variable MY_KEY (not shown) contains spaces or characters that a key cannot have. Set it to",
    )


# Models ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"name": ""}, "name='' is not allowed. It must be one line of text that is not empty"),
        ({"name": 5}, "name=5 is not allowed. It must be one line of text"),
        ({"name": "a+b"}, "name: 'a+b' contains + or a comma, which separate models in strategies"),
        ({"name": "a,b"}, "Use another name for the model"),
        ({"name": "a\nb"}, r"name='a\nb' is not allowed. It must be one line of text"),
        ({"name": "\ud800"}, "is not allowed. It must be one line of text"),
        ({"template": "\ud800"}, "cannot be written as JSON"),
        ({"model_id": " "}, "model_id=' ' is not allowed. It must be one line of text"),
        ({"template": ""}, "template='' is not allowed. It must be text that is not empty, or omitted"),
        ({"system": " "}, "system=' ' is not allowed. It must be text that is not empty, or omitted"),
        ({"server": URL}, "server='http://127.0.0.1:8000/v1' is not a Server"),
        ({"samples": 0}, "samples=0 is out of range. Use an integer from 1"),
        ({"samples": True}, "samples=True is not an integer. Use an integer"),
        ({"samples": "8"}, "samples='8' is not an integer. Use an integer"),
        ({"samples_per_request": 0}, "samples_per_request=0 is out of range. Use an integer from 1"),
        ({"logprobs": 1}, "logprobs=1 is not allowed. It must be true or false"),
        ({"seed": -1}, "seed=-1 is out of range. Use an integer from 0"),
        ({"seed": 1.0}, "seed=1.0 is not an integer. Use an integer"),
        ({"settings": [1]}, "settings=[1] is not a mapping. Pass names and values"),
        ({"settings": {"": 1}}, "name of a setting='' is not allowed. It must be one line of text"),
        (
            {"settings": {"temperature": "hot"}},
            "setting temperature='hot' is not allowed. It must be a number of at least 0",
        ),
        ({"settings": {"temperature": -1}}, "setting temperature=-1 is not allowed. It must be a number of at least 0"),
        (
            {"settings": {"temperature": math.nan}},
            "setting temperature=nan cannot be written as JSON. Use text, finite numbers",
        ),
        ({"settings": {"logit_bias": {"1": math.inf}}}, "setting logit_bias=inf cannot be written as JSON"),
        ({"settings": {"stop": {1, 2}}}, "setting stop={1, 2} cannot be written as JSON"),
        ({"settings": {"stop": ["\ud800"]}}, "cannot be written as JSON"),
        ({"settings": {"logit_bias": {1: 2}}}, "setting logit_bias={1: 2} cannot be written as JSON"),
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
        ("model", "is part of the plan. Use model_id"),
        ("messages", "is derived from the questions. Use template"),
        ("n", "is part of the plan. Use samples_per_request=N"),
        ("stream", "is not supported, since only complete samples are stored"),
        ("logprobs", "is part of the plan. Use logprobs=True"),
        ("top_logprobs", "is part of the plan. Use logprobs=True"),
        ("seed", "would be the same for all samples and repeat them. Use seed=BASE of the plan"),
        ("api_key", "is a credential. Store the key in an environment variable"),
    ],
)
def test_settings_that_the_recorder_sends_itself_are_refused(name, reason):
    for value in (1, None, SECRET):
        says(lambda value=value: model(settings={name: value}), f"setting {name!r} {reason}")


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
    says(model().identity, "model 'm' has no template. Use the plan that Plan.resolve(questions) returns")


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


# Plans ----------------------------------------------------------------------------------------------------------------


def test_a_plan_needs_models_with_names_of_their_own():
    says(lambda: Plan(()), "the plan has no models. Add at least one")
    says(lambda: Plan((model(), model(model_id="x"))), "model 'm' appears 2 times. Rename models with NAME=MODEL_ID")


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
    says(lambda: plan.resolve(QUESTIONS), "model 'm': {{qestion}}: no such column. Did you mean 'question'")
    plan = Plan((model(system="{{hint}}"),))
    gap = QUESTIONS.set_column(3, "hint", [[None]]).cast(QUESTIONS.schema)
    says(lambda: plan.resolve(gap), "model 'm': question 'a' has no hint")


def test_warnings_name_what_may_not_be_meant():
    assert Plan((model(), model(name="other", model_id="x"))).warnings() == []
    cold = model(settings={"temperature": 0})
    assert Plan((cold,)).warnings() == [
        "model 'm' has temperature 0, so its 8 samples per question are nearly equal. "
        "Use a higher temperature or samples=1."
    ]
    assert Plan((replace(cold, samples=1), replace(cold, name="no", settings={"temperature": None}))).warnings() == []
    assert Plan((model(), model(name="twin", samples=9))).warnings() == [
        "models 'm' and 'twin' have identical requests. Remove one of them."
    ]
    assert Plan((model(), model(name="elsewhere", server=Server("http://x")))).warnings() == []
