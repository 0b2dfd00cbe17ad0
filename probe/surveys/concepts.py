"""Whether a concept, such as a value of a feature, moves the output by way of a layer."""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from probe.arrays import Given
from probe.contracts import Need, Survey
from probe.contracts.common import learned, passes, without_training
from probe.dataset import Dataset
from probe.errors import RangeError, Unsupported
from probe.formatting import Unit, number
from probe.method import param, required
from probe.model import Model
from probe.outcomes import Examination
from probe.shapes import Evidence, Inputs, Labels
from probe.statistics import wilson
from probe.surveys.dependence import answer_of
from probe.surveys.kinds import kinds_of_feature
from probe.surveys.sites import slopes_at, tensor_of
from probe.tensors import generator, wide

CPU = torch.device("cpu")
PARTS = ("concept", "random concepts", "difference")
SPLIT = ": "
MOST = 2000  # training rows among which concepts are looked for

Numbers = Float[Tensor, "rows numbers"]


class Vectors(NamedTuple):
    """Directions in a layer, and how well they tell rows that they were not fitted to."""

    concept: Float[Tensor, "repeats numbers"]
    random: Float[Tensor, "repeats numbers"]
    accuracy: float  # of those of the concept, on rows held out
    n: int  # held-out rows of each


@dataclass(frozen=True, kw_only=True)
class TCAV(Survey):
    """The share of rows whose output rises towards a concept, by concept activation vectors (arXiv:1711.11279).

    In each of `repeats` a ridge classifier tells `examples` rows of the concept from as many others, drawn anew, by
    what a layer gives; its vector points to the concept. Beside it is that of a random concept: rows drawn from all,
    told from rows drawn from all. The score is the share of rows whose output has a positive derivative along the
    vector, in [0, 1]; the difference between concept and random ones says whether the concept matters: above 0 it
    raises the output, below 0 it lowers it. Intervals are of the mean over repeats (Student's t), as wide as the number
    of layers asks (Bonferroni).

    The concept is a feature above the median, or its value `value`, among the training rows;
    `method.towards(model, data, concept, others)` takes rows of one's own. It is refused where a layer does not hold
    it: where the lower end of the interval of the vectors' accuracy, on rows that they were not fitted to, is not above
    `least`.

    Raises:
        RangeError: if there is no such layer, feature or answer, or too few rows.
        Unsupported: if a layer does not hold the concept, or the model has no training rows.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import TCAV
        >>> network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight)
        >>> _ = network[1].weight.data.copy_(torch.tensor([[0.0, 0, 0], [5, 0, 0]]))  # the second class is age
        >>> x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
        >>> space = Space(bounds=(-9.0, 9.0), names=("age", "debt", "pay"))
        >>> model = Model(forward=network, space=space, training=(x, (x[:, 0] > 0).long()))
        >>> found = TCAV(layers=("0",), feature="age")(model, Dataset(x[:50], (x[:50, 0] > 0).long(), space=space))
        >>> found.to_frame().set_index("item")["value"]["0: concept"].item()
        1.0
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "layers"})
    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "mean over repeats"
    item: ClassVar[str] = "layer"
    split: ClassVar[str] = SPLIT
    asks: ClassVar[str] = "rows whose output rises towards the concept"

    layers: tuple[str, ...] = required("the layers, such as the blocks; `model.layers()` lists them")
    feature: str = required("the feature of the concept")
    value: str = param("", "its value that is the concept, in words; default: above the median")
    answer: str = param("", "name of the class or output; by default the last one")
    examples: int = param(50, "rows of a concept, and of those that it is told from", low=2, high=10**4)
    repeats: int = param(20, "times that all rows are drawn", low=2, high=10**4)
    least: float = param(0.5, "what the lower end of the accuracy of concept vectors must exceed", low=0.0, high=1.0)
    ridge: float = param(0.01, "penalty, as a share of the mean square of the numbers", above=0)
    seed: int = param(0, "seed of the rows that are drawn", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"{name}{SPLIT}{part}" for name in self.layers for part in PARTS)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        return self._scored(model, inputs, *self._rows(model))

    def towards(self, model: Model, data: Dataset, concept: Given, others: Given) -> Examination:
        """The same for rows of a concept and rows that it is told from, such as random ones.

        Raises:
            RangeError: if there are fewer than 2 `examples` of each.
            Unsupported: if a layer does not hold the concept.
        """
        before = replace(model, usage=type(model.usage)())
        inputs = before.check(data.inputs)
        evidence = self._scored(before, inputs, before.check(concept), before.check(others))
        return Examination(evidence, self.items(before, inputs), self, before.usage)

    def vectors(self, model: Model, layer: str, concept: Given, others: Given) -> Vectors:
        """The concept activation vectors of a layer, of length 1, and how well they tell rows held out."""
        there, rest = (self._numbers(model, model.check(rows), layer) for rows in (concept, others))
        everything = torch.cat([there, rest])
        source, found, random, right, held = generator(self.seed, CPU), [], [], 0, 0
        count = min(self.examples, len(there), len(rest))
        for _ in range(self.repeats):
            one, other = (
                rows[torch.randperm(len(rows), generator=source)[:count].to(rows.device)] for rows in (there, rest)
            )
            vector, told = self._fitted(one, other)
            found.append(vector)
            right, held = right + told, held + 2 * (count - count // 2)
            pick = torch.randperm(len(everything), generator=source)[: 2 * count].to(everything.device)
            random.append(self._fitted(everything[pick[:count]], everything[pick[count:]])[0])
        return Vectors(torch.stack(found), torch.stack(random), right / held, held // self.repeats)

    def _scored(self, model: Model, inputs: Inputs, concept: Tensor, others: Tensor) -> Evidence:
        if min(len(concept), len(others)) < 2:
            raise RangeError(
                f"{type(self).__name__} has {len(concept)} rows of the concept {self._told()} and {len(others)} "
                "others, expected at least 2 of each; name another feature or value"
            )
        targets = answer_of(self, model, inputs)
        found = []
        for layer in self.layers:
            vectors = self.vectors(model, layer, concept, others)
            low, _ = wilson(vectors.accuracy * vectors.n, vectors.n)
            if not float(low) > self.least:
                raise Unsupported(
                    f"the layer {layer!r} of {model.name} does not hold the concept {self._told()}: its vectors tell "
                    f"{number(vectors.accuracy, 'share')} of {vectors.n} held-out rows rightly, whose interval is not "
                    f"above {number(self.least, 'share')}; name another layer, or more examples"
                )
            slopes = [
                slopes_at(model, layer, inputs[rows], targets[rows])[1].flatten(1) for rows in passes(model, inputs)
            ]
            along = wide(torch.cat(slopes)).to(vectors.concept)
            own, random = ((along @ each.T > 0).float() for each in vectors[:2])
            found += [own, random, own - random]
        return torch.stack(found, 1)

    def _fitted(self, one: Numbers, other: Numbers) -> tuple[Float[Tensor, " numbers"], int]:
        """The vector from the second half of some rows, towards the first, and how many of the other half it tells."""
        half = max(1, len(one) // 2)
        rows, signs = torch.cat([one[:half], other[:half]]), torch.ones(2 * half).to(one)
        signs[half:] = -1
        middle = rows.mean(0)
        away = rows - middle
        products = away @ away.T
        penalty = self.ridge * products.diagonal().mean().clamp(min=1e-30)
        vector = away.T @ torch.linalg.solve(products + penalty * torch.eye(len(rows)).to(rows), signs)
        told = (((one[half:] - middle) @ vector > 0).sum() + ((other[half:] - middle) @ vector < 0).sum()).item()
        return vector / vector.norm().clamp(min=1e-30), int(told)

    def _rows(self, model: Model) -> tuple[Tensor, Tensor]:
        """The training rows that have the concept, and the others."""
        if model.training is None:
            raise without_training(self.name(), model, "looks for concepts among")
        known = learned(model)
        if len(known) > MOST:
            known = known[torch.randperm(len(known), generator=generator(self.seed, CPU))[:MOST].sort().values]
        if not self.value:
            kinds = kinds_of_feature(model, known, self.feature, f"{type(self).__name__}.feature", halves=True)
            return known[kinds == 1], known[kinds == 0]
        kinds_of_feature(model, known, self.feature, f"{type(self).__name__}.feature")  # says what there is
        at = model.space.feature_names(known).index(self.feature)
        told = [row[at] for row in model.space.describe(known)]
        if self.value not in told:
            raise RangeError(
                f"{type(self).__name__}.value = {self.value!r}, expected a value of {self.feature} that training rows "
                f"have, such as {', '.join(sorted(set(told))[:8])}"
            )
        has = torch.tensor([each == self.value for each in told], device=known.device)
        return known[has], known[~has]

    def _numbers(self, model: Model, inputs: Inputs, layer: str) -> Numbers:
        parts = [tensor_of(model.activations(inputs[rows], at=layer)[layer]) for rows in passes(model, inputs)]
        found = wide(torch.cat(parts)).flatten(1)
        return found if found.device.type == "mps" else found.double()

    def _told(self) -> str:
        return f"{self.feature} = {self.value}" if self.value else f"{self.feature} above its median"
