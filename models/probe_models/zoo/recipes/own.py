"""Recipes for a user's data: a table, a folder of images, or arrays of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from probe import images
from probe.csvfile import AS_FOUND, Reading
from probe.errors import PlanError
from probe.names import nearest
from probe_models.datasets.features import Wanted, choose
from probe_models.datasets.own import WRITTEN, Own, OwnArrays, OwnImages, OwnTable
from probe_models.networks import WIDEST, build
from probe_models.networks.columns import arguments
from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe
from probe_models.zoo.recipes.tables import COMPLETE

# What a small table is trained with well enough to be looked at; every one of them can be set.
TABLES: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"bins": 16, "widths": [64]},
    "ftt": {"bins": 16, "width": 32, "layers": 2, "heads": 2},
}
IMAGES: Mapping[str, Mapping[str, Any]] = {
    "cnn": {"widths": [16, 32, 64]},
    "resnet": {"widths": [16, 32, 64]},
    "vit": {"width": 64, "layers": 2},
    "lenet": {},
    "image-mlp": {},
}
LONG = Settings(epochs=60, batch_size=64, learning_rate=2e-3, weight_decay=0.1, patience=15)
ANSWERS = "answers in the unit of the label, from standard deviations of the training labels"
PIXELS = "none outside the network, which takes brightness from 0 to 1 and standardises it by the training rows"


@dataclass(frozen=True, kw_only=True)
class Said:
    """The options of a command line for the user's data; an empty one was not given."""

    label: str = ""
    groups: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    task: str = ""  # classes or numbers; found out unless given
    tolerance: float = 0.0  # of numbers: an answer that is off by more is wrong
    drop_missing: bool = False
    how: Reading = AS_FOUND
    size: tuple[int, ...] = ()  # height and width in pixels
    channels: int = 0


def own_recipe(data: Path, said: Said, architecture: Sequence[str], kwargs: Mapping[str, Any]) -> Recipe:
    """How a network is trained on a CSV, a folder of images or arrays of them, with the sizes that the rows say.

    Args:
        data: the file or folder.
        said: what its columns, images or arrays are.
        architecture: its name, one or none.
        kwargs: its arguments.

    Raises:
        PlanError: if no label is named, or the architecture is none for such data.
        DataError: if the data cannot be read, or an argument does not fit them.
    """
    if data.suffix.lower() == ".npz" and data.is_file():
        return _images(_arrays(data, said), architecture, kwargs)
    if data.is_dir():
        return _images(_folder(data, said), architecture, kwargs)
    return _table(data, said, architecture, kwargs)


def _table(csv: Path, said: Said, architecture: Sequence[str], kwargs: Mapping[str, Any]) -> Recipe:
    if not csv.exists():
        raise PlanError(
            f"there is no file {csv}; give a CSV, an .npz file, or a folder with a subfolder of images for each class"
        )
    if said.size or said.channels:
        raise PlanError(
            f"--{'size' if said.size else 'channels'} is for a folder of images or an .npz file, and {csv} is neither"
        )
    if not said.label:
        raise PlanError(f"--data {csv} needs --label, the column to predict")
    name = _architecture(architecture, TABLES, "tables")
    if said.task not in ("", "classes", "numbers"):
        raise PlanError(f"--task {said.task}: expected classes or numbers")
    wanted = Wanted(
        label=said.label, groups=said.groups, dropped=said.dropped, task=said.task, drop_missing=said.drop_missing
    )
    chosen = choose(csv, wanted, said.how)
    # Group columns are named apart from the inputs, as in an audit.
    declared: dict[str, Any] = {"label": said.label, "groups": list(said.groups), "features": chosen.features}
    if said.tolerance and not chosen.numbers:
        raise PlanError(
            f"--tolerance is for numbers, and column {said.label!r} of {csv.name} names classes; leave it out"
        )
    others = {"left_out": chosen.left_out, "numbers": chosen.numbers, "drop_missing": said.drop_missing}
    others |= {"tolerance": said.tolerance}
    written = {key: getattr(said.how, key) for key in WRITTEN}
    declared |= {key: value for key, value in (others | written).items() if value}
    table = OwnTable(csv, declared)
    data = table.read("train")
    if chosen.numbers and name == "ftt":
        raise PlanError(
            f"--arch ftt predicts classes, and column {said.label!r} of {csv.name} holds numbers; "
            "give --arch mlp, or --task classes"
        )
    if (width := data.inputs.shape[1]) > WIDEST:
        raise PlanError(
            f"{csv.name} has {width:,} inputs, one for each number and each value of a category, and {name} takes "
            f"{WIDEST:,}; leave columns out: --drop COLUMN"
        )
    sizes = arguments(name, {**TABLES[name], **kwargs}, data.space)
    if chosen.numbers:
        return _recipe("mlp-regressor", sizes, table, f"{COMPLETE}; {ANSWERS}", replace(LONG, loss="squared error"))
    return _recipe(name, sizes | {"classes": len(data.classes)}, table, COMPLETE)


def _folder(folder: Path, said: Said) -> OwnImages:
    columns = {"--label": said.label, "--group": said.groups, "--drop": said.dropped, "--task": said.task}
    if given := [option for option, value in columns.items() if value]:
        raise PlanError(
            f"{given[0]} is for the columns of a table, and {folder} is a folder of images, whose classes are its "
            "subfolders; leave it out"
        )
    return OwnImages(folder, {"channels": said.channels or 3} | _size(said))


def _arrays(npz: Path, said: Said) -> OwnArrays:
    foreign = {"--drop": said.dropped, "--task": said.task, "--channels": said.channels}
    if given := [option for option, value in foreign.items() if value]:
        raise PlanError(f"{given[0]} does not apply to arrays, and {npz} holds arrays; leave it out")
    declared: dict[str, Any] = {"labels": said.label} if said.label else {}
    label, found = said.label or "labels", images.names_in(npz)
    if found and label not in found:
        raise PlanError(
            f"{npz} has no array {label!r}; name what is to be predicted: --label, one of {', '.join(found)}"
        )
    left = [array for array in found if array not in (label, *said.groups)]
    if len(left) == 1:
        declared["inputs"] = left[0]
    return OwnArrays(npz, declared | ({"groups": list(said.groups)} if said.groups else {}) | _size(said))


def _size(said: Said) -> dict[str, Any]:
    return {"size": list(said.size)} if said.size else {}


def _images(own: Own, architecture: Sequence[str], kwargs: Mapping[str, Any]) -> Recipe:
    name, shape = _architecture(architecture, IMAGES, "images"), tuple(own.whole.inputs.shape[1:])
    if len(shape) != 3:  # channels, height, width
        raise PlanError(
            f"the rows of {own.path} are shaped {shape}, expected images (rows, channels, height, width); "
            "save rows of numbers as a CSV"
        )
    channels, *size = shape
    known: dict[str, Any] = {"channels": channels, "classes": len(own.CLASSES)}
    if name != "resnet":
        known["side"] = size[0] if size[0] == size[1] else size
    for key, value in known.items():
        if kwargs.get(key, value) != value:
            way = {"side": "give --size", "channels": "give --channels"}.get(key, "leave it out")
            raise PlanError(f"--arch {key}={kwargs[key]}: the images say {value}; {way}")
    return _recipe(name, {**IMAGES[name], **_shallow(name, min(size)), **kwargs, **known}, own, PIXELS)


def _shallow(name: str, side: int) -> dict[str, Any]:
    """Fewer blocks where an image would be halved away."""
    widths = IMAGES[name].get("widths", [])
    fitting = [width for block, width in enumerate(widths) if side >> (block + 1)]
    return {"widths": fitting} if name == "cnn" and fitting else {}


def _architecture(named: Sequence[str], known: Mapping[str, Mapping[str, Any]], what: str) -> str:
    if len(named) > 1:
        raise PlanError(f"--arch names {' and '.join(named)}; name one of {', '.join(known)}")
    name = named[0] if named else next(iter(known))
    if name not in known:
        raise PlanError(f"--arch {name!r}{nearest(name, known)}: the architectures for {what} are {', '.join(known)}")
    return name


def _recipe(name: str, kwargs: Mapping[str, Any], own: Own, preprocessing: str, settings: Settings = LONG) -> Recipe:
    if len(own.CLASSES) == 1:
        raise PlanError(f"{own.path} holds one class, {own.CLASSES[0]!r}; give rows of two or more to tell apart")
    build(name, kwargs)  # so that a wrong argument is found before a folder is made
    return Recipe(
        architecture=name, kwargs=kwargs, data=own.path.name, own=own, settings=settings, preprocessing=preprocessing
    )
