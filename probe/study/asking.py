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
from probe.errors import Unsupported
from probe.method import Method
from probe.model import Model
from probe.outcomes import Certification
from probe.results import Attribution, Counterfactuals, Perturbation
from probe.study.batches import whole
from probe.study.parts import Parts
from probe.study.steps import Advance
from probe.tensors import spans

Call = Callable[[slice], Any]


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
    with blamed(method):
        if call := _call(method, subject):
            total, size = len(subject.data), subject.size
            return whole(lambda rows: _saved(method, subject, call, rows), total, size, advance)
        asked = next(asked for kind, asked in AT_ONCE.items() if isinstance(method, kind))
        result = asked(method, subject)
        advance(len(subject.data))
        return result


def batches_of(method: Method, subject: Subject) -> list[slice]:
    """The rows of each batch that is saved by itself; none where all examples are asked at once."""
    saved = len(subject.data) > subject.size and isinstance(method, tuple(IN_BATCHES))
    return list(spans(len(subject.data), subject.size)) if saved else []


def ask_batch(method: Method, subject: Subject, rows: slice) -> Any:
    """The result of one of the batches that are saved by themselves; asked unless it is there."""
    call = _call(method, subject)
    assert call, "only methods that are asked in batches have batches"
    with blamed(method):
        return _saved(method, subject, call, rows)


def asking(method: Method, subject: Subject) -> Call:
    """What asks a method about some of the rows, by their slice.

    Raises:
        Unsupported: if it sees all rows at once.
    """
    call = _call(method, subject)
    if call is None:
        raise Unsupported(f"{method} is asked about all rows at once; name one that is asked in batches, as an attack")
    return call


def _call(method: Method, subject: Subject) -> Call | None:
    """What asks a method about some of the rows; None if it sees all at once."""
    made = next((made for kind, made in IN_BATCHES.items() if isinstance(method, kind)), None)
    return made and made(method, subject)


def _saved(method: Method, subject: Subject, call: Call, rows: slice) -> Any:
    if subject.parts is None or len(subject.data) <= subject.size:
        return call(rows)
    return subject.parts.of(rows, method, subject.model.device, call)


def _explained(method: Explainer, subject: Subject) -> Call:
    model, inputs, targets = subject.model, subject.data.inputs, subject.targets
    return lambda rows: method(
        of_examples(model, subject.data[rows]), inputs[rows], None if targets is None else targets[rows]
    )


def _attacked(method: Attack, subject: Subject) -> Call:
    model, data = of_any_examples(subject.model, subject.data), subject.data
    targets = subject.targets if method.goal.aimed else None
    return lambda rows: method(
        model, data.inputs[rows], data.labels[rows], targets=None if targets is None else targets[rows]
    )


def _searched(method: Counterfactual, subject: Subject) -> Call:
    model, data = subject.model, subject.data
    targets = subject.targets if method.goal.aimed else None
    return lambda rows: method(
        of_examples(model, data[rows]), data.inputs[rows], targets=None if targets is None else targets[rows]
    )


def _certified(method: Certificate, subject: Subject) -> Call:
    data = subject.data
    return lambda rows: method(subject.model, data.inputs[rows], data.labels[rows])


# How each kind of method is asked about a batch of rows. A survey sees all examples at once; a metric of predictions
# sees the predictions.
IN_BATCHES: Mapping[type, Callable[[Any, Subject], Call]] = {
    Explainer: _explained,
    Attack: _attacked,
    Certificate: _certified,
    Counterfactual: _searched,
}
AT_ONCE: Mapping[type, Callable[[Any, Subject], Any]] = {
    Survey: lambda method, subject: method(subject.model, subject.data),
    Metric: lambda method, subject: predict(subject.model, subject.data),
}
GIVES: Mapping[type, type] = {
    Explainer: Attribution,
    Attack: Perturbation,
    Certificate: Certification,
    Counterfactual: Counterfactuals,
}
