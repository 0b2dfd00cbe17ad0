"""Images of clothes, half of them real and half made by the bundled `fashion-gan`."""

import torch

from probe import Dataset, Space
from probe.errors import DataError, PlanError
from probe.tensors import generator
from probe_models.datasets import fashion

NAME = "fashion-generated"
MODEL = "fashion-gan"
SOURCE = f"{fashion.SOURCE}; images that the bundled {MODEL} generates from a seed"
CLASSES = ("generated", "real")
EACH, SEED = 5_000, 0


def read(split: str) -> Dataset:
    """The `test` split: 5,000 images that the bundled generator makes of seed 0, then the first 5,000 test clothes.

    Those that were made are rounded to the 256 shades of grey that images in files have.
    """
    if split != "test":
        raise PlanError(f"fashion-generated has the split test; got {split!r}")
    # A model of the zoo knows its data; only here does data know a model, so it is opened when it is needed.
    from probe_models.networks.gan import AdversarialPair
    from probe_models.zoo import FOLDER, artefact
    from probe_models.zoo.cards import CARD

    folder = FOLDER / MODEL
    if not (folder / CARD).exists():
        raise DataError(
            f"fashion-generated needs {MODEL} in {folder}; `probe train {MODEL} --out {folder}` puts it there"
        )
    pair = artefact.read_network(folder)
    assert isinstance(pair, AdversarialPair)
    made = (pair.generate(EACH, generator(SEED, torch.device("cpu"))) * 255).round() / 255
    return Dataset(
        inputs=torch.cat((made, fashion.read("test").inputs[:EACH])),
        labels=torch.arange(2).repeat_interleave(EACH),
        space=space(),
        classes=CLASSES,
        name=f"fashion generated {split}",
        source=SOURCE,
    )


def space() -> Space:
    """That of Fashion-MNIST."""
    return fashion.space()
