"""The sources of a plan: the model and the examples."""

from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from probe.audit.sections import Name, Section
from probe.declared import param
from probe.errors import DataError, PlanError, RangeError
from probe.task import Classification, MultiLabel, Places, Regression, Task


@dataclass(frozen=True, kw_only=True)
class ModelSource(Section):
    """The source of the model: the zoo, or a file, folder or factory of the user. Exactly one is named."""

    zoo: str = param("", "a name such as adult-mlp, or a folder that `probe train` wrote")
    factory: str = param(
        "", "module:function that returns an nn.Module or an object with predict_proba; its code is run"
    )
    onnx: str = param("", "a file: a black box")
    transformers: str = param("", "a folder with config.json and model.safetensors, of a text or image classifier")
    timm: str = param("", "an architecture such as resnet18, or local-dir:FOLDER")
    weights: str = param(
        "", "a safetensors file or a state dict for what the factory returns, or for timm's architecture"
    )
    task: Literal["", "classification", "multilabel", "regression", "places"] = param(
        "", "the meaning of the outputs; default: that of the model or its source, else classes"
    )
    outputs: Literal["", "logits", "one logit", "probabilities", "one probability"] = param(
        "", "the kind of the outputs; default: logits, or probabilities of an object with predict_proba"
    )
    part: str | int | None = param(
        None,
        'the part of the return value that is the outputs: an attribute or key such as "logits", or an index such as 0',
    )
    only: str | int | None = param(
        None, "the one of several answers to audit alone: a label by its name, a place by its number"
    )
    trainer: str = param(
        "", "module:function of a Dataset and a seed that trains a model like it, for shadow models; its code is run"
    )
    threshold: float | tuple[float, ...] | None = param(
        None,
        "the probability from which the second of two classes is predicted; with several labels, a list of one each",
    )
    tolerance: float | None = param(
        None, "for a regression: the largest error of a right answer, in the unit of the label", low=0
    )
    batch_size: int = param(0, "rows per forward pass; 0: chosen for the processor", low=0)

    def check(self) -> None:
        """Raise PlanError unless exactly one source is named, with weights only for a source that takes them."""
        named = [key for key in SOURCES if getattr(self, key)]
        if len(named) != 1:
            raise PlanError(
                '[model] needs either zoo = "adult-mlp" or one of factory, onnx, transformers and timm; '
                f"it names {' and '.join(named) or 'none'}"
            )
        if self.weights and (self.timm.startswith(LOCAL) or not (self.factory or self.timm)):
            raise PlanError(
                f"[model] has weights, which only a factory and timm take; {self.timm or named[0]} has its own"
            )
        if self.trainer and self.zoo and "/" not in self.zoo:
            raise PlanError(
                "[model] has trainer, which the recipe of a network of the zoo already is; leave it out, "
                f"or name a folder as ./{self.zoo}"
            )
        said = [key for key in ("task", "outputs", "part") if getattr(self, key) not in ("", None)]
        if self.zoo and "/" not in self.zoo and said:
            raise PlanError(f"[model] has {said[0]}, which the card of a zoo network already gives; leave it out")
        if self.tolerance is not None and self.task not in ("", "regression"):
            raise PlanError('[model] has tolerance, which only a regression takes; add task = "regression"')
        for cut in self.threshold if isinstance(self.threshold, tuple) else (self.threshold,):
            try:
                Classification(threshold=cut)
            except RangeError as error:
                raise PlanError(f"model.{error}") from None

    def meaning(self, names: tuple[str, ...] = ()) -> Task | None:
        """The task, with the data's names of its outputs; None if the plan leaves the task to the model.

        Raises:
            PlanError: if the task has no such outputs.
        """
        if not (self.task or self.outputs):
            return None
        settings: dict[str, Any] = {"outputs": self.outputs} if self.outputs else {}
        if self.task == "regression":
            if self.outputs:
                raise PlanError(
                    "[model] has outputs, which only classes and labels take; leave it out for a regression"
                )
            return Regression(names, self.tolerance) if names else Regression(tolerance=self.tolerance)
        kinds: dict[str, Any] = {"multilabel": MultiLabel, "places": Places}
        try:
            made: Task = kinds.get(self.task, Classification)(names, **settings)
        except DataError as error:
            raise PlanError(f"[model] outputs: {error}") from None
        return made

    def within(self, folder: Path) -> "ModelSource":
        """The same source with its files found from a folder."""
        files = {key: path for key in ("weights", "onnx", "transformers") if (path := getattr(self, key))}
        if "/" in self.zoo:
            files["zoo"] = self.zoo
        found: dict[str, Any] = {key: str((folder / path).resolve()) for key, path in files.items()}
        if self.timm.startswith(LOCAL):
            found["timm"] = LOCAL + str((folder / self.timm.removeprefix(LOCAL)).resolve())
        return replace(self, **found)


SOURCES = ("zoo", "factory", "onnx", "transformers", "timm")
LOCAL = "local-dir:"  # as timm writes it


@dataclass(frozen=True, kw_only=True)
class DataSource(Section):
    """The source of the examples: a data set of the zoo, a CSV file, a folder of images, or an .npz file.

    At most one is named.
    """

    zoo: str = param("", "a name such as adult; default: the model's own data set")
    split: str = param("test", "which rows of a data set of the zoo")
    role: Literal["", "test", "train", "unknown"] = param(
        "", "whether the model was trained on these rows; default: by split"
    )
    train: str = param("", "the model's training rows, to compare with: as csv, folder, npz, or a split of the zoo's")
    outliers: str = param(
        "", "rows unlike these, for outlier surveys with shift = given: as csv, folder, npz, or a data set of the zoo"
    )
    csv: str = param("", "a file")
    folder: str = param("", "images, in a subfolder for each class")
    npz: str = param("", "arrays of numpy")
    label: str | tuple[Name, ...] = param(
        "", "the column of a CSV file, or a list of them; the array of an .npz file, by default labels"
    )
    groups: tuple[Name, ...] = param((), "columns whose values are groups of people")
    features: tuple[Name, ...] = param((), "columns of a CSV file; the one array of an .npz file, by default inputs")
    classes: tuple[Name, ...] = param((), "in the model's order")
    categories: dict[str, list[Name]] = field(default_factory=dict)  # the levels of columns, in the model's order
    missing: tuple[Name, ...] = param((), "cells that are missing besides empty ones, such as ?")
    separator: str = ""  # between cells; detected unless given, as are the other two
    decimal: str = param("", "of the numbers: . or ,")
    encoding: str = param("", "of the file")
    size: tuple[int, ...] = param(
        (), "height and width to resize images to; default: the model's if known, else their own"
    )
    channels: int = param(
        0, "of the images of a folder: 3 for colour, 1 for grey; default: the model's if known, else 3", low=0
    )
    squares: int = param(
        0, "side in pixels of the squares that are the features of images; default: an eighth of the longer side", low=0
    )
    segments: int = param(
        0, "the approximate number of segments, by colour and place, that are the features of an image", low=0
    )
    truth: tuple[Name, ...] = param(
        (), "where the truth was planted: the columns of a CSV file that decide; the one array of an .npz file"
    )
    patch: tuple[int, ...] = param(
        (), "of images: top, left, height and width of a bright patch that is pasted on each: the planted truth"
    )
    sample: int | None = param(
        None, "rows to sample without replacement; 0: all; default: by form of the inputs", low=0
    )

    def check(self) -> None:
        """Raise PlanError unless at most one source is named, with the keys that it needs and no others."""
        named = [key for key in ("zoo", *FILES) if getattr(self, key)]
        if len(named) > 1:
            raise PlanError(f"[data] names {' and '.join(named)}; name one source of examples")
        if self.csv and not self.label:
            raise PlanError('[data] has csv but no label; name the column to predict: label = "..."')
        if self.size and (len(self.size) != 2 or not all(1 <= side <= 4096 for side in self.size)):
            raise PlanError(f"data.size = {list(self.size)}, expected height and width, such as size = [224, 224]")
        if self.channels not in (0, 1, 3):
            raise PlanError(f"data.channels = {self.channels}, expected 3 for colour or 1 for grey")
        source = named[0] if named else "zoo"
        for key, (owners, what) in BELONGS.items():
            if source not in owners and getattr(self, key) != _usual(key):
                raise PlanError(f"[data] has {key}, which is {what}, and the examples are from {source}; leave it out")
        if self.squares and self.segments:
            raise PlanError("[data] has squares and segments, and an image has one kind of features; leave one out")
        for key, holds in (("features", "holds the inputs"), ("truth", "marks where the truth lies")):
            if self.npz and len(getattr(self, key)) > 1:
                raise PlanError(
                    f"data.{key} lists {len(getattr(self, key))} arrays, expected the one array of an npz file "
                    f"that {holds}"
                )
        if self.patch and (len(self.patch) != 4 or min(self.patch) < 0 or 0 in self.patch[2:]):
            raise PlanError(
                f"data.patch = {list(self.patch)}, expected top, left, height and width, such as patch = [0, 0, 3, 3]"
            )
        if self.patch and self.truth:
            raise PlanError("[data] has truth and patch, and a patch is a truth of its own; leave one out")

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns to predict."""
        return self.label if isinstance(self.label, tuple) else (self.label,) if self.label else ()

    @property
    def own(self) -> bool:
        """Whether the examples are the user's own."""
        return any(getattr(self, key) for key in FILES)

    def within(self, folder: Path) -> "DataSource":
        """The same source with its files found from a folder."""
        named = (*FILES, "train", "outliers") if self.own else ()
        return replace(self, **{key: str((folder / path).resolve()) for key in named if (path := getattr(self, key))})  # type: ignore[arg-type]  # the values are texts


ROLES = ("test", "train", "unknown")
FILES = ("csv", "folder", "npz")
BELONGS = {  # keys of [data] that only some sources have, and what they are
    "split": (("zoo",), "of data sets of the zoo"),
    "label": (("csv", "npz"), "a column of a CSV file, or an array of an npz file"),
    "groups": (("csv", "npz"), "columns of a CSV file, or arrays of an npz file"),
    "features": (("csv", "npz"), "columns of a CSV file, or the array of an npz file"),
    "categories": (("csv",), "of the columns of a CSV file"),
    "missing": (("csv",), "of the cells of a CSV file"),
    "separator": (("csv",), "of a CSV file"),
    "decimal": (("csv",), "of a CSV file"),
    "encoding": (("csv",), "of a CSV file"),
    "size": (("folder", "npz"), "for images: name a folder of them, or an npz file"),
    "channels": (("folder",), "for a folder of images"),
    "squares": (("folder", "npz"), "for images: name a folder of them, or an npz file"),
    "segments": (("zoo", "folder", "npz"), "for images"),
    "truth": (("csv", "npz"), "columns of a CSV file, or an array of an npz file"),
    "patch": (("zoo", "folder", "npz"), "for images"),
}


def _usual(key: str) -> Any:
    """The default of a key of [data]."""
    declared = {f.name: f for f in fields(DataSource)}[key]
    return declared.default_factory() if declared.default_factory is not MISSING else declared.default
