"""What kernels take for granted is checked where somebody else's code could break it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mssim import (
    BetaStop,
    BudgetError,
    Mixture,
    PoolError,
    SelfConsistency,
    Stop,
    Strategy,
    StrategyError,
    Vote,
    evaluate,
)
from mssim.engine.requirements import ENOUGH_TO_EXTRAPOLATE
from mssim.rules.agreement import NEVER
from mssim.rules.plan import Plan, Verifier
from mssim.rules.stops import StopTable
from tests.conftest import make_pool, replay
from tests.engine.test_evaluate import random_pool


@pytest.fixture(scope="module")
def pool():
    return random_pool(3, 12)


# Samples --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "said"), [("sc:x", 1), ("cov:x", 1), ("sc:x,stop=window:5", 0), ("ms:x+y", 0)])
def test_pass_and_maj_at_k_of_one_model_can_be_extrapolated(strategy, said):
    with pytest.raises(BudgetError) as error:
        evaluate(random_pool(3, ENOUGH_TO_EXTRAPOLATE), strategy, 1000)
    remedy = "or extrapolate with theory.extrapolate"
    assert (remedy in str(error.value)) == said
    few = make_pool({("x", "q1"): ["a"] * 15, ("x", "q2"): ["b"] * 15})
    with pytest.raises(BudgetError, match=r"were recorded\. Lower the budget, or draw with replacement=True\.$"):
        evaluate(few, "sc:x", 16)


# Prior weights --------------------------------------------


@pytest.mark.parametrize("method", ["auto", "exact", "monte_carlo"])
@pytest.mark.parametrize(
    ("prior", "share"), [((5e8, 1), "5e-10"), ((1, 1e9), "3e-10"), ((1e308, 1e-16), "0"), ((1e9, 1e9, 1), "2e-10")]
)
def test_weights_that_rounding_would_hide_are_refused_whatever_the_method(pool, prior, share, method):
    models = ["x", "y", "z"][: len(prior)]
    with pytest.raises(StrategyError) as error:
        evaluate(pool, {"mix": Mixture(models, Vote.plurality(prior=prior))}, [1, 7], method=method)
    light = models[int(np.argmin(prior))]
    assert str(error.value) == (
        f"mix: prior: at budget 7 one vote of model {light!r} is {share} of all votes, less than the rounding "
        "of scores. Use weights of which the largest is at most 6.7e+07 times the smallest, or lower the budget."
    )


@pytest.mark.parametrize("method", ["exact", "monte_carlo"])
@pytest.mark.parametrize(
    "rule", ["x+y,prior=1e8/1,sizes=4/3", "y+x,prior=1/1e8,sizes=3/4", "x+y,prior=1e-92/1e-100,sizes=4/3"]
)
def test_votes_of_a_weight_that_is_small_enough_decide_ties(rule, method):
    """x is always divided two by two; most of three draws of y say a."""
    pool = make_pool({("x", "q"): list("abab"), ("y", "q"): list("aaab")})
    assert evaluate(pool, f"mix:{rule},ties=wrong", [7], method=method, n_replays=99).accuracy.item() == 1


@pytest.mark.parametrize("vote", ["max_consistency", "best_of_n", "score_sum"])
def test_weights_that_are_not_added_up_may_be_as_unequal_as_you_like(vote):
    pool = make_pool({(m, "q"): list("abab") for m in "xy"}, score=1.0)
    assert evaluate(pool, f"mix:x+y,vote={vote},prior=1/1e-12", 4, n_replays=9).accuracy.shape == (1, 1, 1)
    own = Mixture(["x", "y"], Vote.own(lambda counts, prior: counts.sum(axis=0) + prior[1], prior=(1, 1e-300)))
    assert evaluate(pool, {"own": own}, 4, n_replays=9).accuracy.shape == (1, 1, 1)


def test_the_size_of_all_weights_is_of_no_consequence(pool):
    one, other = (evaluate(pool, f"mix:x+y,prior={prior}", 6, method="exact") for prior in ("1/1", "1e308/1e308"))
    assert np.array_equal(one.accuracy, other.accuracy)


NEARLY = ["0.333333333/0.666666667", "1/1.000000002"]


@pytest.mark.parametrize("prior", NEARLY)
@pytest.mark.parametrize("kind", ["mix:x+y,", "ms:x+y,vote=plurality,"])
def test_where_scores_cannot_be_ranked_there_is_no_closed_form(pool, prior, kind):
    """Twice a third with nine digits is nearly two thirds with nine digits, four times it is not nearly twice that."""
    rule = f"{kind}prior={prior}"
    with pytest.raises(StrategyError, match="are too close to be compared exactly"):
        evaluate(pool, rule, [16], method="exact")
    assert evaluate(pool, rule, [2, 16], n_replays=5).to_frame()["method"].tolist() == ["exact", "monte_carlo"]


@pytest.mark.compiled
@pytest.mark.parametrize("prior", ["0.3333333333333/0.6666666666667", "0.333333/0.666667", "0.1/0.3"])
def test_scores_that_are_equal_or_not_beyond_doubt_are_ranked(pool, prior):
    exact = evaluate(pool, f"mix:x+y,prior={prior}", [3, 6, 16], method="exact")
    drawn = replay(pool, f"mix:x+y,prior={prior}", [3, 6, 16], n_replays=20_000)
    # Nine comparisons within 5.5 standard errors: one seed in a million fails.
    assert np.abs(exact.accuracy - drawn.accuracy).max() < 5.5 * 0.5 / np.sqrt(20_000)


# Pools and classes of one's own ---------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda p: {"codes": np.where(p.codes == p.codes.max(), p.codes + 1, p.codes)},
        lambda p: {"codes": p.codes - 1},
        lambda p: {"codes": p.codes[:2]},
        lambda p: {"codes": p.codes.astype(np.int32)},
        lambda p: {"numbers": {"score": np.zeros(p.lengths.shape)}},
        lambda p: {"codes": p.codes[:, :, 0]},
        lambda p: {"lengths": p.lengths + 1},
        lambda p: {"lengths": -p.lengths},
        lambda p: {"lengths": p.lengths[:, :2]},
        lambda p: {"class_offsets": p.class_offsets + 1},
        lambda p: {"class_offsets": p.class_offsets[:-1]},
        lambda p: {"class_correct": p.class_correct[1:]},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(pool, change):
    assert replace(pool).fingerprint == pool.fingerprint
    with pytest.raises(PoolError, match="pool: the arrays are inconsistent"):
        replace(pool, **change(pool))


@dataclass(frozen=True)
class Own(Strategy):
    """A strategy whose plan is given."""

    plan: Plan
    kind = "own"

    @property
    def models(self):
        return self.plan.models

    def plans(self, budgets):  # noqa: ARG002
        return (self.plan,)

    def __str__(self):
        return "own"


def test_places_of_a_pool_without_a_sample_may_hold_anything():
    ragged = make_pool({("x", "q1"): list("ab"), ("x", "q2"): list("aba")})
    junk = replace(ragged, codes=np.where(ragged.recorded, ragged.codes, 99).astype(np.int16))
    assert not np.array_equal(junk.codes, ragged.codes)
    for method in ("exact", "monte_carlo"):
        one, other = (evaluate(given, "sc:x", [1, 2], method=method, n_replays=50) for given in (ragged, junk))
        assert np.array_equal(one.accuracy, other.accuracy)


def plan(sizes, *, need=None, dtype=np.int64, **options):
    sizes = np.array(sizes, dtype=dtype)
    given = {"vote": Vote.plurality(), **options}
    return Plan(["x", "y", "z"][: len(sizes)], sizes, np.full_like(sizes, NEVER) if need is None else need, **given)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (plan([[1, 2], [1, 2], [1, 2]]), None),
        (plan([]), "its plan has no models. Return a plan with at least one"),
        (plan([[1, 2, 3], [1, 2, 3]]), r"sizes of its plan is int64 of shape \(2, 3\). Return .* of shape \(2, 2\)"),
        (plan([[1.0, 2.0]], dtype=float), r"sizes of its plan is float64 of shape \(1, 2\). Return an int64"),
        (plan([[1, 2]], need=np.full((2, 2), NEVER)), r"need of its plan is int64 of shape \(2, 2\). Return"),
        (plan([[1, 2], [-1, 2]]), r"sizes of its plan are \[\[1, 2\], \[-1, 2\]\]. Return non-negative integers"),
        (plan([[0, 0], [1, 2]]), "with zeros only in the last stages"),
        (plan([[1, 2], [0, 2], [1, 2]]), "with zeros only in the last stages"),
        (plan([[1, 2]], looks=(2,)), "its plan has looks, which require a stop rule. Return such a plan, or no looks"),
        (plan([[2, 1]], cap=3), "its plan has a cap, which requires a vote and sizes that do not decrease with"),
        (plan([[1, 2]], cap=3, vote=None), "its plan has a cap, which requires a vote"),
        (
            plan([[1, 2], [1, 2]], stop=SelfConsistency("x").stop, cap=3),
            "has 2 models, but stop, cap and ordered support only one",
        ),
        (plan([[1, 2]], stop=BetaStop()), None),
        (plan([[1, 2]], stop=BetaStop(), vote=None), "has a stop rule, which requires a vote, and NEVER as the votes"),
        (
            plan([[1, 2]], stop=BetaStop(), need=np.array([[NEVER, 2]])),
            r"\(need\)\. Return such a plan",
        ),
        (plan([[1, 2]], vote=None, least=np.array([1, 2])), None),
        (plan([[1, 2], [1, 2]], vote=None, least=np.array([1, 2])), "has least, which supports only one model that"),
        (plan([[1, 2]], least=np.array([1, 2])), "only one model that neither votes nor stops. Return such a plan"),
        (plan([[1, 2]], vote=None, need=np.array([[NEVER, 2]]), least=np.array([1, 2])), "nor stops"),
        (plan([[1, 2]], vote=None, stop=BetaStop(), least=np.array([1, 2])), "nor stops"),
        (plan([[1, 2]], vote=None, least=np.array([1])), r"least of its plan is array\(\[1\]\). .* of shape \(2,\)"),
        (plan([[1, 2]], vote=None, least=np.array([1.0, 2.0])), r"Return an int64 array \[budget\] of shape"),
        (plan([[1, 2]], vote=None, least=[1, 2]), r"least of its plan is \[1, 2\]\. Return an int64 array"),
        (plan([[1, 2], [1, 2]], vote=None, accepts=Verifier()), None),
        (plan([[1, 2]], accepts=Verifier()), "has accepts, which supports only different models that neither vote nor"),
        (plan([[1, 2]], vote=None, stop=BetaStop(), accepts=Verifier()), "neither vote nor stop otherwise"),
        (plan([[1, 2]], vote=None, need=np.array([[NEVER, 2]]), accepts=Verifier()), "Return such a plan, or remove"),
        (plan([[1, 2]], vote=None, least=np.array([1, 2]), accepts=Verifier()), "has accepts, which supports only"),
        (plan([[1, 2], [1, 2]], vote=None, accepts=Verifier())._replace(models=["x", "x"]), "only different models"),
        (plan([[1, 2]], vote=None, accepts=Verifier("score")), r"accepts of its plan is Verifier\(column='score', thr"),
        (plan([[1, 2]], vote=None, accepts=Verifier("correct", 1.0)), r"Return Verifier\('correct'\), or a Verifier"),
        (plan([[1, 2]], vote=None, accepts=Verifier("score", np.inf)), "a column of numbers and a finite threshold"),
        (plan([[1, 2]], vote=None, accepts=Verifier(3, 0.5)), "a column of numbers and a finite threshold"),
        (plan([[1, 2], [1, 2]], vote=None, accepts=Verifier("score", (0.5,))), "or one for each stage; with last"),
        (plan([[1, 2], [1, 2]], vote=None, accepts=Verifier("score", (0.5, np.nan))), "a finite threshold, or one for"),
        (plan([[1, 2], [1, 2]], vote=None, accepts=Verifier("score", (0.5, 0.5), last=True)), "for all stages but the"),
        (plan([[1, 2]], vote=None, accepts=Verifier("score", last=True)), "a column of numbers and a finite threshold"),
        (plan([[1, 2]], vote=None, accepts="correct"), "accepts of its plan is 'correct'. Return Verifier"),
        (plan([[1, 2], [1, 2]], vote=Vote.plurality(prior=(1, 2, 3))), "is not one weight per stage"),
        (plan([[1, 2], [1, 2]], vote=Vote.plurality(prior={"y": 1, "x": 2})), r"Use Vote.ordered\(models\)"),
    ],
)
def test_plans_that_kernels_could_not_follow_are_refused(pool, made, says):
    if says is None:
        assert evaluate(pool, Own(made), [1, 2], n_replays=3).accuracy.shape == (1, 2, 3)
    else:
        with pytest.raises(StrategyError, match=f"own: .*{says}"):
            evaluate(pool, Own(made), [1, 2], n_replays=3)


def test_what_a_plan_with_a_cap_asks_for_must_be_recorded(pool):
    with pytest.raises(BudgetError, match="own: budget 2 needs 39 samples for 3 questions, but only 36 can be drawn"):
        evaluate(pool, Own(plan([[1, 13]], cap=12)), [1, 2], n_replays=3)


@dataclass(frozen=True)
class TableStop(Stop):
    """A stop rule whose table is as long as it says, and has other parts."""

    short: int = 0
    dtype: type = np.int64
    parts: tuple = ()

    def table(self, depth):
        table = StopTable(np.full(depth // 2 + 1, 2, self.dtype), np.full(depth + 1 - self.short, 2, self.dtype))
        return table._replace(**dict(self.parts))

    def stops(self, answers, numbers):
        return answers.size > numbers.shape[1]

    def __str__(self):
        return "table"


@pytest.mark.parametrize(
    ("stop", "says"),
    [
        (TableStop(1), "by_draws of its table does not cover 8 draws. Return an int64 array of at least 9"),
        (TableStop(dtype=float), "by_second of its table does not cover 8 draws. Return an int64 array of at least 5"),
        (TableStop(parts=[("give_up", np.zeros(4, np.int64))]), "give_up of its table does not cover 8 draws"),
        *(
            (
                TableStop(parts=[("by_votes", np.zeros(shape, dtype))]),
                r"by_votes of its table does not cover 8 draws. Return a bool array of shape \(1, 9, 5, 9\) or more",
            )
            for shape, dtype in [((1, 9, 4, 9), bool), ((0, 9, 5, 9), bool), ((9, 5, 9), bool), ((1, 9, 5, 9), int)]
        ),
        *(
            (
                TableStop(parts=[("by_votes", np.zeros((2, 9, 5, 9), bool)), ("kinds", np.array(kinds))]),
                "kinds of its table must be one integer from 0 to 1 for each of the 3 questions",
            )
            for kinds in ([0, 1, 2], [-1, 0, 0], [0, 1], [0.0, 1.0, 0.0])
        ),
    ],
)
def test_tables_of_stop_rules_that_kernels_would_read_beyond_are_refused(pool, stop, says):
    assert evaluate(pool, SelfConsistency("x", stop=TableStop()), 8, n_replays=5).samples_used.max() < 8
    with pytest.raises(StrategyError, match=f"TableStop: {says}"):
        evaluate(pool, SelfConsistency("x", stop=stop), 8, n_replays=5)


def test_a_table_that_no_kernel_reads_is_refused(pool):
    class Odd(TableStop):
        def table(self, depth):
            return (depth,)

    with pytest.raises(StrategyError, match=r"Odd: no kernel reads its table, which is \(8,\)\. Return a StopTable"):
        evaluate(pool, SelfConsistency("x", stop=Odd()), 8, n_replays=5)


@pytest.mark.parametrize(("width", "temperature", "fits"), [(600, 1, True), (601, 1, False), (900, 1.5, True)])
def test_confidences_range_over_six_hundred_temperatures_at_most(width, temperature, fits):
    """The exponential of more is beyond a double, and no other draw would count."""
    pool = make_pool({("x", "q"): ["a", "b"]}, confidence=[0.0, float(width)])
    rule = SelfConsistency("x", Vote.confidence(temperature))
    if fits:
        assert evaluate(pool, rule, 2, n_replays=3).accuracy.item() == 0
    else:
        says = (
            rf"temperature={temperature} is too small for confidence, whose range is {width}: .* a higher temperature"
        )
        with pytest.raises(StrategyError, match=says):
            evaluate(pool, rule, 2, n_replays=3)


def test_a_shared_budget_needs_a_sample_of_every_question():
    ragged = make_pool({("x", "q1"): ["a"], ("x", "q2"): ["a"], ("y", "q1"): ["a"]})
    says = r"alloc:y: question 'q2' has no samples of model 'y'\. "
    says += r"Use pool\.select\(min_samples=1\), which keeps 1 of 2 questions\."
    with pytest.raises(BudgetError, match=says):
        evaluate(ragged, "alloc:y", 1)


def test_a_vote_with_columns_is_tried_on_one_draw_of_each_class_in_each_stage():
    seen = []

    def first(counts, prior, stages, answers, numbers):
        seen.append((counts.tolist(), prior.tolist(), stages.tolist(), answers.tolist(), numbers.shape))
        return counts[0]

    pool = make_pool({(m, "q"): ["a"] for m in "xy"}, output_tokens=1.0)
    rule = Mixture(["x", "y"], Vote.own(first, columns="output_tokens", prior=(2, 1)))
    evaluate(pool, {"own": rule}, 2, n_replays=1)
    assert seen[0] == ([[1, 1, 1]] * 2, [1, 0.5], [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], (1, 6))
