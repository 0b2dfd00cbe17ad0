"""Recipes for people in tables."""

from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe

BINS = "the network spreads numbers over bins whose edges are quantiles of the distinct training values"
TABLE = f"numbers in their own units, then one-hot categories with ? as a category of its own; {BINS}"
COMPLETE = f"numbers in their own units, then one-hot categories; {BINS}"
BASELINES = ("table baselines",)

RECIPES = {
    "adult-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 5, "onehots": 86, "bins": 128, "widths": [128], "classes": 2},
        data="adult",
        settings=Settings(epochs=15, learning_rate=2e-3, weight_decay=0.1),
        preprocessing=TABLE,
        measures=BASELINES,
        at_least={"accuracy": 0.86, "area_under_roc": 0.915},
    ),
    "adult-ftt": Recipe(
        architecture="ftt",
        kwargs={
            "numbers": 5,
            "levels": [9, 7, 15, 6, 5, 2, 42],  # of each category, in the order of the columns
            "bins": 128,
            "width": 32,
            "layers": 2,
            "heads": 2,
            "classes": 2,
        },
        data="adult",
        settings=Settings(epochs=12, learning_rate=2e-3, weight_decay=0.1),
        preprocessing=TABLE,
        measures=BASELINES,
        at_least={"accuracy": 0.86, "area_under_roc": 0.915},
    ),
    "adult-hours-mlp": Recipe(
        architecture="mlp-regressor",
        kwargs={"numbers": 4, "onehots": 86, "bins": 64, "widths": [128]},
        data="adult-hours",
        settings=Settings(epochs=15, learning_rate=2e-3, weight_decay=0.1, loss="squared error"),
        preprocessing=f"{TABLE}; answers in hours, from standard deviations of the training labels",
        measures=("regression baselines",),
        at_least={"r_squared": 0.27},
        at_most={"root_mean_squared_error": 10.7},  # hours
    ),
    "adult-labels-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 3, "onehots": 86, "bins": 64, "widths": [128], "classes": 3},
        data="adult-labels",
        settings=Settings(epochs=10, learning_rate=2e-3, weight_decay=0.1),
        preprocessing=TABLE,
        measures=("label baselines",),
        at_least={
            "accuracy": 0.81,
            "accuracy of over 50K": 0.855,
            "accuracy of over 40 hours": 0.743,
            "accuracy of degree": 0.828,
        },
    ),
    "compas-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 5, "onehots": 4, "bins": 32, "widths": [32], "classes": 2},
        data="compas",
        settings=Settings(epochs=20, batch_size=128, learning_rate=1e-3, weight_decay=0.5),
        preprocessing=COMPLETE,
        measures=BASELINES,
        at_least={"accuracy": 0.66, "area_under_roc": 0.7},
        # Published models reach .66 to .69 on these rows: above .70 something leaks.
        at_most={"accuracy": 0.7},
    ),
    "german-mlp": Recipe(
        architecture="mlp",
        kwargs={"numbers": 7, "onehots": 54, "bins": 4, "widths": [64], "classes": 2},
        data="german",
        settings=Settings(epochs=30, batch_size=32, learning_rate=1e-3, weight_decay=0.3),
        preprocessing=COMPLETE,
        measures=BASELINES,
        at_least={"accuracy": 0.7, "area_under_roc": 0.7},
    ),
}
