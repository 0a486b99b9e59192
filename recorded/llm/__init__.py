"""Scripts that record small open language models, on one processor core each, and write the pools that ship."""
