"""The steps of an audit that run the model. Each produces the arrays that findings are computed from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probe.audit.attacking import smallest_budgets
from probe.audit.bundle import Arrays
from probe.audit.expected import Planned, planned
from probe.audit.explaining_attacked import Explained
from probe.audit.families import ACCURACY, WITHSTOOD
from probe.audit.looks import decided_after
from probe.audit.manifest import ThreatRecord
from probe.audit.measuring import measure, measure_answers, measure_each, padded
from probe.audit.neighbours import neighbours
from probe.audit.pieces import SHOWN, Piece, joined
from probe.audit.plan import Plan, record_of
from probe.audit.proving import certify, search, survey
from probe.audit.readings import Reading
from probe.audit.shared import Shared
from probe.audit.units import EXPLAINED, unit_of, unit_of_predictions
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
from probe.model import Model
from probe.numbers import as_written, fraction
from probe.shapes import Inputs
from probe.study.steps import Advance
from probe.tensors import column, spans, to_numpy

RECALLED = 2**20  # values of coalitions that are kept for the explainers that follow


@dataclass(frozen=True)
class Step:
    """One step of an audit, which is repeated if it is interrupted. Its arrays go to arrays/NAME.npz."""

    planned: Planned
    method: dict[str, Any]
    rows: int
    size: int  # rows of a unit
    ask: Callable[[slice, Advance], Piece]  # the work on the rows of one unit
    times: int = 1  # how often each row counts in the progress, such as once for each radius
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

    @property
    def total(self) -> int:
        """Examples times radii, for the progress."""
        return self.rows * self.times

    @property
    def units(self) -> list[slice]:
        """The rows of each unit, at least one."""
        return list(spans(self.rows, self.size)) or [slice(0, 0)]

    @property
    def work(self) -> Callable[[Advance], Arrays]:
        """Do all units and return their arrays together."""
        return self._work

    def _work(self, advance: Advance) -> Arrays:
        made = joined(self.planned.kind, [self.ask(rows, advance) for rows in self.units])
        self.readings[:] = made.readings
        return made.arrays


def steps(
    plan: Plan,
    model: Model,
    data: Dataset,
    keep: Callable[[str, Tensor], Tensor] = lambda section, rows: rows,
    shared: Shared | None = None,
) -> Iterator[Step]:
    """The steps of a resolved plan, in the order in which they run.

    `keep` has the say of the rows that each section draws, and explanations share what is `shared`.
    """
    coming = iter(planned(record_of(plan)))
    yield _predictions(next(coming), plan, model, data)
    explained: Explained | None = None
    if plan.explain.methods and plan.explain.sample:
        rows = keep("explain", data.draw(plan.explain.sample, plan.seed))
        yield _instances(next(coming), plan, model, data, rows)
        shared = shared or Shared()
        asked: dict[str, Explainer] = {}
        for explainer in plan.explainers():
            step = next(coming)
            asked[step.id] = explainer
            yield _explain(step, explainer, plan, model, (data, rows), shared)
        explained = Explained(rows, asked, model.task.index(plan.explain.target) if plan.explain.target else None)
    if plan.attack.methods and plan.attack.eps and plan.attack.sample:
        rows = keep("attack", data.draw(plan.attack.sample, plan.seed, ordered=not plan.attack.until_decided))
        attacks = list(zip(plan.attacks(), plan.radii(), strict=True))
        for attack, radii in attacks:
            yield _attack(next(coming), attack, plan, model, (data, rows, radii), explained)
        for label in plan.attack.labels:
            for attack, radii in attacks:
                alone = data.only(model.task.index(label)), rows, radii
                yield _attack(next(coming), attack, plan, model.only(label), alone)
    if plan.search.sample:
        drawn = data, keep("search", data.draw(plan.search.sample, plan.seed))
        for counterfactual in plan.counterfactuals():
            asks = partial(search, counterfactual, plan, model)
            answer, caption = counterfactual.goal.answer, counterfactual.summary()
            yield _about(next(coming), counterfactual, drawn, asks, answer=answer, caption=caption)
    if plan.certify.eps and plan.certify.sample:
        drawn = data, keep("certify", data.draw(plan.certify.sample, plan.seed))
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
            yield _about(next(coming), method, drawn, asks, whole=True, caption=method.summary())


def _about(
    step: Planned,
    method: Method,
    drawn: tuple[Dataset, Tensor],
    asks: Callable[[Dataset, int], tuple[Arrays, list[Reading]]],
    *,
    whole: bool = False,
    **said: Any,
) -> Step:
    """A step that asks a method about some rows, all at once if it is `whole`; `said` is what its record says."""
    data, rows = drawn
    size = max(1, len(rows)) if whole else unit_of(data.inputs)

    def ask(unit: slice, advance: Advance) -> Piece:
        part = rows[unit]
        arrays, readings = asks(data[part], unit.start)
        advance(len(part))
        return Piece(unit.start, unit.stop, {"rows": to_numpy(part)} | arrays, tuple(readings))

    return Step(step, as_written(method.config()), len(rows), size, ask, **said)


def _predictions(step: Planned, plan: Plan, model: Model, data: Dataset) -> Step:
    def ask(unit: slice, advance: Advance) -> Piece:
        readings: list[Reading] = []
        part = data[unit]
        prediction = predict(model, part)
        advance(len(part))
        assert part.rows is not None
        stored = {"rows": to_numpy(part.rows), "labels": to_numpy(part.labels), "logits": to_numpy(prediction.logits)}
        stored |= measure_answers(plan.metrics("predict"), model, prediction, readings)
        return Piece(unit.start, unit.stop, stored, tuple(readings))

    return Step(step, {}, len(data), unit_of_predictions(model, data.inputs), ask)


def _instances(step: Planned, plan: Plan, model: Model, data: Dataset, rows: Tensor) -> Step:
    def ask(unit: slice, advance: Advance) -> Piece:
        few = data[rows]
        whose, inputs = of_examples(model, few), few.inputs
        advance(len(rows))
        arrays = {"rows": to_numpy(rows), "inputs": to_numpy(inputs)}
        owner = whose.space.features
        if owner is not None:
            # They allow to check values by feature, and a figure to colour a group of pixels by its value.
            arrays["features"] = to_numpy(owner)
        if few.truth is not None:
            arrays["truth"] = to_numpy(few.truth)
        told = whose.space.form_of(inputs).told
        words = {"described": np.array(whose.space.describe(inputs))} if told else {}
        near = neighbours(model.space, data, rows, plan.explain.sample, plan.seed)
        return Piece(unit.start, unit.stop, arrays | words | near)

    return Step(step, {}, len(rows), max(1, len(rows)), ask)


def _explain(
    step: Planned,
    explainer: Explainer,
    plan: Plan,
    model: Model,
    drawn: tuple[Dataset, Tensor],
    shared: Shared,
) -> Step:
    data, rows = drawn

    def ask(unit: slice, advance: Advance) -> Piece:
        readings: list[Reading] = []
        few = data[rows[unit]]
        whose = of_examples(model, few)
        inputs = whose.check(few.inputs)
        named = plan.explain.target
        targets = (
            torch.full((len(few),), model.task.index(named), device=model.device) if named else whose.targets(inputs)
        )
        if whose.space.reference is not None:
            room = RECALLED * EXPLAINED // max(len(rows), 1)
            whose = replace(whose, recall=shared.recall(unit.start, whose, inputs, targets, room))
        attribution = explainer(whose, inputs, targets)
        attribution = attribution if few.truth is None else attribution.planted(few.truth.to(inputs.device))
        advance(len(few))
        by = {"by_feature": attribution.values, "errors": attribution.errors}
        stored = {
            "rows": to_numpy(rows[unit]),
            "targets": to_numpy(targets),
            "values": to_numpy(attribution.values.float()),
            **{
                name: to_numpy(padded(whose.space.by_feature(each.float()), model.space))
                for name, each in by.items()
                if each is not None
            },
        }
        if attribution.fidelity is not None:
            stored["fidelity"] = to_numpy(attribution.fidelity.double())
        stored |= measure(plan.metrics("explain"), whose, attribution, readings, shared.memory(unit.start))
        return Piece(unit.start, unit.stop, stored, tuple(readings))

    config, caption = as_written(explainer.config()), explainer.captioned(model.task.spoken(explainer.output))
    return Step(step, config, len(rows), EXPLAINED, ask, caption=caption)


def _attack(
    step: Planned,
    attack: Attack,
    plan: Plan,
    model: Model,
    drawn: tuple[Dataset, Tensor, tuple[str, ...]],
    explained: Explained | None = None,
) -> Step:
    data, rows, ordered = drawn
    asked_of = of_any_examples(model, data)

    def ask(unit: slice, advance: Advance) -> Piece:
        readings: list[Reading] = []
        part = rows[unit]
        inputs, labels = data.inputs[part], data.labels[part]
        found = smallest_budgets(attack, ordered, asked_of, inputs, labels, advance)
        at = [found.smallest <= k for k in range(len(ordered))]
        asked = [partial(found.at, k, attack.at(eps), asked_of, inputs) for k, eps in enumerate(ordered)]
        measured = measure_each(plan.metrics("attack"), model, asked, readings)
        sure = {} if found.sure is None or found.sure_before is None else {
            "probability": to_numpy(torch.stack([torch.where(f, found.sure, found.sure_before) for f in at]))
        }  # fmt: skip
        few = max(0, SHOWN - unit.start)
        shown, points, broken = part[:few], found.points[:few], found.smallest[:few] < len(ordered)
        arrays = (
            (_shown(model, data[shown], points, at) if few else {})
            | (explained.of_attacked(model, data, shown, points, broken) if few and explained else {})
            | sure
            | measured
            | {
                "rows": to_numpy(part),
                "eps": np.array([float(fraction(eps)) for eps in ordered]),
                "clean": to_numpy(found.open),
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
        return Piece(unit.start, unit.stop, arrays, tuple(readings))

    def until(unit: slice, advance: Advance) -> Piece:
        """Look by look, until the share is decided; one unit, as a look depends on those before."""
        record, pieces = record_of(plan), list[Piece]()
        for look in spans(unit.stop - unit.start, plan.attack.until_decided):
            pieces.append(ask(look, advance))
            made = joined(step.kind, pieces)
            if decided_after(record, step, metric, made.arrays) is not None:
                break
        advance((unit.stop - made.stop) * len(ordered))
        return replace(made, stop=unit.stop)

    metric = WITHSTOOD if attack.goal.counted_alone(model.task) else ACCURACY
    looks = bool(plan.attack.until_decided and len(rows))
    # The radii are the plan's, so the attack's own budget would mislead.
    settings = {key: value for key, value in as_written(attack.config()).items() if key != attack.budget}
    return Step(
        step,
        settings,
        len(rows),
        len(rows) if looks else unit_of(data.inputs),
        until if looks else ask,
        len(ordered),
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
        "moved": to_numpy(padded(torch.stack(moved), model.space)),
    }
    if space.form_of(few).told:
        arrays["before"] = np.array(space.describe(few))
        arrays["after"] = np.array([space.describe(texts) for texts in shown])
    return arrays
