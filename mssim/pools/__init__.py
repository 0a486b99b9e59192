"""Pools of recorded samples: reading, validation, in-memory arrays and writing."""
