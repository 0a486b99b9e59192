"""The models: what each is made of, what it is trained on, and its training."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from recorded.tiny.muon import Muon
from recorded.tiny.networks import END, PAD, START_OF_ANSWER, Recurrent, Transformer, encode, make_network
from recorded.tiny.tasks import TASKS, questions, training

IGNORED = -100  # places that cross_entropy leaves out
_WARM_UP = 100  # steps
_BATCH = {"arithmetic": 48, "dates": 16}  # problems; as many characters of each
_SORTED = 8  # batches at a time by length, so that little of them is padding


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Attributes
    ----------
    kind, shape
        Arguments of `make_network`.
    steps : int
    weights : mapping of str to float
        Family of problems -> how often it occurs relative to others of its task; 1 where it is not said.
    dates : float
        Share of the steps whose problems are dates; the others are arithmetic.
    direct : float
        Share of solutions that are the answer alone.
    rates : tuple of float
        Learning rates of Muon, for matrices, and of AdamW, for all else; they fall linearly.
    seed : int
    """

    kind: str
    shape: Mapping[str, int]
    steps: int
    weights: Mapping[str, float] = field(default_factory=dict)
    dates: float = 0.3
    direct: float = 0.3
    rates: tuple[float, float] = (0.008, 0.004)
    seed: int = 0

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        described: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return described


def train(
    recipe: Recipe, report: Callable[[int, float, float], None] | None = None, *, every: int = 500
) -> Transformer | Recurrent:
    """Train a model.

    Parameters
    ----------
    recipe : Recipe
    report : function of (step, loss, seconds), optional
        Called with the mean loss per character since the last call.
    every : int
        Steps from call to call.

    Returns
    -------
    Transformer or Recurrent
    """
    torch.manual_seed(recipe.seed)
    network = make_network(recipe.kind, **recipe.shape)
    optimizers = _optimizers(network, recipe)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            each, lambda step: min((step + 1) / _WARM_UP, 1) * max(1 - step / recipe.steps, 0.02)
        )
        for each in optimizers
    ]
    started, losses = time.monotonic(), []
    for step, (codes, targets) in enumerate(itertools.islice(_batches(recipe), recipe.steps), start=1):
        logits, _ = network(codes)
        asked = targets != IGNORED
        loss = cross_entropy(logits[asked], targets[asked])
        network.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for each in (*optimizers, *schedules):
            each.step()
        losses.append(loss.item())
        if report and step % every == 0:
            report(step, sum(losses) / len(losses), time.monotonic() - started)
            losses.clear()
    return network.eval()


def save(network: Transformer | Recurrent, recipe: Recipe, path: Path) -> None:
    """Write what `load` reads, whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save({"kind": recipe.kind, "shape": dict(recipe.shape), "weights": network.state_dict()}, part)
    part.replace(path)


def load(path: Path) -> Transformer | Recurrent:
    """Read a trained model; nothing in the file is run."""
    held = torch.load(path, weights_only=True)
    network = make_network(held["kind"], **held["shape"])
    network.load_state_dict(held["weights"])
    return network.eval()


def train_to(path: Path, recipe: Recipe) -> None:
    """Train a model on one core, write its weights and, beside them, its recipe and what that took."""
    torch.set_num_threads(1)
    started = time.monotonic()

    def report(step: int, loss: float, seconds: float) -> None:
        print(f"{path.stem}: step {step} of {recipe.steps}, loss {loss:.3f} per character, {seconds:.0f} s", flush=True)

    network = train(recipe, report)
    described = {
        **recipe.describe(),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "seconds": round(time.monotonic() - started),
        "torch": torch.__version__,
    }
    path.with_suffix(".json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    save(network, recipe, path)


def tensors(pairs: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
    """Codes of questions and solutions [problem, time], and what follows each, IGNORED outside of solutions."""
    longest = max(len(question) + len(solution) + 2 for question, solution in pairs)
    codes = torch.full((len(pairs), longest), PAD)
    targets = torch.full((len(pairs), longest), IGNORED)
    for row, (question, solution) in enumerate(pairs):
        coded = torch.tensor([*encode(question), START_OF_ANSWER, *encode(solution), END])
        codes[row, : len(coded)] = coded
        targets[row, len(question) : len(coded) - 1] = coded[len(question) + 1 :]
    return codes[:, :-1], targets[:, :-1]


def _optimizers(network: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    inner: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in network.named_parameters():
        (inner if weight.ndim == 2 and name.startswith(("blocks", "cells")) else others).append(weight)
    return [
        Muon(inner, recipe.rates[0]),
        torch.optim.AdamW(others, recipe.rates[1], betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _batches(recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield codes [problem, time] and what follows each of them, of solutions alone."""
    rng = random.Random(recipe.seed)
    streams = {}
    for name, task in TASKS.items():
        families = {family: recipe.weights.get(family, 1.0) for family in task.families}
        held_out = {problem.key for problem in questions(task)}
        streams[name] = training(task, families, recipe.direct, held_out, rng)
    while True:
        batches = []
        dates = sum(rng.random() < recipe.dates for _ in range(_SORTED))
        for name, number in (("arithmetic", _SORTED - dates), ("dates", dates)):
            size = _BATCH[name]
            pairs = sorted(itertools.islice(streams[name], number * size), key=lambda pair: sum(map(len, pair)))
            batches += [pairs[start : start + size] for start in range(0, len(pairs), size)]
        rng.shuffle(batches)
        yield from map(tensors, batches)
