"""What can be read from the layers of a network by a linear classifier, beyond what it learns by heart."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probe.contracts import Need, Survey
from probe.contracts.common import passes
from probe.errors import RangeError, Unsupported
from probe.formatting import Unit
from probe.internals import outline
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.kinds import Kinds, kinds_of_feature, kinds_of_labels
from probe.surveys.sites import given, tensor_of
from probe.task import Classification
from probe.tensors import generator, wide

CPU = torch.device("cpu")
DECISION = Classification()
PARTS = ("accuracy", "control task", "selectivity")
SPLIT = ": "

Numbers = Float[Tensor, "rows numbers"]


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Survey):
    """What a linear classifier reads from each layer, beyond what it learns by heart (arXiv:1610.01644).

    Ridge regression on what a layer gives, standardised, tells the label of rows that it was not fitted to, or their
    value of `feature`: each row is in one of five folds. Beside it is a control task (arXiv:1909.03368): labels that
    are drawn at random for each value of the feature `control`, or for each row where none is named, so that they can
    only be learned by heart. For each layer there are the accuracy, that of the control task, and selectivity, the
    difference: above 0 where the layer holds what is asked, rather than where there is much room. All of them are
    shares; higher is more.

    Of numbers with many values it is read whether they are above the median. What can be read need not be used:
    `Ablation` and `ActivationPatching` ask that.

    Raises:
        RangeError: if there is no such layer, place or feature, or there are too few rows.
        Unsupported: if a row has several labels, or all have the same.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import LinearProbe
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight), torch.nn.init.eye_(network[1].weight).data[1].zero_()
        >>> x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0), names=("age", "debt")))
        >>> data = Dataset(x, (x[:, 1] > 0).long(), space=model.space)  # the label is debt, which layer 1 forgets
        >>> found = LinearProbe()(model, data).to_frame().set_index("item")["value"]
        >>> bool(found["0: selectivity"] > 0.4), bool(abs(found["1: selectivity"]) < 0.15)
        (True, True)
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"layers"})
    unit: ClassVar[Unit] = "share"
    item: ClassVar[str] = "layer"
    split: ClassVar[str] = SPLIT
    asks: ClassVar[str] = "what a linear classifier reads from the layer"

    layers: tuple[str, ...] = param((), "the layers; default: the parts of the network")
    place: int | None = param(None, "of the tokens along axis 1 the one that is read, -1 the last; none: all numbers")
    feature: str = param("", "the feature that is read; default: the label")
    control: str = param("", "the feature whose values get random labels in the control task; default: each row")
    folds: int = param(5, "folds, each of which is told by the others", low=2, high=100)
    ridge: float = param(0.1, "penalty, as a share of the mean square of the numbers", above=0)
    seed: int = param(0, "seed of the folds and of the control task", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"{name}{SPLIT}{part}" for name in self._addresses(model, inputs) for part in PARTS)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        if self.feature:
            kinds = kinds_of_feature(model, inputs, self.feature, f"{type(self).__name__}.feature")
        else:
            kinds = kinds_of_labels(model, labels, self.name())
        if len(inputs) < self.folds or int(kinds.max()) == 0:
            raise Unsupported(
                f"{self.name()} tells kinds of rows apart in {self.folds} folds; found rows: {len(inputs)}, "
                f"kinds: {int(kinds.max()) + 1}; give at least {self.folds} rows of two kinds"
            )
        wanted = torch.stack([kinds, self.drawn(model, inputs, kinds)], 1)
        folds = torch.arange(len(inputs)) % self.folds
        folds = folds[torch.randperm(len(inputs), generator=generator(self.seed, CPU))].to(inputs.device)
        found = []
        for name in self._addresses(model, inputs):
            own, control = self._right(self._numbers(model, inputs, name), wanted, folds).unbind(1)
            found += [own.float(), control.float(), own.float() - control.float()]
        return torch.stack(found, 1)

    def drawn(self, model: Model, inputs: Inputs, kinds: Kinds) -> Kinds:
        """The labels of the control task: those of other rows, drawn for each value of the feature `control`."""
        source = generator(self.seed + 1, CPU)
        if not self.control:
            return kinds[torch.randperm(len(kinds), generator=source).to(kinds.device)]
        types = kinds_of_feature(model, inputs, self.control, f"{type(self).__name__}.control")
        chosen = torch.randint(len(kinds), (int(types.max()) + 1,), generator=source).to(kinds.device)
        return kinds[chosen][types]

    def _right(self, numbers: Numbers, wanted: Tensor, folds: Tensor) -> Bool[Tensor, "rows tasks"]:
        """Whether each row is told rightly by a classifier that was fitted to other folds, for each task."""
        right = torch.zeros_like(wanted, dtype=torch.bool)
        for fold in range(self.folds):
            there, left = (folds != fold).nonzero()[:, 0], (folds == fold).nonzero()[:, 0]
            mean, deviation = numbers[there].mean(0), numbers[there].std(0)
            scaled = (numbers - mean) / torch.where(deviation > 0, deviation, 1.0)
            # By rows, of which there are fewer than numbers in most layers.
            products = scaled @ scaled[there].T
            own = products[there]
            own = own + self.ridge * own.diagonal().mean().clamp(min=1e-12) * torch.eye(len(there)).to(own)
            goals = [_flags(wanted[there, task], int(wanted.max()) + 1).to(own) for task in range(wanted.shape[1])]
            shares = [goal.mean(0) for goal in goals]
            solved = torch.linalg.solve(own, torch.cat([g - s for g, s in zip(goals, shares, strict=True)], 1))
            scores = (products[left] @ solved + torch.cat(shares)).chunk(len(goals), 1)
            for task, each in enumerate(scores):
                right[left, task] = DECISION.predict(each) == wanted[left, task]
        return right

    def _numbers(self, model: Model, inputs: Inputs, name: str) -> Numbers:
        """What is read of a layer, (rows, numbers)."""
        parts = [tensor_of(model.activations(inputs[rows], at=name)[name]) for rows in passes(model, inputs)]
        found = wide(torch.cat(parts))
        if self.place is not None:
            if found.ndim < 3 or not -found.shape[1] <= self.place < found.shape[1]:
                raise RangeError(
                    f"{type(self).__name__}.place = {self.place}, and the layer {name!r} gives "
                    f"{tuple(found.shape[1:])} for each row; name one of the places along its first axis, or layers "
                    "with tokens"
                )
            found = found[:, self.place]
        found = found.flatten(1)
        return found if found.device.type == "mps" else found.double()

    def _addresses(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        """The layers that are read; of those that nobody named only such that give a tensor."""
        if self.layers:
            for name in self.layers:
                given(model, inputs, name)
            return self.layers
        found = []
        for name in outline(model.forward, model.name):
            try:
                shape = given(model, inputs, name).shape
            except Unsupported:
                continue
            if self.place is None or len(shape) > 2:
                found.append(name)
        return tuple(found)


def _flags(kinds: Kinds, count: int) -> Tensor:
    return kinds[:, None] == torch.arange(count, device=kinds.device)
