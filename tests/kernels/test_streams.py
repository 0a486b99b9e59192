import numpy as np
import pytest
from scipy import stats

from mssim.kernels.streams import draw, hash_names, mix, stream_keys, word
from tests import naive


def drawn(n, depth, state, replacement=False, samples=None):
    samples = np.arange(n, dtype=np.uint16)[None] if samples is None else samples
    scratch, order = samples.copy(), np.zeros((1, depth), np.uint16)
    draw(order, 0, depth, np.zeros(depth, np.uint32), scratch, samples, 0, n, np.uint64(state), replacement)
    assert np.array_equal(scratch, samples)
    return order[0].tolist()


def test_splitmix64_gives_the_published_sequence():
    # First outputs for seed 1234567 of the reference implementation (Vigna, splitmix64.c).
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [int(word(np.uint64(1234567), i)) for i in range(5)] == expected
    assert [naive.word(1234567, i) for i in range(5)] == expected


@pytest.mark.parametrize("z", [0, 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15])
def test_mix_equals_its_twin(z):
    assert int(mix(np.uint64(z))) == naive.mix(z)


def test_keys_depend_on_names_alone_and_equal_the_twin():
    models, questions = ["gpt-4", "", "modèle"], ["q1", "q2", "日本"]
    keys = stream_keys(7, models, hash_names(questions))
    assert keys.shape == (3, 3)
    assert [[int(k) for k in row] for row in keys] == [[naive.stream_key(7, m, q) for q in questions] for m in models]
    assert np.array_equal(stream_keys(7, models[2:], hash_names(questions[1:])), keys[2:, 1:])


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(("n", "depth"), [(1, 1), (2, 2), (7, 7), (10, 3), (512, 64)])
def test_draws_equal_the_twin(n, depth, replacement):
    for seed in (0, 2**64 - 1):
        key = int(stream_keys(seed, ["m"], hash_names(["q"]))[0, 0])
        for replay in (0, 1, 999_999):
            expected = naive.positions(seed, "m", "q", replay, n, depth, replacement)
            assert drawn(n, depth, word(np.uint64(key), replay), replacement) == expected
            assert replacement or len(set(expected)) == depth


def test_a_smaller_depth_is_a_prefix():
    for state in range(20):
        assert drawn(9, 9, state)[:4] == drawn(9, 4, state)


@pytest.mark.parametrize("replacement", [False, True])
def test_every_order_is_equally_likely(replacement):
    # Seed fixed; a chi-square test that fails for one seed in a million.
    patterns = {}
    key = np.uint64(naive.stream_key(3, "m", "q"))
    for replay in range(24_000):
        order = tuple(drawn(4, 4, word(key, replay), replacement))
        patterns[order] = patterns.get(order, 0) + 1
    assert len(patterns) == (256 if replacement else 24)
    assert stats.chisquare(list(patterns.values())).pvalue > 1e-6


def test_words_of_neighbouring_replays_and_questions_are_uncorrelated():
    keys = stream_keys(0, ["m"], hash_names([f"q{i}" for i in range(40)]))[0]
    uniform = np.array(
        [[[int(word(np.uint64(word(k, r)), j)) / 2**64 for j in range(8)] for r in range(40)] for k in keys]
    )
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > 1e-6
    for axis in range(3):
        rolled = np.roll(uniform, 1, axis=axis)
        correlation = np.corrcoef(uniform.ravel(), rolled.ravel())[0, 1]
        assert abs(correlation) < 5 / np.sqrt(uniform.size)  # one in a million for independent words
