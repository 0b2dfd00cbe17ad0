"""Training beside lightning: the same network, initial weights, rows, order of rows, optimiser and epochs, to JSON.

    python -m benchmarks.trainers          # medians of three
    python -m benchmarks.trainers 1        # one run of each

Both judge the validation rows after each epoch; probe judges as many training rows too, and keeps the best weights.
Lightning keeps no checkpoint and draws no bar, and gets whole batches, which it takes faster than rows one by one. The
losses are those of the validation rows after the last epoch, in float32, and differ by rounding alone.
"""

import copy
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from probe_models.datasets import reader
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.randomness import source
from probe_models.training.rows import split_validation
from probe_models.training.settings import Settings
from probe_models.zoo import recipe_of
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Sampler, TensorDataset

from benchmarks.sides import in_turn, there, written
from probe import Dataset

PEERS = ("lightning",)
EPOCHS = {"adult-mlp": 5, "fashion-mlp": 2, "fashion-cnn": 1}
RATE, BATCH, SEED = 1e-3, 256, 0
SLACK = 0.02  # of the loss; sums of float32 in another order, over hundreds of steps


class Order(Sampler[int]):
    """The order of rows of each epoch, as probe draws it."""

    def __init__(self, rows: int) -> None:
        self.rows, self.epoch = rows, 0

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[int]:
        self.epoch += 1
        return iter(torch.randperm(self.rows, generator=source(SEED, "order", self.epoch)).tolist())


def of_probe(start: nn.Module, training: Dataset, validation: Dataset, epochs: int) -> float:
    """Train by probe; the loss of the validation rows after the last epoch."""
    settings = Settings(
        epochs=epochs,
        batch_size=BATCH,
        optimiser="adam",
        learning_rate=RATE,
        schedule="constant",
        warmup=0.0,
        weight_decay=0.0,
        clip=0.0,
    )
    network = copy.deepcopy(start)
    done = fit(
        network,
        training,
        settings,
        device="cpu",
        seed=SEED,
        initialise=False,
        validation=validation,
        progress=lambda line: None,
    )
    return float(done.lines[-1]["validation_loss"])


def of_lightning(start: nn.Module, training: Dataset, validation: Dataset, epochs: int) -> float:
    """Train by lightning; the loss of the validation rows after the last epoch."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.loss = copy.deepcopy(start).train(), nn.CrossEntropyLoss()  # lightning keeps the mode

        def training_step(self, batch: list[Tensor], number: int) -> Tensor:
            return self.loss(self.network(batch[0]), batch[1])  # type: ignore[no-any-return]

        def validation_step(self, batch: list[Tensor], number: int) -> None:
            self.log("loss", self.loss(self.network(batch[0]), batch[1]), batch_size=len(batch[1]))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    rows, others = (TensorDataset(each.inputs, each.labels) for each in (training, validation))
    batches = BatchSampler(Order(len(rows)), BATCH, drop_last=False)
    trainer.fit(
        Module(),
        DataLoader(rows, sampler=batches, batch_size=None),
        DataLoader(others, sampler=BatchSampler(range(len(others)), BATCH, drop_last=False), batch_size=None),
    )
    return float(trainer.callback_metrics["loss"])


SIDES = {"probe": of_probe, "lightning": of_lightning}


def beside(name: str, epochs: int, repeats: int, rows: int | None = None) -> dict[str, Any]:
    """How long both take to train the network of a recipe, and the loss that it has then."""
    recipe = recipe_of(name)
    training, validation = split_validation(reader(recipe.data).read("train")[:rows], 0.1)
    start = build(recipe.architecture, recipe.kwargs)
    # Draws the initial weights, and sets what depends on the rows, such as their mean.
    fit(start, training[:BATCH], Settings(epochs=1), device="cpu", seed=SEED, progress=lambda line: None)
    sides = {side: train for side, train in SIDES.items() if side == "probe" or there([side])}
    calls = {
        side: (lambda train=train: train(start, training, validation, epochs))  # type: ignore[misc]  # its own default
        for side, train in sides.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lightning: of workers that it would like, and of a loop of few steps
        for train in sides.values():  # one step warms up
            train(start, training[:BATCH], validation[:BATCH], 1)
        losses, spent = in_turn(calls, repeats, warm=False)
    return {
        "rows": len(training),
        "epochs": epochs,
        "sides": {side: spent[side] | {"loss": round(losses[side], 5)} for side in sides},
    }


def wrong(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Networks whose loss differs from lightning's."""
    for name, told in found.items():
        mine = told["sides"]["probe"]["loss"]
        for side, each in told["sides"].items():
            if not abs(mine - each["loss"]) <= SLACK * each["loss"]:
                yield f"{name} has a loss of {mine:.4f} after training, and {each['loss']:.4f} by {side}"


def main(repeats: int = 3) -> None:
    load = os.getloadavg()[0]
    found = {name: beside(name, epochs, repeats) for name, epochs in EPOCHS.items()}
    written(
        "trainers",
        f"training with Adam in float32, batches of {BATCH}, medians of {repeats}",
        PEERS,
        {"networks": found, "wrong": list(wrong(found))},
        load,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
