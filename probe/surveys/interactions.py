"""How much features depend on each other in what they bring."""

from dataclasses import dataclass
from typing import ClassVar, cast

import torch

from probe.contracts import Explainer, Need, Survey
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.registry import build, discover
from probe.shapes import Evidence, Inputs, Labels

USUAL = {"method": "kernel_shap", "interactions": True}


@dataclass(frozen=True, kw_only=True)
class PairInteractions(Survey):
    """How much each pair of features brings together beyond what each brings alone, in the mean over examples.

    The evidence of an example is the size of the pair's Shapley interaction index for the answer that is decided for
    (doi:10.1007/s001820050125), at least 0 and in output units: 0 where the two add up. `explainer` tells the indices;
    unless given, KernelShap with all coalitions for up to 12 features, else 1,000. Sizes of sampled indices are too
    large by about their standard errors, which `KernelShap(interactions=True)(model, inputs).interactions()` has.

    Raises:
        RangeError: if there are too few coalitions for all pairs of features.
        Unsupported: if the explainer tells no interactions, or the space has no reference.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import PairInteractions
        >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1] + x[:, 2], x[:, 2] - 9], 1)
        >>> space = Space(bounds=(0, 2), names=("age", "debt", "pay"), reference=torch.zeros(1, 3))
        >>> data = Dataset(torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]]), torch.tensor([1, 1]), space=space)
        >>> PairInteractions()(Model(forward=forward, space=space), data).to_frame().set_index("item")["value"].round(4)
        item
        age and debt    6.0
        age and pay     0.0
        debt and pay    0.0
        Name: value, dtype: float64
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    item: ClassVar[str] = "pair of features"
    asks: ClassVar[str] = "size of the interaction of a pair of features"

    explainer: Explainer | None = param(None, "what tells interactions; none: KernelShap")

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        names = model.space.feature_names(inputs)
        return tuple(f"{one} and {two}" for at, one in enumerate(names) for two in names[at + 1 :])

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        explainer = self.explainer or cast(Explainer, build(discover("explainer"), USUAL))
        found = explainer(model, inputs, model.targets(inputs))
        if found.pairs is None:
            raise Unsupported(
                f"{self.name()} needs interactions, and {explainer} tells none; write KernelShap(interactions=True)"
            )
        one, two = torch.triu_indices(found.pairs.shape[1], found.pairs.shape[1], 1).to(inputs.device)
        return found.pairs.to(inputs.device)[:, one, two].abs().to(torch.get_default_dtype())
