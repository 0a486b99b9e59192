"""The tests behind the verdicts against SciPy and brute force, and what keeping the best adds against a plain loop."""

import re
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis import published
from analysis.best_k import best_number_of_samples, best_of_many
from analysis.claims import (
    ADDED,
    COLUMNS,
    mcnemar_p_value,
    most_discordant,
    newcombe,
    run,
    unpaired_p_value,
    wilson,
)
from mssim import BudgetError, Pool, PoolError, evaluate, load_pool, parse_strategy
from tests import naive
from tests.conftest import make_pool

pytestmark = pytest.mark.slow

SHARES = st.integers(2, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n)))


# Two accuracies -------------------------------------------------------------------------------------------------------


@given(SHARES)
def test_the_interval_of_a_share_is_wilsons(counts):
    right, _, n = counts
    assert wilson(right / n, n) == pytest.approx(
        tuple(stats.binomtest(right, n).proportion_ci(0.95, "wilson")), abs=1e-12
    )


@pytest.mark.parametrize(("a", "b", "n", "low", "high"), [(9, 3, 10, 0.1705, 0.8090), (10, 0, 10, 0.6075, 1.0)])
def test_the_interval_of_a_difference_is_newcombes(a, b, n, low, high):
    """Two examples of his Table II, method 10."""
    assert newcombe(a / n, b / n, n) == pytest.approx((low, high), abs=5e-5)
    assert newcombe(b / n, a / n, n) == pytest.approx((-high, -low), abs=5e-5)


@given(SHARES.filter(lambda c: 0 < c[0] + c[1] < 2 * c[2]))
def test_the_unpaired_p_value_is_that_of_chi_squared(counts):
    a, b, n = counts
    expected = stats.chi2_contingency([[a, n - a], [b, n - b]], correction=False).pvalue
    assert unpaired_p_value(a / n, b / n, n) == pytest.approx(expected, abs=1e-12)


def test_equal_shares_of_all_or_nothing_do_not_differ():
    assert unpaired_p_value(1.0, 1.0, 30) == unpaired_p_value(0.0, 0.0, 30) == 1.0
    assert newcombe(1.0, 1.0, 30)[0] < 0 < newcombe(1.0, 1.0, 30)[1]


def coin_p_value(only_a, only_b):
    """Two-sided, of as many fair coins: the chance of a split that is at least as uneven."""
    n = only_a + only_b
    return sum(Fraction(comb(n, k), 2**n) for k in range(n + 1) if abs(2 * k - n) >= abs(only_a - only_b))


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_paired_p_value_counts_coins(only_a, only_b):
    assert mcnemar_p_value(only_a, only_b) == pytest.approx(float(coin_p_value(only_a, only_b)), rel=1e-9)


def test_the_least_paired_p_value_is_two_halves_to_the_power_of_the_difference():
    assert [mcnemar_p_value(d, 0) for d in range(1, 9)] == pytest.approx([2 * 0.5**d for d in range(1, 9)])
    assert mcnemar_p_value(5, 0) > 0.05 > mcnemar_p_value(6, 0)


@given(SHARES)
def test_bounds_of_the_paired_test_hold_for_every_table_with_these_shares(counts):
    a, b, n = counts
    tables = [(a - both, b - both) for both in range(max(0, a + b - n), min(a, b) + 1)]
    p_values = {table: coin_p_value(*table) for table in tables}
    assert min(p_values.values()) == pytest.approx(mcnemar_p_value(abs(a - b), 0), rel=1e-9)
    told = [sum(table) for table, p in p_values.items() if p < Fraction(1, 20)]
    assert most_discordant(a / n, b / n, n) == max(told, default=0)


# What keeping the best adds -------------------------------------------------------------------------------------------


def test_best_of_many_is_a_loop_over_papers():
    """Every paper replayed in plain Python: a single pass per question, the best budget kept, the first if several."""
    rng = np.random.default_rng(3)
    pool = make_pool({(m, f"q{q}"): rng.choice(list("aabc"), 5).tolist() for m in "xy" for q in range(12)})
    strategy, budgets, n_papers = "ms:x+y,vote=plurality", [2, 4, 6, 8, 10], 30
    found = best_of_many(pool, strategy, budgets, n_papers=n_papers, seed=5)
    switch = parse_strategy(strategy)
    expected = evaluate(pool, strategy, budgets, method="exact", replacement=True).accuracy[0].mean(axis=1)
    best, fresh = [], []
    for seed in np.random.SeedSequence(5).generate_state(n_papers, np.uint64).tolist():
        options = {"n_replays": 1, "seed": seed, "replacement": True}
        right = [sum(naive.evaluate(pool, switch, budget, **options)[0]) / 12 for budget in budgets]
        best.append(max(right))
        fresh.append(expected[right.index(max(right))])
    assert found.best == pytest.approx(np.mean(best))
    assert found.added_by_draws == pytest.approx(np.mean(best) - np.mean(fresh))
    assert found.added_by_draws > 0


def test_what_coins_gain_by_keeping_the_best_number_of_tosses():
    """Any number of tosses is right in half of the questions: what is added is luck (five errors, one in a million)."""
    n_questions, tosses, n_papers = 25, 9, 400
    pool = make_pool({("x", f"q{q}"): ["a", "b"] for q in range(n_questions)})
    found = best_of_many(pool, "sc:x", range(1, tosses + 1), n_papers=n_papers, seed=1)
    steps = np.random.default_rng(2).choice([-1, 1], (4000, n_questions, tosses))
    lead = steps.cumsum(axis=2)
    right = (lead > 0) | ((lead == 0) & (steps[:, :, :1] > 0))  # ties go to the answer seen first
    best = right.mean(axis=1).max(axis=1)
    error = best.std() * np.sqrt(1 / n_papers + 1 / 4000)
    assert abs(found.best - best.mean()) < 5 * error
    assert found.added_by_draws == pytest.approx(found.best - 0.5)
    assert found.added == pytest.approx(found.best - 0.5)
    assert found.mc_error == pytest.approx(best.std() / np.sqrt(n_papers), rel=0.25)


def test_questions_add_luck_that_other_draws_do_not():
    """Models that always or never know a question: no luck of draws; each bound is missed once in a million seeds."""
    rng = np.random.default_rng(4)
    kept = []
    for _ in range(60):
        knows = rng.choice(["a", "b"], (5, 30))
        pool = make_pool({(f"m{m}", f"q{q}"): [knows[m, q]] for m in range(5) for q in range(30)})
        kept.append(best_of_many(pool, [f"sc:m{m}" for m in range(5)], [1], n_papers=1))
    added = np.array([k.added for k in kept])
    assert {k.added_by_draws for k in kept} == {0.0}
    assert added.mean() > 5 * added.std(ddof=1) / np.sqrt(60)


def test_numbers_of_samples_are_scanned_as_far_as_they_were_recorded():
    pool = load_pool("tests/demo-synthetic").select(models=["strong", "other"])
    found = best_number_of_samples(pool, ["strong", "other"], n_papers=5, seed=2)
    rule, every = "ms:strong+other,agreement=0.85,strict=true", range(2, 129, 2)
    assert found == best_of_many(pool, rule, every, n_papers=5, seed=2)
    assert found != best_of_many(pool, rule.replace(",agreement=0.85,strict=true", ""), every, n_papers=5, seed=2)


def test_models_without_samples_cannot_be_scanned():
    frame = make_pool({(m, q): ["a"] for m in "xy" for q in "qr"}).to_frame()
    pool = Pool.from_frame(frame[(frame["model"] == "x") | (frame["question_id"] == "q")])
    with pytest.raises(BudgetError, match="Use lower budgets"):
        best_number_of_samples(pool, ["x", "y"], n_papers=1)


# The table ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    return run()


def only(table, claim, **where):
    rows = table[table["claim"] == claim]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_headline_claim_is_a_row(table):
    assert table.columns.tolist() == COLUMNS
    assert {claim["claim"] for claim in published.claims()} <= set(table["claim"])
    assert table["verdict"].str.len().min() > 0
    assert table[["pool", *ADDED]].isna().all().all()
    six = {"GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro"}
    for pair in ("closed", "open"):
        for claim in (f"better than SC, {pair} pair", f"better than a large model, {pair} pair"):
            assert set(table.loc[table["claim"] == claim, "dataset"]) - {"all"} == six
    assert set(table.loc[table["claim"] == "better than other methods, fig5", "dataset"]) == six


def test_fourteen_times_fewer_samples_for_six_questions(table):
    row = only(table, "14 times fewer samples")
    assert (row["accuracy_a"], row["accuracy_b"], row["n"]) == (0.81, 0.798, 500)
    assert row["difference"] == pytest.approx(0.012)
    assert (row["least_discordant"], row["most_discordant"]) == (6, 6)
    assert row["paired_p_value"] == 2 * 0.5**6
    assert row["p_value"] == pytest.approx(
        stats.chi2_contingency([[405, 95], [399, 101]], correction=False).pvalue, abs=1e-9
    )
    assert (row["times_fewer"], row["times_fewer_first"]) == (512 / 35, 64 / 35)
    assert row["saved"] == 1 - 35 / 512
    assert row["verdict"] == (
        "significant only if the two differ on at most 6 of 500 questions; the number of samples of a was chosen by "
        "its score"
    )


def test_ten_times_fewer_samples_cannot_be_told_from_noise(table):
    row = only(table, "10 times fewer samples")
    assert (row["least_discordant"], row["paired_p_value"], row["most_discordant"]) == (4, 0.125, 0)
    assert row["times_fewer_first"] == 256 / 48
    assert row["verdict"].startswith("not significant: p >= 0.12; the number of samples")


def test_every_difference_is_what_its_row_says(table):
    rows = table[table["accuracy_b"].notna()]
    assert len(rows) > 80
    for _, row in rows.iterrows():
        n, d = row["n"], row["difference"]
        assert d == pytest.approx(row["accuracy_a"] - row["accuracy_b"])
        assert row["difference_low"] < d < row["difference_high"]
        assert row["low_a"] < row["accuracy_a"] < row["high_a"]
        if row["unit"] == "clusters":
            continue
        assert row["least_discordant"] == pytest.approx(abs(d) * n, abs=0.5)
        assert (row["most_discordant"] > 0) == (row["paired_p_value"] < 0.05)
        verdict = row["verdict"].removeprefix("lower; ")
        assert row["verdict"].startswith("lower; ") == (d < 0 and row["least_discordant"] > 0)
        if row["least_discordant"] == 0:
            assert verdict == "no difference"
        elif row["paired_p_value"] >= 0.05:
            assert verdict.startswith("not significant: p >= ")
        elif row["p_value"] < 0.05:
            remains = "also" if row["p_value_holm"] < 0.05 else "but not"
            assert verdict == f"significant, even unpaired, {remains} after Holm's correction"
        else:
            found = re.search(r"only if the two differ on at most (\d+) of (\d+) questions", verdict)
            assert found.groups() == (f"{row['most_discordant']:.0f}", str(n))
    assert rows["verdict"].str.split(" ").str[:6].str.join(" ").nunique() >= 5


def test_languages_of_a_problem_count_once_or_each(table):
    rows = table[table["dataset"] == "MGSM"]
    assert set(zip(rows["unit"], rows["n"], strict=True)) == {("questions", 1000), ("clusters", 100)}
    each, once = (only(rows, "better than SC, closed pair", unit=unit) for unit in ("questions", "clusters"))
    assert each["accuracy_a"] == once["accuracy_a"] == 0.913
    assert (once["low_a"], once["high_a"]) == wilson(0.913, 100)
    assert once["p_value"] == unpaired_p_value(0.913, 0.894, 100)
    assert each["least_discordant"] == 19
    assert set(table.loc[table["unit"] == "clusters", "dataset"]) == {"MGSM"}


def sign_flip_p_value(sums):
    """Return the share of all patterns of signs whose sum is at least as far from 0."""
    totals = np.zeros(1, int)
    for one in filter(None, sums):
        totals = np.concatenate([totals + one, totals - one])
    return np.mean(abs(totals) >= abs(sum(sums)))


def test_clusters_have_no_bound_of_the_paired_p_value(table):
    """As many questions that differ can be in as many clusters: the p-value is that of the questions."""
    rows = table[table["unit"] == "clusters"]
    assert len(rows) == 9
    assert rows[["least_discordant", "paired_p_value", "most_discordant", "p_value_holm"]].isna().all().all()
    assert rows["verdict"].str.removeprefix("lower; ").value_counts().to_dict() == {
        "unpaired, not significant if all of a cluster were one question": 8,
        "significant, even unpaired, if all of a cluster were one question": 1,
    }
    assert rows.loc[rows["p_value"] < 0.05, "verdict"].str.startswith("significant").tolist() == [True]
    spread, heaped = (np.isin(np.arange(1000), where) for where in (np.arange(0, 190, 10), np.arange(19)))
    clusters = np.repeat(np.arange(100), 10)
    sums = [np.bincount(clusters, values).tolist() for values in (spread, heaped)]
    assert [sum(total > 0 for total in per) for per in sums] == [19, 2]
    assert only(table, "better than SC, closed pair", dataset="MGSM", unit="questions")["paired_p_value"] == 2 * 0.5**19
    assert sign_flip_p_value(sums[0]) == 2 / 2**19
    assert sign_flip_p_value(sums[1]) == 0.5


def test_ten_of_the_unpaired_findings_remain_after_the_correction(table):
    """The step-down by hand: the smallest p-value times 77, the next times 76, and so on until one is 0.05 or more."""
    rows = table[(table["unit"] == "questions") & table["accuracy_b"].notna()]
    assert len(rows) == 77
    assert (table["p_value_holm"].notna() == table.index.isin(rows.index)).all()
    ascending = sorted(rows["p_value"])
    remaining = next(i for i, p in enumerate(ascending) if (77 - i) * p >= 0.05)
    assert (sum(p < 0.05 for p in ascending), remaining) == (21, 10)
    assert sorted(rows["p_value_holm"])[9:11] == pytest.approx([68 * ascending[9], 67 * ascending[10]])
    assert (rows["p_value_holm"] < 0.05).sum() == 10
    assert rows["verdict"].str.contains("also after Holm").sum() == 10
    assert rows["verdict"].str.contains("but not after Holm").sum() == 11


def test_two_verdicts_depend_on_the_exact_test(table):
    """The mid-p correction takes half of the chance of the observed split away, on both sides."""
    rows = table[(table["unit"] == "questions") & (table["least_discordant"] > 0)]
    middle = rows["paired_p_value"] - 0.5 ** rows["least_discordant"]
    flipped = rows[(rows["paired_p_value"] >= 0.05) & (middle < 0.05)]
    assert flipped["least_discordant"].tolist() == [5, 5]
    assert flipped["verdict"].str.removeprefix("lower; ").tolist() == ["not significant: p >= 0.062"] * 2


@pytest.mark.parametrize(("pair", "better", "worse"), [("closed", 6, 0), ("open", 4, 2)])
def test_the_data_sets_together(table, pair, better, worse):
    row = only(table, f"better than SC, {pair} pair", dataset="all")
    assert row["p_value"] == pytest.approx(stats.binomtest(better, better + worse).pvalue)
    parts = table[(table["claim"] == f"better than SC, {pair} pair") & (table["unit"] == "questions")]
    assert row["difference"] == pytest.approx(parts["difference"].mean())
    assert row["verdict"] == f"better on {better} of 6 data sets, worse on {worse}; sign test"


def test_the_control_at_fewer_samples_is_shown_where_it_is_better(table):
    rows = table[table["claim"].str.startswith("better than SC of fewer samples")]
    assert dict(zip(rows["dataset"], rows["b"], strict=True)) == {
        "GSM8K": "SC GPT-4o mini, budget 8",
        "DATE": "SC Gemma-2-9B-it, budget 8",
        "MathBench": "SC Gemma-2-9B-it, budget 12",
    }
    assert only(rows, "better than SC of fewer samples, open pair", dataset="DATE")["accuracy_b"] == 0.68


def test_numbers_of_models(table):
    rows = table[table["claim"].isin(["two models are better than one", "more models are better than two"])]
    assert len(rows) == 8
    worse = table[table["claim"] == "too many models are worse"]
    assert worse["a"].str.startswith("ModelSwitch 6 models").all()
    assert worse["b"].tolist() == [
        "ModelSwitch 5 models, Gemma-2-9B-it first, budget 16",
        "ModelSwitch 3 models, GPT-4o mini first, budget 16",
        "ModelSwitch 4 models, Gemma-2-9B-it first, budget 16",
    ]


def test_savings_and_correlations_are_no_differences(table):
    rows = table[table["claim"] == "34 % saved on average"]
    assert len(rows) == 10
    closed = rows.loc[rows["a"] == "ModelSwitch, closed pair, budget 32 (table3)"].iloc[0]
    used = published.points(figure="table3", models=["GPT-4o mini+Gemini 1.5 Flash", "Gemini 1.5 Flash+GPT-4o mini"])
    assert closed["saved"] == pytest.approx(1 - used["samples_used"].mean() / 32)
    assert closed["verdict"] == "from 18.7% on MMLU-Pro to 43.5% on GSM8K"
    assert rows["difference"].isna().all()
    for name, n in (("MATH", 500), ("MathBench", 300)):
        row = only(table, "entropy tells accuracy", dataset=name)
        # Fisher: the inverse hyperbolic tangent of r is normal with variance 1 / (n - 3).
        low, high = np.tanh(stats.norm(np.arctanh(0.8), (n - 3) ** -0.5).ppf([0.025, 0.975]))
        assert f"an r of 0.8 would have the interval {low:.2f} to {high:.2f}." in row["verdict"]
        assert np.isnan(row["accuracy_a"])


# The table with a pool ------------------------------------------------------------------------------------------------


def named_pool(n_questions, *models):
    rng = np.random.default_rng(7)
    answers = {(m, f"q{q}"): rng.choice(list("aab"), 4).tolist() for m in models for q in range(n_questions)}
    return make_pool(answers)


def test_a_pool_of_the_same_models_and_size_speaks_for_its_claim():
    pool = named_pool(300, "other", "Llama-3.1-8B-Instruct", "Gemma-2-9B-it")
    found = run(pool, n_papers=4, seed=3)
    rows = found[found["added"].notna()]
    assert rows["claim"].tolist() == ["10 times fewer samples"]
    kept = best_number_of_samples(pool, ["Gemma-2-9B-it", "Llama-3.1-8B-Instruct"], n_papers=4, seed=3)
    assert rows.iloc[0][ADDED].tolist() == [getattr(kept, name) for name in ADDED]
    assert rows["pool"].tolist() == ["untitled"]


def test_several_pools_speak_for_their_own_claims():
    closed = named_pool(500, "Gemini 1.5 Flash", "GPT-4o mini")
    opened = named_pool(300, "Gemma-2-9B-it", "Llama-3.1-8B-Instruct")
    both = run([closed, opened], n_papers=3)
    for claim, pool in (("14 times fewer samples", closed), ("10 times fewer samples", opened)):
        assert only(both, claim)[ADDED].tolist() == only(run(pool, n_papers=3), claim)[ADDED].tolist()
    assert both["added"].notna().sum() == 2


def test_any_other_pool_gives_the_order_of_magnitude():
    pool = load_pool("tests/demo-synthetic")
    rows = run(pool, n_papers=4).dropna(subset=["added"])
    assert rows["claim"].tolist() == ["14 times fewer samples", "10 times fewer samples"]
    assert rows["pool"].tolist() == [pool.info["title"]] * 2
    kept = best_number_of_samples(pool, ["strong", "weak"], n_papers=4)
    assert rows["added"].tolist() == [kept.added] * 2
    assert rows["added_by_draws"].tolist() == [kept.added_by_draws] * 2


def test_one_model_cannot_switch():
    with pytest.raises(PoolError, match=r"pool: 'x' is the only model. ModelSwitch needs at least two"):
        run(named_pool(3, "x"))
