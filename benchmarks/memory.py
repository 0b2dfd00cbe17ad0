"""Peak memory of probe and of its peers for the same work, each in a process of its own: MiB, to JSON.

    python -m benchmarks.memory

A process that loads torch, probe, network and images and does nothing is measured too; `more` is what a side takes
beyond it. Memory hardly depends on what else the machine does.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.sides import there, written

ROOT = Path(__file__).parent.parent
PEERS = ("captum", "torchattacks", "foolbox")
BEFORE = """
import sys, torch
from benchmarks.sides import peak
from probe import zoo
torch.set_num_threads(2)
name, images = "fashion-robust", int(sys.argv[1])
model, data = zoo.load(name), zoo.data("fashion-mnist", split="test")[:images]
x, y, net = data.inputs, model.predict(data.inputs), model.forward
"""
AFTER = "\nprint(peak())"
WORK: dict[str, dict[str, str]] = {
    "nothing": {"probe": ""},
    "integrated gradients, 50 steps": {
        "probe": "from probe.explainers import IntegratedGradients\nIntegratedGradients(steps=50)(model, x, y)",
        "captum": "from captum.attr import IntegratedGradients\n"
        "IntegratedGradients(net).attribute(x, torch.zeros_like(x), target=y, n_steps=50)",
    },
    "KernelShap, 1,000 coalitions, 4 images": {
        "probe": "from probe.explainers import KernelShap\nKernelShap(coalitions=1000)(model, x[:4], y[:4])",
        "captum": "from captum.attr import KernelShap\n"
        "squares = model.space.features[None].long()\n"
        "for i in range(4):\n"
        "    KernelShap(net).attribute(x[i:i + 1], torch.zeros_like(x[:1]), target=y[i:i + 1], n_samples=1000,"
        " feature_mask=squares, perturbations_per_eval=167)",
    },
    "PGD, 20 steps": {
        "probe": "from probe.attacks import PGD\nPGD(eps=0.1, steps=20)(model, x, data.labels)",
        "torchattacks": "import torchattacks\n"
        "torchattacks.PGD(net, eps=0.1, alpha=0.0125, steps=20, random_start=False)(x, data.labels)",
        "foolbox": "import foolbox\n"
        "foolbox.attacks.LinfPGD(rel_stepsize=0.125, steps=20, random_start=False)("
        "foolbox.PyTorchModel(net, bounds=(0, 1), device='cpu'), x, data.labels, epsilons=0.1)",
    },
}


def taken(code: str, images: int) -> float:
    """The peak memory of a process that runs the code."""
    command = [sys.executable, "-W", "ignore", "-c", BEFORE + code + AFTER, str(images)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def beside(images: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each piece of work what every side that is installed takes."""
    nothing = 0.0
    for name, sides in WORK.items():
        found = {side: taken(code, images) for side, code in sides.items() if side == "probe" or there([side])}
        nothing = nothing or found["probe"]
        yield name, {side: {"MiB": mib, "more": round(mib - nothing, 1)} for side, mib in found.items()}


def main(images: int = 300) -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    written("memory", f"fashion-robust, first {images} test images", PEERS, {"work": dict(beside(images))}, load)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
