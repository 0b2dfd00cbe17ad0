"""Groups of kinds of steps."""

ATTACKS = ("attack", "label attack")
BY_RADIUS = (*ATTACKS, "certificate")  # kinds whose evidence has a row for each radius
