"""What explainers attribute to the rows that an audit explained."""

from probe.audit.manifest import StepRecord


def captioned(step: StepRecord) -> str:
    """What the values of an explainer say, as it declares them."""
    return step.caption or "Red is above 0, blue below; what that says was not recorded."
