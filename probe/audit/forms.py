"""What an audit does by default with each form of inputs."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Defaults(NamedTuple):
    """What is run where a plan names nothing."""

    explainers: tuple[str, ...]
    attacks: tuple[dict[str, Any], ...]
    eps: tuple[str, ...]  # radii in the unit of the space's scale; of tokens and graphs, how many words or edges
    sample: int = 0  # rows that are audited; 0 is all


ADD_UP = ("input_x_gradient", "integrated_gradients", "kernel_shap", "lime")
CLIMB: tuple[dict[str, Any], ...] = ({"method": "fgsm"}, {"method": "pgd", "steps": 40})
DEFAULTS = {
    "table": Defaults(ADD_UP, CLIMB, ("0.02", "0.05", "0.1", "0.2", "0.5")),
    "image": Defaults(("saliency", *ADD_UP), CLIMB, ("1/255", "2/255", "4/255", "8/255", "16/255"), sample=1000),
    "tokens": Defaults(ADD_UP, ({"method": "hot_flip"},), ("1", "2", "3", "5")),
    "graph": Defaults(("saliency", *ADD_UP), ({"method": "grad_argmax"},), ("1", "2", "3", "5")),
}
COUNTED = {"hot_flip": "word", "grad_argmax": "edge"}  # what the radius of an attack is a number of
CHANGED = {"word": "words replaced", "edge": "edges flipped"}


def counted(plan: Mapping[str, Any]) -> str:
    """What the radii of a resolved plan are numbers of: a word, an edge; empty where they are lengths."""
    # A plan has attacks of one norm.
    return next((COUNTED.get(str(attack["method"]), "") for attack in plan["attack"]["methods"] or ()), "")


def spoken(eps: str, unit: str) -> str:
    """A radius as people say it: eps 8/255, or 3 words."""
    return f"{eps} {unit}{'s' * (eps != '1')}" if unit else f"eps {eps}"
