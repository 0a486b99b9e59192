"""Version of mssim: one place, which the build reads too."""

__version__ = "0.2.0"
