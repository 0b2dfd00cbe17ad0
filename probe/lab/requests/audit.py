"""A whole audit of the model in the folder of runs."""

from dataclasses import dataclass
from typing import ClassVar

from probe.audit.estimate import estimate
from probe.audit.runner import check
from probe.declared import param
from probe.lab.opened import Asked
from probe.lab.requests.plan import read_text
from probe.lab.requests.request import Reply, Request
from probe.lab.running import audited, checked_name


@dataclass(frozen=True, kw_only=True)
class Audit(Request):
    """Run a plan; finished steps are kept if it is cancelled, and the same request continues it."""

    pure: ClassVar[bool] = False
    keeps: ClassVar[bool] = True

    text: str = param("", "a plan in TOML, as of the request plan")
    name: str = param("", "of the run; the plan's unless given")

    def answer(self, asked: Asked) -> Reply:
        opened = asked.opened
        plan = read_text(opened, self.text, checked_name(self.name) if self.name else "")
        check(plan, opened.model, opened.data)
        return Reply(audited(opened, plan, (opened.model, opened.data), asked.advance))

    def estimate(self, asked: Asked) -> tuple[float, int]:
        plan = read_text(asked.opened, self.text)
        return estimate(plan, asked.opened.model, asked.opened.data), len(asked.opened.data)
