"""Questions that are answered at the same time: requests of a round, their order, and math-verify beside them."""

import pytest

from mssim.live.drawing import questions_of
from mssim.live.setup import read_setup
from mssim.pools.loading import read_pool
from mssim.recorder import Retry
from tests.live.scripted import Servers, live, plan, questions, table


def test_a_round_is_sent_together_and_a_rule_that_decides_after_each_draw_asks_for_one(tmp_path):
    asked = plan(["a"], samples_per_request=4, concurrency=8)
    _, client = live(tmp_path / "round", "sc:a", 8, asked=asked, given=questions(1))
    assert [len(samples) for event, samples in client.asked] == [4] * 4
    assert [event for event, _ in client.asked] == ["asked", "asked", "answered", "answered"]
    alone, client = live(tmp_path / "alone", "sc:a,stop=beta", 8, asked=asked, given=questions(1))
    assert {len(samples) for _, samples in client.asked} == {1}
    assert [samples[0][2] for event, samples in client.asked if event == "asked"] == list(
        range(int(alone.samples_used))
    )


def test_models_between_which_nothing_is_decided_are_asked_together(tmp_path):
    _, client = live(tmp_path / "mix", "mix:a+b", 4, given=questions(1))
    assert [event for event, _ in client.asked] == ["asked"] * 4 + ["answered"] * 4
    _, client = live(tmp_path / "ms", "ms:a+b,agreement=1", 4, given=questions(1))
    assert [event for event, _ in client.asked][:4] == ["asked"] * 2 + ["answered"] * 2


def test_what_is_missing_of_a_request_is_asked_for_as_part_of_it(tmp_path):
    """A rerun sends the requests that an undisturbed run would have sent, so that equal seeds give equal answers."""
    asked = plan(["a"], samples_per_request=3, concurrency=1)
    _, first = live(tmp_path, "sc:a", 9, asked=asked, given=questions(1), max_requests=2)
    _, second = live(tmp_path, "sc:a", 9, asked=asked, given=questions(1))
    blocks = [[i for _, _, i in samples] for event, samples in [*first.asked, *second.asked] if event == "asked"]
    assert blocks == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_fewer_choices_than_asked_are_kept_and_the_rest_asked_for(tmp_path):
    asked = plan(["a"], samples_per_request=4)
    sizes = iter([4, 1, 2])
    client = Servers(asked, ["q0"], before=lambda request: min(next(sizes, request.n), request.n))
    result, _ = live(tmp_path, "sc:a", 8, client=client, asked=asked, given=questions(1))
    assert table(result)[0]["samples_used"] == 8
    assert sorted(client.samples("answered")) == [("a", "q0", i) for i in range(8)]


def test_questions_begin_in_order_and_few_are_under_way(tmp_path):
    asked = plan(["a"], concurrency=2)
    _, client = live(tmp_path, "sc:a,stop=beta", 6, asked=asked, given=questions(6))
    first = list(dict.fromkeys(question for _, question, _ in client.samples()))
    assert first == [f"q{i}" for i in range(6)]
    order = [question for _, question, _ in client.samples()]
    assert order.index("q2") > min(order[::-1].index("q0"), 1)
    last = {question: len(order) - 1 - order[::-1].index(question) for question in first}
    for place in range(2, 6):  # before a question begins, all but one of those before it have ended
        begun = order.index(f"q{place}")
        assert sum(last[f"q{before}"] > begun for before in range(place)) <= 1


def test_truths_are_read_as_answers_and_may_be_missing():
    setup = read_setup(plan(), "sc:a", 2, rule="choice", reasoning="drop", seed=0)
    rows = [
        {"question_id": "q1", "truth": "Rome", "choices": ["Paris", "Rome"]},
        {"question_id": "q2", "truth": None, "choices": ["yes", "no", "maybe"]},
    ]
    found = questions_of(rows, setup.rule)
    assert found.truths == ["B", None]
    assert found.rules[1].extract("maybe") == "C"
    assert questions_of([{"question_id": "q"}], setup.rule).truths == [None]


def test_an_exception_of_a_client_ends_the_run(tmp_path):
    class Broken(Servers):
        async def sample(self, request):
            if len(self.asked) > 5:
                return "text"
            return await super().sample(request)

    with pytest.raises(TypeError, match="sampler: it returned 'text'"):
        live(tmp_path, "sc:a", 4, client=Broken(plan(), [f"q{i}" for i in range(4)]))
    assert live(tmp_path, "sc:a", 4)[0].complete


@pytest.mark.slow
def test_math_verify_runs_beside_the_requests_and_differences_from_the_pool_are_said(tmp_path):
    """50 % equals 1/2 and 50, which differ: which of them it joins depends on what is known."""
    said = {"q0": [r"\frac{x}{2}", "0.5x", "x+1", "x/2"], "q1": ["1/2", r"50\%", "50", "7"]}
    given = questions(2).set_column(2, "truth", [["x/2", "7"]])
    client = Servers(plan(["a"]), ["q0", "q1"], lambda _, question, index: rf"\boxed{{{said[question][index]}}}")
    result, _ = live(tmp_path, "sc:a", 4, client=client, asked=plan(["a"]), given=given, rule="boxed", retry=Retry())
    assert [[draw.code for draw in answer.draws] for answer in result.answers] == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert [answer.correct for answer in result.answers] == [True, False]
    (note,) = result.notes
    assert note.startswith("1 question, first 'q1', has other answer classes in the graded pool")
    assert (tmp_path / "equivalence.sqlite").exists()


def test_truths_that_no_answer_can_equal_are_told_at_once_and_count_as_wrong_as_in_the_pool(tmp_path):
    told = []
    client = Servers(plan(["a"]), ["q0", "q1"], lambda *_: "7")
    given = questions(2).set_column(2, "truth", [["7", "Paris"]])
    options = {"given": given, "client": client, "asked": plan(["a"]), "rule": "number"}
    result, _ = live(tmp_path, "sc:a", 2, report=lambda p: told.append((p.arrived, *p.warnings)), **options)
    assert [answer.correct for answer in result.answers] == [True, False]
    warning = "1 of 2 truths are not one number (for others, see rule boxed), such as 'Paris'. The rule number cannot "
    assert result.warnings[0].startswith(warning)
    assert told[0] == (0, result.warnings[0])
    assert read_pool(tmp_path).class_correct.tolist() == [True, False]
