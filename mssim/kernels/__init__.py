"""Compiled loops: NumPy and Numba alone, serial, without the GIL; everything else is decided above them."""
