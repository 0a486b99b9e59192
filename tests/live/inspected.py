"""Inspect evaluates a strategy behind the endpoint: `python -m tests.live.inspected FOLDER` prints what its log says.

It is a process of its own, because Inspect leaves streams open, of which warnings would reach some later test.
"""

import asyncio
import json
import sys
from pathlib import Path

import openai
from inspect_ai import Task, eval_async
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import match

from mssim.live.endpoint import Endpoint
from mssim.live.session import open_session
from mssim.recorder import Choice, Reply, plan_from_options
from tests.live.test_endpoint import HTTP
from tests.recording import URL, Client

TEXTS = ["It is 42.", "It is 41.", "It is 42.", "It is 7.", "It is 7.", "It is 42."]


async def evaluate(folder):
    texts = iter(TEXTS)
    client = Client(lambda request: Reply((Choice(next(texts), "stop"),) * request.n, 10, 5))
    plan = plan_from_options(["a"], base_url=URL, samples=1)
    async with open_session(plan, "sc:a", 3, folder, rule="number", sampler=lambda _: client) as session:
        app = Endpoint(session.answer_messages, name="mssim", about=session.about, settings={})
        model = get_model(
            "openai-api/mssim/mssim",
            base_url="http://127.0.0.1:8000/v1",
            api_key="none",
            http_client=openai.DefaultAsyncHttpxClient(transport=HTTP.ASGITransport(app)),
        )
        task = Task(dataset=[Sample(input="What is 6 x 7?", target="42")], scorer=match(numeric=True), epochs=2)
        return await eval_async(task, model, log_dir=str(folder / "logs"), max_samples=1)


if __name__ == "__main__":
    (log,) = asyncio.run(evaluate(Path(sys.argv[1])))
    found = {
        "status": log.status,
        "completions": [sample.output.completion for sample in log.samples],
        "accuracy": log.results.scores[0].metrics["accuracy"].value,
        "tokens": log.stats.model_usage["openai-api/mssim/mssim"].total_tokens,
    }
    print(json.dumps(found))
