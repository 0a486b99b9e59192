"""One module per figure of the paper; each draws tables of `analysis`, with published numbers as hollow markers.

`python -m figures` draws them all; README.md beside this file shows them.
"""
