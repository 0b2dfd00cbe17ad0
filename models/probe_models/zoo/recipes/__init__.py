"""How each model of the zoo is made: a module here with RECIPES says it of some."""

from importlib import import_module
from pathlib import Path

from probe_models.found import found
from probe_models.zoo.recipes.recipe import Recipe

_FOUND: dict[str, Recipe] = {
    name: recipe
    for module in found(Path(__file__).parent, "RECIPES")
    for name, recipe in import_module(f"{__name__}.{module}").RECIPES.items()
}
RECIPES = dict(sorted(_FOUND.items()))  # people read these names in lists

__all__ = ["RECIPES", "Recipe"]
