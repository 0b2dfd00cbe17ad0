"""An Attack changes inputs to reach a goal, within a threat model."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeVar, cast, final

import torch
from torch import Tensor

from probe.arrays import Given, Wanted, number_or_tensor
from probe.contracts.aim import Aim
from probe.contracts.common import Need, check_alike, check_output, placed, refuse_missing, refuse_unmet
from probe.errors import ProbeError, RangeError, ShapeError, Unsupported
from probe.goals import Goal, Untargeted
from probe.method import Method, param
from probe.model import Model
from probe.names import same_rows
from probe.numbers import BelowLevel, exact
from probe.results import Perturbation, Prediction
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import parted
from probe.threats import Threat
from probe.units import refuse_unit

A = TypeVar("A", bound="Attack")
Amount = float | str | Sequence[float | str] | Given


@dataclass(frozen=True, kw_only=True)
class Attack(Method, ABC):
    """Changes inputs, within the model's space and a threat model, until the model's answers reach a goal.

    Either it has a perturbation budget, a setting such as `eps`, or it minimises its change: then `budget` is "", and
    one run gives the result for every budget.

    >>> import torch
    >>> from probe import Model
    >>> from probe.contracts import Aim, Attack
    >>> from dataclasses import dataclass
    >>> from probe.method import param
    >>> from probe.threats import Ball
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Darken(Attack):
    ...     'All coordinates smaller by eps.'
    ...     eps: float = param(0.1, "by how much", low=0.0)
    ...     threat = Ball(torch.inf)
    ...     def perturb(self, model: Model, inputs: torch.Tensor, aim: Aim) -> torch.Tensor:
    ...         return model.space.project(inputs - aim.budget[:, None].to(inputs), inputs)
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> Darken(eps=0.25)(model, torch.tensor([[0.6], [0.9]]), torch.tensor([0, 0])).success
    tensor([ True, False])
    """

    family: ClassVar[str] = "attack"
    verb: ClassVar[str] = "attack"
    needs: ClassVar[frozenset[Need]] = frozenset()  # of the model
    budget: ClassVar[str] = "eps"  # the setting that limits the change; "" for an attack that minimises its change
    passes: ClassVar[int] = 1  # that `perturb` is given the rows of together, where it divides them into passes itself
    queries: ClassVar[str] = ""  # the setting that limits the queries of each example; "" if there is none
    finds: ClassVar[str] = ""  # the name of a weaker attack: every example that it breaks, this one must break too

    goal: Goal = param(Untargeted(), "the objective to maximise, and when an example is done")

    @property
    @abstractmethod
    def threat(self) -> Threat:
        """The threat model: which changes are allowed, and how they are measured."""

    @abstractmethod
    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        """Return the perturbed inputs, each within its `aim.budget`. None of the inputs has reached the goal yet."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__repr__ = Attack.__repr__  # type: ignore[method-assign]  # or each dataclass would write one of its own

    def __repr__(self) -> str:
        """The method with its settings; the goal only if it is not the default."""
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        if shown["goal"] == Untargeted():
            del shown["goal"]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def amount(self) -> float:
        """The budget, in the unit of the threat; infinity for an attack that minimises its change."""
        return float(getattr(self, self.budget)) if self.budget else torch.inf

    def at(self: A, amount: float | str) -> A:
        """The same attack with another budget; itself if it has none."""
        settings: dict[str, Any] = {self.budget: amount} if self.budget else {}
        return replace(self, **settings)

    @property
    def has_radius(self) -> bool:
        """Whether its budget is a radius, and not a number of columns, words or degrees."""
        return bool(self.budget) and self.threat.unit == "radius"

    def could_move(self, space: Space, inputs: Inputs) -> Tensor:
        """Whether the budget allows any valid input besides the example itself, (batch,)."""
        return self.threat.could_move(space, inputs, self.amount())

    @final
    def __call__(
        self, model: Model, inputs: Given, labels: Given, *, targets: Wanted | None = None, eps: Amount | None = None
    ) -> Perturbation:
        """Attack the inputs that have not reached the goal; the others are returned unchanged.

        Args:
            model: the model to attack.
            inputs: (batch, *shape)
            labels: the label of each input.
            targets: the wanted answer of each input, for a goal that takes targets, such as Targeted(); classes by
                index or name, one name for all.
            eps: the budget, for all or for each example, as a number or a text such as "8/255". For an attack that
                minimises its change, an example that needs a larger change is returned unchanged.

        Raises:
            Unsupported: if the threat does not fit the inputs that the model reads, or the model lacks what the
                attack needs.
            DataError: if the goal needs targets and none are given, or takes none and some are.
            ContractError: if the attack left its budget, changed a fixed coordinate, or exceeded its query budget.
        """
        if getattr(eps, "shape", None) == ():
            eps = float(cast(Tensor, eps))
        if eps is not None and self.budget and isinstance(eps, int | float | str):
            return self.at(eps)(model, inputs, labels, targets=targets)
        refuse_unmet(self, self.needs, model)
        same_rows(inputs=inputs, labels=labels, targets=targets)
        inputs = model.check(inputs)
        labels = model.check_labels(labels, inputs)
        self.check_threat(model, inputs)
        refuse_missing(self, inputs)
        budget, before = self.budgets(eps, inputs), copy(model.usage)
        asked = (
            eps
            if isinstance(eps, list | tuple)
            else [getattr(self, self.budget) if self.budget and eps is None else eps]
        )
        for amount in asked:
            refuse_unit(amount, self.threat, model.space, inputs)
        clean = Prediction.of(model, inputs, labels)
        aim = Aim.of(self, model, clean, targets, budget)
        found = self._search(model, inputs, aim, clean)
        check_output(self, found.perturbed, inputs)
        found = self._answered(model, found)
        self.threat.check(str(self), model.space, found.perturbed, inputs, budget)
        return replace(found, cost=model.usage - before)

    def _search(self, model: Model, inputs: Inputs, aim: Aim, clean: Prediction) -> Perturbation:
        """The perturbed inputs, computed in passes, with the cost of each."""
        done = self.goal.met(model.task, clean.logits, aim.labels, aim.targets)
        perturbed = inputs.clone()
        forwards, backwards = (torch.zeros(len(inputs), device=inputs.device) for _ in range(2))
        unconfirmed: Tensor | None = None
        todo, _ = parted(done)
        most = int(getattr(self, self.queries)) if self.queries else None
        for rows in model.slices(len(todo), inputs, self.passes):
            chosen = todo[rows]
            with placed(model).checked_late() as late, late.metered(len(chosen), most=most) as metered:
                part = replace(aim[chosen], model=metered, rows=torch.arange(len(chosen), device=inputs.device))
                moved_inputs = self.perturb(metered, inputs[chosen], part)
                check_alike(self, moved_inputs, inputs[chosen])
                perturbed[chosen] = moved_inputs.detach()
                assert metered.meter is not None, "a metered model has a meter"
                forwards[chosen], backwards[chosen] = metered.meter.forward, metered.meter.backward
                if metered.meter.unconfirmed is not None:
                    unconfirmed = torch.zeros_like(done) if unconfirmed is None else unconfirmed
                    unconfirmed[chosen] = metered.meter.unconfirmed
        return Perturbation(
            inputs,
            perturbed,
            clean,
            clean,
            self,
            model.space,
            targets=aim.targets,
            budget=aim.budget,
            forwards=forwards + 2,  # the answers before and after
            backwards=backwards,
            queries=forwards,
            unconfirmed=unconfirmed,
        )

    def _answered(self, model: Model, found: Perturbation) -> Perturbation:
        """Add the answers to the perturbed inputs. An attack that minimises its change undoes it where it fails."""
        answers = replace(found.clean, logits=model.logits(found.perturbed))
        done, reached = (
            self.goal.met(model.task, each.logits, each.labels, found.targets) for each in (found.clean, answers)
        )
        found = replace(found, attacked=answers, success=~done & reached)
        if self.budget or found.budget is None:
            return found
        return found.where(found.success).within(found.budget)

    def budgets(self, eps: Amount | None, inputs: Inputs) -> PerExample:
        """The budget of each example."""
        wide = torch.float32 if inputs.device.type == "mps" else torch.float64
        found = self.amount() if eps is None else eps
        if isinstance(found, list | tuple):
            found = [self._allowed(each) for each in found]
        each = number_or_tensor(self._allowed(found) if isinstance(found, str | int | float) else found, "eps")
        if isinstance(each, Tensor) and each.shape != (len(inputs),):
            raise ShapeError(f"eps has shape {tuple(each.shape)}, expected one budget for each of {len(inputs)} inputs")
        if isinstance(each, Tensor):
            for amount in sorted(set(each.tolist())):
                self._allowed(amount)
        return torch.as_tensor(each, dtype=wide, device=inputs.device).expand(len(inputs)).clone()

    def _allowed(self, amount: Any) -> float:
        """A budget as a user wrote it, converted as the setting converts it.

        Raises:
            RangeError: if it is not a valid budget.
        """
        if self.budget:
            return self.at(amount).amount()
        try:
            number = float("inf") if amount == torch.inf else float(exact(amount))
        except BelowLevel as error:
            raise RangeError(f"eps = {amount!r:.60}, expected {error}") from None
        except (ValueError, OverflowError):
            number = -1.0
        if number < 0:
            raise RangeError(f"eps = {amount!r:.60}, expected a number of at least 0, such as 0.5")
        return number

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        """Raise Unsupported if the threat does not fit the inputs that the model reads."""
        moves, reads = self.threat.moves, moved(model, inputs)
        # An edge is a number too, though between 0 and 1 it is a relaxed one.
        if moves != reads and not (moves == "numbers" and model.embed is None):
            raise Unsupported(
                f"{self.name()} moves {moves}, and {model.name} reads {reads}; choose an attack that moves {reads}"
            )


def moved(model: Model, inputs: Inputs) -> str:
    """What an attacker of the model can change: numbers, words or edges."""
    if model.embed is not None:
        return "tokens"
    return model.space.form_of(inputs).moves


def usual_attacks(model: Model, inputs: Inputs) -> tuple[dict[str, Any], ...]:
    """The settings of the attacks that run on a model by default.

    The first input tells whether the model has gradients. Where an attacker moves words or edges, no attack does
    without.
    """
    defaults = model.space.form_of(inputs).defaults
    if moved(model, inputs) != "numbers" or _has_gradients(model, inputs[:1]):
        return defaults.attacks
    return defaults.without_gradients


def _has_gradients(model: Model, inputs: Inputs) -> bool:
    uncounted = replace(model, usage=type(model.usage)())
    try:
        uncounted.gradient(uncounted.check(inputs), lambda logits: logits.flatten(1).sum(1))
    except Unsupported:
        return False
    except ProbeError:  # what is wrong with model or data is said where they are used
        return True
    return True
