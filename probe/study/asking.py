"""How each kind of method is run over many examples, and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from probe.contracts import (
    Attack,
    Certificate,
    Counterfactual,
    Explainer,
    Metric,
    Survey,
    of_any_examples,
    of_examples,
    predict,
)
from probe.contracts.blame import blamed
from probe.dataset import Dataset
from probe.method import Method
from probe.model import Model
from probe.outcomes import Certification
from probe.results import Attribution, Counterfactuals, Perturbation
from probe.study.batches import whole
from probe.study.parts import Parts
from probe.study.steps import Advance


@dataclass(frozen=True, eq=False)
class Subject:
    """The model, the data and the batch size of a study."""

    model: Model
    data: Dataset
    targets: Tensor | None
    size: int
    parts: Parts | None = None  # where the batches of a cell are saved until it is done


def ask(method: Method, subject: Subject, advance: Advance) -> Any:
    """The result of a method for all examples."""
    asked = next(asked for kind, asked in ASKED.items() if isinstance(method, kind))
    with blamed(method):
        return asked(method, subject, advance)


def _in_batches(method: Method, call: Callable[[slice], Any], subject: Subject, advance: Advance) -> Any:
    total, parts = len(subject.data), subject.parts
    if parts is None or total <= subject.size:
        return whole(call, total, subject.size, advance)
    device = subject.model.device
    return whole(lambda rows: parts.of(rows, method, device, call), total, subject.size, advance)


def _explained(method: Explainer, subject: Subject, advance: Advance) -> Attribution:
    model, inputs, targets = subject.model, subject.data.inputs, subject.targets
    return _in_batches(
        method,
        lambda rows: method(
            of_examples(model, subject.data[rows]), inputs[rows], None if targets is None else targets[rows]
        ),
        subject,
        advance,
    )


def _attacked(method: Attack, subject: Subject, advance: Advance) -> Perturbation:
    model, data = of_any_examples(subject.model, subject.data), subject.data
    targets = subject.targets if method.goal.aimed else None
    return _in_batches(
        method,
        lambda rows: method(
            model, data.inputs[rows], data.labels[rows], targets=None if targets is None else targets[rows]
        ),
        subject,
        advance,
    )


def _searched(method: Counterfactual, subject: Subject, advance: Advance) -> Counterfactuals:
    model, data = subject.model, subject.data
    targets = subject.targets if method.goal.aimed else None
    return _in_batches(
        method,
        lambda rows: method(
            of_examples(model, data[rows]), data.inputs[rows], targets=None if targets is None else targets[rows]
        ),
        subject,
        advance,
    )


def _certified(method: Certificate, subject: Subject, advance: Advance) -> Certification:
    data = subject.data
    return _in_batches(
        method, lambda rows: method(subject.model, data.inputs[rows], data.labels[rows]), subject, advance
    )


def _at_once(call: Callable[[Model, Dataset], Any], subject: Subject, advance: Advance) -> Any:
    result = call(subject.model, subject.data)
    advance(len(subject.data))
    return result


# How each kind of method is run. A survey sees all examples at once; a metric of predictions sees the predictions.
ASKED: Mapping[type, Callable[[Any, Subject, Advance], Any]] = {
    Explainer: _explained,
    Attack: _attacked,
    Certificate: _certified,
    Counterfactual: _searched,
    Survey: _at_once,
    Metric: lambda method, subject, advance: _at_once(predict, subject, advance),
}
GIVES: Mapping[type, type] = {
    Explainer: Attribution,
    Attack: Perturbation,
    Certificate: Certification,
    Counterfactual: Counterfactuals,
}
