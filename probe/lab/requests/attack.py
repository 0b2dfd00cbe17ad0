"""An attack on one input at one or several budgets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from torch import Tensor

from probe.contracts import Attack as AnyAttack
from probe.declared import param, required
from probe.errors import ProbeError
from probe.lab.opened import Advance, Asked
from probe.lab.requests.explain import explained, told
from probe.lab.requests.request import Explaining, Reply, Request, method_of, pilot
from probe.lab.rows import Chosen, Row
from probe.lab.telling import answered, changes, cost, joined, plain, shown, worded
from probe.numbers import as_written
from probe.results import Perturbation
from probe.tensors import to_numpy

Attacking = Annotated[Any, method_of("attack")]
MOST = 64  # budgets at a time


@dataclass(frozen=True, kw_only=True)
class Attack(Request):
    """Attack an input at each budget, with predictions and explanations before and after."""

    row: Row = required("the input")
    method: Attacking = required("the attack")
    eps: tuple[str, ...] = param((), "budgets in the unit of its threat; none: the one of the method")
    only: str = param("", "of several labels or places the one that is attacked alone")
    against: Literal["label", "answer"] = param(
        "label", "what it is to leave: what the row is, or what is answered to it"
    )
    explainer: Explaining | None = param(None, "an explainer, for the input before and after")
    target: str = param("", "the class, label or output that is explained; of each input its answer unless named")

    def answer(self, asked: Asked) -> Reply:
        chosen = self.row.chosen(asked).only(self.only)
        labels = self.labels(chosen)
        budgets = self.budgets()
        found = list(attacked(self.method, chosen, labels, budgets, asked.advance))
        input_, arrays = shown(chosen)
        clean, of_clean = answered(chosen.model.task, found[0].clean.logits, labels, "clean_")
        steps = [_step(chosen, labels, result, eps) for eps, result in zip(budgets, found, strict=True)]
        record = {
            "input": input_,
            "clean": clean,
            "method": as_written(self.method.config()),
            "against": worded(chosen.model.task, to_numpy(labels))[0],
            "threat": plain(self.method.threat.to_json()),
            "reached_before": bool(_reached(found[0])[0]),
            "steps": [step for step, _ in steps],
        }
        arrays |= of_clean | joined([of_step for _, of_step in steps])
        if self.explainer is None:
            return Reply(record, arrays)
        before, more = told(chosen.model, self.explainer, explained(chosen, self.explainer, self.target))
        after = []
        for at, result in enumerate(found):
            asked.advance(at, len(budgets), "explanations")
            moved = replace(chosen, inputs=result.perturbed)
            said, of_each = told(chosen.model, self.explainer, explained(moved, self.explainer, self.target), "after_")
            after.append((said, {name: values[None] for name, values in of_each.items()}))
        record |= {"explanation": before, "after": [each for each, _ in after]}
        return Reply(record, arrays | more | joined([of_each for _, of_each in after]))

    def budgets(self) -> tuple[str, ...]:
        """The distinct budgets; "" is the method's own."""
        if len(self.eps) > MOST:
            raise ProbeError(f"eps lists {len(self.eps)} budgets, expected {MOST} at most")
        return tuple(dict.fromkeys(self.eps)) or ("",)

    def labels(self, chosen: Chosen) -> Tensor:
        """The label to attack: that of the row if it is known and requested, else the prediction."""
        if self.against == "label" and chosen.label is not None:
            return chosen.label
        return chosen.model.decide(chosen.model.logits(chosen.inputs))

    def estimate(self, asked: Asked) -> tuple[float, int]:
        once = pilot(lambda: replace(self, eps=self.budgets()[:1]).answer(asked))
        return once * (len(self.budgets()) if self.method.budget else 1), 1


def attacked(
    method: AnyAttack, chosen: Chosen, labels: Tensor, budgets: Sequence[str], advance: Advance
) -> Iterator[Perturbation]:
    """The result at each budget, as if each were run alone.

    An attack that minimises its change runs only once.
    """
    if method.budget:
        for at, eps in enumerate(budgets):
            advance(at, len(budgets), "budgets")
            yield method(chosen.model, chosen.inputs, labels, eps=eps or None)
        return
    whole = method(chosen.model, chosen.inputs, labels)
    for eps in budgets:
        if not eps:
            yield whole
            continue
        amount = method.budgets(eps, chosen.inputs)
        yield replace(whole.within(amount), budget=amount)


def _step(chosen: Chosen, labels: Tensor, result: Perturbation, eps: str) -> tuple[dict[str, Any], dict[str, Any]]:
    record, arrays = answered(chosen.model.task, result.attacked.logits, labels)
    changed = changes(chosen.model.space, chosen.inputs, result.perturbed)
    budget = result.budget
    return {
        "eps": eps,
        "budget": None if budget is None else plain(budget[0]),
        "success": bool(result.success[0]),
        "length": plain(result.length[0]),
        **changed,
        "cost": cost(result.cost),
        **record,
    }, {
        "perturbed": to_numpy(result.perturbed),
        "moved": to_numpy(_moved(chosen, result.perturbed)),
        **arrays,
    }


def _reached(result: Perturbation) -> Tensor:
    """Whether the input reached the goal before the attack."""
    clean = result.clean
    reached: Tensor = result.goal.met(clean.task, clean.logits, clean.labels, result.targets)
    return reached


def _moved(chosen: Chosen, after: Tensor) -> Tensor:
    space = chosen.model.space
    return space.by_feature(space.scaled_change(after, chosen.inputs))
