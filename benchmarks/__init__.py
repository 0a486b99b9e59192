"""How fast mssim is, and beside what: `python -m benchmarks` measures it all and prints one report."""
