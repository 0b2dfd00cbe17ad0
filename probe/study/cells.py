"""The cells of a study: one method with its settings, budget and seed, over all examples."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import MISSING, dataclass, fields, replace
from time import perf_counter
from typing import Any, get_args

from torch import Tensor

from probe.contracts import Attack, Certificate, Metric, Survey
from probe.contracts.blame import blamed
from probe.errors import DataError, ProbeError, RangeError, is_out_of_memory
from probe.method import Method
from probe.names import require
from probe.numbers import exact
from probe.outcomes import Certification, Examination
from probe.registry import discover
from probe.results import Attribution, Counterfactuals, Perturbation, Prediction, Scores
from probe.study.asking import AT_ONCE, GIVES, IN_BATCHES, Subject, ask
from probe.study.code import coded
from probe.study.record import Measured, Record
from probe.study.steps import Advance
from probe.task import Task

Budget = float | str
# The default metrics of a result.
USUAL: Mapping[type, tuple[str, ...]] = {
    Attribution: ("deletion", "insertion", "completeness"),
    Perturbation: ("robust_accuracy",),
    Certification: ("certified_accuracy",),
    Counterfactuals: ("validity", "changed_features"),
}


@dataclass(frozen=True, eq=False)
class Cell:
    """A step of a study that makes one Record: one method, ready to run."""

    subject: Subject
    method: Method
    budgets: tuple[float, ...]  # radii at which the result is read, if the method has no budget
    metrics: tuple[Metric[Any], ...]

    @property
    def identity(self) -> str:
        """What identifies the record, as JSON: method and metrics with settings, and the code of those of others."""
        named = [[type(each).__module__, each.config(), *coded(each)] for each in (self.method, *self.metrics)]
        return json.dumps([named, self.budgets], sort_keys=True)

    @property
    def name(self) -> str:
        return f"{self.method.name()}-{hashlib.sha256(self.identity.encode()).hexdigest()[:12]}"

    @property
    def total(self) -> int:
        return len(self.subject.data)

    @property
    def work(self) -> Callable[[Advance], Record]:
        return lambda advance: self.asked(advance)[1]

    @property
    def head(self) -> dict[str, Any]:
        """The first columns of its rows: the method, its settings that differ from the defaults, and the seed."""
        budget = self.method.budget if isinstance(self.method, Attack) else ""
        shown = {
            f.name: getattr(self.method, f.name)
            for f in fields(self.method)
            if f.name not in ("seed", budget) and (f.default is MISSING or getattr(self.method, f.name) != f.default)
        }
        settings = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return {"method": self.method.name(), "settings": settings, "seed": getattr(self.method, "seed", None)}

    @property
    def budget(self) -> float | None:
        """The budget of an attack that has one."""
        return self.method.amount() if isinstance(self.method, Attack) and self.method.budget else None

    def asked(self, advance: Advance) -> tuple[Any, Record]:
        """Run the method over all examples and measure the result."""
        model = self.subject.model
        before, started = copy(model.usage), perf_counter()
        result = ask(self.method, self.subject, advance)
        seconds = perf_counter() - started + (self.subject.parts.spent if self.subject.parts else 0.0)
        cost = getattr(result, "cost", model.usage - before)
        return result, Record(
            identity=self.identity,
            **self.head,
            readings=tuple(self._readings(result)),
            seconds=seconds,
            forwards=cost.forward,
            backwards=cost.backward,
        )

    def _readings(self, result: Any) -> Iterator[Measured]:
        """The measurements of a result: per item, per radius, or per metric."""
        if isinstance(result, Examination):
            method = self.method
            assert isinstance(method, Survey), "only surveys examine"
            for at, item in enumerate(result.items):
                yield _measured(method, method.name(), result.evidence[:, at], item=item)
        elif isinstance(result, Certification):
            for radius in self.budgets or (0.0,):
                yield from self._metrics(result.reaching(radius), radius)
        elif isinstance(result, Perturbation) and isinstance(self.method, Attack):
            if self.method.budget or not self.budgets:
                yield from self._metrics(result, self.method.amount())
            else:
                for budget in self.budgets:
                    yield from self._metrics(result.within(budget), budget)
        else:
            yield from self._metrics(result, None)

    def _metrics(self, result: Any, budget: float | None) -> Iterator[Measured]:
        for metric in self.metrics:
            if not metric.suits(result):
                continue
            try:
                with blamed(metric):
                    scores: Scores = metric(self.subject.model, result)
            except ProbeError as error:
                if is_out_of_memory(error):
                    raise
                yield Measured(metric.name(), budget, "", metric.reduction, "{}", None, str(error))
            else:
                yield _measured(metric, metric.name(), scores.evidence, budget=budget)


def planned(
    methods: Sequence[Any],
    subject: Subject,
    budgets: Sequence[Budget] | None,
    metrics: Sequence[Any] | None,
    seeds: Sequence[int] | None,
) -> list[Cell]:
    """Methods x budgets x seeds, each once, in that order.

    Raises:
        DataError: if an argument has no effect, such as budgets for explainers.
    """
    for method in methods:
        _check_kind(method)
    for metric in metrics or ():
        require(metric, Metric, f"metrics holds {str(metric)!r:.60}, which", "metrics=[Deletion()]")
    cells = [
        Cell(subject, seeded, read, _metrics_for(method, metrics, subject.model.task))
        for method in methods
        for budgeted, read in _with_budgets(method, budgets)
        for seeded in _with_seeds(budgeted, seeds)
    ]
    if budgets is not None and not any(isinstance(method, Attack | Certificate) for method in methods):
        raise DataError("eps was given, and no attack or certificate is among the methods; leave it out")
    if seeds is not None and not any(_takes_seed(method) for method in methods):
        raise DataError("seeds were given, and none of the methods draws at random; leave them out")
    for metric in metrics or ():
        if not any(metric in cell.metrics for cell in cells):
            reads = " or ".join(kind.__name__ for kind in _kinds(metric))
            raise DataError(f"{metric} measures {reads}, which none of the methods returns; leave it out")
    for cell in cells if metrics is not None else ():
        if not cell.metrics and not isinstance(cell.method, Survey):
            usual = _metrics_for(cell.method, None, subject.model.task)
            raise DataError(
                f"none of the metrics measures what {cell.method} returns; add one that does"
                + (f", such as {type(usual[0]).__name__}()" if usual else "")
                + f", or leave {cell.method.name()} out"
            )
    return list({cell.identity: cell for cell in cells}.values())


def _check_kind(method: Any) -> None:
    if isinstance(method, type) and issubclass(method, Method):
        raise DataError(f"methods holds the class {method.__name__}; write {method.__name__}()")
    if not isinstance(method, (*IN_BATCHES, *AT_ONCE)):
        raise DataError(
            f"methods holds {str(method)!r:.80}, expected explainers, attacks, certificates, counterfactuals, "
            "surveys or metrics of answers, such as PGD(steps=40)"
        )
    if isinstance(method, Metric) and Prediction not in _kinds(method):
        raise DataError(f"{method} measures what a method returns; write metrics=[{method}]")


def _takes_seed(method: Method) -> bool:
    return any(f.name == "seed" for f in fields(method))


def _with_seeds(method: Method, seeds: Sequence[int] | None) -> list[Any]:
    if seeds is None or not _takes_seed(method):
        return [method]
    change: list[dict[str, Any]] = [{"seed": seed} for seed in seeds]
    return [replace(method, **each) for each in change]


def _with_budgets(method: Method, budgets: Sequence[Budget] | None) -> list[tuple[Method, tuple[float, ...]]]:
    """The method with each budget; a method without a budget, with the radii at which its result is read."""
    if budgets is None or not isinstance(method, Attack | Certificate):
        return [(method, ())]
    if isinstance(method, Attack) and method.budget:
        return [(method.at(budget), ()) for budget in budgets]
    return [(method, tuple(map(_number, budgets)))]


def _number(budget: Budget) -> float:
    try:
        number = float(exact(budget))
    except (ValueError, OverflowError):
        number = -1.0
    if number < 0:
        raise RangeError(f'eps holds {budget!r:.60}, expected numbers of at least 0, such as 0.5 or "8/255"')
    return number


def _metrics_for(method: Method, metrics: Sequence[Metric[Any]] | None, task: Task) -> tuple[Metric[Any], ...]:
    """The metrics that measure what the method returns."""
    if isinstance(method, Metric):
        return (method,)
    gives = next((result for kind, result in GIVES.items() if isinstance(method, kind)), None)
    if metrics is None:
        known = discover("metric")
        names = USUAL.get(gives, ()) if gives else ()
        if isinstance(method, Attack) and method.goal.counted_alone(task):  # accuracy would not tell of it
            names = ("goal_reached",)
        return tuple(known[name]() for name in names)
    return tuple(metric for metric in metrics if gives in _kinds(metric))


def _kinds(metric: Metric[Any]) -> tuple[type, ...]:
    """The result types that a metric measures."""
    said = metric.result_type()
    return get_args(said) or (said,)


def _measured(
    made: Metric[Any] | Survey, name: str, evidence: Tensor, *, budget: float | None = None, item: str = ""
) -> Measured:
    return Measured(name, budget, item, made.reduction, json.dumps(made.config()), evidence.detach().cpu().double(), "")
