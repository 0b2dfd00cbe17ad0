"""The estimated duration of a request."""

from dataclasses import dataclass, replace

from probe.declared import required
from probe.lab.opened import Asked
from probe.lab.requests.keep import Asking
from probe.lab.requests.request import Reply, Request


@dataclass(frozen=True, kw_only=True)
class Estimate(Request):
    """Estimate the seconds of a request by a pilot, and its rows."""

    of: Asking = required("the request")

    def answer(self, asked: Asked) -> Reply:
        from probe.lab.requests import read  # which lists this module too

        seconds, rows = read(self.of).estimate(replace(asked, advance=lambda done, total, said: None))
        return Reply({"seconds": seconds, "rows": rows})
