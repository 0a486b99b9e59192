"""Tiny language models, trained here, and the pools that were recorded of them."""
