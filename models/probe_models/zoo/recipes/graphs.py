"""Recipes for graphs."""

from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe

GRAPHS = (
    "adjacency beside a column of ones; the network adds the degree of each node, standardised by the training rows"
)

RECIPES = {
    "motif-gcn": Recipe(
        architecture="gcn",
        kwargs={"features": 1, "widths": [32, 32, 32, 32], "classes": 4, "dropout": 0.05},
        data="motifs",
        settings=Settings(epochs=20, batch_size=128, learning_rate=1e-2),
        preprocessing=GRAPHS,
        measures=("edge attribution",),
        at_least={"accuracy": 0.97, "edge_attribution_auc": 0.85},
    ),
    "motif-gat": Recipe(
        architecture="gat",
        kwargs={"features": 1, "widths": [32, 32, 32, 32], "heads": 4, "classes": 4, "dropout": 0.05},
        data="motifs",
        settings=Settings(epochs=15, batch_size=128, learning_rate=1e-2),
        preprocessing=GRAPHS,
        measures=("edge attribution",),
        at_least={"accuracy": 0.97, "edge_attribution_auc": 0.85},
    ),
}
