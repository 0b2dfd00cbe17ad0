"""Recipes for what rebuilds or makes images of clothes; towards the outside each of them tells two classes apart."""

from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe

IMAGES = "none: brightness from 0 to 1"
SETTLED = (
    "unusual is an error of reconstruction above its 95 % quantile over validation images, and the odds are such that "
    "the median of them is unusual with probability 0.05"
)
SEPARATES = {"area_under_roc_noise": 0.99, "area_under_roc_permuted": 0.99}

RECIPES = {
    "fashion-ae": Recipe(
        architecture="autoencoder",
        kwargs={"side": 28, "widths": [16, 32], "code": 32},
        data="fashion-mnist",
        audited="fashion-anomalies",
        settings=Settings(
            epochs=12, learning_rate=2e-3, weight_decay=0.0, loss="reconstruction", augment={"noise": 0.3}
        ),
        preprocessing=f"{IMAGES}; {SETTLED}",
        measures=("anomaly",),
        at_least=SEPARATES,
    ),
    "fashion-vae": Recipe(
        architecture="vae",
        kwargs={"side": 28, "widths": [16, 32], "code": 20},
        data="fashion-mnist",
        audited="fashion-anomalies",
        settings=Settings(epochs=12, learning_rate=2e-3, weight_decay=0.0, loss="elbo", clip=0.0),
        preprocessing=f"{IMAGES}; {SETTLED}; the likelihood in the ELBO is Bernoulli on grey, which is no density",
        measures=("anomaly", "elbo", "frechet"),
        at_least=SEPARATES | {"elbo": -245.0},
        at_most={"frechet_distance_lenet": 30.0},
    ),
    "fashion-gan": Recipe(
        architecture="gan",
        kwargs={"side": 28, "widths": [16, 32], "code": 64},
        data="fashion-mnist",
        audited="fashion-generated",
        settings=Settings(
            epochs=20,
            batch_size=128,
            patience=20,
            optimiser="adam",
            momentum=0.1,
            learning_rate=2e-3,
            warmup=0.02,
            loss="game",
            weight_decay=0.0,
            clip=0.0,
            ema=0.999,
            ema_warmup=False,
            initialiser="he",
            precision="bfloat16",
            layout="channels first",
        ),
        preprocessing=IMAGES,
        measures=("frechet",),
        at_most={"frechet_distance_lenet": 15.0},
    ),
}
