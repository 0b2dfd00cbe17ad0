"""Ray: each part is a task of a Ray cluster whose machines share the folder of the run."""

from collections.abc import Mapping, Sequence
from typing import Any

import ray

from probe.engines import Engine, Outcome
from probe.engines.processes import Processes


class Ray:
    """Runs each command as a task; where RAY_ADDRESS names no cluster, on this machine."""

    def __init__(self) -> None:
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)
        self._task = ray.remote(max_retries=0, num_cpus=1)(_run)
        self._running: set[Any] = set()

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        asked = self._task.remote(tuple(command), dict(environment))
        self._running.add(asked)
        try:
            code, said = ray.get(asked)
        except ray.exceptions.RayError:
            return Outcome(None)
        finally:
            self._running.discard(asked)
        return Outcome(code, said)

    def end(self) -> None:
        for asked in tuple(self._running):
            ray.cancel(asked, force=True)


def _run(command: tuple[str, ...], environment: dict[str, str]) -> tuple[int | None, str]:
    outcome = Processes().run(command, environment)
    return outcome.code, outcome.said


def make() -> Engine:
    """The engine."""
    return Ray()
