"""What is said where Ray does not start: one sentence with a remedy. Ray itself is a stand-in here."""

import sys
from importlib import import_module
from types import ModuleType

import pytest

from probe.engines import crew_of, engine_of
from probe.errors import Unsupported

LATE = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


@pytest.fixture
def ray(monkeypatch):
    """A stand-in for Ray that raises what a test gives it when it is to start."""
    made = ModuleType("ray")
    made.started, made.error = [], None

    def init(**how):
        made.started.append(how)
        if made.error is not None:
            raise made.error

    made.init, made.is_initialized = init, lambda: len(made.started) > 1
    made.remote = lambda **how: lambda what: what
    monkeypatch.setitem(sys.modules, "ray", made)
    monkeypatch.delitem(sys.modules, "probe.engines.on_ray", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield made
    sys.modules.pop("probe.engines.on_ray", None)  # the one that holds the stand-in


@pytest.mark.parametrize("begin", [lambda: engine_of("ray"), lambda: crew_of("ray", 2, print)])
def test_a_node_that_is_late_is_one_sentence_with_a_remedy(ray, begin):
    ray.error = Exception(LATE)
    with pytest.raises(Unsupported) as said:
        begin()
    assert str(said.value) == (
        f"Ray did not start on this machine ({LATE[:-1]}); set RAY_raylet_start_wait_time_s=300 if it is busy, or use "
        "the engine processes"
    )


def test_a_cluster_that_does_not_answer_is_named(ray, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    ray.error = ConnectionError()
    with pytest.raises(Unsupported, match=r"at RAY_ADDRESS=10.0.0.1:6379 \(ConnectionError\); start it, or unset"):
        engine_of("ray")


def test_ray_is_started_unless_it_runs(ray):
    engine_of("ray")
    assert len(ray.started) == 1
    ray.started.append({})  # as if the user had started it
    ray.error = AssertionError("it is started again")
    import_module("probe.engines.on_ray").make()
