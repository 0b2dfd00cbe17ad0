"""`probe train`."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import Json, command, pairs, say, show
from probe.errors import PlanError


@command("train")
def train(
    name: Annotated[str, typer.Argument(help="A network of the zoo, such as fashion-cnn.")],
    out: Annotated[Path | None, typer.Option(help="The folder to write; trained/NAME unless given.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; cuda where there is one, unless given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights and of the order of the examples.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to train, from --seed on.")] = 1,
    file: Annotated[Path | None, typer.Option("--settings", help="A TOML file with settings to change.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting to change, such as rate=1e-3.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("--arch", help="An argument of the architecture, such as dropout=0.2.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a network of the zoo, and evaluate what was saved on the test split."""
    from probe_models.zoo import recipe_of
    from probe_models.zoo.train import train

    recipe = recipe_of(name)
    chosen = recipe.settings.changed(file or {}).changed(_table("--set", settings))
    recipe = replace(recipe, settings=chosen, kwargs={**recipe.kwargs, **_table("--arch", arguments)})
    card = train(name, out=out, device=device, seed=seed, seeds=seeds, recipe=recipe)
    if as_json:
        show(card)
        return
    if not card:
        # Of several processes the first one speaks.
        return
    for metric, value in card["metrics"].items():
        say(f"{metric}: {value}")
    folder, fitting = out or Path("trained") / name, card["training"]["fitting"]
    say(f"{fitting['verdict']}: {fitting['reason']}; see {folder / 'learning_curve.png'}")
    say(f"Saved in {folder}")


def _table(option: str, settings: list[str] | None) -> dict[str, Any]:
    """What was set, as TOML would have it: each value of its type, and a table where names have dots."""
    try:
        return tomllib.loads("\n".join(f"{key} = {_quoted(value)}" for key, value in pairs(option, settings).items()))
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{option} {' '.join(settings or ())}: not as in TOML: {error}") from None


def _quoted(value: str) -> str:
    """A value as TOML writes it: names may come without their quotes, which a shell would take away."""
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return json.dumps(value)
    return value
