"""The loop of steps: what it leaves to the next one."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from probe import Model, memory
from probe.study.steps import carry_out

MEMORY = Path("/proc/self/status")
LARGE, KEPT = 2000, 100  # pieces of 64 KiB: all, and one of so many


@dataclass(frozen=True)
class Piece:
    name: str
    work: object
    total: int = 1


@dataclass
class Shelf:
    made: dict = field(default_factory=dict)

    def has(self, step):
        return step.name in self.made

    def keep(self, step, made):
        self.made[step.name] = made

    def ended(self, step, how):
        assert how.status == "done"


def held():
    """MiB of this process that are no file's."""
    line = next(line for line in MEMORY.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 2**10


@pytest.mark.skipif(not MEMORY.exists() or memory._of_glibc("malloc_trim") is None, reason="glibc on Linux")
def test_what_a_step_frees_is_not_held_while_the_next_one_runs():
    kept = []

    def scattered(advance):
        pieces = [np.ones(2**13) for _ in range(LARGE)]
        kept.extend(pieces[::KEPT])
        peak = held()
        del pieces
        return peak

    model, shelf = Model(forward=lambda x: x), Shelf()
    before = held()
    carry_out([Piece("first", scattered), Piece("next", lambda advance: held())], model, shelf, lambda *_: None)
    assert shelf.made["first"] - before > 90  # MiB
    assert shelf.made["next"] - before < 20
