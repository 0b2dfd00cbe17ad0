"""Signs that an attack was misled, so that what withstood it may not be robust."""

from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch

from probe.contracts import Aim, Attack, Need, Survey
from probe.errors import Unsupported
from probe.finding import About, Aspect
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.registry import build, discover
from probe.results import Prediction
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.signs import SIGNS, Asked
from probe.threats import Ball

USUAL = {"method": "pgd", "eps": "8/255", "steps": 40}


@dataclass(frozen=True, kw_only=True)
class AttackChecks(Survey):
    """Signs that an attack was misled, such as by gradients that are hidden (arXiv:1802.00420, arXiv:1902.06705).

    Each sign is the share of the rows that have it, in [0, 1]; of an honest model and a strong attack, all are near 0.
    An audit names each whose interval is above the threshold beside the figures of robustness, which are then in
    doubt. A sign that cannot be looked for, such as rounding of a table, is left out.

    - The gradient: it is zero; central differences along its signs, or two of five random directions, contradict it at
      each of three steps; it is almost nothing at most points of the ball and large at some, as on a steep staircase
      (12 times the median of six points); or it puts the boundary within a quarter of the radius, and the attack did
      not find it there.
    - The model: the loss is the same number at random points of the ball; outputs vary when asked again, or depend on
      the batch.
    - The attack: it does not find an answer that was planted at a random point of the ball (after arXiv:2206.13991);
      one of its steps, twice its steps, noise at the edge of the ball, or queries alone (Square) find more;
      it leaves rows right though any change is allowed; rounding to 8 bits undoes what it found.

    `attack` is one inside a ball; unless given, PGD with 40 steps at eps 8/255. Its goal must need no targets. A plan
    that names none has the checks of each of its attacks inside a ball, at each of its radii.

    Raises:
        Unsupported: if the attack is not one by a radius inside a ball.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.attacks import PGD
        >>> def rounded(x):  # its gradient is 0 everywhere
        ...     score = (8 * x.sum(1)).round() - 8.5
        ...     return torch.stack([-score, score], 1)
        >>> model = Model(forward=rounded, space=Space(bounds=(0.0, 1.0)))
        >>> x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
        >>> data = Dataset(x, model.predict(x), space=model.space)
        >>> found = AttackChecks(attack=PGD(eps=0.2, steps=5))(model, data).to_frame().set_index("item")["value"]
        >>> float(found["the gradient is zero"]), bool(found["noise finds more"] > 0.1)
        (1.0, True)
    """

    aspect: ClassVar[Aspect] = "robustness"
    about: ClassVar[About] = "attack"
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    unit: ClassVar[Unit] = "share"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "proportion"
    threshold: ClassVar[float | None] = 0.05
    item: ClassVar[str] = "sign"
    asks: ClassVar[str] = "signs of a misled attack"
    each: ClassVar[str] = "attack"

    attack: Attack | None = param(None, "the attack inside a ball; none: PGD with 40 steps at eps 8/255")
    draws: int = param(100, "points of noise at the edge of the ball", low=1, high=10**6)
    queries: int = param(500, "queries of the attack without gradients", low=1, high=10**6)
    seed: int = param(0, "seed of the noise and of the queries", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        attack = self._attack()
        attack.check_threat(model, inputs)
        return tuple(name for name, sign in SIGNS.items() if sign.suits(attack, model, inputs))

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        attack = self._attack()
        aim = Aim.of(attack, model, Prediction.of(model, inputs, labels), None, attack.budgets(None, inputs))
        loss, met, slope = aim.slope(inputs)
        result = attack(model, inputs, labels)
        asked = Asked(
            attack=attack,
            model=model,
            aim=aim,
            inputs=inputs,
            labels=labels,
            loss=loss,
            slope=slope.masked_fill(~model.space.mutable_mask(inputs), 0),
            open=~met & attack.could_move(model.space, inputs),
            found=result.perturbed,
            left=~met & ~result.success,
            draws=self.draws,
            queries=self.queries,
            seed=self.seed,
        )
        asked = asked._replace(left=asked.left & asked.open)
        flags = [SIGNS[name].ask(asked) for name in self.items(model, inputs)]
        return torch.stack(flags, 1).to(torch.get_default_dtype())

    @classmethod
    def suits(cls, attack: Attack) -> bool:
        return isinstance(attack.threat, Ball) and bool(attack.budget) and "gradients" in attack.needs

    def _attack(self) -> Attack:
        attack = self.attack or cast(Attack, build(discover("attack"), USUAL))
        if not self.suits(attack):
            raise Unsupported(
                f"attack_checks asks about an attack by gradients with a radius, got {attack}; write for example "
                'AttackChecks(attack=PGD(eps="8/255"))'
            )
        return attack
