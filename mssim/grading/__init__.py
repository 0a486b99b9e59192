"""Grading of recorded texts: extraction of answers and assignment to answer classes."""

from mssim.grading.grader import grade, grade_file
from mssim.grading.report import Grading
from mssim.grading.rules import Rule, parse_rule

__all__ = ["Grading", "Rule", "grade", "grade_file", "parse_rule"]
