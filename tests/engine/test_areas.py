"""Areas have all questions of their blocks, and are large where small ones would read the same rows often."""

import numpy as np
import pytest

from mssim.engine import areas
from mssim.engine.areas import areas_of, moved, questions_of, rows_read
from mssim.engine.blocks import Block
from mssim.pools.source_files import SourceFiles

LENGTHS = np.full((2, 40), 5, np.int32)  # ten rows for each question


def blocks_of(*widths):
    found = [Block((p,), False, (0,), range(q, min(q + w, 40))) for p, w in enumerate(widths) for q in range(0, 40, w)]
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]


def source(spans):
    spans = np.array(spans, np.int64)
    groups = np.column_stack([np.zeros(len(spans), np.int64), np.arange(len(spans))])
    return SourceFiles(("samples.parquet",), groups, spans, np.full(len(spans), 400 // len(spans)), np.arange(40))


IN_ORDER = source([[q, q + 3] for q in range(0, 40, 4)])


@pytest.mark.parametrize("widths", [(1,), (4,), (3, 7), (5, 40), (2, 3, 4)])
@pytest.mark.parametrize("size", [10, 50, 100, 10**6])
def test_every_block_is_in_one_area_with_all_its_questions(monkeypatch, widths, size):
    monkeypatch.setattr(areas, "_ROWS", size)
    blocks = blocks_of(*widths)
    numbers = range(1, len(blocks))
    found = areas_of(blocks, numbers, IN_ORDER, LENGTHS)
    assert sorted(n for area in found for n in area.numbers) == list(numbers)
    for area in found:
        assert list(area.numbers) == sorted(area.numbers)
        asked = np.unique(np.concatenate([questions_of(blocks[n]) for n in area.numbers]))
        assert np.array_equal(area.questions, asked)
        assert 10 * asked.size <= max(size, 10 * max(widths))
        for n in area.numbers:
            assert np.array_equal(
                area.questions[questions_of(moved(blocks[n], area.questions))], questions_of(blocks[n])
            )


def test_rows_of_the_row_groups_of_areas(monkeypatch):
    monkeypatch.setattr(areas, "_ROWS", 20)
    found = areas_of(blocks_of(2), range(20), IN_ORDER, LENGTHS)
    assert len(found) == 20
    assert rows_read(IN_ORDER, found) == 20 * 40  # groups of four questions, each read twice


def test_areas_grow_with_row_groups(monkeypatch):
    """Row groups of all questions would be read forty times; with areas of five questions, eight times."""
    monkeypatch.setattr(areas, "_ROWS", 10)
    every = source([[0, 39]] * 4)
    assert len(areas_of(blocks_of(1), range(40), every, LENGTHS)) == 5
    monkeypatch.setattr(areas, "_MOST_ROWS", 79)
    assert areas_of(blocks_of(1), range(40), every, LENGTHS) is None


def test_arrays_of_few_rows_count(monkeypatch):
    monkeypatch.setattr(areas, "_ROWS", 80)
    assert len(areas_of(blocks_of(1), range(40), IN_ORDER, LENGTHS, 5)) == 5
    assert len(areas_of(blocks_of(1), range(40), IN_ORDER, LENGTHS, 20)) == 20


def test_blocks_of_scattered_questions(monkeypatch):
    monkeypatch.setattr(areas, "_ROWS", 50)
    blocks = [Block((0,), False, (0,), questions) for questions in ((0, 9, 30), (1, 9), range(30, 32), (0, 1, 39))]
    found = areas_of(blocks, range(4), IN_ORDER, LENGTHS)
    assert [(area.numbers, area.questions.tolist()) for area in found] == [
        ((0, 1, 3), [0, 1, 9, 30, 39]),
        ((2,), [30, 31]),
    ]
    assert moved(blocks[0], found[0].questions).questions == (0, 2, 3)
    assert moved(blocks[1], found[0].questions).questions == range(1, 3)


def test_no_blocks():
    assert areas_of([], [], IN_ORDER, LENGTHS) == []
