"""How much of what a feature does depends on other features."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.contracts import Need, Survey
from probe.errors import RangeError
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.dependence import answer_of
from probe.tensors import spans, wide


@dataclass(frozen=True, kw_only=True)
class FriedmanH(Survey):
    """Friedman's H squared: the share of an effect's variance by interactions (doi:10.1214/07-AOAS148).

    Of each feature: how much of the variance of the output does not come from the partial dependence on it plus that on
    all others. With `feature`, of each pair with it: how much of the variance of the partial dependence on both is not
    that of the two. 0 is none and 1 is all; it can be large where the effect itself is small. The space's reference
    rows stand for all that is held out, as in `KernelShap`; features that depend on each other are asked about as if
    they did not.

    Raises:
        RangeError: if there is no such feature or answer.
        Unsupported: if the space has no reference.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import FriedmanH
        >>> forward = lambda x: torch.stack([x[:, 2] * 0 - 9, x[:, 0] * x[:, 1] + x[:, 2]], 1)
        >>> x = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0])])
        >>> space = Space(bounds=(-1, 1), names=("age", "debt", "pay"), reference=x)
        >>> data = Dataset(x, torch.zeros(8, dtype=torch.long), space=space)
        >>> FriedmanH()(Model(forward=forward, space=space), data).to_frame().set_index("item")["value"].to_dict()
        {'age': 0.5, 'debt': 0.5, 'pay': 0.0}
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    reduction: ClassVar[str] = "share of the total"
    asks: ClassVar[str] = "share of the variance that comes of interactions"

    feature: str = param("", "the feature whose pairs are asked about; default: each feature with all others")
    answer: str = param("", "name of the class or output; by default the last one")

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        names = tuple(model.space.feature_names(inputs))
        if not self.feature:
            return names
        if self.feature not in names:
            some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            raise RangeError(f"{type(self).__name__}.feature = {self.feature!r}, expected one of {some}")
        return tuple(f"{self.feature} and {name}" for name in names if name != self.feature)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        count, names = model.space.feature_count(inputs), model.space.feature_names(inputs)
        each = torch.eye(count, dtype=torch.bool, device=inputs.device)
        targets = answer_of(self, model, inputs)
        alone = [self._dependence(model, inputs, targets, one) for one in each]
        found = []
        if self.feature:
            own = names.index(self.feature)
            for at in range(count):
                if at != own:
                    both = self._dependence(model, inputs, targets, each[own] | each[at])
                    found.append(((both - alone[own] - alone[at]) ** 2, both**2))
        else:
            whole = _centred(wide(model.target_outputs(inputs, targets, "logit")))
            for at in range(count):
                rest = self._dependence(model, inputs, targets, ~each[at])
                found.append(((whole - alone[at] - rest) ** 2, whole**2))
        return torch.stack([torch.stack(pair, 1) for pair in found], 1)

    def _dependence(self, model: Model, inputs: Inputs, targets: Labels, kept: Tensor) -> Tensor:
        """The mean output of each row with its own values of some features, and those of the reference elsewhere."""
        references = model.space.references(inputs)
        mask = model.space.coordinate_mask(kept[None], inputs[:1]).view(1, 1, *inputs.shape[1:])
        found = []
        for rows in spans(len(inputs), max(1, model.rows_per_pass(inputs) // len(references))):
            mixed = torch.where(mask, inputs[rows][:, None], references[None]).flatten(0, 1)
            each = targets[rows].repeat_interleave(len(references), 0)
            found.append(wide(model.target_outputs(mixed, each, "logit")).view(-1, len(references)).mean(1))
        return _centred(torch.cat(found))


def _centred(values: Tensor) -> Tensor:
    values = values if values.device.type == "mps" else values.double()
    return values - values.mean()
