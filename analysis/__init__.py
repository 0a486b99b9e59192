"""One module per question that the paper asks; each turns a source of samples into one tidy table.

`python -m analysis NAME` runs one of them and writes its table as CSV; `figures` draws the same tables.
"""
