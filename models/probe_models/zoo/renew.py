"""Write the cards of trained models again, from their weights and curves as they are.

    python -m probe_models.zoo.renew                                   # what is quickly known: data, settings, curve
    python -m probe_models.zoo.renew german-mlp compas-mlp --measures  # and what is measured beside the accuracy

Weights, figures of the test split and the time that training took stay.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from probe import Dataset
from probe.errors import IntegrityError
from probe_models.datasets import reader
from probe_models.networks import build
from probe_models.training.beginning import begin
from probe_models.training.loop import to_stderr
from probe_models.training.metrics import METRICS
from probe_models.training.objectives import objective_of
from probe_models.training.rows import split_validation
from probe_models.training.run_state import Epoch, Trained
from probe_models.training.settings import Settings
from probe_models.zoo import artefact, folder_of, recipe_of
from probe_models.zoo.cards import read_card, write_card
from probe_models.zoo.curve import draw
from probe_models.zoo.evaluation import seen_in_training
from probe_models.zoo.measures import measure
from probe_models.zoo.recipes import RECIPES, Recipe
from probe_models.zoo.transfer import learned


def renew(name: str, *, measures: bool = False) -> dict[str, Any]:
    """The card of a model of the zoo, after it was written again.

    Raises:
        IntegrityError: if the model was trained by other settings than its recipe has.
    """
    folder, recipe = folder_of(name), recipe_of(name)
    card = read_card(folder)
    if Settings.from_toml({k: v for k, v in card["training"]["settings"].items() if v is not None}) != recipe.settings:
        raise IntegrityError(f"{name} was trained by other settings than its recipe has; train it again")
    data, test = reader(recipe.data).read("train"), reader(recipe.judged_on).read("test")
    trained = _trained(folder, card, recipe, data)
    card["training"]["settings"] = asdict(recipe.settings)
    card["training"]["untrained_validation_loss"] = trained.untrained
    card["training"]["fitting"] = asdict(trained.fitting)
    card["data"]["source"] = data.source
    card["data"]["rows"]["test_seen_in_training"] = seen_in_training(data, test)
    for asked in recipe.measures if measures else ():
        card["metrics"] |= measure(asked)(artefact.read(folder), test)
    draw(folder, name, trained)
    write_card(folder, card)
    return card


def _trained(folder: Path, card: dict[str, Any], recipe: Recipe, data: Dataset) -> Trained:
    """What came of training, as its files say; only the loss before it is computed again."""
    said = card["training"]
    network = build(recipe.architecture, recipe.kwargs)
    weights = learned(recipe.begin.model, network, recipe.begin.replaced) if recipe.begin else None
    training, validation = split_validation(data, recipe.settings.validation)
    begin(network, training, recipe.settings, said["seed"], weights, initialise=None)
    untrained = float(objective_of(network, recipe.settings, training).evaluate(network.eval(), validation).loss)
    lines = tuple(map(json.loads, (folder / METRICS).read_text(encoding="utf-8").splitlines()))
    best = Epoch(said["best_epoch"], said["validation_loss"], said["validation_accuracy"])
    return Trained(best, untrained, said["epochs"], len(training), len(validation), said["seconds"], lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--measures", action="store_true", help="measure again what is measured beside the accuracy")
    asked = parser.parse_args()
    for each in asked.names or RECIPES:
        rows = renew(each, measures=asked.measures)["data"]["rows"]
        to_stderr(
            f"{each}: {rows['test_seen_in_training']:,} of {rows['test']:,} test rows have inputs of training rows"
        )
