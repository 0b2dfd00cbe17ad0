"""Steps of one length."""

from dataclasses import dataclass

from torch import Tensor

from probe.attacks.ascent import Ascent, IteratedAttack, Run, Search
from probe.ball import Reach
from probe.contracts import Aim
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number
from probe.shapes import Inputs
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class BIM(IteratedAttack):
    """Steps of one length up the loss, each projected onto the ball (Kurakin et al. 2017, arXiv:1607.02533).

    With `random_start` it is PGD as it was published (arXiv:1706.06083) and as other libraries have it: their step
    length alpha is `step` radii. Unlike theirs, the best point of each example is kept, and those that have reached the
    goal are dropped. `PGD` chooses its step lengths itself, and is usually stronger.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import BIM
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> x, y = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0])
    >>> found = BIM(eps="1/4", step="1/2")(model, x, y)
    >>> found.success, found.perturbed[1]
    (tensor([ True, False]), tensor([0.7500, 0.2500]))
    """

    steps: int = param(10, "gradient steps in each restart", low=1)
    step: Number = param(0.25, "length of every step, in radii", above=0.0)
    random_start: bool = param(False, "whether the first restart begins at a random point too, not at the input")
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        def begin(start: Tensor, reach: Reach, part: Aim) -> _Constant:
            return _Constant.at(start, reach, part, length=(self.step * part.budget).to(wide(start).dtype))

        search = Search(model.space, NORMS[self.norm], inputs, aim, self.seed)
        search.climb(Run(begin, self.steps, anew=self.random_start or restart > 0) for restart in range(self.restarts))
        return search.best


@dataclass(kw_only=True)
class _Constant(Ascent):
    length: Tensor  # of each step, in units of the space's scale

    def ascend(self, gradient: Tensor) -> None:
        self.x = self.reach.nearest(self.reach.uphill(self.x, gradient, self.length))
