"""`probe train`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import Decimal, Encoding, Json, Separator, command, emit_json, key_values, print_out
from probe.cli.shorthand import TakesSettings
from probe.errors import PlanError

LONGEST = 4096  # pixels a side of an image
SHARES = ("accuracy", "exact_match", "robust_accuracy", "true")  # metrics of a card that are shares of rows
ENDS = ("_interval_95", "_low", "_high")  # of the intervals of a card's metrics


class _Train(TakesSettings):
    def setting_names(self) -> set[str]:
        from probe_models.training.settings import Settings

        return {f.name for f in fields(Settings)}


@command("train", cls=_Train)
def train(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Networks of the zoo, such as fashion-cnn; with --data one name of your own."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A CSV, a folder of images with a subfolder for each class, or arrays (.npz)."),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="The column of a CSV to predict, or the array of an .npz file.")
    ] = None,
    groups: Annotated[list[str] | None, typer.Option("--group", help="CSV: a column that names groups.")] = None,
    dropped: Annotated[
        list[str] | None, typer.Option("--drop", help="CSV: a column to leave out of the features; repeat for more.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="CSV: whether the label is `classes` or `numbers`; detected unless given.")
    ] = "",
    tolerance: Annotated[
        float, typer.Option(min=0, help="Regression: the largest error of a right answer, in the label's unit.")
    ] = 0.0,
    missing: Annotated[
        list[str] | None, typer.Option(help="CSV: a cell that means unknown, such as ?; an empty one always does.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="CSV: leave out rows with an empty cell.")
    ] = False,
    separator: Separator = "",
    decimal: Decimal = "",
    encoding: Encoding = "",
    size: Annotated[str, typer.Option(help="Images: height and width in pixels to resize to: 64 or 48x64.")] = "",
    channels: Annotated[int, typer.Option(help="Images: 3 for colour, 1 for grey; 3 unless given.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write, of several networks one for each in it; trained/NAME unless given."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; unless given, cuda where available.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights and of the order of the examples.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to train, from --seed on.")] = 1,
    file: Annotated[Path | None, typer.Option("--settings", help="A TOML file with settings to change.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting to change, such as epochs=5; --epochs 5 is short for it."),
    ] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Option("--arch", help="An argument of the architecture, such as dropout=0.2; with --data its name too."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="Of several networks or seeds: train them at once, by `processes` on this machine, `ray` or `slurm`."
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=0, help="With --engine: how many at once; by default one for each core.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Train networks of the zoo, or a network on your own data, and evaluate them on the test split.

    The folder that it writes can be used like a network of the zoo: probe audit trained/people.
    """
    arguments_given = locals()
    from probe_models.zoo.train import done, train

    said: dict[str, Any] = {
        "--label": labels,
        "--group": groups,
        "--drop": dropped,
        "--task": task,
        "--missing": missing,
        "--drop-missing": drop_missing,
        "--tolerance": tolerance,
        "--size": size,
        "--channels": channels,
    }
    names = list(dict.fromkeys(names or ()))
    _check_said(names, data, said)
    named = [argument for argument in arguments or () if "=" not in argument]
    others = _table("--arch", [argument for argument in arguments or () if "=" in argument])
    if data is None:
        recipes = {name: _recipe_of(name, named, others) for name in names}
    else:
        from probe_models.zoo.recipes.own import own_recipe

        own = own_recipe(data, _about(said, (separator, decimal, encoding)), named, others)
        recipes = {names[0] if names else data.resolve().name.strip(".").partition(".")[0]: own}
    changes: tuple[Any, ...] = (file or {}, _table("--set", settings))
    recipes = {
        name: replace(recipe, settings=recipe.settings.changed(changes[0]).changed(changes[1]))
        for name, recipe in recipes.items()
    }
    folders = {name: out if out and len(recipes) == 1 else (out or Path("trained")) / name for name in recipes}
    if engine or workers:
        from probe.cli.apart import train_apart

        train_apart(arguments_given, folders, range(seed, seed + seeds), engine, workers)
    cards, several = {}, len(recipes) > 1 or bool(engine)
    for name, recipe in recipes.items():
        # Of several networks those that are done are not done again, as of several seeds.
        found = done(name, recipe, folders[name], seed) if several and seeds == 1 else {}
        asked: dict[str, Any] = {"device": device, "seed": seed, "seeds": seeds, "recipe": recipe}
        cards[name] = found or train(name, out=folders[name], **asked)
        if cards[name] and not as_json:  # of several processes only the first prints
            if len(recipes) > 1:
                print_out(name)
            _say(cards[name], folders[name])
    if as_json:
        emit_json(cards if len(recipes) > 1 else next(iter(cards.values())))


def _check_said(names: Sequence[str], data: Path | None, said: dict[str, Any]) -> None:
    """Raise PlanError where nothing is named to train, or what is said does not fit it."""
    if not any(names) and data is None:
        raise PlanError(
            "name a network of the zoo, such as adult-mlp, or a table or images: --data people.csv --label hired"
        )
    if data is not None and len(names) > 1:
        raise PlanError(
            f"--data trains one network, and {' and '.join(names)} are named; name one, or leave --data out to train "
            "networks of the zoo"
        )
    labels = said["--label"] or ()
    if len(set(labels)) > 1:
        raise PlanError(
            f"--label names {' and '.join(labels)}, and `probe train` learns one label; name "
            "one, or train on several in Python: docs/training.md"
        )
    if data is None and (given := [option for option, value in said.items() if value]):
        raise PlanError(f"{given[0]} describes --data; give --data people.csv, a folder of images, or an .npz file")


def _about(said: dict[str, Any], dialect: tuple[str, str, str]) -> Any:
    """What was said of the user's own data."""
    from probe_models.zoo.recipes.own import Said

    from probe.csvfile import Reading

    separator, decimal, encoding = dialect
    missing = tuple(said["--missing"] or ())
    return Said(
        label=said["--label"][0] if said["--label"] else "",
        groups=tuple(said["--group"] or ()),
        dropped=tuple(said["--drop"] or ()),
        task=said["--task"],
        tolerance=said["--tolerance"],
        drop_missing=said["--drop-missing"],
        how=Reading(separator=separator, decimal=decimal, encoding=encoding, missing=missing),
        size=_size(said["--size"]),
        channels=said["--channels"],
    )


def _recipe_of(name: str, named: list[str], others: dict[str, Any]) -> Any:
    """The recipe of a network of the zoo, with other arguments of its architecture."""
    from probe_models.zoo import recipe_of

    if named:
        raise PlanError(
            f"--arch {named[0]}: expected an argument and its value, such as dropout=0.2; the "
            f"architecture of {name} cannot be changed"
        )
    recipe = recipe_of(name)
    return replace(recipe, kwargs={**recipe.kwargs, **others})


def _say(card: dict[str, Any], folder: Path) -> None:
    """Print the metrics of a card and how the training ended."""
    for line in _measured(card["metrics"]):
        print_out(line)
    fitting = card["training"]["fitting"]
    print_out(f"{fitting['verdict']}: {fitting['reason']}; see {folder / 'learning_curve.png'}")
    print_out(f"Saved in {folder}")


def _measured(metrics: dict[str, Any]) -> Iterator[str]:
    """A line for each metric of a card, with its interval."""
    from probe import formatting

    for name, value in metrics.items():
        stem, of, label = name.partition(" of ")
        if stem.endswith(ENDS):
            continue
        ends = metrics.get(f"{name}_interval_95") or [
            metrics.get(f"{stem}{end}{of}{label}") for end in ("_low", "_high")
        ]
        unit: formatting.Unit = "share" if stem in SHARES else "number"
        whole = isinstance(value, int)
        estimate = (
            formatting.number(value, unit) if None in ends else str(formatting.estimate(value, ends[0], ends[1], unit))
        )
        yield f"{formatting.words(stem)}{of}{label}: {formatting.count(value) if whole else estimate}"


def _table(option: str, settings: list[str] | None) -> dict[str, Any]:
    """The settings given, parsed as TOML: values get their types, and names with dots become tables."""
    import tomllib

    try:
        return tomllib.loads(
            "\n".join(f"{key} = {_quoted(value)}" for key, value in key_values(option, settings).items())
        )
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{option} {' '.join(settings or ())}: not valid TOML: {error}") from None


def _size(text: str) -> tuple[int, ...]:
    """Height and width from 48x64 or from one number for both; () if empty."""
    numbers = text.lower().split("x") if text else []
    if not all(each.isascii() and each.isdecimal() and 1 <= int(each[:6]) <= LONGEST for each in numbers):
        numbers = ["", "", ""]
    if len(numbers) > 2:
        raise PlanError(
            f"--size {text}: expected pixels from 1 to {LONGEST}: a side, such as 64, or height x width, 48x64"
        )
    return (int(numbers[0]), int(numbers[-1])) if numbers else ()


def _quoted(value: str) -> str:
    """A value as TOML writes it. A name may lack its quotes, as a shell removes them."""
    import tomllib

    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return json.dumps(value)
    return value
