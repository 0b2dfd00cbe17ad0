"""A bundle as one HTML file that opens anywhere, without scripts and without a network."""

from probe.report.html import render

__all__ = ["render"]
