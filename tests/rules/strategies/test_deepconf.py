"""DeepConf online: by hand, as the released code decides, its text, and what it needs."""

import random
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scorio.aggregate import deepconf_online_stop, deepconf_stop_threshold

from mssim import DeepConf, Pool, StrategyError, evaluate, parse_strategy
from mssim.rules.plan import Online
from tests import naive, naive_strategies
from tests.conftest import make_pool, replay

# Decisions of github.com/facebookresearch/deepconf, commit 675529d172ef6d240aa1f21cb60940d427cc1ea6, on `traces(case)`,
# by its percentile: answer ("-": none) and tokens of cases 0, 1, 2, ... They were made with numpy.percentile and the
# functions compute_least_grouped and weighted_majority_vote of deepconf/utils.py, in the order of deepconf/wrapper.py.
# A trace of the second phase was cut at its first full window below the bar, as deepconf/processors.py ends it.
WINDOW, WARMUP, BUDGET = 4, 6, 14
DECISIONS = {
    10: (
        "a85 c88 -89 a90 a75 a68 a72 a81 a99 a67 -61 a94 c69 b84 a88 a65 c84 b87 c93 a78 c65 b57 -66 c73 a90 "
        "b63 c67 -66 c85 -60 b72 a76 a74 b68 c67 c79 c69 a77 c71 a61 b70 a71 b62 c69 a77 a83 a77 b59 a84 a82 "
        "a85 c93 c78 c85 c82 a72 -60 c92 a62 -73 "
    ),
    50: (
        "a91 a115 c113 a105 a91 a78 a87 a90 a113 a72 c65 a108 c70 a85 a94 a69 b84 a98 c100 a90 a78 b61 a68 "
        "a86 b99 b66 c74 a67 c94 b62 b84 a76 a79 c79 b91 a97 a89 a90 a73 a78 b70 a83 a66 c80 a81 a88 a90 a64 "
        "a99 a82 a95 c95 b78 a96 c88 b83 a61 b96 a66 c96 "
    ),
    90: (
        "a102 a115 a116 a108 a92 a80 a105 a102 a113 a74 a77 a109 a74 a98 a105 a83 a87 c99 a100 a99 a92 c65 "
        "a82 a86 b109 c89 b80 a73 c99 a64 a100 a84 a79 b84 b91 a106 a89 a90 a78 a89 b70 a88 a80 c83 a86 a88 "
        "a105 a84 a102 a93 a98 c110 a86 a100 a92 a94 a68 a102 a80 c115 "
    ),
}


def traces(case):
    """Synthetic traces: an answer, or none, and confidences of 2 to 12 tokens, multiples of 0.004."""
    rng = random.Random(case)
    made = []
    for _ in range(BUDGET):
        level, n = rng.randrange(2000, 2600), rng.randrange(2, 13)
        confidences = [(level + rng.randrange(-250, 250)) * 0.004 for _ in range(n)]
        made.append((rng.choice(["a", "a", "b", "c", None]), [round(c, 3) for c in confidences]))
    return made


def in_drawn_order(samples, groups, question="q", **columns):
    """Rows of one question, whose first replay with seed 0 draws the samples in their order."""
    places = naive.positions(0, "m", question, 0, len(samples), len(samples))
    frame = pd.DataFrame(
        {"question_id": question, "model": "m", "sample_index": places, "answer": [answer for answer, _ in samples]}
    )
    tokens = [len(confidences) for _, confidences in samples]
    return frame.assign(group_confidence=groups, output_tokens=tokens, **columns)


def means(confidences, window):
    """Means of all windows, or of all tokens if there are fewer."""
    n = max(len(confidences) - window + 1, 1)
    return [float(np.mean(confidences[i : i + window])) for i in range(n)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
@pytest.mark.parametrize("percentile", DECISIONS)
def test_decisions_and_tokens_are_those_of_the_released_code(percentile):
    rule = DeepConf("m", keep=percentile / 100, warmup=WARMUP, consensus=None, window=WINDOW)
    decisions = [(decision[0], int(decision[1:])) for decision in DECISIONS[percentile].split()]
    for other in "abc":  # without an answer, none is right
        rows = []
        for case, (answer, _) in enumerate(decisions):
            samples = traces(case)
            groups = [[round(mean, 3) for mean in means(confidences, WINDOW)] for _, confidences in samples]
            truth = other if answer == "-" else answer
            rows.append(in_drawn_order(samples, groups, f"q{case:02}", truth=truth))
        result = replay(Pool.from_frame(pd.concat(rows)), rule, BUDGET, n_replays=1, seed=0)
        assert result.accuracy[0, 0].tolist() == [answer != "-" for answer, _ in decisions]
        assert result.tokens[0, 0].tolist() == [tokens for _, tokens in decisions]
    assert len(decisions) == 60


@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
@pytest.mark.parametrize("keep", [0.1, 0.37, 0.9, 1.0])
def test_bars_and_ends_are_those_of_scorio(keep):
    """Scorio shortens the window to a trace that is shorter, so all of these are longer."""
    rng = np.random.default_rng(int(100 * keep))
    rows, expected = [], []
    for case in range(30):
        samples = [("a", rng.gamma(9.0, 1.0, rng.integers(WINDOW, 20))) for _ in range(BUDGET)]
        groups = [means(confidences, WINDOW) for _, confidences in samples]
        bar = deepconf_stop_threshold([min(given) for given in groups[:WARMUP]], keep=keep)
        tokens = [len(confidences) for _, confidences in samples]
        for j in range(WARMUP, BUDGET):
            end = deepconf_online_stop(-samples[j][1][:, None], bar, window=WINDOW)
            tokens[j] = tokens[j] if end is None else end + 1
        expected.append(sum(tokens))
        rows.append(in_drawn_order(samples, groups, f"q{case:02}", truth="a"))
    rule = DeepConf("m", keep=keep, warmup=WARMUP, consensus=None, window=WINDOW)
    found = replay(Pool.from_frame(pd.concat(rows)), rule, BUDGET, n_replays=1, seed=0)
    assert found.tokens[0, 0].tolist() == expected


# By hand --------------------------------------------------------------------------------------------------------------


def one_question(samples, **columns):
    """Samples of (answer, group confidences) that the first replay draws in their order; 10 tokens each."""
    answers, groups = zip(*samples, strict=True)
    rows = in_drawn_order([(answer, range(10)) for answer in answers], list(groups), truth="a", **columns)
    return Pool.from_frame(rows)


def first_replay(pool, budgets, **options):
    rule = DeepConf("m", **{"keep": 0.5, "warmup": 3, "window": 2, "stride": 4, **options})
    return replay(pool, rule, budgets, n_replays=1, seed=0)


SAMPLES = [("a", [5, 4]), ("b", [3, 3]), ("b", [4, 5]), ("a", [6, 3, 9]), ("b", [4, 4]), ("b", [9, 5]), ("b", [9, 9])]


def test_a_sample_ends_with_its_first_group_below_the_bar():
    """The bar of 4, 3 and 4 is 4: the second sample does not vote, the fourth ends at token 2 + 4."""
    result = first_replay(one_question(SAMPLES), [3, 4, 5, 6, 7], consensus=None)
    assert result.tokens[0, :, 0].tolist() == [30, 36, 46, 56, 66]
    assert result.accuracy[0, :, 0].tolist() == [1, 1, 0, 0, 0]  # a 4 : b 4, and the first wins; then b 8, 13, 22
    assert result.samples_used[0, :, 0].tolist() == [3, 4, 5, 6, 7]
    assert result.agreed[0, :, 0].tolist() == [0] * 5


def test_sampling_ends_with_the_consensus():
    """Shares of b are 4/8, 4/8, 8/12, 13/17 and 22/26."""
    pool = one_question(SAMPLES)
    used = {share: first_replay(pool, [3, 7], consensus=share) for share in (0.5, 0.66, 0.7, 0.77, 0.85)}
    assert [found.samples_used[0, 1, 0] for found in used.values()] == [3, 5, 6, 7, 7]
    assert [found.agreed[0, :, 0].tolist() for found in used.values()] == [[1, 1], [0, 1], [0, 1], [0, 1], [0, 0]]
    assert used[0.66].tokens[0, :, 0].tolist() == [30, 46]


def test_up_to_the_warm_up_the_bar_is_that_of_all_samples():
    """Of 5 and 4 the median is 4.5, of 5, 4 and 1 it is 4, and of one sample its own."""
    pool = one_question([("b", [4]), ("a", [5]), ("b", [1]), ("b", [4])])
    result = first_replay(pool, [1, 2, 3, 4], warmup=16)
    assert result.accuracy[0, :, 0].tolist() == [0, 1, 1, 0]  # b 4; a 5; a 5 : b 4; b 8 : a 5
    assert result.tokens[0, :, 0].tolist() == [10, 20, 30, 40]
    assert not result.agreed.any()


def test_samples_without_an_answer_count_for_the_bar_and_do_not_vote():
    pool = one_question([(None, [9]), (None, None), ("a", [5]), ("a", [4.9, 9]), ("b", [5])])
    result = first_replay(pool, [3, 5], consensus=None)
    assert result.tokens[0, :, 0].tolist() == [30, 10 * 3 + 2 + 10]  # the bar is the median of 9, 0 and 5
    assert result.accuracy[0, :, 0].tolist() == [1, 1]
    nobody = first_replay(one_question([(None, [9]), ("a", [1]), ("a", [1])]), [3], keep=0.1)
    assert nobody.accuracy.item() == nobody.agreed.item() == 0


def test_a_short_sample_cannot_end_early_and_does_not_vote():
    pool = one_question([("b", [5]), ("b", [5]), ("b", [5]), ("a", [4])])
    assert first_replay(pool, [4], window=20, consensus=None).tokens.item() == 40
    assert first_replay(pool, [4], window=20, consensus=None).accuracy.item() == 0


def test_weights_of_zero_are_no_consensus():
    result = first_replay(one_question([("a", [0])] * 4), [4], consensus=0.5)
    assert (result.samples_used.item(), result.agreed.item(), result.accuracy.item()) == (4, 0, 1)


# What is spent --------------------------------------------------------------------------------------------------------


def test_a_sample_that_ends_early_spends_its_input_and_a_part_of_the_rest():
    """Of ten output tokens, six."""
    pool = one_question(SAMPLES[:4], input_tokens=100, cost=1.0, latency=[1.0, 2, 3, 5])
    options = {"strategies": DeepConf("m", keep=0.5, warmup=3, window=2, stride=4), "budgets": 4, "n_replays": 1}
    result = evaluate(pool, **options)
    assert result.tokens.item() == 436
    assert result.cost.item() == pytest.approx(3.6)
    assert result.latency.item() == pytest.approx(3 + 0.6 * 5)  # the warm-up is one round
    assert evaluate(pool, **options, parallel=1).latency.item() == pytest.approx(6 + 0.6 * 5)
    assert evaluate(pool, **options, tokens="output").tokens.item() == 36
    prices = {"date": "2026-11-01", "models": {"m": {"input": 1, "output": 10}}, "per_tokens": 1}
    assert evaluate(pool, **options, prices=prices).cost.item() == pytest.approx(400 + 360)
    assert evaluate(pool, **options, prices={"m": 0.25}).cost.item() == 1


def test_budgets_in_tokens_are_spent_in_replays():
    pool = make_pool(
        {("m", "q"): "aabab" * 8, ("m", "r"): "abbbb" * 8}, output_tokens=100,
        group_confidence=[[12.0, 5 + i % 7, 12.0] for i in range(80)],
    )  # fmt: skip
    rule = "deepconf:m,warmup=4,window=20,stride=20,consensus=none"
    result = evaluate(pool, [f"{rule}@tokens=1000", "sc:m@tokens=1000"], n_replays=200)
    frame = result.to_frame().dropna(subset="accuracy").set_index("strategy").sort_index()
    assert frame["budget"].iloc[0] > frame["budget"].iloc[1] == 10
    assert (frame["tokens"] <= 1000 * 1.02).all()


@pytest.mark.parametrize("consensus", [None, 0.8])
def test_quantiles_are_those_of_the_oracle(consensus):
    rng = np.random.default_rng(2)
    groups = [rng.gamma(9.0, 1.0, 4).tolist() for _ in range(20)]
    pool = make_pool({("m", "q"): "aabab" * 4}, output_tokens=rng.integers(9, 50, 20), group_confidence=groups)
    rule = DeepConf("m", keep=0.5, warmup=3, consensus=consensus, window=2, stride=2)
    result = replay(pool, rule, [9], n_replays=50, quantiles=True)
    (spent,) = naive.spent(pool, rule, 9, quantity="tokens", n_replays=50)
    assert result.to_frame(quantiles=[0.5])["tokens_p50"].item() in sorted(spent)[24:26]
    assert result.tokens.item() == np.mean(spent)


# Text and errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("deepconf:m", DeepConf("m", 0.1, 16, 0.95, 2048, 1, "first")),
        ("deepconf:m,keep=0.9,consensus=none", DeepConf("m", 0.9, consensus=None)),
        ("deepconf:m,keep=1,warmup=8,consensus=1,window=1024", DeepConf("m", 1, 8, 1, 1024)),
        ("deepconf:m,stride=64,ties=wrong", DeepConf("m", stride=64, ties="wrong")),
    ],
)
def test_text_and_back(text, strategy):
    assert str(strategy) == text
    assert parse_strategy(text) == strategy


def test_the_plan_has_one_stage_and_says_how_samples_end():
    (plan,) = DeepConf("m", keep=0.9, consensus=None, window=1024, stride=2).plans(np.array([3, 9]))
    assert plan.sizes.tolist() == [[3, 9]]
    assert (plan.vote, plan.stop, plan.max_tokens) == (None, None, None)
    assert plan.online == Online(0.9, 16, None, 1024, 2, "first")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: DeepConf("m", keep=0), "DeepConf: keep=0 is not a share. Use a number above 0 and up to 1, e.g."),
        (lambda: DeepConf("m", keep=float("nan")), "keep=nan is not a share"),
        (lambda: DeepConf("m", keep=True), "keep=True is not a share"),
        (lambda: DeepConf("m", consensus=95), "consensus=95 is not a share. Use a number above 0 and up to 1, e.g. "
         "consensus=0.95, or none."),
        (lambda: parse_strategy("deepconf:m,consensus=never"), "consensus='never' is not a share"),
        (lambda: DeepConf("m", warmup=0), "DeepConf: warmup=0 is out of range. Use an integer from 1 to 32767."),
        (lambda: DeepConf("m", window=1.5), "DeepConf: window=1.5 is not an integer"),
        (lambda: DeepConf("m", stride=0), "DeepConf: stride=0 is out of range"),
        (lambda: DeepConf("m", ties="last"), "ties='last' is not valid"),
        (lambda: parse_strategy("deepconf:m+n"), "deepconf takes one model, but 2 were given"),
        (lambda: parse_strategy("deepconf:m,vote=plurality"), "unknown option 'vote'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(StrategyError) as error:
        call()
    assert says in str(error.value)


def test_no_closed_form_is_promised():
    with pytest.raises(StrategyError, match="budget 4: the bar depends on the samples of the warm-up"):
        evaluate(one_question(SAMPLES), DeepConf("m", window=2, stride=4), 4, method="exact")


def test_the_oracle_finds_the_same_bars_and_parts():
    rule = DeepConf("m", keep=0.5, warmup=3, window=2, stride=4)
    groups = [given for _, given in SAMPLES]
    assert naive_strategies.bar_of(rule, groups) == 4
    assert naive_strategies.deepconf_parts(rule, groups, [10] * 7) == [1, 1, 1, Fraction(3, 5), 1, 1, 1]
