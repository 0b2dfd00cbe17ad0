"""Figures: arrays in, Axes out. Nothing here knows the rest of probe."""
