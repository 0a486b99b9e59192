"""Pools: recorded samples, how they are read, checked, kept in memory and written."""
