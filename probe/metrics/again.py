"""Shared by metrics that ask an explainer again: the one that made an explanation."""

from probe.contracts import Explainer
from probe.errors import Unsupported
from probe.results import Attribution


def explainer_of(result: Attribution, metric: str) -> Explainer:
    """The explainer that made an explanation.

    Raises:
        Unsupported: if it was made by something else.
    """
    if not isinstance(result.method, Explainer):
        raise Unsupported(
            f"{metric} asks the explainer again, and these values were made by {result.method.name()}, which is none; "
            "measure what an explainer returned, or leave this metric out"
        )
    return result.method
