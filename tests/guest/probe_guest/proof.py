"""A certificate of the model itself."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import nn

from probe.contracts import Certificate, Need
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, PerExample
from probe.task import Classification


@dataclass(frozen=True, kw_only=True)
class Lipschitz(Certificate):
    """No logit moves by more than the product of the layers' norms times the change (Tsuzuku et al. 2018)."""

    needs: ClassVar[frozenset[Need]] = frozenset({"layers"})

    norm: Literal["spectral", "frobenius"] = param("spectral", "norm of a layer; frobenius is quicker and larger")

    def certify(self, model: Model, inputs: Inputs) -> tuple[Labels, PerExample]:
        if not isinstance(model.task, Classification) or model.task.threshold is not None:
            raise Unsupported("lipschitz certifies the most likely class, and the model decides otherwise")
        inside = list(model.layers())
        if list(model.forward.children()) != list(model.layers().values()):
            raise Unsupported("lipschitz reads layers that follow each other, as in nn.Sequential")
        shapes = [inputs[:1], *model.activations(inputs[:1], inside).values()]
        steepest = float(torch.as_tensor(model.space.scale).max())
        for layer, at in zip(model.layers().values(), shapes, strict=False):
            steepest *= self._steepness(layer, at)
        logits = model.logits(inputs)
        first, second = logits.topk(2).values.unbind(1)
        return logits.argmax(1), (first - second) / (2**0.5 * steepest)

    def _steepness(self, layer: nn.Module, at: torch.Tensor) -> float:
        """How far outputs move at most, for a change of inputs by 1; a layer of one's own says so itself."""
        if isinstance(layer, nn.ReLU | nn.Flatten | nn.Identity):
            return 1.0
        if isinstance(bound := getattr(layer, "lipschitz", None), float):
            return bound
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            raise Unsupported(f"lipschitz knows no bound of a {type(layer).__name__}")
        matrix = torch.autograd.functional.jacobian(layer, torch.zeros_like(at)).reshape(-1, at.numel())
        return float(torch.linalg.matrix_norm(matrix, 2 if self.norm == "spectral" else "fro"))
