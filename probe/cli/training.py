"""`probe train`."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.app import Json, command, say, show


@command("train")
def train(
    name: Annotated[str, typer.Argument(help="A network of the zoo, such as fashion-cnn.")],
    out: Annotated[Path | None, typer.Option(help="The folder to write; trained/NAME unless given.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; cuda where there is one, unless given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights and of the order of the examples.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to train, from --seed on.")] = 1,
    as_json: Json = False,
) -> None:
    """Train a network of the zoo, and evaluate what was saved on the test split."""
    from models.zoo.train import train

    card = train(name, out=out, device=device, seed=seed, seeds=seeds)
    if as_json:
        show(card)
        return
    for metric, value in card["metrics"].items():
        say(f"{metric}: {value}")
    say(f"Saved in {out or Path('trained') / name}")
