"""A bundle as one HTML file that needs neither scripts nor a network."""

from probe.report.html import SECTIONS, Choice, render

__all__ = ["SECTIONS", "Choice", "render"]
