"""The inputs to which a class, or a unit inside a network, answers most."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from probe.baselines import blurred
from probe.contracts import Need
from probe.contracts.common import passes, refuse_missing
from probe.errors import RangeError, Unsupported
from probe.forms import Image, Series
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.layers import OfLayer
from probe.tensors import generator, wide

CPU = torch.device("cpu")
FIRST = 12  # as `units` says: outputs or units that are maximised unless some are named
BLURRED = 4  # so many steps lie between two filters, of which the second half of the steps has none
KINK = 0.02  # below which a difference costs less, as steps would leap over a kink
FADES, SQUARES = 0.9, 0.999  # of the means of gradients and of their squares, as Adam has them


class Maximised(NamedTuple):
    """Inputs that maximise units, the best start first, and the value of the unit at each."""

    inputs: Float[Tensor, "units starts ..."]
    values: Float[Tensor, "units starts"]


@dataclass(frozen=True, kw_only=True)
class ActivationMaximisation(OfLayer):
    """Inputs that are made for an output or a unit to be as high as it gets, and how far above the data that is.

    From `starts` points the input climbs along the gradient (steps of Adam that shrink to 0) within the bounds of the
    space; coordinates that cannot change keep the value of the start (arXiv:1312.6034, 1506.06579). The first start is
    the mean reference, or the middle of the bounds; the others are that and noise. `l2` and `tv` are what squared
    distances from there and differences of neighbours cost, as shares of the range of a number; strong costs take more
    steps. `tv` and `blur`, a filter that the second half leaves out, are for images and series alone. A unit of a
    `layer` is maximised in the mean over its places; without one an output, such as the logit of a class.

    What is found is a local maximum that need not look like any data: it shows what the network answers to, not what it
    learned from. The evidence of an example is how far the value at the best of these inputs is above that at the
    example, in units of the output or the layer. `method.maximised(model, inputs)` gives the inputs themselves, to be
    drawn by `probe.plots.image`.

    Raises:
        RangeError: if there is no such layer, axis or unit.
        Unsupported: if inputs are no numbers, or the layer gives no tensor.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import ActivationMaximisation
        >>> weights = torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.5, -1.0]])
        >>> model = Model(forward=lambda x: x @ weights.T, space=Space(bounds=(0.0, 1.0)), classes=("no", "yes"))
        >>> data = Dataset(torch.full((2, 3), 0.5), torch.tensor([0, 1]), space=model.space)
        >>> method = ActivationMaximisation()
        >>> method.maximised(model, data.inputs).inputs[:, 0].tolist()  # where weights are above 0, and nowhere else
        [[1.0, 0.0, 1.0], [0.5, 1.0, 0.0]]
        >>> method(model, data).to_frame()["value"].round(4).tolist()  # 4 - 1, and .5 + .25
        [3.0, 0.75]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    asks: ClassVar[str] = "how far the highest value that was found is above the rows' own"

    layer: str = param("", 'the layer whose units are maximised, such as "conv2"; default: the outputs')
    units: tuple[int, ...] = param((), "numbers of the outputs or units; default: the first 12", low=0)
    starts: int = param(3, "points from which each is maximised", low=1, high=1000)
    steps: int = param(100, "gradient steps from each", low=1, high=10**6)
    rate: float = param(0.05, "the first step of a number, as a share of its range", above=0, high=1)
    l2: float = param(0.0, "cost of the squared distance from the first start", low=0)
    tv: float = param(0.0, "cost of differences between neighbours", low=0)
    blur: float = param(0.5, "standard deviation of the filter, in pixels or measurements; 0: none", low=0, high=100)
    seed: int = param(0, "seed of the starts", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        chosen = self._chosen(model, inputs)
        return tuple(f"{self.layer} unit {at}" if self.layer else model.task.name(at) for at in chosen)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        best = self.maximised(model, inputs).values[:, 0]
        chosen = torch.tensor(self._chosen(model, inputs), device=best.device)
        with torch.no_grad():
            own = [self._all(model, inputs[rows]).index_select(1, chosen) for rows in passes(model, inputs)]
        return (best - torch.cat(own)).to(torch.get_default_dtype())

    def maximised(self, model: Model, inputs: Inputs) -> Maximised:
        """The inputs that maximise each unit; of `inputs` only the shape counts."""
        inputs = model.check(inputs)
        form = model.space.form_of(inputs)
        if not inputs.is_floating_point() or form.moves != "numbers":
            raise Unsupported(
                f"{self.name()} changes numbers, and {model.name} reads {form.read_as}; for texts ask "
                "model.over_embeddings() with model.points(inputs)"
            )
        chosen, begin = self._chosen(model, inputs), self._starts(model, inputs)
        units = torch.tensor(chosen, device=inputs.device).repeat_interleave(len(begin))
        start = begin.repeat(len(chosen), *[1] * (begin.ndim - 1))
        found = torch.cat([self._climbed(model, start[rows], units[rows], begin[:1]) for rows in passes(model, start)])
        with torch.no_grad():
            values = [self._value(model, found[rows], units[rows]) for rows in passes(model, found)]
        reached = torch.cat(values).view(len(chosen), -1)
        order = reached.argsort(dim=1, descending=True, stable=True)
        rows = torch.arange(len(chosen), device=order.device)[:, None]
        return Maximised(found.view(len(chosen), -1, *found.shape[1:])[rows, order], reached[rows, order])

    def _climbed(self, model: Model, start: Inputs, units: Labels, middle: Tensor) -> Inputs:
        """The best point on the way from each start."""
        space, span = model.space, _span(model, start)
        spread = isinstance(space.form_of(start), Image | Series)
        moves, point = space.mutable_mask(start), start.clone()
        mean, square = torch.zeros_like(wide(start)), torch.zeros_like(wide(start))
        best, highest = start.clone(), wide(start).new_full((len(start),), -torch.inf)
        for step in range(self.steps + 1):
            x = point.detach().requires_grad_()
            with torch.enable_grad(), model.backward():
                worth = self._value(model, x, units)
                worth = worth - self._cost(x, middle, span, spread=spread).to(worth)
                (slope,) = torch.autograd.grad(worth.sum(), x)
            higher = worth.detach() > highest
            highest = torch.where(higher, worth.detach().to(highest), highest)
            best = torch.where(higher.view(-1, *[1] * (start.ndim - 1)), point, best)
            if step == self.steps:
                break
            mean, square = mean.lerp(wide(slope), 1 - FADES), square.lerp(wide(slope) ** 2, 1 - SQUARES)
            away = (mean / (1 - FADES ** (step + 1))) / (square / (1 - SQUARES ** (step + 1))).sqrt().clamp(min=1e-30)
            point = point + (self.rate * (1 - step / self.steps) * away).to(point) * span
            if spread and self.blur and step % BLURRED == BLURRED - 1 and step < self.steps / 2:
                point = blurred(point, self.blur)
            point = space.clip(torch.where(moves, point, start))
        return space.project(best, start)

    def _value(self, model: Model, inputs: Inputs, units: Labels) -> Float[Tensor, " rows"]:
        """The value of one unit for each row."""
        return self._all(model, inputs).gather(1, units[:, None])[:, 0]

    def _all(self, model: Model, inputs: Inputs) -> Float[Tensor, "rows units"]:
        """The values of all units, with gradients where they are asked for."""
        if not self.layer:
            return wide(model(inputs).flatten(1))
        kept: list[Tensor] = []

        def watch(output: Tensor) -> Tensor:
            kept.append(output.clone() if isinstance(output, Tensor) else output)  # the next layer may work in place
            return output

        with model.edited({self.layer: watch}) as watched:
            watched(inputs)
        if inputs.requires_grad:  # else counted where outputs are asked
            model.usage.backward += len(inputs)
        sums = self.by_unit(model, kept[0])
        return sums * sums.shape[1] / kept[0][0].numel()

    def _cost(self, inputs: Inputs, middle: Tensor, span: Tensor, *, spread: bool) -> Float[Tensor, " rows"]:
        """What distance and roughness cost."""
        total = self.l2 * (((inputs - middle) / span) ** 2).flatten(1).sum(1)
        for axis in range(2, inputs.ndim) if spread and self.tv else ():
            apart = (inputs / span).diff(dim=axis)
            total = total + self.tv * ((apart**2 + KINK**2).sqrt() - KINK).flatten(1).sum(1)
        return total

    def _starts(self, model: Model, inputs: Inputs) -> Tensor:
        """The points to start from: the middle of the data as far as it is known, and noise around it."""
        space, span = model.space, _span(model, inputs[:1])
        low, high = (torch.as_tensor(bound).to(inputs).expand(inputs.shape[1:]) for bound in space.bounds)
        middle = torch.where((low + high).isfinite(), (low + high) / 2, 0.0)[None]
        if space.reference is not None:
            refuse_missing(self, space.references(inputs))
            middle = space.baseline(inputs[:1])[:1]
        source = generator(self.seed, CPU)
        noise = torch.rand(self.starts, *inputs.shape[1:], generator=source, dtype=torch.float64) - 0.5
        noise[0] = 0
        start = middle + noise.to(inputs) * span
        start = space.clip(torch.where(space.mutable_mask(start), start, middle)).contiguous()
        return space.whole(start, torch.zeros_like(start))

    def _chosen(self, model: Model, inputs: Inputs) -> tuple[int, ...]:
        """The numbers of the units that are maximised."""
        with torch.no_grad():
            count = self._all(model, inputs[:1]).shape[1]
        beyond = [at for at in self.units if at >= count]
        if beyond:
            what = f"the layer {self.layer!r}" if self.layer else model.name
            raise RangeError(
                f"{type(self).__name__}.units has {beyond[0]}, and {what} has {count}; name some of 0 to {count - 1}"
            )
        return self.units or tuple(range(min(count, FIRST)))


def _span(model: Model, inputs: Inputs) -> Tensor:
    """The range of each number by its bounds; the scale of the space where it has none."""
    low, high = (torch.as_tensor(bound).to(inputs).expand(inputs.shape[1:]) for bound in model.space.bounds)
    scale = model.space.scale_of(inputs).expand(1, *inputs.shape[1:])
    return torch.where((high - low).isfinite() & (high > low), high - low, scale)
