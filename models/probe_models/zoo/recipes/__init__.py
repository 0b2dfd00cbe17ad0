"""How each model of the zoo is made."""

from probe_models.zoo.recipes import generative, graphs, images, series, tables, texts
from probe_models.zoo.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = (
    tables.RECIPES | images.RECIPES | generative.RECIPES | texts.RECIPES | graphs.RECIPES | series.RECIPES
)

__all__ = ["RECIPES", "Recipe"]
