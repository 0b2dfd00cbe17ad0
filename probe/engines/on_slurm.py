"""Slurm, by submitit: each part is a job. The machines share the folder of the run."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import submitit

from probe.engines import Engine, Outcome
from probe.engines.processes import Processes


class Slurm:
    """Submits each command as a job; where there is no Slurm, submitit runs it on this machine.

    PROBE_SLURM holds parameters of submitit, such as "timeout_min=600 slurm_partition=gpu gpus_per_node=1".
    """

    def __init__(self) -> None:
        self._executor = submitit.AutoExecutor(folder=os.environ.get("PROBE_SLURM_LOGS", "slurm"))
        given = (part.partition("=") for part in os.environ.get("PROBE_SLURM", "timeout_min=1440").split())
        self._executor.update_parameters(**{key: int(v) if v.isdecimal() else v for key, _, v in given})
        self._running: set[Any] = set()

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        job = self._executor.submit(_run, tuple(command), dict(environment))
        self._running.add(job)
        try:
            code, said = job.result()
        except (submitit.core.utils.UncompletedJobError, submitit.core.utils.FailedJobError):
            return Outcome(None)
        finally:
            self._running.discard(job)
        return Outcome(code, said)

    def end(self) -> None:
        for job in tuple(self._running):
            job.cancel()


def _run(command: tuple[str, ...], environment: dict[str, str]) -> tuple[int | None, str]:
    outcome = Processes().run(command, environment)
    return outcome.code, outcome.said


def make() -> Engine:
    """The engine."""
    return Slurm()
