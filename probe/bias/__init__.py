"""Bias audits: rates by group with intervals, gaps between groups with their uncertainty, and findings.

The tool measures. It never says that a model is fair or complies with a law: that is for people to judge.
"""

from probe.bias.numbers import audit_numbers
from probe.bias.report import BiasReport, audit
from probe.bias.settings import MIN_GROUP_SIZE, THRESHOLDS
from probe.bias.validation import Favourable

__all__ = ["MIN_GROUP_SIZE", "THRESHOLDS", "BiasReport", "Favourable", "audit", "audit_numbers"]
