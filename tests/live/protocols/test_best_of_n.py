import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import Calls, Final, parse_protocol
from mssim.live.protocols.best_of_n import PROMPTS
from tests.playing import ask, play, system, user


def script(samples, *verdicts):
    steps = {f"sample {i}": text for i, text in enumerate(samples, 1)}
    judged = ["judge"] if len(verdicts) == 1 else [f"judge of sample {i}" for i in range(1, len(verdicts) + 1)]
    return steps | dict(zip(judged, verdicts, strict=True))


def test_the_judge_sees_all_samples_and_names_one():
    end, calls, rounds = play("best-of-n:a+b,n=3,judge=told", script(["s1", "s2", "s3"], "Best: 2"))
    assert rounds == [["sample 1", "sample 2", "sample 3"], ["judge"]]
    assert [call.model for call in calls.values()] == ["a", "b", "a", "told"]
    assert calls["sample 2"].messages == ask("b")
    listed = "Answer 1:\ns1\n\nAnswer 2:\ns2\n\nAnswer 3:\ns3"
    text = PROMPTS["pick"].text.replace("{{n}}", "3").replace("{{question}}", "3 x 4?")
    assert calls["judge"].messages == [system("Be brief."), user(text.replace("{{candidates}}", listed))]
    assert end == Final("s2", "judge")


@pytest.mark.parametrize(
    ("verdict", "chosen"),
    [("1", 1), ("Answers 1 and 2 err.\nBest: 3", 3), (" 2", 2), ("best: answer 3.", 3), ("BEST: 1\nno, Best: 2", 2)],
)
def test_verdicts(verdict, chosen):
    assert play("best-of-n:a,n=3", script(["s1", "s2", "s3"], verdict))[0] == Final(f"s{chosen}", "judge")


@pytest.mark.parametrize("verdict", ["", "none", "Best: 4", "Best: 0", "Best: 1.5", "Best: all"])
def test_a_judge_that_names_none_leaves_the_first(verdict):
    assert play("best-of-n:a,n=3", script(["s1", "s2", "s3"], verdict))[0] == Final("s1", "no verdict")


@pytest.mark.parametrize(
    ("scores", "end"),
    [
        (("Score: 3", "Fine. Score: 9.5", "Score: 9"), Final("s2", "judge")),
        (("Score: 3", "Score: 8", "Score: 8"), Final("s2", "judge")),  # a tie goes to the first
        (("?", "Score: 0", "Score: 11"), Final("s2", "judge")),  # no score is less than any
        (("?", "", "Score: -1"), Final("s1", "no verdict")),
    ],
)
def test_scores(scores, end):
    found, calls, rounds = play("best-of-n:a,n=3,judge=j,method=score", script(["s1", "s2", "s3"], *scores))
    assert found == end
    assert rounds == [[f"sample {i}" for i in (1, 2, 3)], [f"judge of sample {i}" for i in (1, 2, 3)]]
    text = PROMPTS["score"].text.replace("{{question}}", "3 x 4?").replace("{{candidate}}", "s3")
    assert calls["judge of sample 3"].messages == [user(text)]
    assert calls["judge of sample 3"].model == "j"


def test_numbers_of_calls():
    assert parse_protocol("best-of-n:a").calls() == Calls(9, 9)
    assert parse_protocol("best-of-n:a,n=5,method=score").calls() == Calls(10, 10)


@pytest.mark.parametrize("text", ["best-of-n:a,n=1", "best-of-n:a,method=vote", "best-of-n:a+b+c,n=2"])
def test_refused(text):
    with pytest.raises(StrategyError, match="best-of-n"):
        parse_protocol(text)
