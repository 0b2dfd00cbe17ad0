"""Two small audits: images without groups, and a table with sex and race."""

import pandas as pd
import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space
from probe.audit import plan_from, read, run
from probe.features import squares
from tests.figures import figures_unwritten

__all__ = ["figures_unwritten"]


def _seeded(module: nn.Module) -> nn.Module:
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.5)
    return module.eval()


def images(n: int = 40) -> tuple[Model, Dataset]:
    space = Space(features=squares(8, 8, 4)[None], reference=torch.zeros(1, 1, 8, 8))
    net = _seeded(nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)))
    model = Model(forward=net, space=space, classes=("shirt", "coat", "bag"), name="net")
    inputs = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return model, Dataset(inputs=inputs, labels=model.predict(inputs), space=space, classes=model.classes, name="toy")


def table(n: int = 300) -> tuple[Model, Dataset]:
    source = torch.Generator().manual_seed(2)
    code = torch.randint(3, (n,), generator=source)
    inputs = torch.cat([torch.randn(n, 2, generator=source).clamp(-4, 4), nn.functional.one_hot(code, 3).float()], 1)
    space = Space(
        bounds=(-4.0, 4.0),
        features=torch.tensor([0, 1, 2, 2, 2]),
        names=("age", "hours", "job"),
        kinds=("continuous", "continuous", "category"),
        reference=inputs[:5],
    )
    model = Model(forward=_seeded(nn.Linear(5, 2)), space=space, classes=("no", "yes"), name="mlp")
    labels = (model.predict(inputs) + (torch.rand(n, generator=source) < 0.2)) % 2
    groups = pd.DataFrame({"sex": ["F" if c == 0 else "M" for c in code.tolist()], "race": ["A", "B", "C"] * (n // 3)})
    data = Dataset(inputs=inputs, labels=labels, groups=groups, space=space, classes=model.classes, name="people")
    return model, data


def texts(n: int = 60) -> tuple[Model, Dataset]:
    """Short texts, read by the sum of what their words say."""
    source = torch.Generator().manual_seed(3)
    words = ("", "?", *(f"word{i}" for i in range(20)))
    vectors, head = torch.randn(22, 3, generator=source), torch.randn(3, 2, generator=source)
    vectors[0] = 0
    ids = torch.randint(1, 22, (n, 8), generator=source)
    ids[torch.arange(8) >= torch.randint(1, 9, (n, 1), generator=source)] = 0
    space = Space(words=words, bounds=(0, 21), reference=torch.zeros(1, 8, dtype=torch.long))
    model = Model(
        forward=lambda e: torch.tanh(e).sum(1) @ head,
        embed=lambda ids: vectors[ids],
        space=space,
        classes=("no", "yes"),
        name="reader",
    )
    return model, Dataset(inputs=ids, labels=model.predict(ids), space=space, classes=model.classes, name="texts")


SMALL = {
    "explain": {"sample": 6},
    "attack": {"sample": 30, "eps": ["0.01", "0.1"], "methods": [{"method": "fgsm"}, {"method": "pgd", "steps": 5}]},
}


def small_plan(name: str, **changes):
    return plan_from({"name": name, "model": {"zoo": "any"}, **SMALL, **changes})


@pytest.fixture(scope="session")
def image_bundle(once):
    return read(once("audit/pictures", lambda folder: run(small_plan("pictures"), *images(), folder)))


@pytest.fixture(scope="session")
def table_bundle(once):
    return read(once("audit/people", lambda folder: run(small_plan("people"), *table(), folder)))


@pytest.fixture(scope="session")
def text_bundle(once):
    plan = plan_from({"name": "texts", "model": {"zoo": "any"}, "explain": {"sample": 6}})
    return read(once("audit/texts", lambda folder: run(plan, *texts(), folder)))
