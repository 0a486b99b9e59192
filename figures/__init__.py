"""Figures of the ModelSwitch paper, one module per figure; published numbers are hollow markers.

Each figure draws tables of `analysis`. `python -m figures` draws all figures, and README.md in this folder shows them.
"""
