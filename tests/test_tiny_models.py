"""The tiny models and their server, where PyTorch is installed; the whole path, from training to the data card."""

import http.client
import itertools
import json
import math
import random
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mssim import evaluate, load_pool

torch = pytest.importorskip("torch", reason="PyTorch, the extra 'tiny', is not installed")

from recorded.tiny.muon import Muon, nearly_orthogonal  # noqa: E402
from recorded.tiny.networks import ALPHABET, END, FIRST, LONGEST, START_OF_ANSWER, encode, make_network  # noqa: E402
from recorded.tiny.sampling import draw  # noqa: E402
from recorded.tiny.scoring import log_likelihoods  # noqa: E402
from recorded.tiny.steps import served  # noqa: E402
from recorded.tiny.tasks import TASKS, questions, training  # noqa: E402
from recorded.tiny.training import IGNORED, Recipe, load, save, tensors, train  # noqa: E402

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SHAPES = {
    "transformer": {"width": 16, "layers": 2, "heads": 2},
    "lstm": {"width": 16, "layers": 1, "heads": 2},
    "gru": {"width": 16, "layers": 2, "heads": 4},
}


@pytest.fixture(params=SHAPES)
def network(request):
    torch.manual_seed(0)
    return make_network(request.param, **SHAPES[request.param]).eval()


def logprobs(network, question, text):
    """Log-probability of every character of a text and of its end, in one pass over the whole."""
    codes = [*encode(question), START_OF_ANSWER, *encode(text), END]
    with torch.no_grad():
        logits = network(torch.tensor([codes[:-1]]))[0][0].double()
    logits[:, [code for code in range(FIRST) if code != END]] = -torch.inf
    after = torch.log_softmax(logits, -1)[len(question) :]
    return [float(after[place, code]) for place, code in enumerate(codes[len(question) + 1 :])]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Networks -------------------------------------------------------------------------------------------------------------


def test_characters_one_at_a_time_or_all_at_once(network):
    codes = torch.tensor([encode("12+34=46"), encode("Born 7/8/")[:8]])
    with torch.inference_mode():
        whole, _ = network(codes)
        first, state = network(codes[:, :3])
        parts = [first]
        for place in range(3, 8):
            logits, state = network(codes[:, place : place + 1], state)
            parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-4)


def test_no_character_sees_a_later_one(network):
    codes = torch.tensor([encode("12+34=46")])
    with torch.inference_mode():
        before = network(codes)[0][:, :5]
        codes[:, 5:] = encode("9")[0]
        after = network(codes)[0][:, :5]
    torch.testing.assert_close(after, before)


def test_rows_of_a_state(network):
    codes = torch.tensor([encode("12+3"), encode("7*89"), encode("4-56")])
    kept = torch.tensor([2, 0, 2])
    follow = torch.tensor([encode("5")] * 3)
    with torch.inference_mode():
        _, state = network(codes)
        found, _ = network(follow, network.rows(state, kept))
        wanted, _ = network(torch.cat([codes[kept], follow], 1))
    torch.testing.assert_close(found, wanted[:, -1:], atol=1e-5, rtol=1e-4)


def test_unknown_characters_are_named():
    assert "".join(ALPHABET[code - FIRST] for code in encode("3*(191-9)=")) == "3*(191-9)="
    with pytest.raises(ValueError, match=r"'12€' contains \['€'\]\. Use only the characters"):
        encode("12€")


@pytest.mark.parametrize("shape", [(2, 5, 9), (3, 9, 5), (1, 7, 7)])
def test_muon_makes_matrices_nearly_orthogonal(shape):
    matrices = torch.randn(shape, generator=generator())
    values = torch.linalg.svdvals(nearly_orthogonal(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.3
    # The singular vectors stay: an orthogonal matrix does not change but for its scale.
    turned = torch.linalg.qr(matrices[0, :5, :5])[0]
    found = nearly_orthogonal(turned[None])[0]
    torch.testing.assert_close(found, turned * found.norm() / turned.norm(), atol=1e-4, rtol=1e-3)


def test_muon_finds_a_minimum():
    target = torch.randn(4, 6, generator=generator())
    weight = torch.nn.Parameter(torch.zeros(4, 6))
    optimizer = Muon([weight], lr=0.1, weight_decay=0.0)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        optimizer.zero_grad()
        ((weight - target) ** 2).sum().backward()
        optimizer.step()
    torch.testing.assert_close(weight.detach(), target, atol=0.02, rtol=0)


# Training -------------------------------------------------------------------------------------------------------------


def test_targets_are_what_follows_of_the_solution_alone():
    codes, targets = tensors([("1+2=", "3"), ("10+2=", "12")])
    assert codes.shape == targets.shape == (2, 8)
    for row, (question, solution) in enumerate([("1+2=", "3"), ("10+2=", "12")]):
        asked = (targets[row] != IGNORED).nonzero()[:, 0].tolist()
        assert asked == list(range(len(question), len(question) + len(solution) + 1))
        assert targets[row, asked].tolist() == [*encode(solution), END]
        assert codes[row, : len(question) + 1].tolist() == [*encode(question), START_OF_ANSWER]


def test_the_longest_problem_fits():
    for task in TASKS.values():
        stream = training(task, dict.fromkeys(task.families, 1.0), 0.3, set(), random.Random(0))
        assert max(len(q) + len(s) + 2 for q, s in itertools.islice(stream, 20_000)) <= LONGEST


def test_training_learns_and_repeats_itself(tmp_path):
    losses = []
    recipe = Recipe(
        "lstm", {"width": 24, "layers": 1, "heads": 2}, steps=150, dates=0.0, weights={"add": 1, "divide": 0}, seed=3
    )
    short = train(Recipe("lstm", recipe.shape, steps=3, dates=0.0, seed=3))
    again = train(Recipe("lstm", recipe.shape, steps=3, dates=0.0, seed=3))
    for one, other in zip(short.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
    network = train(recipe, lambda *given: losses.append(given), every=50)
    assert [step for step, _, _ in losses] == [50, 100, 150]
    assert losses[-1][1] < 0.8 * losses[0][1] < 0.8 * math.log(76)
    save(network, recipe, tmp_path / "one.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["one.pt"]
    for one, other in zip(load(tmp_path / "one.pt").parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)


# Sampling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_logprobs_of_samples_are_those_of_the_model(network, temperature):
    samples = draw(network, "12+34=", 20, temperature, generator(), longest=30)
    for sample in samples:
        wanted = logprobs(network, "12+34=", sample.text)[: len(sample.text)]
        assert sample.logprobs == pytest.approx(wanted, abs=1e-4)
        assert sample.finished or len(sample.text) == 30
    assert {sample.finished for sample in draw(network, "12+34=", 99, 1.0, generator(), longest=30)} == {True, False}


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_characters_come_as_often_as_the_model_says(network, temperature):
    samples = draw(network, "7*8=", 20_000, temperature, generator(1), longest=1)
    counts = Counter(sample.text for sample in samples)
    after = np.array([logprobs(network, "7*8=", text)[0] for text in ("", *ALPHABET)])  # "": the end
    expected = np.exp(after / temperature) / np.exp(after / temperature).sum()
    observed = [counts[text] for text in ("", *ALPHABET)]
    # Seeds are fixed; for other seeds it would fail once in 10^8 times.
    assert stats.chisquare(observed, expected * 20_000).pvalue > 1e-8


def test_later_characters_come_as_often_as_the_model_says(network):
    network.head.weight.data *= 8  # few texts, so that each comes often
    samples = draw(network, "7*8=", 20_000, 1.0, generator(2), longest=2)
    counts = Counter((sample.text, sample.finished) for sample in samples)
    for (text, finished), number in counts.most_common(12):
        each = logprobs(network, "7*8=", text)
        chance = math.exp(sum(each if finished else each[: len(text)]))
        if finished or len(text) == 2:
            assert stats.binomtest(number, 20_000, min(chance, 1)).pvalue > 1e-8


def test_a_seed_gives_the_same_texts_again(network):
    def texts(seed):
        return [sample.text for sample in draw(network, "1+1=", 30, 1.0, generator(seed), longest=20)]

    assert texts(5) == texts(5)
    assert texts(5) != texts(6)


def test_a_question_that_is_too_long(network):
    with pytest.raises(ValueError, match=rf"has 200 characters\. Use at most {LONGEST - 2}\."):
        draw(network, "1" * 200, 1, 1.0, generator())
    with pytest.raises(ValueError, match="empty"):
        draw(network, "", 1, 1.0, generator())
    assert len(draw(network, "1" * (LONGEST - 2), 1, 1.0, generator())[0].text) <= 1


def test_log_likelihood_of_answers(network):
    pairs = [("12+34=", "46"), ("7*8=", "5"), ("12+34=", "")] * 100
    found = log_likelihoods(network, pairs)
    assert found[:3] == pytest.approx(found[-3:], abs=1e-5)
    for (question, answer), value in zip(pairs[:3], found, strict=False):
        codes = torch.tensor([[*encode(question), START_OF_ANSWER, *encode(answer), END]])
        with torch.inference_mode():
            after = torch.log_softmax(network(codes[:, :-1])[0][0], -1)
        wanted = sum(float(after[len(question) + place, code]) for place, code in enumerate([*encode(answer), END]))
        assert value == pytest.approx(wanted, abs=1e-4)
    assert log_likelihoods(network, []).shape == (0,)


# The server -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for seed, (kind, shape) in enumerate(SHAPES.items()):
        torch.manual_seed(seed)
        save(make_network(kind, **shape), Recipe(kind, shape, steps=0), folder / f"{kind}.pt")
    with served(folder) as running:
        yield running


def ask(server, path="chat/completions", body=None, **asked):
    if body is None and path == "chat/completions":
        body = json.dumps({"model": "gru", "messages": [{"role": "user", "content": "1+1="}], **asked}).encode()
    try:
        with urllib.request.urlopen(f"{server.base_url}/{path}", body, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]["message"]


def test_the_server_lists_its_models(server):
    status, answer = ask(server, "models")
    assert (status, [model["id"] for model in answer["data"]]) == (200, ["gru", "lstm", "transformer"])


def test_the_server_samples(server):
    status, answer = ask(server, n=7, logprobs=True, seed=3, max_tokens=12)
    assert status == 200
    network = server.models["gru"]
    assert [choice["index"] for choice in answer["choices"]] == list(range(7))
    for choice in answer["choices"]:
        text, tokens = choice["message"]["content"], choice["logprobs"]["content"]
        assert "".join(token["token"] for token in tokens) == text
        wanted = logprobs(network, "1+1=", text)[: len(text)]
        assert [token["logprob"] for token in tokens] == pytest.approx(wanted, abs=1e-4)
        assert choice["finish_reason"] == ("length" if len(text) == 12 else "stop")
    written = sum(len(choice["message"]["content"]) for choice in answer["choices"])
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": written, "total_tokens": written + 4}

    def texts(**asked):
        return [choice["message"]["content"] for choice in ask(server, n=7, max_tokens=12, **asked)[1]["choices"]]

    assert texts(seed=3) == [choice["message"]["content"] for choice in answer["choices"]]
    assert texts(seed=4) != texts(seed=3)
    assert texts() != texts()
    assert ask(server)[1]["choices"][0]["logprobs"] is None


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"model": "grue"}, 404, "model 'grue' is not served. Choose from gru, lstm, transformer."),
        ({"model": []}, 404, r"model \[\] is not served"),
        ({"stream": True}, 400, "stream: only whole answers are sent. Leave it out, or send false."),
        ({"top_p": 0.5, "stop": "1"}, 400, "stop, top_p: not supported. Use only model, messages, n,"),
        ({"messages": []}, 400, "messages: not a list of one message with text as content. Send one"),
        ({"messages": [{"content": "1+1="}, {"content": "1+1="}]}, 400, "messages: not a list of one message"),
        ({"messages": [{"role": "user", "content": None}]}, 400, "messages: not a list of one message"),
        ({"messages": ["1+1="]}, 400, "messages: not a list of one message"),
        ({"messages": [{"content": "é"}]}, 400, r"'é' contains \['é'\]"),
        ({"n": 0}, 400, "n=0 is not valid. Use an integer from 1 to 1024"),
        ({"n": 2.5}, 400, "n=2.5 is not valid. Use an integer"),
        ({"n": True}, 400, "n=True is not valid. Use an integer"),
        ({"temperature": 0}, 400, "temperature=0 is not valid. Use a number from 0.01 to 100"),
        ({"temperature": "hot"}, 400, "temperature='hot'"),
        ({"max_tokens": -1}, 400, "max_tokens=-1"),
        ({"seed": "x"}, 400, "seed='x'"),
    ],
)
def test_what_the_server_refuses(server, asked, status, message):
    found, said = ask(server, **asked)
    assert found == status
    assert re.search(message, said)


def test_what_is_no_request(server):
    assert ask(server, body=b"{")[0] == 400
    assert ask(server, body=b"[" * 100_000)[0] == 400
    assert ask(server, body=b"[1]") == (400, "the body is not a JSON object. Send a JSON object.")
    assert ask(server, "embeddings", b"{}") == (
        404,
        "POST /v1/embeddings: not found. Use GET /v1/models or POST /v1/chat/completions.",
    )
    assert ask(server, "model")[0] == 404
    assert ask(server, "models")[0] == 200  # it is still there


def test_a_connection_is_kept_for_requests_of_all_sorts(server):
    good = json.dumps({"model": "gru", "messages": [{"role": "user", "content": "1+1="}]})
    connection = http.client.HTTPConnection(*server.server_address, timeout=30)
    bodies = {"/v1/none": "{}", "/v1/chat/completions": "{", "/v1/models": None}
    for path, body in [*bodies.items(), ("/v1/chat/completions", good)] * 2:
        connection.request("POST" if body else "GET", path, body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == {"{}": 404, "{": 400}.get(body, 200)
        assert not answer.will_close
    for length in ("²".encode("latin-1"), b"-1", b"99999999"):
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert "Send the length of the body, at most 1048576 bytes." in answer.read().decode()
        assert answer.will_close
        connection.close()


def test_requests_side_by_side_do_not_mix(server):
    def texts(seed):
        answer = ask(server, model="transformer", n=20, seed=seed, max_tokens=9)[1]
        return [choice["message"]["content"] for choice in answer["choices"]]

    alone = [texts(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(texts, range(8))) == alone


def test_a_folder_without_weights_or_with_damaged_ones(tmp_path):
    with pytest.raises(SystemExit, match=r"contains no weights\. Run `python -m recorded\.tiny` first\."):
        served(tmp_path).__enter__()
    (tmp_path / "one.pt").write_bytes(b"no weights")
    with pytest.raises(SystemExit, match=r"one.pt: not weights of these models \(.*\)\. Remove the file\."):
        served(tmp_path).__enter__()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["recorded.tiny.server", "{weights}", "--port", "70000"],
            "--port 70000: .*. Use a free port from 0 to 65535.",
        ),
        (["recorded.tiny.server", "{weights}", "--port", "{taken}"], r"--port \d+: .* in use\. Use a free port"),
        (
            ["recorded.tiny", "--smoke", "--out", "{weights}"],
            "--out: not allowed with --smoke, whose pools are meaningless",
        ),
    ],
)
def test_bad_input_ends_with_one_line(server, tmp_path, command, message):
    save(make_network("gru", **SHAPES["gru"]), Recipe("gru", SHAPES["gru"], steps=0), tmp_path / "gru.pt")
    command = [part.format(weights=tmp_path, taken=server.server_address[1]) for part in command]
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(f"{message}.*\n", done.stderr)


# The whole path -------------------------------------------------------------------------------------------------------


def smoke(work):
    command = [sys.executable, "-m", "recorded.tiny", "--smoke", "--work", str(work)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def journal(folder, query):
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        return journal.execute(query).fetchall()


def test_from_training_to_the_card(tmp_path):
    done = smoke(tmp_path)
    assert done.returncode == 0, done.stderr
    for name, task in TASKS.items():
        folder = tmp_path / "pools" / f"tiny-{name}"
        with warnings.catch_warnings(action="ignore"):  # these models learnt so little that some texts have no answer
            pool = load_pool(folder)
        assert (pool.models, len(pool.questions)) == (("gru-micro", "tf-micro"), 2 * len(task.families))
        assert (pool.lengths == 16).all()
        raw = pd.read_parquet(tmp_path / name / "samples.parquet")
        shipped = pd.read_parquet(folder / "samples.parquet")
        asked = {f"{name}-{number:03d}": problem for number, problem in enumerate(questions(task))}
        assert len(raw) == len(shipped) == 2 * 16 * len(pool.questions)
        # What is shipped is what was sampled.
        both = raw.merge(shipped, on=["question_id", "model", "sample_index"], suffixes=("", "_shipped"))
        assert len(both) == len(raw)
        pd.testing.assert_series_equal(both["answer"], both["answer_shipped"], check_names=False)
        assert (both["text_shipped"].fillna(both["answer"]) == both["text"]).all()
        assert (shipped["text"].isna() == (raw["text"] == raw["answer"]).to_numpy()).all()
        # What was sampled is what the models say.
        networks = {path.stem: load(path) for path in (tmp_path / "models").glob("*.pt")}
        for row in both[both["text"] != ""].sample(20, random_state=0).itertuples():
            each = logprobs(networks[row.model], asked[row.question_id].question, row.text)[: len(row.text)]
            assert row.confidence == pytest.approx(np.mean(each), abs=1e-4)
            assert row.confidence_shipped == pytest.approx(row.confidence, abs=6e-5)
        # The score is the verifier's of the answer, and there wherever there is one.
        assert (shipped["score"].isna() == shipped["answer"].isna()).all()
        verifier = load(tmp_path / "verifier" / "verifier.pt")
        answered = shipped.dropna(subset="answer")  # of dates there are none
        for row in answered.sample(min(10, len(answered)), random_state=0).itertuples():
            wanted = log_likelihoods(verifier, [(asked[row.question_id].question, row.answer)])
            assert row.score == pytest.approx(wanted[0], abs=6e-4)
        result = evaluate(pool, ["sc:tf-micro", "ms:tf-micro+gru-micro,vote=score_sum"], budgets=[4], n_replays=50)
        assert result.accuracy.shape == (2, 1, len(pool.questions))
        card = (folder / "README.md").read_text()
        assert f"# Tiny models, {name}" in card
        assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
        assert pool.info["training"]["tf-micro"]["steps"] == 40
        assert "127.0.0.1" not in (folder / "pool.json").read_text()
    # Half of it taken away is made again, and no more.
    before = pd.read_parquet(tmp_path / "pools" / "tiny-dates" / "samples.parquet")
    kept = (tmp_path / "models" / "gru-micro.pt").stat().st_mtime_ns
    (tmp_path / "models" / "tf-micro.pt").unlink()
    journal(tmp_path / "dates", "DELETE FROM samples WHERE sample_index >= 8")
    (tmp_path / "dates" / "pool.json").unlink()  # a pool with more samples than its journal would be refused
    again = smoke(tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "models" / "gru-micro.pt").stat().st_mtime_ns == kept
    after = pd.read_parquet(tmp_path / "pools" / "tiny-dates" / "samples.parquet")
    first = before["sample_index"] < 8
    pd.testing.assert_frame_equal(after[first], before[first])
    assert len(after) == len(before)
    recipe = tmp_path / "models" / "gru-micro.json"
    recipe.write_text(recipe.read_text().replace('"steps": 40', '"steps": 41'))
    refused = smoke(tmp_path)
    assert (refused.returncode, refused.stderr) == (
        1,
        f"{tmp_path / 'models'}: weights of another recipe: gru-micro. Remove them, or set --work to another folder.\n",
    )
