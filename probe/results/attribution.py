"""The result of an explainer."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float64
from numpy.typing import NDArray
from torch import Tensor

from probe.arrays import Given, Wanted
from probe.errors import DataError
from probe.formatting import counted
from probe.metering import Usage
from probe.method import Method
from probe.model import Model
from probe.planted import planted_mask
from probe.results.base import AnyResult, cost_in_words, dtype_name, named, whole
from probe.results.drawing import drawer, drawn, example
from probe.results.exchange import of_shap, to_shap
from probe.shapes import Inputs, Labels, PerFeature
from probe.space import Space
from probe.statistics import ranking, top_confidence
from probe.tensors import to_numpy, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Values

TOP, CONFIDENT = 5, 0.95  # the largest features, and the confidence with which they are told to be decided
Exact = Bool[Tensor, " batch"]
Pairs = Float64[Tensor, "batch features features"]
Fidelity = Float[Tensor, " batch"]


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

    per_row: ClassVar[tuple[str, ...]] = (
        "values", "inputs", "targets", "errors", "truth", "pairs", "pair_errors", "fidelity"
    )  # fmt: skip
    own_columns: ClassVar[bool] = False

    values: Inputs
    inputs: Inputs
    targets: Labels
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # cost of the whole call, also after indexing
    classes: tuple[str, ...] = ()
    errors: Inputs | None = None  # standard errors of estimates, spread over coordinates; None if nothing was drawn
    truth: Inputs | None = None  # where the truth was planted: True at the coordinates that decide; None if unknown

    pairs: Pairs | None = None  # interactions of features, where the method tells them
    pair_errors: Pairs | None = None  # their standard errors
    fidelity: Fidelity | None = None  # R squared of a local fit, such as Lime's, where it was not fitted; 1 is linear

    def by_feature(self) -> PerFeature:
        """One number per feature: the sum over its coordinates, in float32 for half-precision values."""
        return self.space.by_feature(wide(self.values))

    def planted(self, mask: Any) -> "Attribution":
        """The same with a known truth, for metrics such as PointingGame.

        Args:
            mask: True at the coordinates that decide, such as a pasted patch; shaped as the inputs or as one example.

        Raises:
            ShapeError: if the mask has another shape.
            DataError: if it is empty for an example.
        """
        return replace(self, truth=planted_mask(mask, self.inputs, "leave those examples out, as in found[rows]"))

    def errors_by_feature(self) -> PerFeature | None:
        """The standard error of each feature's value, 0 if it is exact; None if nothing was drawn."""
        return None if self.errors is None else self.space.by_feature(wide(self.errors))

    @property
    def exact(self) -> Exact:
        """The examples whose values were drawn and are exact all the same, as far as the draw can tell."""
        if self.errors is None:
            return torch.zeros(len(self), dtype=torch.bool)
        return (self.errors == 0).flatten(1).all(1).cpu()

    def rankings(self, index: int = 0) -> pd.DataFrame:
        """The features of one example by the size of their values, largest first.

        Columns: feature, value, error (standard error), and above next (the confidence that its size is larger than
        that of the next; NaN for the last). Both are NaN if nothing was drawn.
        """
        part = self[index]
        values, errors = to_numpy(part.by_feature()[0]), part.errors_by_feature()
        spread = np.full(len(values), np.nan) if errors is None else to_numpy(errors[0])
        order, confidence = ranking(values, spread)
        names = np.array(part._names(), dtype=object)
        columns = {"feature": names[order], "value": values[order], "error": spread[order], "above next": confidence}
        return pd.DataFrame(columns)

    def interactions(self, index: int = 0) -> pd.DataFrame:
        """The interactions of one example by their size, largest first.

        Columns: first, second (the features), value, and error (standard error; 0 where it is exact).

        Raises:
            DataError: if the method told none.
        """
        if self.pairs is None or self.pair_errors is None:
            raise DataError(f"{self.method} told no interactions; write KernelShap(interactions=True)")
        part, names = self[index], np.array(self._names(), dtype=object)
        assert part.pairs is not None
        assert part.pair_errors is not None
        one, two = np.triu_indices(len(names), 1)
        values, errors = (to_numpy(each[0])[one, two] for each in (part.pairs, part.pair_errors))
        frame = pd.DataFrame({"first": names[one], "second": names[two], "value": values, "error": errors})
        order = np.argsort(-np.abs(values), kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    def top_confidence(self, top: int) -> NDArray[np.float64]:
        """Of each example a lower bound of the confidence that its `top` largest features are those; NaN if unknown."""
        errors = self.errors_by_feature()
        if errors is None:
            return np.full(len(self), np.nan)
        both = zip(to_numpy(self.by_feature()), to_numpy(errors), strict=True)
        return np.array([top_confidence(values, spread, top) for values, spread in both])

    @property
    def names(self) -> tuple[str, ...]:
        return self.classes

    def to_frame(self, *, errors: bool = False) -> pd.DataFrame:
        """One row per example and one column per feature: the values, or their standard errors (NaN if not drawn)."""
        by_feature = self.by_feature()
        if errors:
            found = self.errors_by_feature()
            by_feature = torch.full_like(by_feature, torch.nan) if found is None else found
        return pd.DataFrame(to_numpy(by_feature), columns=self._names())

    def to_shap(self, model: Model | None = None) -> Any:
        """The same as an `Explanation` of the package shap, which all of its plots draw.

        Features are columns, and categories are shown by their levels. With the model, the base values are those from
        which the plots arrive at the output of each row; without it they are 0.

        Raises:
            ProbeError: if shap is not installed.

        >>> shap.plots.waterfall(found.to_shap(model)[0])  # doctest: +SKIP
        """
        values, base = self.by_feature().double(), None
        if model is not None:
            output = str(self.method.config().get("output", "logit"))
            base = model.target_outputs(self.inputs, self.targets, output).double() - values.sum(1)
        return to_shap(values, base, self.inputs, self.space, self._names())

    @classmethod
    def from_shap(
        cls, explanation: Any, model: Model, inputs: Given, method: Method, targets: Wanted | None = None
    ) -> "Attribution":
        """An `Explanation` of the package shap as a result, for metrics and plots of probe.

        Args:
            explanation: its values are (rows, features), or (rows, features, outputs), of which each row's target is
                taken; features are those of the model's space, or all coordinates.
            model: what was explained; it is asked for its predictions, where no targets are given.
            inputs: the rows that were explained.
            method: what made it, such as ShapTree(), for its name and what its values add up to; it is not called.
            targets: the outputs that were explained; by default the predictions.

        Raises:
            ShapeError: if the values are not those of these rows and features.

        >>> Attribution.from_shap(shap.TreeExplainer(forest)(rows), model, rows, ShapTree())  # doctest: +SKIP
        """
        inputs = model.check(inputs)
        targets = model.targets(inputs) if targets is None else model.check_targets(targets, inputs)
        values = of_shap(explanation, model.space, inputs, targets)
        return cls(values, inputs, targets, method, model.space, classes=model.task.names)

    def _in_words(self) -> tuple[str, ...]:
        features = f"{self.space.feature_count(self.inputs)} features" if len(self) else "no features"
        return (
            f"Attribution of {counted(len(self), 'example')} by {self.method}",
            f"inputs {tuple(self.inputs.shape)} {dtype_name(self.inputs)}, {features}",
            *self._errors_in_words(),
            *self._fidelity_in_words(),
            cost_in_words(self.cost),
        )

    def _errors_in_words(self) -> tuple[str, ...]:
        errors = self.errors_by_feature()
        if errors is None or not errors.numel():
            return ()
        known = (
            f", exact for {int(self.exact.sum())} of {counted(len(self), 'example')}" if bool(self.exact.any()) else ""
        )
        largest = self.by_feature().abs().amax(1).clamp(min=torch.finfo(errors.dtype).tiny)
        share = (errors.amax(1) / largest).median()
        top = int(self.method.config().get("until_top", 0)) or TOP
        if errors.shape[1] > top:
            sure = int((self.top_confidence(top) >= CONFIDENT).sum())
            known += f"; the {top} largest features are decided for {sure} of {len(self)}"
        return (f"standard errors up to {float(share):.2g} of an example's largest value (median){known}",)

    def _fidelity_in_words(self) -> tuple[str, ...]:
        if self.fidelity is None or bool(self.fidelity.isnan().all()):
            return ()
        typical = np.nanmedian(to_numpy(self.fidelity))
        return (f"the fit tells {typical:.0%} of the output's variance around an example (median)",)

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Plot one example in the way of its form: red supports the target, blue opposes it."""
        part = self[index]
        title = f"{type(self.method).__name__}: class {named(part.targets, self.classes)[0]}"
        return drawer(self).explained(example(part.space, part.inputs, part.truth), part._values(), title=title, ax=ax)

    def text(self, index: int) -> str:
        """One example as HTML if its form is text; else empty."""
        part = self[index]
        return drawer(self).text(example(part.space, part.inputs, part.truth), part._values())

    def _values(self) -> "Values":
        """The values of the first example."""
        from probe.plots import Values

        errors = self.errors_by_feature()
        spread = None if errors is None else to_numpy(errors[0])
        return Values(to_numpy(self.values[0]), to_numpy(self.by_feature()[0]), errors=spread)

    def _names(self) -> list[str]:
        return [whole(name) for name in self.space.feature_names(self.inputs)]

    def _figures(self) -> str:
        return drawn(self)
