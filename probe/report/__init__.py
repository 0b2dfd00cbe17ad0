"""A bundle as one HTML file that needs neither scripts nor a network."""

from probe.report.html import render

__all__ = ["render"]
