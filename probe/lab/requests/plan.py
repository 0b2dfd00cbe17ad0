"""The plan of an audit of this model, as editable text."""

from dataclasses import dataclass, replace
from typing import Any

from probe.audit.estimate import estimate
from probe.audit.plan import Plan as AuditPlan
from probe.audit.plan import plan_from, table_in
from probe.audit.runner import check
from probe.audit.toml import to_toml
from probe.contracts import predict
from probe.declared import param
from probe.errors import PlanError
from probe.lab.opened import Asked, Opened
from probe.lab.requests.request import Reply, Request

FEW = 2  # rows whose answers tell which metrics apply to them
SHOWN = ("name", "seed", "predict", "explain", "attack", "search", "certify", "survey", "bias", "bundle", "checks")


@dataclass(frozen=True, kw_only=True)
class Plan(Request):
    """Check a plan, or give the default one, with its estimated duration."""

    text: str = param(
        "", "a plan in TOML, without [model] and with nothing but sample in [data]; the usual one if empty"
    )

    def answer(self, asked: Asked) -> Reply:
        opened = asked.opened
        plan = read_text(opened, self.text)
        check(plan, opened.model, opened.data)
        rows = len(opened.data.sample(_resolved(opened, plan).data.sample or None, plan.seed))
        asked.advance(0, 0, "a pilot of each step")
        seconds = estimate(plan, opened.model, opened.data)
        record = {"text": self.text or usual(opened), "name": plan.name, "seconds": seconds, "rows": rows}
        return Reply(record)


def usual(opened: Opened) -> str:
    """The default plan of the command line for this model, as text, without the metrics that do not suit its task."""
    plan = _resolved(opened, opened.plan)
    held = plan.to_json()
    if opened.plan.predict.metrics is None:
        suiting = _suiting(opened, plan)
        held["predict"]["metrics"] = [each for each in held["predict"]["metrics"] if each["method"] in suiting]
        left = {name for name, metric, _ in plan.metrics("predict") if metric.name() not in suiting}
        held["checks"] = {name: at for name, at in held["checks"].items() if name not in left}
    shown: dict[str, Any] = {key: held[key] for key in SHOWN if key in held}
    return to_toml(shown | {"data": {"sample": held["data"]["sample"]}})


def _suiting(opened: Opened, plan: AuditPlan) -> set[str]:
    """The metrics of the plan that apply to the answers, or to each of several, by name."""
    answers = predict(opened.model, opened.data.sample(FEW, plan.seed))
    each = answers.only(0) if answers.task.several(answers.logits) else answers
    return {metric.name() for _, metric, _ in plan.metrics("predict") if metric.suits(answers) or metric.suits(each)}


def read_text(opened: Opened, text: str, name: str = "") -> AuditPlan:
    """Read a plan for the open model and data.

    Raises:
        PlanError: if it is invalid, or names another model or other data.
    """
    table = table_in((text or usual(opened)).encode("utf-8", "replace"), "the plan")
    if "model" in table:
        raise PlanError(f"the plan names a [model], and {opened.model.name} is open; leave [model] out")
    own = table.pop("data", {})
    if not isinstance(own, dict) or own.keys() - {"sample"}:
        raise PlanError(f"the plan names [data], and {opened.data.name} is open; leave all but sample out of [data]")
    held = opened.plan.to_json()
    plan = plan_from({"name": opened.plan.name, **table, "model": held["model"], "data": {**held["data"], **own}})
    return replace(plan, name=name) if name else plan


def _resolved(opened: Opened, plan: AuditPlan) -> AuditPlan:
    return plan.resolved(opened.model, opened.data)
