"""A small file of samples, graded."""

import pyarrow.parquet as pq
import pytest

from mssim.grading import grade_file, parse_rule
from tests.grading.tables import questions_table, samples_table


@pytest.fixture
def graded(tmp_path):
    """Grade a table: (Grading, graded table)."""

    def graded(rule, samples=None, questions=None, **options):
        pq.write_table(samples_table() if samples is None else samples, tmp_path / "in.parquet")
        found = grade_file(
            tmp_path / "in.parquet",
            tmp_path / "out.parquet",
            questions_table() if questions is None else questions,
            parse_rule(rule) if isinstance(rule, str) else rule,
            **options,
        )
        return found, pq.read_table(tmp_path / "out.parquet")

    return graded
