"""The steps of an audit that run the model. Each produces the arrays that findings are computed from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probe.audit.attacking import smallest_budgets
from probe.audit.bundle import Arrays
from probe.audit.expected import Planned, planned
from probe.audit.manifest import ThreatRecord
from probe.audit.measuring import measure, measure_answers, measure_each
from probe.audit.plan import Plan, record_of
from probe.audit.proving import certify, search, survey
from probe.audit.readings import Reading
from probe.contracts import (
    Attack,
    Explainer,
    of_any_examples,
    of_examples,
    predict,
)
from probe.dataset import Dataset
from probe.goals import Answer
from probe.method import Method
from probe.metrics.masked import Memory
from probe.model import Model
from probe.numbers import as_written, fraction
from probe.shapes import Inputs
from probe.space import Space
from probe.study.batches import whole
from probe.study.steps import Advance
from probe.tensors import column, to_numpy

EXPLAINED = 10  # examples explained between two updates of the progress
SHOWN = 24  # examples whose attacked inputs are kept


@dataclass(frozen=True)
class Step:
    """One step of an audit, which is repeated if it is interrupted. Its arrays go to arrays/NAME.npz."""

    planned: Planned
    method: dict[str, Any]
    total: int  # examples times radii, for the progress
    work: Callable[[Advance], Arrays]
    readings: list[Reading] = field(default_factory=list)  # of the metrics, as `work` takes them
    threat: ThreatRecord | None = None  # of an attack: the unit of its budget
    answer: Answer = ""  # of a method with a goal: which answers reach it, as the goal declares
    finds: str = ""  # of an attack: a weaker one, all of whose successes it must find
    title: str = ""  # of an attack: its title
    caption: str = ""  # what an explainer's values mean, or what a certificate guarantees
    certifies: str = ""  # of a certificate: whose decision it certifies, if not the model's own

    @property
    def name(self) -> str:
        return self.planned.name


def steps(
    plan: Plan, model: Model, data: Dataset, keep: Callable[[Tensor], Tensor] = lambda rows: rows
) -> Iterator[Step]:
    """The steps of a resolved plan, in the order in which they run; of the rows that each draws, `keep` has the say."""
    coming = iter(planned(record_of(plan)))
    yield _predictions(next(coming), plan, model, data)
    if plan.explain.methods and plan.explain.sample:
        rows = keep(data.draw(plan.explain.sample, plan.seed))
        yield Step(next(coming), {}, len(rows), lambda advance: _instances(model, data, rows, advance))
        memory = Memory()
        for explainer in plan.explainers():
            yield _explain(next(coming), explainer, plan, model, (data, rows, memory))
    if plan.attack.methods and plan.attack.eps and plan.attack.sample:
        rows = keep(data.draw(plan.attack.sample, plan.seed))
        for attack in plan.attacks():
            yield _attack(next(coming), attack, plan, model, (data, rows))
        for label in plan.attack.labels:
            for attack in plan.attacks():
                drawn = (data.only(model.task.index(label)), rows)
                yield _attack(next(coming), attack, plan, model.only(label), drawn)
    if plan.search.sample:
        drawn = data, keep(data.draw(plan.search.sample, plan.seed))
        for counterfactual in plan.counterfactuals():
            asks = partial(search, counterfactual, plan, model)
            answer, caption = counterfactual.goal.answer, counterfactual.summary()
            yield _about(next(coming), counterfactual, drawn, asks, answer=answer, caption=caption)
    if plan.certify.eps and plan.certify.sample:
        drawn = data, keep(data.draw(plan.certify.sample, plan.seed))
        for certificate in plan.certificates():
            asks = partial(certify, certificate, plan, model)
            yield _about(
                next(coming),
                certificate,
                drawn,
                asks,
                threat=ThreatRecord(**certificate.threat.to_json()),
                title=type(certificate).__name__,
                caption=certificate.captioned(),
                certifies=certificate.certifies,
            )
    if plan.survey.sample:
        drawn = data, data.draw(plan.survey.sample, plan.seed)
        for method in plan.surveys():
            asks = partial(survey, method, plan, model)
            yield _about(next(coming), method, drawn, asks, caption=method.summary())


def _about(
    step: Planned, method: Method, drawn: tuple[Dataset, Tensor], asks: Callable[..., Arrays], **said: Any
) -> Step:
    """A step that asks a method about some rows; `said` is what its record says of it besides."""
    data, rows = drawn
    readings: list[Reading] = []

    def work(advance: Advance) -> Arrays:
        return {"rows": to_numpy(rows)} | asks(data[rows], (readings, advance))

    return Step(step, as_written(method.config()), len(rows), work, readings, **said)


def _predictions(step: Planned, plan: Plan, model: Model, data: Dataset) -> Step:
    readings: list[Reading] = []

    def work(advance: Advance) -> Arrays:
        prediction = predict(model, data)
        advance(len(data))
        assert data.rows is not None
        stored = {"rows": to_numpy(data.rows), "labels": to_numpy(data.labels), "logits": to_numpy(prediction.logits)}
        return stored | measure_answers(plan.metrics("predict"), model, prediction, readings)

    return Step(step, {}, len(data), work, readings)


def _instances(model: Model, data: Dataset, rows: Tensor, advance: Advance) -> Arrays:
    few = data[rows]
    model, inputs = of_examples(model, few), few.inputs
    advance(len(rows))
    arrays = {"rows": to_numpy(rows), "inputs": to_numpy(inputs)}
    owner = model.space.features
    if owner is not None:
        # They allow to check values by feature, and a figure to colour a group of pixels by its value.
        arrays["features"] = to_numpy(owner)
    told = model.space.form_of(inputs).told
    return arrays | ({"described": np.array(model.space.describe(inputs))} if told else {})


def _explain(
    step: Planned, explainer: Explainer, plan: Plan, model: Model, drawn: tuple[Dataset, Tensor, Memory]
) -> Step:
    data, rows, memory = drawn
    readings: list[Reading] = []

    def work(advance: Advance) -> Arrays:
        few = data[rows]
        whose = of_examples(model, few)
        inputs = whose.check(few.inputs)
        named = plan.explain.target
        targets = torch.full_like(rows, model.task.index(named)).to(model.device) if named else whose.targets(inputs)
        attribution = whole(
            lambda part: explainer(of_examples(model, few[part]), inputs[part], targets[part]),
            len(rows),
            EXPLAINED,
            advance,
        )
        by = {"by_feature": attribution.values, "errors": attribution.errors}
        stored = {
            "rows": to_numpy(rows),
            "targets": to_numpy(targets),
            "values": to_numpy(attribution.values.float()),
            **{
                name: to_numpy(_padded(whose.space.by_feature(each.float()), model.space))
                for name, each in by.items()
                if each is not None
            },
        }
        return stored | measure(plan.metrics("explain"), whose, attribution, readings, memory)

    config, caption = as_written(explainer.config()), explainer.captioned(model.task.spoken(explainer.output))
    return Step(step, config, len(rows), work, readings, caption=caption)


def _attack(step: Planned, attack: Attack, plan: Plan, model: Model, drawn: tuple[Dataset, Tensor]) -> Step:
    data, rows = drawn
    ordered = tuple(sorted(plan.attack.eps or (), key=fraction))
    readings: list[Reading] = []

    asked_of = of_any_examples(model, data)

    def work(advance: Advance) -> Arrays:
        inputs, labels = data.inputs[rows], data.labels[rows]
        found = smallest_budgets(attack, ordered, asked_of, inputs, labels, advance)
        at = [found.smallest <= k for k in range(len(ordered))]
        asked = [partial(found.at, k, attack.at(eps), asked_of, inputs) for k, eps in enumerate(ordered)]
        measured = measure_each(plan.metrics("attack"), model, asked, readings)
        sure = {} if found.sure is None or found.sure_before is None else {
            "probability": to_numpy(torch.stack([torch.where(f, found.sure, found.sure_before) for f in at]))
        }  # fmt: skip
        return (
            _shown(model, data[rows[:SHOWN]], found.points[:SHOWN], at)
            | sure
            | measured
            | {
                "rows": to_numpy(rows),
                "eps": np.array([float(fraction(eps)) for eps in ordered]),
                "clean": to_numpy(found.right),
                "success": to_numpy(torch.stack(at)),
                "movable": to_numpy(
                    torch.stack([attack.at(eps).could_move(asked_of.space, inputs) for eps in ordered])
                ),
                "predicted": to_numpy(
                    torch.stack([torch.where(column(f, found.clean), found.answers, found.clean) for f in at])
                ),
            }
            | ({} if found.targets is None else {"targets": to_numpy(found.targets)})
        )

    # The radii are the plan's, so the attack's own budget would mislead.
    settings = {key: value for key, value in as_written(attack.config()).items() if key != attack.budget}
    return Step(
        step,
        settings,
        len(rows) * len(ordered),
        work,
        readings,
        threat=ThreatRecord(**attack.threat.to_json()),
        answer=attack.goal.answer,
        finds=attack.finds,
        title=type(attack).__name__,
    )


def _shown(model: Model, data: Dataset, points: Inputs, at: list[Tensor]) -> Arrays:
    """The first inputs before and after an attack at each radius, for display."""
    space, few = of_examples(model, data).space, data.inputs
    shown = [torch.where(column(successful[: len(few)], few), points, few) for successful in at]
    moved = [space.by_feature(space.scaled_change(x, few)) for x in shown]
    arrays = {
        "inputs": to_numpy(few),
        "shown": to_numpy(torch.stack(shown)),
        "moved": to_numpy(_padded(torch.stack(moved), model.space)),
    }
    if space.form_of(few).told:
        arrays["before"] = np.array(space.describe(few))
        arrays["after"] = np.array([space.describe(texts) for texts in shown])
    return arrays


def _padded(values: Tensor, space: Space) -> Tensor:
    """Values by feature, padded to the largest number of features of any example."""
    most = values.shape[-1] if space.features is None else int(torch.as_tensor(space.features).max()) + 1
    return torch.nn.functional.pad(values, (0, most - values.shape[-1]))
