"""What explainers of other packages share: each row is a game between features that they may play by their own rules.

They run one row at a time from the same seed, so that a result does not depend on its batch, and the global random
numbers that most of them draw are put back afterwards.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from probe.contracts import Explainer
from probe.draws import seeded
from probe.errors import Unsupported
from probe.explainers.alike import differs_from_reference
from probe.explainers.coalitions import coalition_values, to_coordinates
from probe.extras import imported, running
from probe.forms import Form
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import exact, to_numpy


@dataclass(frozen=True, kw_only=True)
class Peer(Explainer, ABC):
    """An explainer of another package."""

    package: ClassVar[str]  # what is imported, of the extra `peers`
    only: ClassVar[tuple[type[Form], ...]] = ()  # the forms of input that it is for; any where none is named

    seed: int = param(0, "seed of what is drawn", low=0, high=2**32 - 1)

    @abstractmethod
    def explain(self, package: Any, model: Model, row: Inputs, target: Labels) -> Inputs:
        """The values of one row, (1, *shape), by the imported package."""

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        package = imported(self.package, "peers")
        form = model.space.form_of(inputs)
        if self.only and not isinstance(form, self.only):
            wanted = " or ".join(kind.read_as for kind in self.only)
            raise Unsupported(
                f"{self.name()} explains {wanted}, and inputs of {model.name} are {form.read_as}; choose another "
                "method, such as KernelShap"
            )
        rows = (slice(at, at + 1) for at in range(len(inputs)))
        return torch.cat([self._explained(package, model, inputs[row], targets[row]) for row in rows])

    def _explained(self, package: Any, model: Model, row: Inputs, target: Labels) -> Inputs:
        cannot = f"{self.name()} cannot explain {model.name}"
        with (
            seeded(self.seed, row.device),
            running(self.package, cannot, "choose another method, such as KernelShap"),
        ):
            return self.explain(package, model, row, target)


@dataclass(frozen=True, kw_only=True)
class Player(Peer, ABC):
    """A peer that asks which features are present, 1 or 0: absent ones are filled in by the reference rows."""

    @abstractmethod
    def play(self, package: Any, game: "Game") -> NDArray[np.float64]:
        """One value for each feature of the game."""

    def explain(self, package: Any, model: Model, row: Inputs, target: Labels) -> Inputs:
        game = Game(self.output, model, row, target)
        values = torch.zeros(1, model.space.feature_count(row), dtype=torch.float64)
        if game.size:
            values[0, game.active] = torch.from_numpy(np.asarray(self.play(package, game), dtype=np.float64).ravel())
        return to_coordinates(values.to(exact(row.device)), model.space, row)


class Game:
    """One row as a game, whose players are the features that differ from a reference."""

    def __init__(self, output: str, model: Model, row: Inputs, target: Labels) -> None:
        self.output, self.model, self.row, self.target = output, model, row, target
        self.active = differs_from_reference(model.space, row)[0].cpu().nonzero()[:, 0]
        self.size = len(self.active)

    def __call__(self, present: Any) -> NDArray[np.float64]:
        """The output of each coalition, of which `present` has a row of numbers: above 0 is present."""
        given = torch.from_numpy(np.asarray(present).reshape(-1, self.size) > 0)
        masks = torch.zeros(len(given), self.model.space.feature_count(self.row), dtype=torch.bool)
        masks[:, self.active] = given
        asked = masks.to(exact(self.row.device))
        return to_numpy(coalition_values(self.model, self.row, self.target, asked, self.output)[0]).astype(np.float64)

    def everyone(self) -> NDArray[np.float64]:
        """All players, as one row."""
        return np.ones((1, self.size))
