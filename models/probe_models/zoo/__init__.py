"""Trained models: how each was made, and a folder with the weights and the card of each."""

from difflib import get_close_matches
from pathlib import Path

from probe.errors import DataError, UnknownMethod
from probe_models.zoo.recipes import RECIPES, Recipe

FOLDER = Path(__file__).parent


def recipe_of(name: str) -> Recipe:
    """The recipe of that name."""
    if name not in RECIPES:
        raise unknown(name)
    return RECIPES[name]


def folder_of(name: str | Path) -> Path:
    """The folder of a model: of one of the zoo by its name, or the folder itself.

    Raises:
        DataError: if the model is one of the zoo whose weights are not there.
        UnknownMethod: if it is neither.
    """
    if str(name) in RECIPES:
        folder = FOLDER / str(name)
        if not folder.is_dir():
            raise DataError(
                f"{name} is not trained yet; `probe train {name}` writes a folder that can be named instead"
            )
        return folder
    if Path(name).is_dir():
        return Path(name)
    raise unknown(str(name))


def unknown(name: str) -> UnknownMethod:
    """The error for a name that the zoo does not know."""
    near = get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownMethod(f"there is no model {name!r}; {hint}the zoo has {', '.join(RECIPES)}")
