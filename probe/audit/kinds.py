"""Kinds of steps that are treated alike."""

ATTACKS = ("attack", "label attack")
BY_RADIUS = (*ATTACKS, "certificate")  # their evidence has a row for each radius
