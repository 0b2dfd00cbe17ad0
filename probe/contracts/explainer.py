"""An Explainer attributes an answer of a model to the coordinates of the input."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from torch import Tensor

from probe.arrays import Given, Wanted
from probe.contracts.common import Need, check_output, in_order, passes_alike, placed, refuse_missing, refuse_unmet
from probe.errors import ContractError, Unsupported
from probe.formatting import SUMS
from probe.method import Method, param
from probe.model import Model
from probe.names import same_rows
from probe.results import Attribution
from probe.shapes import Inputs, Labels


@dataclass(frozen=True, eq=False)
class Sampled:
    """Values that were estimated from a draw, and their standard errors, both shaped as the inputs.

    Errors are spread over the coordinates of a feature as the values of SHAP are: their sum is the standard error of
    the feature's value. They are 0 where a value is known to be exact. Interactions of features and their errors, which
    a method may tell too, are (batch, features, features), and how well a fit tells the output is (batch,).
    """

    values: Inputs
    errors: Inputs | None = None
    pairs: Tensor | None = None
    pair_errors: Tensor | None = None
    fidelity: Tensor | None = None


def plain(found: Inputs | Sampled) -> Inputs:
    """The values of what an explainer found."""
    return found.values if isinstance(found, Sampled) else found


@dataclass(frozen=True, kw_only=True)
class Explainer(Method, ABC):
    """Computes how much each input coordinate contributes to the output of a class.

    >>> import torch
    >>> from probe import Explainer, Model
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Brightness(Explainer):
    ...     'The brightness of each coordinate, independent of the model.'
    ...     def attribute(self, model: Model, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    ...         return inputs
    >>> Brightness()(Model(forward=lambda x: x), torch.tensor([[0.5, 0.25]])).values
    tensor([[0.5000, 0.2500]])
    """

    family: ClassVar[str] = "explainer"
    verb: ClassVar[str] = "explain"
    needs: ClassVar[frozenset[Need]] = frozenset()  # "gradients": by the inputs; for tokens, by their embeddings
    # The values sum to output(input) minus the output at the mean reference, or minus the references' mean output.
    completeness: ClassVar[Literal["baseline", "references"] | None] = None
    sums_by_construction: ClassVar[bool] = False  # the method imposes the sum, so that measuring it tests nothing
    # What the sign of a value means; {output} is the logit or the probability. Charts draw positive values red.
    reads_as: ClassVar[str] = "Red supports the answer, blue opposes it."

    output: Literal["logit", "probability"] = param(
        "logit", "the output to explain: the target's logit or its probability"
    )

    @abstractmethod
    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        """Return one signed number per input coordinate; `Sampled`, with standard errors, if they are estimates."""

    @property
    def slopes(self) -> bool:
        """Whether values are slopes, as of a gradient: times the change of an input, they are a change in output."""
        return False

    @classmethod
    def captioned(cls, output: str) -> str:
        """The caption of a chart: what the signs mean, and what the values of this `output` add up to."""
        return f"{cls.reads_as} {SUMS[cls.completeness]}".format(output=output)

    @final
    def __call__(self, model: Model, inputs: Given, targets: Wanted | None = None) -> Attribution:
        """Explain `targets`, by default the predictions: an output each by index or name, or one name for all."""
        refuse_unmet(self, self.needs, model)
        same_rows(inputs=inputs, targets=targets)
        inputs = model.check(inputs)
        targets = model.targets(inputs) if targets is None else model.check_targets(targets, inputs)
        before = copy(model.usage)
        with placed(model).checked_late() as late:
            parts = list(passes_alike(late, inputs))
            found = [self._explain(each, inputs[rows], targets[rows]) for rows, each in parts]
        places, kinds = [rows for rows, _ in parts], list(zip(*found, strict=True))
        values, errors = (self._joined(kind, places, inputs) for kind in kinds[:2])
        pairs, pair_errors = (self._paired(kind, places) for kind in kinds[2:4])
        told = [each for each in kinds[4] if each is not None]
        fidelity = in_order(told, places).detach() if len(told) == len(places) else None
        assert values is not None
        if errors is not None and bool((errors < 0).any()):
            raise ContractError(f"{self} returned a standard error below 0")
        cost, names = model.usage - before, model.task.names
        others = {"pairs": pairs, "pair_errors": pair_errors, "fidelity": fidelity}
        return Attribution(values, inputs, targets, self, model.space, cost, names, errors, **others)

    def _explain(self, model: Model, inputs: Inputs, targets: Labels) -> tuple[Tensor | None, ...]:
        """Values, interactions and the standard errors of each, which are checked after all are there."""
        if "gradients" in self.needs:
            refuse_missing(self, inputs)
        if model.embed is not None and "gradients" in self.needs:
            found = self.by_token(model.over_embeddings(), model.points(inputs), targets)
        else:
            found = self.attribute(model, inputs, targets)
        if isinstance(found, Sampled):
            return found.values, found.errors, found.pairs, found.pair_errors, found.fidelity
        return found, None, None, None, None

    def by_token(self, model: Model, embedded: Tensor, targets: Labels) -> Tensor | Sampled:
        """One number per token: the sum of those of its embedding. Errors of those cannot be added up, so none is."""
        return plain(self.attribute(model, embedded, targets)).sum(-1)

    def _paired(self, found: Sequence[Tensor | None], rows: Sequence[slice | Tensor]) -> Tensor | None:
        """Interactions of all batches, if every one has them."""
        there = [each for each in found if each is not None]
        if len(there) < len(found):
            return None
        if len({each.shape[1:] for each in there}) > 1:
            raise Unsupported(
                f"{self.name()} tells interactions of features, and examples have different numbers of them; give one "
                "grouping for all, such as probe.squares(height, width, side), or explain one at a time"
            )
        return in_order(there, rows).detach()

    def _joined(self, found: Sequence[Tensor | None], rows: Sequence[slice | Tensor], inputs: Inputs) -> Tensor | None:
        there = [each for each in found if each is not None]
        if len(there) < len(found):
            return None
        together = in_order(there, rows).detach()
        check_output(self, together, inputs)
        return together
