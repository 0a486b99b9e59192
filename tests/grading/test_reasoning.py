"""Reasoning of several families of models, and the answer after it."""

import pytest

from mssim.grading.reasoning import answer_part


@pytest.mark.parametrize(
    "text",
    [
        "<think>It may be 3.</think>It is 4.",
        "It may be 3.</think>It is 4.",
        "<think>3</think>No.<think>5</think>It is 4.",
        "<THINK>3</THINK>It is 4.",
        "<thinking>3</thinking>It is 4.",
        "<thought>3</thought>It is 4.",
        "<reasoning>3</reasoning><answer>It is 4.</answer>",
        "<seed:think>3</seed:think>It is 4.",
        "[THINK]3[/THINK]It is 4.",
        "◁think▷3◁/think▷It is 4.",
        "<|begin_of_thought|>3<|end_of_thought|><|begin_of_solution|>It is 4.<|end_of_solution|>",
        "<|START_THINKING|>3<|END_THINKING|><|START_RESPONSE|>It is 4.<|END_RESPONSE|>",
        "<|channel|>analysis<|message|>3<|end|><|start|>assistant<|channel|>final<|message|>It is 4.<|return|>",
        "analysisIt may be 3.assistantfinalIt is 4.",
        "Here is my thought process: 3 Here is my response:It is 4.",
        "Here's my thought process: 3 Here's my response:It is 4.",
        "<mm:think>3</mm:think>It is 4.",
        "<think:opensource>3</think:opensource>It is 4.",
        "[unused16]3[unused17]It is 4.",
        "<REASONING_SCRATCHPAD>3</REASONING_SCRATCHPAD>It is 4.",
        "<|START_THINKING|>3<|END_THINKING|><|START_TEXT|>It is 4.<|END_TEXT|>",
        "assistantanalysisIt may be 3.assistantfinalIt is 4.",
    ],
)
def test_only_what_follows_the_reasoning_is_an_answer(text):
    assert answer_part(text).answer == "It is 4."


@pytest.mark.parametrize(
    "text",
    [
        "<think>It may be 3, but",
        "<think>3</think>It is 4. <think>Or",
        "[THINK]3",
        "<|channel|>analysis<|message|>It may be 3",
        "<|channel|>final<|message|>4<|end|><|start|>assistant<|channel|>analysis<|message|>Or",
        "analysisWe need 3",
    ],
)
def test_reasoning_that_does_not_end_has_no_answer(text):
    assert answer_part(text) == (None, "unclosed")


@pytest.mark.parametrize("text", ["It is 4.", "3 < 4, I think", "An analysis: 4", "a [1] b", "", "<b>4</b>"])
def test_other_texts_are_unchanged(text):
    assert answer_part(text) == (text, "none")


def test_the_kind_of_reasoning_is_known():
    assert answer_part("<think>3</think>4").reasoning == "dropped"
    assert answer_part("3</think>4").reasoning == "unopened"
    assert answer_part("<think>3</think>").answer == ""
