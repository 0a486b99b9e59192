"""Separation of the answer from the reasoning before it, as marked by families of models."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Part", "answer_part"]

# Tags around reasoning, in any case. To support another family, add its pair here.
_TAGS = (
    ("<think>", "</think>"),  # DeepSeek R1, Qwen, GLM, MiniMax, Nemotron, Olmo, Phi, Granite 3.3
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),  # EXAONE Deep
    ("<thoughts>", "</thoughts>"),
    ("<reason>", "</reason>"),
    ("<reasoning>", "</reasoning>"),  # models trained with GRPO
    ("<analysis>", "</analysis>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<reflection>", "</reflection>"),
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<longcat_think>", "</longcat_think>"),  # LongCat
    ("<|think|>", "<|/think|>"),
    ("[think]", "[/think]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
    ("<|start_thinking|>", "<|end_thinking|>"),  # Command A
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<unused94>", "<unused95>"),  # MedGemma
    ("here is my thought process:", "here is my response:"),  # Granite 3.2
    ("here's my thought process:", "here's my response:"),
    ("<mm:think>", "</mm:think>"),  # MiniMax M3
    ("[unused16]", "[unused17]"),  # Pangu
    ("<reasoning_scratchpad>", "</reasoning_scratchpad>"),
)
# Patterns of starts and ends that vary.
_PATTERNS = (
    # gpt-oss: each message names its channel, and only the channel final is an answer.
    (r"<\|channel\|>(?!\s*final)", r"<\|channel\|>\s*final[^\n]{0,80}?<\|message\|>"),
    # The same where the server has removed the special tokens.
    (r"\A(?:assistant)?analysis(?=[A-Z])", r"assistantfinal"),
    (r"<think:\w{1,40}>", r"</think:\w{1,40}>"),  # Hunyuan 3 adds a name
)
# Tags that may enclose the answer as a whole.
_AROUND = (
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<output>", "</output>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|start_response|>", "<|end_response|>"),
    ("<|start_text|>", "<|end_text|>"),
)
_ENDS = re.compile(r"(?:\s|</s>|<eos>|<end_of_turn>|<\|(?:return|end|im_end|eot_id|endoftext|end_of_text)\|>)+\Z")

_FLAGS = re.IGNORECASE
_START = re.compile("|".join([re.escape(start) for start, _ in _TAGS] + [start for start, _ in _PATTERNS]), _FLAGS)
_END = re.compile("|".join([re.escape(end) for _, end in _TAGS] + [end for _, end in _PATTERNS]), _FLAGS)
# Parts of the marks. A text without any of them has no reasoning; the characters are searched first, which is quick.
_MARKED = ("<", "[", "◁", "ere is my thought", "ere's my thought")
_HINTS = (
    "think", "thought", "reason", "analysis", "scratchpad", "reflection", "inner_", "[unused1", "<unused9", "<|channel",
)  # fmt: skip


class Part(NamedTuple):
    """The part of a text that is an answer.

    Attributes
    ----------
    answer : str or None
        The text after the reasoning, None if the reasoning does not end.
    reasoning : str
        What was found: "none"; "dropped"; "unopened", dropped although its start is missing, since many templates put
        it into the prompt; or "unclosed".

    Examples
    --------
    >>> Part("It is 12.").reasoning
    'none'
    """

    answer: str | None
    reasoning: str = "none"


def answer_part(text: str) -> Part:
    """Return what follows the last end of reasoning.

    Parameters
    ----------
    text : str
        A recorded text.

    Returns
    -------
    Part
        The answer without a tag around it, or None. A text without reasoning is returned unchanged.

    Examples
    --------
    >>> answer_part("<think>7? No.</think>It is 12."), answer_part("It is 12.")
    (Part(answer='It is 12.', reasoning='dropped'), Part(answer='It is 12.', reasoning='none'))
    >>> answer_part("<think>It may be 7, but")
    Part(answer=None, reasoning='unclosed')
    """
    if not any(mark in text for mark in _MARKED) and not text.startswith(("analysis", "assistantanalysis")):
        return Part(text)
    rest, lower, found = text, text.lower(), "none"
    if any(hint in lower for hint in _HINTS):
        ends = [*_END.finditer(text)]
        if ends:
            rest = text[ends[-1].end() :]
            found = "dropped" if _START.search(text, 0, ends[0].start()) else "unopened"
        if _START.search(rest):
            return Part(None, "unclosed")
    return Part(_unwrapped(rest) if "<" in rest else rest, found)


def _unwrapped(text: str) -> str:
    inner = _ENDS.sub("", text).lstrip()
    lower = inner.lower()
    for start, end in _AROUND:
        if lower.startswith(start):
            within = inner[len(start) :]
            return within[: -len(end)] if lower.endswith(end) else within
    return inner if len(inner) < len(text.strip()) else text
