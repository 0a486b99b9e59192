"""Analyses of the ModelSwitch paper, one module per question; each computes one tidy table from recorded samples.

`python -m analysis NAME` runs one analysis and writes its table as CSV. `figures` draws the same tables.
"""
