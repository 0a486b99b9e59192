"""Character-level language models: a transformer with a cache, and recurrent networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

LONGEST = 128  # characters of a question and its solution, including START_OF_ANSWER and END
PAD, START_OF_ANSWER, END, FIRST = 0, 1, 2, 3  # FIRST is the code of the first character of ALPHABET
ALPHABET = " '()*+,-./0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CODES = {character: code for code, character in enumerate(ALPHABET, start=FIRST)}
VOCABULARY = len(ALPHABET) + FIRST


def encode(text: str) -> list[int]:
    """Return the codes of the characters of a text.

    Raises
    ------
    ValueError
        If the text has a character that is not in ALPHABET.
    """
    unknown = sorted(set(text) - set(ALPHABET))
    if unknown:
        raise ValueError(f"{text[:60]!r} contains {unknown}. Use only the characters {ALPHABET!r}.")
    return [_CODES[character] for character in text]


def make_network(kind: str, **shape: int) -> Transformer | Recurrent:
    """Make an untrained network of kind "transformer", "lstm" or "gru", with the shape width, layers and heads."""
    return Transformer(**shape) if kind == "transformer" else Recurrent(kind, **shape)


class Transformer(nn.Module):
    """Decoder-only transformer with pre-norm and learned positions. Its state has the keys and values of all layers."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Embedding(LONGEST, width)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY, bias=False)
        nn.init.normal_(self.positions.weight, std=0.1)

    def forward(self, codes: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits [batch, time, code] after each character of codes [batch, time], and the last state.

        With a state, `codes` must have one character per row.
        """
        past = 0 if state is None else state[0][0].shape[2]
        x = self.characters(codes) + self.positions(torch.arange(past, past + codes.shape[1]))
        x, after = _through(self.blocks, x, state)
        return self.head(self.norm(x)), after

    def rows(self, state: Any, kept: Tensor) -> Any:
        """Return the state of the rows `kept` of the batch. Rows may be repeated."""
        return [(keys[kept], values[kept]) for keys, values in state]


class _Attention(nn.Module):
    """Causal self-attention, added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)

    def forward(self, x: Tensor, cache: Any) -> tuple[Tensor, Any]:
        batch, time, width = x.shape
        assert cache is None or time == 1  # the mask fits a whole text, or one character that attends to all others
        q, k, v = self.inward(self.norm(x)).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is not None:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=time > 1)
        return x + self.outward(mixed.transpose(1, 2).reshape(batch, time, width)), (k, v)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = _Attention(width, heads)
        self.dense = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, cache: Any) -> tuple[Tensor, Any]:
        x, cache = self.attention(x, cache)
        return x + self.dense(x), cache


def _through(blocks: nn.ModuleList, x: Tensor, caches: Any) -> tuple[Tensor, Any]:
    """Return the output of the last block, and the keys and values of all blocks."""
    after = []
    for block, cache in zip(blocks, caches or [None] * len(blocks), strict=True):
        x, cache = block(x, cache)
        after.append(cache)
    return x, after


class Recurrent(nn.Module):
    """LSTM or GRU below transformer blocks. Its state has that of the cells and the keys and values of all blocks.

    Positions are not embedded, because the cells already depend on the order.
    """

    def __init__(self, kind: str, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(VOCABULARY, width)
        self.cells = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](width, width, batch_first=True)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY, bias=False)

    def forward(self, codes: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits [batch, time, code] after each character of codes [batch, time], and the last state.

        With a state, `codes` must have one character per row.
        """
        cells, caches = (None, None) if state is None else state
        x, cells = self.cells(self.characters(codes), cells)
        x, caches = _through(self.blocks, x, caches)
        return self.head(self.norm(x)), (cells, caches)

    def rows(self, state: Any, kept: Tensor) -> Any:
        """Return the state of the rows `kept` of the batch. Rows may be repeated."""
        cells, caches = state
        cells = tuple(part[:, kept] for part in cells) if isinstance(cells, tuple) else cells[:, kept]
        return cells, [(keys[kept], values[kept]) for keys, values in caches]
