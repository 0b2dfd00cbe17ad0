"""Quality metrics of an explanation: for one input, and averaged over rows of the data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch

from probe.audit.asked import METRICS
from probe.audit.asked import Asked as AskedMetric
from probe.audit.measuring import measure
from probe.audit.readings import Reading, evidence_of
from probe.audit.units import EXPLAINED
from probe.contracts import Explainer, Metric, of_examples
from probe.declared import param, required
from probe.errors import Unsupported
from probe.lab.opened import Asked
from probe.lab.requests.explain import explained
from probe.lab.requests.request import Explaining, Reply, Request, method_of, pilot
from probe.lab.rows import Row
from probe.lab.telling import plain
from probe.model import Model
from probe.registry import build, discover
from probe.results import Attribution
from probe.study.batches import whole

Measuring = Annotated[Any, method_of("metric")]
PILOT = 2  # rows of the pilot


@dataclass(frozen=True, kw_only=True)
class Quality(Request):
    """Measure an explanation of this input, and the same method on average."""

    row: Row = required("the input")
    method: Explaining = required("the explainer")
    target: str = param("", "the class, label or output that is explained; of each input its answer unless named")
    metrics: tuple[Measuring, ...] | None = param(None, "metrics of explanations; none: those that an audit takes")
    sample: int = param(0, "random rows of the data to average over", low=0, high=10_000)
    seed: int = param(0, "of those rows", low=0)

    def answer(self, asked: Asked) -> Reply:
        metrics = self._metrics()
        chosen = self.row.chosen(asked)
        here = explained(chosen, self.method, self.target)
        record: dict[str, Any] = {"here": _measured(metrics, chosen.model, here, interval=False)}
        if self.sample:
            rows, model, found = self._sampled(asked)
            record |= {"average": _measured(metrics, model, found, interval=True), "rows": rows}
        return Reply(record)

    def estimate(self, asked: Asked) -> tuple[float, int]:
        rows = min(self.sample, len(asked.opened.data))
        few = min(PILOT, rows)
        silent = replace(asked, advance=lambda done, total, said: None)
        alone = pilot(lambda: replace(self, sample=0).answer(silent))
        if not rows:
            return alone, 1
        both = pilot(lambda: replace(self, sample=few).answer(silent))
        return alone + max(0.0, both - alone) / few * rows, rows + 1

    def _metrics(self) -> list[AskedMetric]:
        named = self.metrics
        if named is None:
            named = tuple(build(discover("metric"), {"method": name}) for name in METRICS["explain"])
        for metric in named:
            if not issubclass(Attribution, metric.result_type()):
                raise Unsupported(f"{metric.name()} measures no explanations; choose another metric")
        return [(f"{metric.name()}", metric, metric.threshold) for metric in named]

    def _sampled(self, asked: Asked) -> tuple[list[int], Model, Attribution]:
        """Explanations of the sampled rows, as in an audit."""
        data = asked.opened.data
        drawn = data.draw(self.sample, self.seed)
        model, few = asked.opened.part(drawn)
        inputs = model.check(few.inputs)
        named = torch.full((len(few),), model.task.index(self.target), device=inputs.device) if self.target else None
        targets = model.targets(inputs) if named is None else named
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            asked.advance(done, len(few), "rows explained")

        method: Explainer = self.method
        found = whole(
            lambda part: method(of_examples(model, few[part]), inputs[part], targets[part]),
            len(few),
            EXPLAINED,
            advance,
        )
        return drawn.tolist(), model, found


def _measured(
    metrics: Sequence[AskedMetric], model: Model, result: Attribution, *, interval: bool
) -> list[dict[str, Any]]:
    """Each metric with its value and evidence, or why it was not measured."""
    told = []
    for asked in metrics:
        name, metric, threshold = asked
        readings: list[Reading] = []
        evidence = measure([asked], model, result, readings).get(evidence_of(name))
        record: dict[str, Any] = {
            "metric": name,
            "title": readings[0].title,
            "unit": metric.unit,
            "better": metric.better,
            "threshold": plain(threshold),
            "n": len(result),
            "why": readings[0].why if readings[0].status != "not asked" else _unasked(metric, result),
            "columns": list(metric.columns),
            "value": None,
            "low": None,
            "high": None,
            "evidence": [],
        }
        if evidence is not None:
            low, high = metric.interval(evidence) if interval else (None, None)
            record |= {
                "value": plain(metric.reduce(evidence)),
                "low": plain(low),
                "high": plain(high),
                "evidence": plain(evidence),
            }
        told.append(record)
    return told


def _unasked(metric: Metric[Any], result: Attribution) -> str:
    return f"{metric.name()} does not apply to {result.method.name()}"
