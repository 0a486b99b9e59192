"""Benchmarks of mssim and comparisons with other packages; `python -m benchmarks` prints one report."""
