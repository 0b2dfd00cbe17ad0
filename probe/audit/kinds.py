"""Groups of kinds of steps."""

from collections.abc import Mapping

# What each kind of step asks the model, and no other file of a bundle can tell.
ASKED: Mapping[str, str] = {
    "predictions": "the answers",
    "instances": "the inputs",
    "explainer": "the values of explanations",
    "attack": "the answers under attack",
    "label attack": "the answers under attack",
    "counterfactual": "the candidates of counterfactuals",
    "certificate": "the radii of certificates",
    "survey": "the evidence of surveys",
}
ATTACKS = ("attack", "label attack")
BY_RADIUS = (*ATTACKS, "certificate")  # kinds whose evidence has a row for each radius
