"""Small synthetic stand-ins for pools of language models, with tokens, and for runs of protocols."""

import numpy as np

from analysis.sources import Source
from mssim import Pool
from mssim.simulate import AnswerModel

PROTOCOLS = {  # calls and input tokens of a run
    "mad:strong+weak": (4, 60),
    "debate:strong,agents=3": (6, 90),
    "debate:weak,agents=3": (6, 100),
    "moa:strong+weak,layers=2,aggregator=strong": (5, 40),
}


def samples(models=("strong", "weak"), *, n=16, k=16, seed=1):
    """A pool whose models have 4, 5, 6, ... output tokens a sample, and 8 input tokens in requests of 8."""
    law = AnswerModel(models, sure=0.2, a=0.8, b=np.linspace(0.8, 1.3, len(models)).tolist(), spread=2, correlation=0.6)
    pool = law.draw(n, k, seed=seed)
    frame = pool.to_frame()
    frame["output_tokens"] = 4 + frame["model"].map({name: i for i, name in enumerate(models)})
    return Pool.from_frame(frame.assign(request_input_tokens=64, request_samples=8), info=pool.info)


def runs(protocols=PROTOCOLS, *, n=16, k=6, seed=1):
    """Runs of protocols on the same questions; the number of calls alternates around its mean."""
    pool = AnswerModel(list(protocols), sure=0.2, a=0.8, b=1.0, spread=2, correlation=0.6).draw(n, k, seed=seed)
    frame = pool.to_frame()
    frame["calls"] = frame["model"].map({name: calls for name, (calls, _) in protocols.items()})
    frame["calls"] += np.where(frame["sample_index"] % 2, 1, -1)
    frame["input_tokens"] = frame["model"].map({name: tokens for name, (_, tokens) in protocols.items()})
    return Pool.from_frame(frame.assign(output_tokens=10), info=pool.info)


def source(name="llm-task", models=("strong", "weak"), *, protocols=PROTOCOLS, title=None, controls=None, **size):
    """A source with samples and, unless `protocols` is None, runs of protocols."""
    pool = samples(models, **size)
    played = None if protocols is None else runs(protocols, n=size.get("n", 16))
    title = title or f"{name} (synthetic)"
    key = pool.fingerprint if played is None else f"{pool.fingerprint}+{played.fingerprint}"
    return Source(name, title, tuple(models), key, lambda: pool, controls=controls or {}, protocols=played)
