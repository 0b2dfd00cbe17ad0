"""A Certificate proves that no change of an input within a radius changes the decision."""

from abc import ABC, abstractmethod
from copy import copy
from typing import ClassVar, final

import torch
from torch import Tensor

from probe.arrays import Given
from probe.contracts.attack import moved
from probe.contracts.common import Need, passes, placed, refuse_missing, refuse_unmet
from probe.errors import ContractError, ShapeError, Unsupported
from probe.method import Method
from probe.model import Model
from probe.names import same_rows
from probe.outcomes import ABSTAINS, Certification
from probe.shapes import Inputs, Labels, PerExample
from probe.threats import Ball, Threat


class Certificate(Method, ABC):
    """Proves for each input a radius within which no attack can change the decision.

    Only a certificate of the model itself shows that the model is robust. A certificate of a model derived from it,
    such as a majority vote under noise, says so in `certifies`.

    >>> import torch
    >>> from probe import Certificate, Model
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Linear(Certificate):
    ...     'A bound for logits that change by at most 4 where the input changes by 1.'
    ...     def certify(self, model: Model, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    ...         logits = model.logits(inputs)
    ...         return model.decide(logits), logits.diff().abs()[:, 0] / 8
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1))
    >>> Linear()(model, torch.tensor([[0.9], [0.4]]), torch.tensor([0, 1])).radius
    tensor([0.4000, 0.1000])
    """

    family: ClassVar[str] = "certificate"
    verb: ClassVar[str] = "certify"
    needs: ClassVar[frozenset[Need]] = frozenset()  # of the model
    threat: ClassVar[Threat] = Ball(2.0)  # the changes that it covers, and how a radius is measured
    certifies: ClassVar[str] = ""  # whose decision is certified, if not the model's own

    @abstractmethod
    def certify(self, model: Model, inputs: Inputs) -> tuple[Labels, PerExample]:
        """Return the decision for each input, -1 to abstain, and its certified radius."""

    @final
    def captioned(self) -> str:
        """What its radii apply to, and with which probability they hold."""
        whose = f"of {self.certifies}, not of the model alone; " if self.certifies else ""
        return whose + (f"each radius holds with probability {self.level():g}" if self.level() < 1 else "proved")

    def level(self) -> float:
        """The probability with which each radius holds: 1 for a proof, less for an estimate by sampling."""
        return 1.0

    @final
    def __call__(self, model: Model, inputs: Given, labels: Given) -> Certification:
        """Certify the decision for each input; `labels` are used for certified accuracy."""
        refuse_unmet(self, self.needs, model)
        same_rows(inputs=inputs, labels=labels)
        inputs = model.check(inputs)
        labels = model.check_labels(labels, inputs)
        if (reads := moved(model, inputs)) != self.threat.moves:
            raise Unsupported(
                f"{self.name()} certifies against changes of {self.threat.moves}, and {model.name} reads {reads}; "
                f"attack it by a method that moves {reads}"
            )
        refuse_missing(self, inputs)
        before = copy(model.usage)
        parts = [self._checked(model, inputs[rows]) for rows in passes(model, inputs)]
        predicted, radius = (torch.cat(part) for part in zip(*parts, strict=True))
        return Certification(
            radius=radius,
            predicted=predicted,
            inputs=inputs,
            labels=labels,
            level=self.level(),
            method=self,
            space=model.space,
            cost=model.usage - before,
            classes=model.classes,
        )

    def _checked(self, model: Model, inputs: Inputs) -> tuple[Labels, Tensor]:
        with placed(model).checked_late() as late:
            predicted, radius = (part.detach() for part in self.certify(late, inputs))
        if predicted.shape != (len(inputs),) or radius.shape != (len(inputs),):
            raise ShapeError(
                f"{self} returned decisions {tuple(predicted.shape)} and radii {tuple(radius.shape)} for {len(inputs)} "
                "inputs, expected one of each per input"
            )
        if predicted.is_floating_point() or bool((predicted < ABSTAINS).any()):
            raise ContractError(f"{self} returned decisions that are neither a class nor {ABSTAINS} to abstain")
        if not bool((radius >= 0).all()) or bool((radius[predicted == ABSTAINS] > 0).any()):
            raise ContractError(f"{self} returned radii that are negative, NaN, or above 0 where it abstains")
        if not self.certifies and bool(((predicted != model.predict(inputs)) & (predicted != ABSTAINS)).any()):
            raise ContractError(f"{self} certified a decision that is not that of {model.name}")
        return predicted.long(), radius.to(inputs.dtype)
