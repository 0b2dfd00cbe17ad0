"""Recipes for time series."""

from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe

MILLIVOLTS = "none outside the network, which takes millivolts and standardises them by the training rows"
GENERATED = f"{MILLIVOLTS}; the series are generated, so that nothing here says how it does on people"

RECIPES = {
    "ecg-gru": Recipe(
        architecture="series-gru",
        kwargs={"channels": 2, "stretch": 4, "width": 32, "hidden": 32, "classes": 4, "dropout": 0.1},
        data="ecg",
        settings=Settings(epochs=12, batch_size=128, learning_rate=5e-3, recurrent="written out"),
        preprocessing=GENERATED,
        measures=("series baseline",),
        at_least={"accuracy": 0.9},
    ),
    "ecg-tcn": Recipe(
        architecture="tcn",
        kwargs={"channels": 2, "widths": [16, 16, 16], "classes": 4, "dropout": 0.1},
        data="ecg",
        settings=Settings(epochs=6, batch_size=128, learning_rate=2e-3),
        preprocessing=GENERATED,
        measures=("series baseline",),
        at_least={"accuracy": 0.97},
    ),
}
