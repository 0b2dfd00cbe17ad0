"""The examples that a plan names, read as its model needs them."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from probe_models.datasets.own import own_of

from probe import adapters, images, zoo
from probe.audit.plan import Plan
from probe.audit.sources import DataSource
from probe.cli import own_tables
from probe.cli.model_sources import Begun, are_numbered, is_bare
from probe.dataset import Dataset
from probe.errors import PlanError
from probe.features import image_space
from probe.model import Model
from probe.tables import Texts, texts_from_csv
from probe.task import Classification, MultiLabel, Regression


@dataclass(frozen=True)
class Reader:
    """How the examples of a plan are read; also those that its model learned from."""

    plan: Plan
    begun: Begun

    def __call__(self, source: DataSource) -> Dataset:
        """The examples of a source.

        Raises:
            PlanError: where it says what they do not have.
        """
        self._check(source)
        data = self._read(source)
        if source.patch:
            data = images.pasted(data, at=source.patch[:2], size=source.patch[2:])
        if source.classes and tuple(source.classes) != data.classes:
            there = ", ".join(data.classes) or "numbers, which have no classes"
            raise PlanError(f"data.classes names {', '.join(source.classes)}, and the labels are {there}; leave it out")
        return data

    def _check(self, source: DataSource) -> None:
        several = isinstance(self.begun.labels, MultiLabel | Regression)
        if len(source.labels) > 1 and not several:
            raise PlanError(
                f"[data] label lists {len(source.labels)} columns, and a classification has one label for "
                'each row; name one, or give the task: [model] task = "multilabel" or "regression"'
            )
        if source.classes and several and source.csv:
            raise PlanError(
                "[data] has classes, and the answers are named by the columns of data.label; leave classes out"
            )

    def _read(self, source: DataSource) -> Dataset:
        if self.begun.texts is not None:
            return self._texts(source, self.begun.texts)
        if source.folder or source.npz:
            return self._images(source)
        if not source.csv:
            return zoo.data(source.zoo or data_of(self.plan.model.zoo), split=source.split)
        if self.begun.truths:
            source = _with_truths(source, self.begun.truths)
        return own_tables.read_table(
            source, self.plan.seed, exact=bool(self.plan.model.factory), task=self.begun.labels
        )

    def _images(self, source: DataSource) -> Dataset:
        size = source.size or self.begun.shape[1:]
        how: dict[str, Any] = {"classes": source.classes or None, "size": (size[0], size[1]) if size else None}
        if source.folder:
            if isinstance(self.begun.labels, MultiLabel | Regression):
                raise PlanError(
                    "[data] folder has a subfolder for each class, and this model answers with "
                    f'{self.begun.labels.units[1]}; give npz = "file.npz" with the labels of each row'
                )
            channels = source.channels or (self.begun.shape[0] if self.begun.shape else 3)
            data = images.from_folder(source.folder, channels=channels, **how)
        else:
            inputs = source.features[0] if source.features else "inputs"
            marks = source.truth[0] if source.truth else ""
            keys = images.Keys(inputs=inputs, labels=source.labels or ("labels",), groups=source.groups, truth=marks)
            data = images.from_npz(source.npz, keys=keys, task=self.begun.labels or Classification(), **how)
        foreign = [key for key in ("size", "squares") if getattr(source, key)] if data.inputs.ndim != 4 else []
        if foreign:
            raise PlanError(
                f"[data] has {foreign[0]}, which is for images, and {data.name} holds no images; leave it out"
            )
        if source.squares:
            channels, height, width = data.inputs.shape[1:]
            space = image_space(channels, height, width, side=source.squares, bounds=data.space.bounds)
            data = replace(data, space=space)
        return data

    def _texts(self, source: DataSource, model: Model) -> Dataset:
        if not source.csv or len(source.features) != 1:
            raise PlanError('[data] needs csv = "file.csv" and the one column with the texts: features = ["text"]')
        if foreign := [key for key in ("categories", "decimal", "truth") if getattr(source, key)]:
            raise PlanError(f"[data] has {foreign[0]}, which is for tables of numbers and categories; leave it out")
        names = model.task.names
        return texts_from_csv(
            source.csv,
            Texts(source.features[0], partial(adapters.encoded, self.plan.model.transformers), model.space),
            label=list(source.labels),
            task=model.task,
            groups=source.groups,
            classes=source.classes or (None if are_numbered(names) or not model.task.one_class else names or None),
            how=own_tables.how(source),
        )


def data_of(name: str) -> str:
    """The data set that a model of the zoo is evaluated on, mostly the one that it was trained on."""
    if is_bare(name):
        raise PlanError(f'{name} has no card that names its data; [data] needs csv = "file.csv" or zoo = "adult"')
    data = zoo.card(name)["data"]
    return name if own_of(data) else str(data.get("judged_on", data["name"]))


def _with_truths(source: DataSource, truths: tuple[tuple[str, ...], ...]) -> DataSource:
    """The source with the values of labels that an estimator was fitted to, where a plan names none."""
    told = {label: list(values) for label, values in zip(source.labels, truths, strict=False) if values}
    return replace(source, categories={**told, **source.categories})
