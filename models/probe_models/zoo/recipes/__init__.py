"""How each model of the zoo is made."""

from probe_models.zoo.recipes import generative, graphs, images, tables, texts
from probe_models.zoo.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = tables.RECIPES | images.RECIPES | generative.RECIPES | texts.RECIPES | graphs.RECIPES

__all__ = ["RECIPES", "Recipe"]
