"""Sampling of many texts for one question from a trained model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recorded.tiny.networks import (
    ALPHABET,
    END,
    FIRST,
    LONGEST,
    START_OF_ANSWER,
    Recurrent,
    Transformer,
    encode,
)


@dataclass(frozen=True)
class Sample:
    """A text, the log-probability of each character, and whether the model ended the text."""

    text: str
    logprobs: list[float]
    finished: bool


@torch.inference_mode()
def draw(
    network: Transformer | Recurrent,
    question: str,
    n: int,
    temperature: float,
    generator: torch.Generator,
    longest: int = LONGEST,
) -> list[Sample]:
    """Draw `n` texts that follow a question.

    Parameters
    ----------
    network : Transformer or Recurrent
        Trained model.
    question : str
        Question, of at most LONGEST - 2 characters.
    n : int
        Number of texts.
    temperature : float
        Positive number by which logits are divided.
    generator : torch.Generator
        Source of random numbers.
    longest : int, default LONGEST
        Number of characters after which a text is cut off.

    Returns
    -------
    list of Sample
        Texts, with log-probabilities at temperature 1.

    Raises
    ------
    ValueError
        If the question is empty, too long, or has a character that is not in ALPHABET.
    """
    codes = [*encode(question), START_OF_ANSWER]
    if not question:
        raise ValueError("the question is empty. Use at least one character.")
    if len(question) > LONGEST - 2:
        raise ValueError(f"the question has {len(question)} characters. Use at most {LONGEST - 2}.")
    logits, state = network(torch.tensor([codes]))
    logits, state = logits[:, -1].expand(n, -1), network.rows(state, torch.zeros(n, dtype=torch.long))
    rows = torch.arange(n)  # text that each row of the batch continues
    written: list[list[int]] = [[] for _ in range(n)]
    logprobs: list[list[float]] = [[] for _ in range(n)]
    finished = [False] * n
    for _ in range(min(longest, LONGEST - len(codes))):
        chosen, values = _choose(logits, temperature, generator)
        for row, code, value in zip(rows.tolist(), chosen.tolist(), values.tolist(), strict=True):
            if code == END:
                finished[row] = True
            else:
                written[row].append(code)
                logprobs[row].append(value)
        going = torch.nonzero(chosen != END)[:, 0]
        if len(going) == 0:
            break
        if len(going) < len(rows):
            rows, chosen, state = rows[going], chosen[going], network.rows(state, going)
        logits, state = network(chosen[:, None], state)
        logits = logits[:, -1]
    return [
        Sample("".join(ALPHABET[code - FIRST] for code in codes), values, done)
        for codes, values, done in zip(written, logprobs, finished, strict=True)
    ]


def _choose(logits: Tensor, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw characters or END at a temperature. Return their codes and their log-probabilities at temperature 1."""
    logits = logits.clone()
    logits[:, [code for code in range(FIRST) if code != END]] = -torch.inf
    logprobs = torch.log_softmax(logits, -1)
    chosen = torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)
    return chosen[:, 0], logprobs.gather(1, chosen)[:, 0]
