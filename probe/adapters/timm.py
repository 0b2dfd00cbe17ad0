"""Image classifiers of timm: an architecture by name, or from a folder, with weights from a local file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from probe.adapters.check import check_model
from probe.adapters.images import ImageNetwork, Preparation
from probe.adapters.optional import library
from probe.adapters.safetensor import declared
from probe.adapters.weights import load_weights, match
from probe.errors import DataError, PlanError, Unsupported
from probe.model import Model
from probe.task import Classification, Task

FOLDER = "local-dir:"
KNOWN = {"in_chans", "global_pool", "img_size"}  # arguments that only shape a network; others could load files


def from_timm(
    spec: str,
    weights: str | Path | None = None,
    classes: tuple[str, ...] = (),
    name: str = "",
    *,
    task: Task | None = None,
) -> Model:
    """An image classifier of timm, for brightness from 0 to 1, (3, height, width); it is normalised inside.

    Args:
        spec: an architecture such as `resnet18`, or `resnet18.a1_in1k` for the preparation of those of its weights, or
            `local-dir:FOLDER` with config.json and model.safetensors as timm saves them. Nothing is downloaded.
        weights: for an architecture, a safetensors file or a state dict.
        classes: their names in the network's order; by default those of the folder, or indices.
        name: of the model.
        task: what its outputs mean, as in `from_module`; by default classes.

    Raises:
        PlanError: if there is no such architecture or tag, or weights are missing.
        ShapeError: if names or shapes of the weights differ, with the differences.

    >>> from probe import from_timm  # doctest: +SKIP
    >>> model = from_timm("resnet18", "weights.safetensors", classes=("cat", "dog"))  # doctest: +SKIP
    """
    config: dict[str, Any] = {}
    if spec.startswith(FOLDER):
        folder = Path(spec.removeprefix(FOLDER))
        if weights is not None:
            raise PlanError(f"{spec} contains its weights, model.safetensors; leave weights out")
        config, weights = _config(folder), folder / "model.safetensors"
        name = name or folder.resolve().name
    architecture = str(config.get("architecture", spec))
    arguments = {key: value for key, value in (config.get("model_args") or {}).items() if key != "num_classes"}
    if arguments.get("in_chans", 3) != 3 or set(arguments) - KNOWN:
        raise Unsupported(f"{name} was built with arguments of its own, {arguments}; build it in a factory of yours")
    if weights is None or ":" in architecture:
        raise PlanError(
            f'{spec!r} needs the weights in a local file: weights = "model.safetensors"; none are downloaded'
        )
    pretrained = config.get("pretrained_cfg") or {}
    count = int(config.get("num_classes") or _outputs(task, classes))
    classes = classes or _names(config)
    task = Classification(classes or tuple(map(str, range(count)))) if task is None else task.called(classes)
    network = _build(architecture, {"num_classes": count, **arguments}, Path(weights))
    prepare = _preparation({**network.pretrained_cfg, **pretrained})
    module = ImageNetwork(network, prepare, lambda inner, images: inner(images)).eval()
    model = Model(forward=module, space=prepare.space(), task=task, name=name or architecture)
    check_model(model, torch.linspace(0, 1, 3)[:, None, None, None].expand(3, 3, *prepare.size()))
    return model


def _outputs(task: Task | None, classes: tuple[str, ...]) -> int:
    """The number of outputs for a number of classes; a thousand by default."""
    if isinstance(task, Classification) and task.outputs.startswith("one "):
        return 1
    return len(classes) or (0 if task is None else len(task.names)) or 1000


def timm_size(spec: str) -> tuple[int, int]:
    """Height and width of the images that `from_timm(spec)` reads without resizing them."""
    config = _config(Path(spec.removeprefix(FOLDER))) if spec.startswith(FOLDER) else {}
    known = _known(str(config.get("architecture", spec)))
    settings = known if isinstance(known, Mapping) else vars(known)
    return _preparation({**settings, **(config.get("pretrained_cfg") or {})}).size()


def timm_classes(spec: str) -> tuple[str, ...]:
    """The names that a folder gives its classes, in the network's order; none where it gives none."""
    return _names(_config(Path(spec.removeprefix(FOLDER)))) if spec.startswith(FOLDER) else ()


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    # timm writes them beside the preprocessing, but reads them inside it.
    found = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names") or ()
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read config.json in {folder}: {error}") from None
    if not isinstance(config, dict) or "architecture" not in config:
        raise DataError(f"config.json in {folder} names no architecture, so timm did not write it")
    return config


def _build(architecture: str, arguments: dict[str, Any], weights: Path) -> Any:
    _known(architecture)
    timm = library("timm")
    # Keep the random state; the weights below replace the random ones.
    with torch.random.fork_rng(devices=[]):
        if weights.suffix == ".safetensors":
            with torch.device("meta"):
                wanted = timm.create_model(architecture, pretrained=False, **arguments).state_dict()
            match(weights, declared(weights), wanted)
        network = timm.create_model(architecture, pretrained=False, **arguments)
    load_weights(network, weights)
    return network


def _known(architecture: str) -> Any:
    """The pretrained config of an architecture and its weights."""
    timm = library("timm")
    bare, _, tag = architecture.partition(".")
    if not timm.is_model(bare):
        raise PlanError(f"timm has no architecture {bare!r}; timm.list_models() lists them")
    try:
        return timm.get_pretrained_cfg(architecture)
    except RuntimeError:
        raise PlanError(
            f"timm has no weights {tag!r} of {bare}; timm.list_pretrained({bare + '*'!r}) lists them, and without "
            "a tag its default preprocessing is used"
        ) from None


def _preparation(config: Mapping[str, Any]) -> Preparation:
    """The test-time preprocessing of timm: resize to slightly more than the input, then centre crop."""
    _, height, width = config.get("input_size", (3, 224, 224))
    share = float(config.get("crop_pct") or 1.0)
    mode = str(config.get("interpolation", "bicubic"))
    return Preparation(
        resize=int(height / share) if height == width else (int(height / share), int(width / share)),
        mode="nearest-exact" if mode == "nearest" else mode,
        crop=(height, width),
        mean=tuple(config.get("mean", (0.0, 0.0, 0.0))),
        deviation=tuple(config.get("std", (1.0, 1.0, 1.0))),
    )
