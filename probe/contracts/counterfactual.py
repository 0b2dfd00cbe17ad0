"""A Counterfactual searches for inputs near a given one that get another answer."""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from probe.arrays import Given, Wanted
from probe.contracts.aim import Aim
from probe.contracts.common import Need, passes, placed, refuse_missing, refuse_unmet
from probe.errors import ContractError, ProbeError, ShapeError
from probe.goals import Goal, Untargeted
from probe.method import Method, param
from probe.model import Model
from probe.names import same_rows
from probe.results import Counterfactuals, Prediction
from probe.shapes import Candidates, Inputs


@dataclass(frozen=True, kw_only=True)
class Counterfactual(Method, ABC):
    """Searches for candidates near each input that get the wanted answer: what would have to be different.

    Unlike an attack it has no budget, and it may change every feature that `Space.mutable` allows, categories too.

    >>> import torch
    >>> from dataclasses import dataclass
    >>> from probe import Counterfactual, Model
    >>> from probe.contracts import Aim
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Mirror(Counterfactual):
    ...     'Each coordinate at the same distance from the other bound.'
    ...     def search(self, model: Model, inputs: torch.Tensor, aim: Aim) -> torch.Tensor:
    ...         return (1 - inputs)[:, None]  # one candidate for each input
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> Mirror()(model, torch.tensor([[0.9], [0.5]])).reached
    tensor([[ True],
            [False]])
    """

    family: ClassVar[str] = "counterfactual"
    verb: ClassVar[str] = "search"
    needs: ClassVar[frozenset[Need]] = frozenset()  # of the model

    goal: Goal = param(Untargeted(), "the wanted answer: any other than the given one, or a target")

    @abstractmethod
    def search(self, model: Model, inputs: Inputs, aim: Aim) -> Candidates:
        """Return the same number of candidates for each input, the best first.

        Where none is found, return the input itself.
        """

    @final
    def __call__(self, model: Model, inputs: Given, *, targets: Wanted | None = None) -> Counterfactuals:
        """Search for inputs that get another answer than the model gives to these.

        Args:
            model: the model whose answers are to change.
            inputs: (batch, *shape)
            targets: the wanted answer of each input, for a goal that takes targets, such as Targeted(); classes by
                index or name, one name for all.

        Raises:
            Unsupported: if the model lacks what the method needs.
            DataError: if the goal needs targets and none are given, or takes none and some are.
            ContractError: if a candidate is not a valid input of the space, or changes a feature that is not mutable.
        """
        refuse_unmet(self, self.needs, model)
        same_rows(inputs=inputs, targets=targets)
        inputs = model.check(inputs)
        refuse_missing(self, inputs)
        before = copy(model.usage)
        logits = model.logits(inputs)
        given = Prediction(logits, model.task.predict(logits), model.task)
        late = placed(model)
        aim = Aim.of(self, late, given, targets, torch.full((len(inputs),), torch.inf, device=inputs.device))
        parts = [self._checked(late, inputs[rows], aim[rows]) for rows in passes(model, inputs)]
        if len({part.shape[1] for part in parts}) > 1:
            raise ShapeError(f"{self} returned more candidates for some inputs than for others")
        candidates = torch.cat(parts)
        after = [model.logits(candidates[:, at]) for at in range(candidates.shape[1])]
        reached = [self.goal.met(model.task, each, aim.labels, aim.targets) for each in after]
        return Counterfactuals(
            candidates=candidates,
            inputs=inputs,
            decided=given.labels,
            answers=torch.stack([model.task.predict(each) for each in after], 1),
            reached=torch.stack(reached, 1),
            method=self,
            space=model.space,
            task=model.task,
            cost=model.usage - before,
        )

    def _checked(self, model: Model, inputs: Inputs, aim: Aim) -> Tensor:
        found = self.search(model, inputs, aim).detach()
        count = found.shape[1] if found.ndim > 1 else 0
        if count == 0 or found.shape != (len(inputs), count, *inputs.shape[1:]):
            raise ShapeError(
                f"{self} returned {tuple(found.shape)} for inputs {tuple(inputs.shape)}, expected "
                f"({len(inputs)}, candidates, {', '.join(map(str, inputs.shape[1:]))})"
            )
        flat, origins = found.flatten(0, 1), inputs.repeat_interleave(count, 0)
        try:
            model.check(flat)
        except ProbeError as error:
            raise ContractError(f"{self} returned a candidate that is not a valid input: {error}") from None
        if model.space.mutable is not None and bool(((flat != origins) & ~model.space.mutable.to(flat.device)).any()):
            raise ContractError(f"{self} changed coordinates that Space.mutable keeps fixed")
        return found
