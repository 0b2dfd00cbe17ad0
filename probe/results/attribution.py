"""The result of an explainer."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from probe.metering import Usage
from probe.method import Method
from probe.results.base import AnyResult, cost_in_words, dtype_name, named, whole
from probe.results.drawing import drawer, drawn, example
from probe.shapes import Inputs, Labels, PerFeature
from probe.space import Space
from probe.tensors import to_numpy, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Values


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(AnyResult):
    """The attribution of each coordinate to the target, shaped as the inputs; positive values support the target.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(names=("age", "debt")))
    >>> found = InputXGradient()(model, torch.tensor([[0.5, 0.25], [0.0, 1.0]]), torch.tensor([0, 0]))
    >>> found.to_frame().to_dict("list")
    {'age': [1.0, 0.0], 'debt': [-0.25, -1.0]}
    >>> found[0].values
    tensor([[ 1.0000, -0.2500]])
    """

    per_row: ClassVar[tuple[str, ...]] = ("values", "inputs", "targets")

    values: Inputs
    inputs: Inputs
    targets: Labels
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # cost of the whole call, also after indexing
    classes: tuple[str, ...] = ()

    def by_feature(self) -> PerFeature:
        """One number per feature: the sum over its coordinates, in float32 for half-precision values."""
        return self.space.by_feature(wide(self.values))

    def to_frame(self) -> pd.DataFrame:
        """One row per example and one column per feature."""
        return pd.DataFrame(to_numpy(self.by_feature()), columns=self._names())

    def _in_words(self) -> tuple[str, ...]:
        features = f"{self.space.feature_count(self.inputs)} features" if len(self) else "no features"
        return (
            f"Attribution of {len(self)} examples by {self.method}",
            f"inputs {tuple(self.inputs.shape)} {dtype_name(self.inputs)}, {features}",
            cost_in_words(self.cost),
        )

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Plot one example in the way of its form: red supports the target, blue opposes it."""
        part = self[index]
        title = f"{type(self.method).__name__}: class {named(part.targets, self.classes)[0]}"
        return drawer(self).explained(example(part.space, part.inputs), part._values(), title=title, ax=ax)

    def text(self, index: int) -> str:
        """One example as HTML if its form is text; else empty."""
        part = self[index]
        return drawer(self).text(example(part.space, part.inputs), part._values())

    def _values(self) -> "Values":
        """The values of the first example."""
        from probe.plots import Values

        return Values(to_numpy(self.values[0]), to_numpy(self.by_feature()[0]))

    def _names(self) -> list[str]:
        return [whole(name) for name in self.space.feature_names(self.inputs)]

    def _figures(self) -> str:
        return drawn(self)
