"""Recipes of models, and their training."""

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

IGNORED = -100  # targets that cross_entropy ignores
_WARM_UP = 100  # steps
_BATCH = {"arithmetic": 48, "dates": 16}  # problems, with about equally many characters of each task
_SORTED = 8  # batches that are sorted by length together, which reduces padding


@dataclass(frozen=True)
class Recipe:
    """Architecture and training of a model.

    Attributes
    ----------
    kind, shape
        Arguments of `make_network`.
    steps : int
        Number of training steps.
    weights : mapping of str to float
        Relative frequency of families of problems within their task, by default 1.
    dates : float
        Share of steps with problems of the task dates. The other steps use arithmetic.
    direct : float
        Share of solutions with the answer only.
    rates : tuple of float
        Learning rates of Muon for matrices and of AdamW for all other weights. They decrease linearly.
    seed : int
        Seed of the initial weights and of the problems.
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
        """Return the recipe as values of JSON."""
        described: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return described


def train(
    recipe: Recipe, report: Callable[[int, float, float], None] | None = None, *, every: int = 500
) -> Transformer | Recurrent:
    """Train a model.

    Parameters
    ----------
    recipe : Recipe
        Architecture and training of the model.
    report : function of (step, loss, seconds), optional
        Function that is called with the mean loss per character since its last call.
    every : int, default 500
        Number of steps between calls of `report`.

    Returns
    -------
    Transformer or Recurrent
        The trained model.
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
    """Write a file for `load` atomically."""
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save({"kind": recipe.kind, "shape": dict(recipe.shape), "weights": network.state_dict()}, part)
    part.replace(path)


def load(path: Path) -> Transformer | Recurrent:
    """Read a trained model. No code in the file is executed."""
    held = torch.load(path, weights_only=True)
    network = make_network(held["kind"], **held["shape"])
    network.load_state_dict(held["weights"])
    return network.eval()


def train_to(path: Path, recipe: Recipe) -> None:
    """Train a model on one core. Write its weights, and next to them its recipe and the training time."""
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
    """Return the codes of questions and solutions [problem, time] and the next codes, IGNORED outside solutions."""
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
    """Yield batches of codes and next codes, as `tensors` returns them."""
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
