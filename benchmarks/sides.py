"""What the comparisons share: sides that run in turn, the rows that a network is asked, and the record as JSON."""

import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

RESULTS = Path(__file__).parent / "results"
PACKAGES = {"art": "adversarial-robustness-toolbox", "auto_LiRPA": "auto-LiRPA"}  # whose module has another name


class Counted(nn.Module):
    """A network that counts the rows that go through it."""

    def __init__(self, net: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.rows = net, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.rows += len(inputs)
        return self.net(inputs.to(torch.float32))  # ART asks in float64


def there(peers: Sequence[str]) -> list[str]:
    """Those of the peers that are installed."""
    return [peer for peer in peers if find_spec(peer)]


def in_turn(
    sides: Mapping[str, Callable[[], Any]], repeats: int, *, warm: bool = True
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What each side gives, and its seconds: of each run, one side after the other in each, and their median.

    Seconds of the processor, over all threads, change little where others use the machine. A first run warms up, unless
    the sides are `warm` = False: warmed up already, by less work.
    """
    given = {name: side() for name, side in sides.items()} if warm else {}
    spent: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            started, used = time.perf_counter(), time.process_time()
            given[name] = side()
            spent[name].append(round(time.perf_counter() - started, 5))
            processor[name].append(time.process_time() - used)
    return given, {
        name: {
            "seconds": statistics.median(runs) if runs else None,
            "processor": round(statistics.median(processor[name]), 5) if runs else None,
            "runs": runs,
        }
        for name, runs in spent.items()
    }


def peak() -> float:
    """The largest memory of this process so far, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, 1)


def written(name: str, question: str, peers: Sequence[str], found: Mapping[str, Any], load: float) -> dict[str, Any]:
    """Write the record of a comparison to benchmarks/results/NAME.json."""
    record = {
        "question": question,
        "load_before": round(load, 1),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}, {torch.get_num_threads()} torch threads",
        "versions": {each: version(PACKAGES.get(each, each)) for each in ("torch", *there(peers))},
        **found,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    return record
