"""Rules: strategies, stop rules and votes, independent of any pool."""
