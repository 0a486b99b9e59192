"""The engine: `evaluate` and all that it takes to divide, compute, resume and merge an evaluation."""
