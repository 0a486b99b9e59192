"""`mssim serve`: what it refuses, and that it survives being killed."""

import os
import signal
import threading

import openai
import pytest

from tests.chat_server import serving
from tests.cli import test_cli
from tests.cli.test_cli import bad
from tests.recording import stored
from tests.recording_http import forked, mssim, received, until

run = test_cli.run
USER = {"role": "user", "content": "What is 6 x 7?"}


def write_plan(folder, base_url="http://127.0.0.1:9/v1", more=""):
    path = folder / "plan.toml"
    path.write_text(f'{more}\nseed = 1\n[servers.local]\nbase_url = "{base_url}"\nconcurrency = 2\n[models.a]\n')
    return path


def command(folder, *more, plan=None, strategy="sc:a"):
    plan = plan or write_plan(folder)
    options = ("--plan", plan, "--strategy", strategy, "--budget", 6, "--rule", "number", "--out", folder / "pool")
    return ("serve", *options, *more)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--host", "0.0.0.0"), "--host: '0.0.0.0' can be reached from other machines"),
        (("--host", "0.0.0.0"), "Require a key with --key-env NAME, or use the host 127.0.0.1."),
        (("--key-env", "sk-secret"), "--key-env: the given text is not the name of an environment variable."),
        (("--port", 70_000), "--port: 70000 is out of range"),
        (("--model-name", ""), "--model-name: '' is not allowed"),
        (("--rule", "nmber"), "Did you mean 'number'"),
        (("--max-cost", "1"), "--max-cost: no prices were given"),
    ],
)
def test_what_is_refused_in_the_words_of_the_command(run, tmp_path, more, says):
    bad(run(*command(tmp_path, *more)), says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--strategy, --budget: both are required without --protocol."),
        (("--strategy", "sc:a"), "--strategy, --budget: both are required"),
        (("--protocol", "debate:a", "--budget", 3), "--budget: not used with --protocol."),
        (("--protocol", "debate:a", "--use-recorded"), "--use-recorded: not used with --protocol."),
        (("--strategy", "sc:a", "--budget", 3, "--prompts", "x.toml"), "--prompts: only for --protocol."),
        (("--protocol", "debate:b"), "model 'b' of debate:b is not in the plan. Choose from 'a'."),
        (("--protocol", "debat:a"), "'debate'"),
        (("--protocol", "debate:a", "--prompts", "none.toml"), "none.toml"),
    ],
)
def test_a_strategy_or_a_protocol(run, tmp_path, options, says):
    bad(run("serve", "--plan", write_plan(tmp_path), "--rule", "number", "--out", tmp_path / "pool", *options), says)


def test_a_strategy_that_cannot_be_served(run, tmp_path):
    bad(run(*command(tmp_path, strategy="alloc:a")), "Use another strategy, or `mssim live`.")
    bad(run(*command(tmp_path, strategy="cov:a")), "cov:a")


def test_templates_of_the_plan_are_not_used_and_it_says_so(run, tmp_path):
    (tmp_path / "prompt.txt").write_text("Q: {{question}}")
    plan = write_plan(tmp_path, more='template = "prompt.txt"')
    code, _, err = run(*command(tmp_path, "--port", 70_000, plan=plan))
    assert code == 2
    assert "mssim: warning: templates of the plan are not used: the messages of requests are the prompts\n" in err


@pytest.mark.slow
def test_what_was_recorded_before_a_kill_is_not_paid_again(tmp_path):
    """Kill it after some requests have reached the server; the same questions are then answered with the rest."""
    with serving(delay=0.01) as server:
        plan, err = write_plan(tmp_path, server.base_url), tmp_path / "err"
        recorded = []
        for moment in (5, None):
            err.unlink(missing_ok=True)
            arguments = mssim(*command(tmp_path, "--port", 0, plan=plan))
            with forked(arguments, err=err) as process:
                until(lambda: err.exists() and " at http" in err.read_text())
                url = err.read_text().rpartition(" at ")[2].strip()
                if moment is None:
                    first, second = ask(url), ask(url)
                    os.kill(process.pid, signal.SIGINT)
                    process.join(60)
                    assert process.exitcode == 0
                else:
                    threading.Thread(target=ask, args=(url,), daemon=True).start()
                    until(lambda moment=moment: len(received(server)) >= moment)
                    process.kill()
                    process.join(60)
                    recorded.append(stored(tmp_path / "pool"))
        texts, requests = stored(tmp_path / "pool"), received(server)
    assert first.id != second.id
    assert len(texts) == 12
    for before in recorded:
        assert before.items() <= texts.items()
    # Two requests may be pending when it is killed; their samples are the only ones that are requested twice.
    assert 12 <= len(requests) <= 12 + 2
    seeds = [request["seed"] for request in requests]
    assert len(set(seeds)) == 12


def ask(url):
    with openai.OpenAI(api_key="none", base_url=url, max_retries=0) as client:
        try:
            return client.chat.completions.create(model="mssim", messages=[USER])
        except openai.APIConnectionError:
            return None  # it was killed
