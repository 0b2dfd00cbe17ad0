"""What an audit does by default with each form of inputs."""

from typing import Any, NamedTuple


class Defaults(NamedTuple):
    """What is run where a plan names nothing."""

    explainers: tuple[str, ...]
    attacks: tuple[dict[str, Any], ...]
    eps: tuple[str, ...]  # radii in the unit of the space's scale; of tokens, how many are replaced
    sample: int = 0  # rows that are audited; 0 is all


ADD_UP = ("input_x_gradient", "integrated_gradients", "kernel_shap", "lime")
CLIMB: tuple[dict[str, Any], ...] = ({"method": "fgsm"}, {"method": "pgd", "steps": 40})
DEFAULTS = {
    "table": Defaults(ADD_UP, CLIMB, ("0.02", "0.05", "0.1", "0.2", "0.5")),
    "image": Defaults(("saliency", *ADD_UP), CLIMB, ("1/255", "2/255", "4/255", "8/255", "16/255"), sample=1000),
    "tokens": Defaults(ADD_UP, ({"method": "hot_flip"},), ("1", "2", "3", "5")),
    "graph": Defaults(("saliency", *ADD_UP), CLIMB, ("0.05", "0.1", "0.2", "0.3", "0.5")),
}


def spoken(eps: str, form: str) -> str:
    """A radius as people say it: eps 8/255, or 3 words."""
    return f"{eps} word{'s' * (eps != '1')}" if form == "tokens" else f"eps {eps}"
