"""What an audit does by default with each form of inputs."""

from collections.abc import Mapping, Sequence
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


def changes(
    features: Sequence[Any], attacked: Mapping[str, Any], radius: int, index: int
) -> list[tuple[str, str, str, float]]:
    """What an attack changed of a kept row of a table: feature, value before, value after, move in units of the radius.

    Values are empty where the audit did not write them down in words.
    """
    moved = attacked["moved"][radius, index]
    told = "before" in attacked and attacked["before"].shape[1] == len(moved)
    old, new = (attacked["before"][index], attacked["after"][radius, index]) if told else (None, None)
    return [
        (
            str(features[at]) if at < len(features) else f"feature {at}",
            "" if old is None else str(old[at]),
            "" if new is None else str(new[at]),
            float(moved[at]),
        )
        for at in abs(moved).argsort(kind="stable")[::-1]
        if moved[at]
    ]


def captioned(step: Mapping[str, Any]) -> str:
    """What the values of an explainer say, as it declares them."""
    return str(step.get("caption") or "Red is above 0, blue below; what that says was not recorded.")
