"""Supervised training of the zoo's networks."""
