"""Cascade beside FGSM, PGD and published figures: robust accuracy, evaluations and seconds, to JSON.

    python benchmarks/attacks.py

An evaluation is one example that goes through the model once, in an attack mostly with its gradient; evaluations and
robust accuracy do not depend on the machine. Seconds are of the processor.
"""

import json
import os
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from probe import Dataset, Model, zoo
from probe.attacks import FGSM, PGD, Cascade
from probe.audit.attacking import smallest_budgets
from probe.contracts import Attack
from probe.forms import named
from probe.model import Usage

RESULTS = Path(__file__).parent / "results" / "attacks.json"
# Quoted, as this script does not run it: on the same network, images and radius, on two quiet cores.
PUBLISHED = {"torchattacks AutoAttack": {"robust accuracy": 0.7167, "seconds": 658.0, "measured": "elsewhere"}}


def attacked(attack: Attack, model: Model, data: Dataset) -> dict[str, Any]:
    started = time.process_time()
    found = attack(model, data.inputs, data.labels)
    return {
        "robust accuracy": round(int(found.attacked.correct.sum()) / len(data), 4),
        "evaluations": found.cost.forward,
        "gradients": found.cost.backward,
        "seconds": round(time.process_time() - started, 1),
    }


def audited(attack: Attack, name: str, data: Dataset) -> dict[str, Any]:
    """What an audit asks, which bisects the usual radii of the form."""
    model = replace(zoo.load(name), usage=Usage())
    radii = named(model.space.form_of(data.inputs)).defaults.eps
    started = time.process_time()
    found = smallest_budgets(attack, radii, model, data.inputs, data.labels, lambda _: None)
    return {
        "robust accuracy": {
            eps: round(float((found.open & (found.smallest > k)).sum()) / len(data), 4) for k, eps in enumerate(radii)
        },
        "evaluations": model.usage.forward,
        "seconds": round(time.process_time() - started, 1),
    }


def main(images: int = 300, few: int = 40, rows: int = 200) -> None:
    torch.set_num_threads(2)
    load = round(os.getloadavg()[0], 1)
    robust, fashion = zoo.load("fashion-robust"), zoo.data("fashion-mnist", split="test")
    attacks: list[Attack] = [FGSM(), PGD(steps=40), PGD(steps=100), *(Cascade(seed=seed) for seed in range(3))]
    drawn = {"fashion-cnn": fashion[slice(0, few)], "adult-mlp": zoo.data("adult", split="test")[slice(0, rows)]}
    record = {
        "load_before": load,
        "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads",
        "torch": version("torch"),
        f"fashion-robust, Linf 0.1, first {images} test images": {
            repr(attack.at(0.1)): attacked(attack.at(0.1), robust, fashion[slice(0, images)]) for attack in attacks
        }
        | PUBLISHED,
        "the usual radii of an audit": {
            f"{name}, first {len(data)} test rows": {
                attack.name(): audited(attack, name, data) for attack in (PGD(steps=40), Cascade())
            }
            for name, data in drawn.items()
        },
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
