"""Recipes for readers of sentences."""

from functools import partial

from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe

WORDS = 8192
WORDS_IN = (
    "words in lower case, with apostrophes, and numbers, ! and ?; each is the id of one of the most frequent words of "
    "the training sentences, or 1 if it is none of them; the first 40 of a sentence, and after its last word 0"
)

# The ratings of people disagree, and a label that is their sign is less sure than it looks: hence the smoothing.
smoothed = partial(Settings, batch_size=64, learning_rate=2e-3, weight_decay=0.1, augment={"omit": 0.2})
reader = partial(Recipe, data="reviews", preprocessing=WORDS_IN, measures=("linear baseline",))


def recurrent(architecture: str) -> Recipe:
    """A reader that goes from word to word."""
    return reader(
        architecture=architecture,
        kwargs={"words": WORDS, "width": 32, "hidden": 32, "dropout": 0.5, "classes": 2},
        settings=smoothed(epochs=8, label_smoothing=0.1, recurrent="written out"),
        at_least={"accuracy": 0.75},
    )


RECIPES = {
    "reviews-cnn": reader(
        architecture="text-cnn",
        kwargs={"words": WORDS, "width": 32, "lengths": [1, 2, 3], "filters": 64, "dropout": 0.5, "classes": 2},
        settings=smoothed(epochs=8, label_smoothing=0.2),
        at_least={"accuracy": 0.76},
    ),
    "reviews-lstm": recurrent("lstm"),
    "reviews-gru": recurrent("gru"),
    "reviews-transformer": reader(
        architecture="text-transformer",
        kwargs={"words": WORDS, "tokens": 40, "width": 32, "layers": 1, "heads": 4, "dropout": 0.3, "classes": 2},
        settings=smoothed(epochs=6, label_smoothing=0.2),
        at_least={"accuracy": 0.75},
    ),
    # Small, so that its heads can be looked at one by one; without the loss at each place it copies much later.
    "repeats-gpt": Recipe(
        architecture="gpt",
        kwargs={"words": 28, "tokens": 24, "width": 32, "layers": 2, "heads": 4, "classes": 26},
        data="repeats",
        settings=Settings(epochs=10, batch_size=128, learning_rate=3e-3, loss="next word"),
        preprocessing="letters; each is its id, from 2 for a, of which 24 are a row",
        at_least={"accuracy": 0.99},
    ),
}
