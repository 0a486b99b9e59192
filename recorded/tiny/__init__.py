"""Training of tiny language models, and recording of the pools that ship with mssim."""
