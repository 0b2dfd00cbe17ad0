"""A Survey examines a model on a whole dataset: evidence of every example about several items, such as features."""

from abc import ABC, abstractmethod
from copy import copy
from typing import ClassVar, final

from torch import Tensor

from probe.contracts.attack import Attack
from probe.contracts.common import Need, placed, refuse_unmet
from probe.contracts.prediction import check_match
from probe.contracts.reducer import Reducer
from probe.dataset import Dataset
from probe.errors import ContractError, ShapeError, Unsupported
from probe.finding import About, Aspect
from probe.model import Model
from probe.outcomes import Examination
from probe.shapes import Evidence, Inputs, Labels


class Survey(Reducer, ABC):
    """Gathers evidence from every example of a dataset about items, such as features, and reduces it item by item.

    >>> import torch
    >>> from typing import ClassVar
    >>> from probe import Dataset, Model, Space, Survey
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Present(Survey):
    ...     'How often each feature is above 0.'
    ...     asks: ClassVar[str] = "share of the rows that have it"
    ...     unit: ClassVar[str] = "share"
    ...     def items(self, model: Model, inputs: torch.Tensor) -> tuple[str, ...]:
    ...         return model.space.feature_names(inputs)
    ...     def examine(self, model: Model, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    ...         return (inputs > 0).float()
    >>> model = Model(forward=lambda x: 4 * x, space=Space(names=("age", "debt")))
    >>> data = Dataset(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1]), space=model.space)
    >>> Present()(model, data).to_frame()["value"].tolist()
    [1.0, 0.5]
    """

    family: ClassVar[str] = "survey"
    verb: ClassVar[str] = "survey"
    aspect: ClassVar[Aspect] = "explanation"  # the chapter of its table
    about: ClassVar[About] = "model"  # what its findings are about: the model, or how far a method can be trusted
    needs: ClassVar[frozenset[Need]] = frozenset()  # of the model
    item: ClassVar[str] = "feature"  # what an item is called
    split: ClassVar[str] = ""  # what stands between row and column in the name of an item, where they make a table
    asks: ClassVar[str]  # what is measured of an item, in a few words
    each: ClassVar[str] = (
        ""  # a setting that is an attack: unless a plan sets it, it is each of its own, at each radius
    )

    @abstractmethod
    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        """Return the evidence of each example about each item, (batch, items) or (batch, items, parts)."""

    def among(self, model: Model, inputs: Inputs, labels: Labels, data: Dataset) -> Evidence:
        """As `examine`, where a survey takes more of the data, such as outliers; by default, what `examine` gives."""
        return self.examine(model, inputs, labels)

    def pilot(self) -> "tuple[Survey, float]":
        """One to try in its place to tell how long it takes, and how many times as long it is; by default itself."""
        return self, 1.0

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        """The names of the items; by default the features of the inputs."""
        return tuple(model.space.feature_names(inputs))

    def named(self, items: tuple[str, ...], evidence: Evidence, rows: Tensor) -> tuple[str, ...]:
        """The names of the items once they were examined; `rows` are the numbers of the examples in their source."""
        return items

    @classmethod
    def suits(cls, attack: Attack) -> bool:
        """Whether an attack of a plan can be the setting `each`."""
        return True

    def along(self) -> str:
        """What the items are values of, in their order, such as a feature: they are drawn as a curve; "" if nothing."""
        return ""

    @final
    def __call__(self, model: Model, data: Dataset) -> Examination:
        """Examine the model on a dataset.

        Raises:
            Unsupported: if the model lacks what the survey needs, or has no items.
        """
        refuse_unmet(self, self.needs, model)
        Dataset.require(data)
        check_match(model, data)
        inputs = model.check(data.inputs)
        labels = model.check_labels(data.labels, inputs)
        before = copy(model.usage)
        if self.item == "feature" and model.space.differs(inputs):
            raise Unsupported(
                f"{self.name()} examines each feature over all examples, and each example has features of its own; "
                "give one grouping for all, such as probe.squares(height, width, side)"
            )
        items = self.items(model, inputs)
        if not items:
            raise Unsupported(f"{self.name()} examines each {self.item}, and {model.name} has none")
        evidence = self.among(placed(model), inputs, labels, data).detach()
        if evidence.shape[:2] != (len(inputs), len(items)):
            raise ShapeError(
                f"{self} returned {tuple(evidence.shape)} for {len(inputs)} examples and {len(items)} items, expected "
                "(examples, items)"
            )
        if not bool(evidence.isfinite().all()):
            raise ContractError(f"{self} returned NaN or infinity")
        assert isinstance(data.rows, Tensor), "a dataset numbers its rows"
        return Examination(evidence, self.named(items, evidence, data.rows), self, model.usage - before)
