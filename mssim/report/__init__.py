"""The report of a pool: a self-contained page that answers what to do with a budget, how sure that is, and why."""

from mssim.report._report import Report, make_report

__all__ = ["Report", "make_report"]
