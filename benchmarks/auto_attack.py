"""AutoAttack whole, with Square, beside torchattacks' own, and Cascade: what stands, rows and seconds, to JSON.

    python -m benchmarks.auto_attack        about 6 minutes on two quiet cores
    python -m benchmarks.auto_attack 300    of that many images: half an hour

One run of each on the robust network: APGD by cross-entropy, APGD and FAB towards each of nine targets, and Square with
5,000 queries, each on what withstood those before it. The published attack takes 100 steps of APGD and FAB, as ours
does; torchattacks takes 10 unless told otherwise, so it runs with both, and its time at 100 is the one to compare.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.black_box import found_by
from benchmarks.sides import Counted, there, written
from probe import Model, zoo
from probe.attacks import AutoAttack, Cascade
from probe.contracts import Attack

NETWORK, EPS = "fashion-robust", 0.1
Side = Callable[[Tensor, Tensor], Tensor]


def ours(attack: Attack, model: Model, net: Counted) -> Side:
    asked = replace(model, forward=net)
    return lambda images, labels: attack(asked, images, labels).perturbed


def of_torchattacks(net: Counted, steps: int) -> Side:
    import torchattacks

    whole = torchattacks.AutoAttack(net, eps=EPS, version="standard", n_classes=10, seed=0)
    for each in whole._autoattack.attacks:
        if hasattr(each, "steps"):  # Square has queries
            each.steps = steps
    return whole  # type: ignore[no-any-return]


def beside(images: int) -> dict[str, dict[str, Any]]:
    """What each side that is installed leaves standing, in one run, with its rows and seconds."""
    model, data = zoo.load(NETWORK), zoo.data("fashion-mnist", split="test")[slice(0, images)]
    sides: dict[str, Callable[[Counted], Side]] = {
        "probe AutoAttack": partial(ours, AutoAttack(eps=EPS), model),
        "probe Cascade": partial(ours, Cascade(eps=EPS), model),
    }
    if there(["torchattacks"]):
        sides |= {
            f"torchattacks AutoAttack, {steps} steps": partial(of_torchattacks, steps=steps) for steps in (10, 100)
        }
    told: dict[str, dict[str, Any]] = {}
    for name, make in sides.items():
        net = Counted(model.forward).eval()
        side = make(net)
        started, used = time.perf_counter(), time.process_time()
        moved = side(data.inputs, data.labels).detach()
        told[name] = {
            "seconds": round(time.perf_counter() - started, 1),
            "processor": round(time.process_time() - used, 1),
            "rows asked": net.rows,
            **found_by(model, data.inputs, data.labels, moved),
        }
    return told


def main(images: int = 80) -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    question = f"{NETWORK}, Linf {EPS}, first {images} test images, one run of each"
    written("auto_attack", question, ["torchattacks"], {"sides": beside(images)}, load)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
