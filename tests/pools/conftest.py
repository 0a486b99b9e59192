import pytest


@pytest.fixture
def blocks_of_four(monkeypatch):
    """Read and write tables in blocks of four rows."""
    monkeypatch.setattr("mssim.pools.reading.BLOCK_ROWS", 4)
