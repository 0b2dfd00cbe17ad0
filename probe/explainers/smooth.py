"""Explanations by gradients, averaged over noisy copies of an input, and how much they vary among them."""

from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from probe.contracts import Explainer, Need, Sampled
from probe.contracts.common import refuse_unmet
from probe.contracts.explainer import plain
from probe.errors import RangeError, Unsupported
from probe.explainers.coalitions import to_coordinates
from probe.explainers.gradient import Saliency
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs, Labels
from probe.tensors import exact, generator, spans

_HELD = 2**22  # values of noisy copies that are held at a time, 32 MiB


@dataclass(frozen=True, kw_only=True)
class Smoothed(Explainer, ABC):
    """An explainer by gradients that is asked at noisy copies of the input.

    Noise is Gaussian, in units of the space's scale, or of the embeddings where inputs are tokens. All inputs get the
    same noise; categories and coordinates that may not change get none. Noisy copies are not clipped to the bounds, as
    that would move their mean away from the input.

    Raises:
        RangeError: if the explainer inside is set to explain the probability and this one the logit.
        Unsupported: if the explainer inside follows no gradient.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    around: Explainer = param(Saliency(), "the explainer that is asked at each noisy copy, one that follows gradients")
    draws: int = param(50, "noisy copies of each input", low=2, high=10**6)
    sigma: Number = param(0.1, "standard deviation of the noise, in units of the space's scale", low=0.0)
    seed: int = param(0, "seed of the noise", low=0)

    def moments(
        self, model: Model, inputs: Inputs, targets: Labels, reduce: Callable[[Tensor], Tensor] = lambda values: values
    ) -> tuple[Tensor, Tensor]:
        """The mean of the explanations of all noisy copies, and their variance, in float64 where there is one.

        Each explanation (batch, *shape) is reduced first, such as to one number per feature.
        """
        inside, home = self._inside(model), exact(inputs.device)
        mean = torch.zeros_like(reduce(inputs.to(home)), dtype=torch.float64)
        squares, seen = torch.zeros_like(mean), 0
        for copies in self._copies(model, inputs):
            count = len(copies)
            asked = targets.repeat(count, *[1] * (targets.ndim - 1))
            found = reduce(plain(inside.attribute(model, copies.flatten(0, 1), asked)).to(home).double())
            part = found.view(count, *mean.shape)
            # The squares of a part are taken from its own mean, as those of large values would lose their digits.
            off, total = part.mean(0) - mean, seen + count
            squares += ((part - part.mean(0)) ** 2).sum(0) + off**2 * (seen * count / total)
            mean, seen = mean + off * (count / total), total
        return mean, squares / seen

    def _copies(self, model: Model, inputs: Inputs) -> Iterator[Tensor]:
        """Noisy copies (copies, batch, *shape), as many at a time as fit in memory."""
        step = self.sigma * model.space.scale_of(inputs) * model.space.mutable_mask(inputs[:1])
        source = generator(self.seed, torch.device("cpu"))
        for span in spans(self.draws, max(1, model.rows_per_pass(inputs) // len(inputs))):
            # Drawn one by one, so that they do not depend on how many fit together.
            drawn = [torch.randn(inputs.shape[1:], generator=source) for _ in range(self.draws)[span]]
            yield inputs + step * torch.stack(drawn)[:, None].to(inputs)

    def _inside(self, model: Model) -> Explainer:
        if "gradients" not in self.around.needs:
            raise Unsupported(
                f"{self.name()} averages an explainer that uses gradients, and {self.around.name()} uses none; "
                "set around to one that does, such as Saliency() or IntegratedGradients()"
            )
        refuse_unmet(self.around, self.around.needs, model)
        if self.around.output not in ("logit", self.output):
            raise RangeError(
                f"{type(self).__name__}.output = {self.output!r} and around.output = {self.around.output!r}; "
                f"set output={self.around.output!r} of both"
            )
        return replace(self.around, output=self.output)


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Smoothed):
    """The mean of an explanation by gradients over noisy copies of the input (arXiv:1706.03825).

    Values are in the units of the explainer inside, and estimate its mean under noise, with a standard error that falls
    with the square root of `draws`. Noise is Gaussian,
    in units of the space's scale, or of the embeddings where inputs are tokens; all inputs get the same, and categories
    and coordinates that may not change get none. Noisy copies are not clipped to the bounds, as that would move their
    mean away from the input.

    Raises:
        RangeError: if the explainer inside is set to explain the probability and this one the logit.
        Unsupported: if the explainer inside follows no gradient, or refuses the model.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import InputXGradient, SmoothGrad
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> SmoothGrad()(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values
    tensor([[ 2., -1.]])
    >>> SmoothGrad(around=InputXGradient(), draws=10).around
    InputXGradient(output='logit')
    """

    reads_as: ClassVar[str] = (
        "The mean under noise of what the explainer inside gives for the {output}; of a gradient, more of what is red "
        "raises it, more of what is blue lowers it."
    )

    @property
    def slopes(self) -> bool:
        return self.around.slopes

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        space, features = model.space, model.space.feature_count(inputs)

        def both(found: Tensor) -> Tensor:
            """Values of coordinates, then of features, whose errors do not follow from those of coordinates."""
            return torch.cat([found.flatten(1), space.by_feature(found)], 1)

        means, variances = self.moments(model, inputs, targets, both)
        values, errors = means[:, :-features].view(inputs.shape).to(inputs), self._error(variances[:, -features:])
        return Sampled(values, to_coordinates(errors, space, inputs))

    def by_token(self, model: Model, embedded: Tensor, targets: Labels) -> Sampled:
        mean, variance = self.moments(model, embedded, targets, lambda found: found.sum(-1))
        return Sampled(mean.to(embedded), self._error(variance).to(embedded))

    def _error(self, variance: Tensor) -> Tensor:
        return (variance / (self.draws - 1)).sqrt()


@dataclass(frozen=True, kw_only=True)
class VarGrad(Smoothed):
    """The variance of an explanation by gradients over noisy copies of the input (arXiv:1810.03307).

    Values are never negative, in squared units of the explainer inside: where they are large, that explanation is not
    to be relied on. They do not say what raises or lowers the output. Of tokens they add up over the embedding.
    Noise is that of `SmoothGrad`. Standard errors are over draws; tokens have none.

    Raises:
        RangeError: if the explainer inside is set to explain the probability and this one the logit.
        Unsupported: if the explainer inside follows no gradient, or refuses the model.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import VarGrad
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> VarGrad()(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values  # a constant gradient
    tensor([[0., 0.]])
    """

    reads_as: ClassVar[str] = (
        "How much the explanation of the {output} varies under noise: the deeper the red, the less it is reliable."
    )

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        size = self.draws * inputs[0].numel()
        if size > _HELD:
            return self.moments(model, inputs, targets)[1].to(inputs)
        # Each example by itself is the same: all have the same noise.
        parts = [
            self._with_errors(model, inputs[rows], targets[rows]) for rows in spans(len(inputs), max(1, _HELD // size))
        ]
        values, errors = (torch.cat(each) for each in zip(*parts, strict=True))
        return Sampled(values.to(inputs), to_coordinates(errors, model.space, inputs))

    def _with_errors(self, model: Model, inputs: Inputs, targets: Labels) -> tuple[Tensor, Tensor]:
        """The variance of each coordinate, and the standard error of each feature's sum of them."""
        inside, found = self._inside(model), []
        for copies in self._copies(model, inputs):
            asked = targets.repeat(len(copies), *[1] * (targets.ndim - 1))
            each = plain(inside.attribute(model, copies.flatten(0, 1), asked))
            found.append(each.to(exact(inputs.device)).double().view(copies.shape))
        together = torch.cat(found)
        squares = (together - together.mean(0)).square()
        sums = model.space.by_feature(squares.flatten(0, 1)).view(self.draws, len(inputs), -1)
        return squares.mean(0), sums.var(0).sqrt() / self.draws**0.5

    def by_token(self, model: Model, embedded: Tensor, targets: Labels) -> Tensor:
        return self.moments(model, embedded, targets)[1].to(embedded).sum(-1)
