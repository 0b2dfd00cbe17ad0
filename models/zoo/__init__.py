"""Trained models: how each was made, and a folder with the weights and the card of each."""

from difflib import get_close_matches
from pathlib import Path

from models.zoo.recipes import RECIPES, Recipe
from probe.errors import UnknownMethod

FOLDER = Path(__file__).parent


def recipe_of(name: str) -> Recipe:
    """The recipe of that name."""
    if name not in RECIPES:
        raise unknown(name)
    return RECIPES[name]


def unknown(name: str) -> UnknownMethod:
    """The error for a name that the zoo does not know."""
    near = get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownMethod(f"there is no model {name!r}; {hint}the zoo has {', '.join(RECIPES)}")
