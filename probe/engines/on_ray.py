"""Ray: actors that hold a model and are sent batches, and trainings as tasks, on the machines of a Ray cluster."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray

from probe.engines import Engine, Outcome
from probe.engines.crew import Answer, Crew, Holder, Make
from probe.engines.processes import Processes
from probe.errors import Unsupported

MOMENT = 0.1  # seconds until what is to be sent is looked at again
PATIENCE = "RAY_raylet_start_wait_time_s"  # Ray's own environment variable: how long it waits for a node that starts
LONGER = 300


class Ray:
    """Runs each command as a task; where RAY_ADDRESS names no cluster, on this machine."""

    def __init__(self) -> None:
        _connected()
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


class Actors:
    """Where a crew is: each worker is an actor, with a core of its own, and a GPU if the work needs one."""

    def __init__(self, *, gpu: bool) -> None:
        _connected()
        self._actor = ray.remote(num_cpus=1, num_gpus=int(gpu), max_restarts=0)(_Actor)

    def share(self, make: Make) -> Any:
        return ray.put(make)

    def start(self) -> Any:
        return self._actor.remote([each for each in sys.path if each])

    def send(self, worker: Any, held: Any, message: Any) -> Any:
        return worker.answer.remote(held.hex(), [held], message)  # in a list: the worker reads it, once

    def first(self, coming: Sequence[Any]) -> tuple[Any, Answer | None] | None:
        there, _ = ray.wait(list(coming), num_returns=1, timeout=MOMENT)
        if not there:
            return None
        first = there[0]
        try:
            return first, ray.get(first)
        except ray.exceptions.RayTaskError as error:
            return first, Answer(error=RuntimeError(str(error)))
        except ray.exceptions.RayError:
            return first, None

    def stop(self, worker: Any) -> None:
        with suppress(Exception):  # whatever has ended the cluster has ended the worker
            ray.kill(worker)


class _Actor(Holder):
    """A worker of a crew. It finds modules where its caller does now, who may have connected long ago."""

    def __init__(self, places: list[str]) -> None:
        super().__init__()
        sys.path += [each for each in places if each not in sys.path]

    def answer(self, name: Any, opened: Any, message: Any) -> Answer:
        return super().answer(name, lambda: ray.get(opened[0]), message)


def _connected() -> None:
    """Connect to Ray, unless that is done.

    Raises:
        Unsupported: if no node starts in time, or the cluster of RAY_ADDRESS does not answer.
    """
    if ray.is_initialized():
        return
    try:
        ray.init(log_to_driver=False, include_dashboard=False)
    except Exception as error:  # Ray raises a bare Exception where a node is late
        said = " ".join(str(error).split())[:200].rstrip(". ") or type(error).__name__
        if address := os.environ.get("RAY_ADDRESS"):
            raise Unsupported(
                f"no Ray cluster answered at RAY_ADDRESS={address:.80} ({said}); start it, or unset RAY_ADDRESS to use "
                "this machine"
            ) from None
        raise Unsupported(
            f"Ray did not start on this machine ({said}); set {PATIENCE}={LONGER} if it is busy, or use the engine "
            "processes"
        ) from None


def _run(command: tuple[str, ...], environment: dict[str, str]) -> tuple[int | None, str]:
    outcome = Processes().run(command, environment)
    return outcome.code, outcome.said


def make() -> Engine:
    """The engine of commands."""
    return Ray()


def crew(workers: int, report: Callable[[str], None], *, gpu: bool) -> Crew:
    """Actors, as many as there are workers."""
    return Crew(Actors(gpu=gpu), workers, report)
