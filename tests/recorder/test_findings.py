"""What a recording says about its samples at the end."""

import pytest

from mssim.recorder import Choice, Reply, status
from mssim.recorder.findings import left_to_server, other_model
from tests.recording import Client, collect, plan, questions

SUM = "So 7 plus 5 makes 12"


def found(out, *given, n=1, served="a", **options):
    """Findings of a recording of one question whose samples are `given`."""
    replies = iter([Reply(tuple(given[i : i + n]), 10, 5, served) for i in range(0, len(given), n)])
    asked = plan(samples=len(given), samples_per_request=n, concurrency=1, **options)
    done = collect(out, Client(lambda _: next(replies)), asked, questions(1))
    assert done.complete
    assert status(out).findings == done.findings
    assert done.warnings[-len(done.findings["a"]) :] == done.findings["a"] or not done.findings["a"]
    return list(done.findings["a"])


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ([Choice(SUM, "stop"), Choice(SUM)], []),
        (
            [Choice(SUM, "length"), Choice(SUM, "stop"), Choice(SUM, "max_tokens")],
            ["2 of 3 samples of a were cut off (finish_reason length)"],
        ),
        (
            [Choice("", "length")] * 2,
            [
                "2 of 2 samples of a were cut off (finish_reason length)",
                "2 of 2 texts of a are empty, all cut off",
            ],
        ),
        ([Choice("", "stop", refusal="I must not."), Choice(SUM)], ["1 of 2 texts of a is empty, refused"]),
        ([Choice(" \n", "tool_calls", tool_calls="[]")] * 2, ["2 of 2 texts of a are empty, all tool calls"]),
        ([Choice("", "stop")] * 2, ["2 of 2 texts of a are empty, no reason given"]),
        (
            [Choice("", "stop"), Choice("", "content_filter"), Choice("", "content_filter")],
            ["3 of 3 texts of a are empty, 2 stopped by a content filter, 1 no reason given"],
        ),
        (
            [Choice(SUM, "stop", reasoning="Hm"), Choice(SUM, "stop")],
            ["1 of 2 samples of a has reasoning, kept in the column reasoning"],
        ),
        (
            [Choice(SUM, confidence=-0.1), Choice(SUM)],
            ["1 of 2 samples of a lacks known log-probabilities, so votes by confidence refuse them"],
        ),
    ],
)  # fmt: skip
def test_samples_that_are_cut_off_or_empty_are_counted_with_the_reason(tmp_path, given, lines):
    assert found(tmp_path, *given) == lines


def test_a_request_for_log_probabilities_that_none_has_is_told(tmp_path):
    says = "2 of 2 samples of a lack known log-probabilities, so votes by confidence refuse them"
    assert found(tmp_path, Choice(SUM), Choice(SUM), logprobs=True) == [says]


def test_choices_that_are_identical_within_every_request_are_told(tmp_path):
    same, other = Choice("4"), Choice("5")
    says = ["all choices of a are identical within each of its 2 requests with several"]
    assert found(tmp_path / "same", *[same] * 3, *[other] * 3, n=3) == says
    assert found(tmp_path / "one", *[same] * 3, same, same, other, n=3) == []
    assert found(tmp_path / "few", same, same, n=2) == []


def test_other_and_several_served_models_are_told(tmp_path):
    assert found(tmp_path / "a", Choice("4"), served="zebra") == [
        "samples of a were served by 'zebra', but the request names 'a'"
    ]
    names = iter(["a", "a-2026", "a-2026"])
    client = Client(lambda _: Reply((Choice("4"),), 10, 5, next(names)))
    done = collect(tmp_path / "several", client, plan(samples=3), questions(1))
    assert done.warnings == ("samples of a come from 2 served models: a-2026 (2 samples), a (1 samples)",)


@pytest.mark.parametrize(
    ("asked", "served", "same"),
    [
        ("small", None, True),
        ("org/Small-7B", "small-7b", True),
        ("small", "/srv/models/small.gguf", True),
        ("C:\\models\\small.gguf", "small", True),
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4", "gpt-4-2024-05-13", True),
        ("gpt-4", "gpt-4o", False),
        ("small-7b", "small-7b-instruct", False),
        ("small-3", "small-3-5", False),
        ("small", "large", False),
    ],
)
def test_names_of_a_model_may_differ_in_folder_and_date(asked, served, same):
    assert (other_model("a", asked, served) is None) == same


def test_settings_that_a_server_chooses():
    assert left_to_server({"temperature": 0.5, "max_tokens": 9}).startswith("top_p, top_k, min_p are not set")
    assert left_to_server({"temperature": 0.5, "top_p": 1.0}) is None
