"""Tiny bundles, made by real audits: an image model, a model of a table, and what can go wrong with either."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch

from probe import Dataset, Model, Space
from probe.audit import Bundle, plan_from, read, run
from probe.audit.runner import Progress
from probe.report import blocks, render
from tests.figures import unwritten

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "$\\frac{",
    "\u202egnirts LTR",
    "x" * 10_000,
    "=cmd('calc')\" onload=\"alert(1)",
    "![](http://example.com/beacon)",
    "名前\x07",
)
EXPLAINERS = [{"method": "saliency"}, {"method": "lime"}]
USUAL: dict[str, object] = {"attack": {"sample": 60}, "explain": {"sample": 12}}  # methods that the plan does not name
Once = Callable[..., Path]


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def image_parts(classes: tuple[str, ...] = ("circle", "square", "cross")) -> tuple[Model, Dataset]:
    """A linear model of 8 by 8 pixels whose features are squares of four."""
    weight = 4 * (draw(3, 64, seed=0) - 0.5)
    rows = torch.arange(8) // 2
    space = Space(
        features=(rows[:, None] * 4 + rows)[None],
        names=tuple(f"square {i}" for i in range(16)),
        reference=torch.zeros(1, 1, 8, 8),
    )
    inputs = draw(60, 1, 8, 8, seed=1) ** 2
    labels = (inputs.flatten(1) @ weight.T + 2 * draw(60, 3, seed=2)).argmax(1)
    model = Model(forward=lambda x: x.flatten(1) @ weight.T, space=space, classes=classes, name="tiny-image")
    return model, Dataset(
        inputs=inputs, labels=labels, space=space, classes=classes, name="shapes", source="drawn; CC0"
    )


def table_parts(names: tuple[str, ...] = ("age", "hours", "sex"), group: str = "Other") -> tuple[Model, Dataset]:
    """A linear model of three columns, with two attributes and one group that is too small."""
    weight = torch.tensor([[0.0, 0.0, 0.0], [3.0, 2.0, 1.5]])
    inputs = draw(400, 3, seed=3)
    inputs[:, 2] = (inputs[:, 2] > 0.5).float()
    space = Space(names=names, features=torch.arange(3), reference=inputs[:20], kinds=("continuous",) * 3)
    shift = torch.tensor([0.0, -3.2])
    model = Model(forward=lambda x: x @ weight.T + shift, space=space, classes=("no", "yes"), name="tiny-table")
    labels = (inputs @ weight[1] - 3.2 + 0.8 * (draw(400, seed=4) - 0.5) > 0).long()
    race = pd.Series(["A", "B"]).take(torch.arange(400) % 2).tolist()
    race[:5] = [group] * 5
    groups = pd.DataFrame({"sex": ["f" if s else "m" for s in inputs[:, 2].tolist()], "race": race})
    return model, Dataset(
        inputs=inputs, labels=labels, groups=groups, space=space, classes=("no", "yes"), name="people"
    )


def text_parts(words: tuple[str, ...] = ("good", "bad", "dull", "bright", "film", "plot")) -> tuple[Model, Dataset]:
    """A linear model of the words of short texts, with an embedding of width two."""
    vectors = torch.cat([torch.zeros(2, 2), 2 * draw(len(words), 2, seed=5) - 1])
    weight = torch.tensor([[1.0, -1.0], [0.5, 1.0]])
    ids = (2 + draw(80, 9, seed=6) * len(words)).long().clamp(max=len(words) + 1)
    ids[torch.arange(9) >= 2 + (draw(80, 1, seed=7) * 8).long()] = 0
    ids[::7, 1] = 1
    space = Space(words=("", "?", *words), bounds=(0, len(words) + 1), reference=torch.zeros(1, 9, dtype=torch.long))
    model = Model(
        forward=lambda e: e.sum(1) @ weight, embed=lambda ids: vectors[ids], space=space, classes=("against", "for"),
        name="tiny-text",
    )  # fmt: skip
    labels = model.predict(ids)
    labels[::9] = 1 - labels[::9]
    return model, Dataset(inputs=ids, labels=labels, space=space, classes=("against", "for"), name="reviews")


def graph_parts() -> tuple[Model, Dataset]:
    """A count of the triangles of graphs with six nodes, which are few or many; one label in nine is wrong."""
    count, (one, other) = 6, torch.triu_indices(6, 6, 1)
    features = torch.diag(torch.arange(6) + 15)
    features[one, other] = features[other, one] = torch.arange(15)
    features = torch.cat([features, features.diagonal()[:, None]], 1)
    names = (
        *(f"edge {i}-{j}" for i, j in zip(one.tolist(), other.tolist(), strict=True)),
        *map("node {}".format, range(6)),
    )
    nothing = torch.cat([torch.zeros(1, 6, 6), torch.ones(1, 6, 1)], 2)
    mutable = torch.cat([~torch.eye(6).bool(), torch.zeros(6, 1).bool()], 1)
    space = Space(features=features, names=names, reference=nothing, mutable=mutable, form="graph")

    def forward(graphs: torch.Tensor) -> torch.Tensor:
        edges = (graphs[:, :, :count] + graphs[:, :, :count].mT) / 2
        triangles = (edges @ edges @ edges).diagonal(dim1=1, dim2=2).sum(1) / 6
        return torch.stack([2.5 - triangles, triangles - 2.5], 1)

    edges = (draw(60, 6, 6, seed=8) < 0.5).float().triu(1)
    inputs = torch.cat([edges + edges.mT, torch.ones(60, 6, 1)], 2)
    model = Model(forward=forward, space=space, classes=("few", "many"), name="tiny-graph")
    labels = model.predict(inputs)
    labels[::9] = 1 - labels[::9]
    return model, Dataset(inputs=inputs, labels=labels, space=space, classes=("few", "many"), name="triangles")


def make(parts: tuple[Model, Dataset], folder: Path, progress: Progress = lambda *_: None, **plan: object) -> Bundle:
    table = {
        "name": folder.name,
        "model": {"factory": "tiny:model"},
        "data": {"csv": "tiny.csv", "label": "y"},
        "explain": {"sample": 12, "methods": EXPLAINERS},
        "attack": {
            "sample": 60,
            "methods": [{"method": "fgsm"}, {"method": "pgd", "steps": 5}],
            "eps": ["0.02", "0.05", "0.1"],
        },
        **plan,
    }
    return run(plan_from(table), *parts, folder, progress=progress)


# Their figures are made, and neither laid out nor written: those of the others are.
UNWRITTEN = {"text", "graph", "hostile-text", "interrupted"}


@cache
def page_of(bundle: Bundle) -> str:
    """The report of a bundle that no test changes."""
    page = bundle.folder.with_suffix(".html")
    if not page.exists():
        whole = page.with_suffix(f".{os.getpid()}")
        with pytest.MonkeyPatch.context() as patch:
            if bundle.folder.name in UNWRITTEN:
                patch.setattr(blocks, "to_svg", unwritten)
            whole.write_bytes(render(bundle).encode("utf-8", "surrogatepass"))
        whole.rename(page)
    return page.read_bytes().decode("utf-8", "surrogatepass")


@pytest.fixture(scope="session")
def image(once: Once) -> Bundle:
    return read(once("report/image", lambda folder: make(image_parts(), folder)))


@pytest.fixture(scope="session")
def table(once: Once) -> Bundle:
    return read(once("report/table", lambda folder: make(table_parts(), folder)))


@pytest.fixture(scope="session")
def text(once: Once) -> Bundle:
    return read(once("report/text", lambda folder: make(text_parts(), folder, **USUAL)))


@pytest.fixture(scope="session")
def graph(once: Once) -> Bundle:
    """All that an audit does with a graph where the plan names nothing."""
    return read(once("report/graph", lambda folder: make(graph_parts(), folder, **USUAL)))


@pytest.fixture(scope="session")
def hostile_text(once: Once) -> Bundle:
    """Every word of the vocabulary attacks whoever shows it."""
    usual = {"attack": {"sample": 60}}
    return read(once("report/hostile-text", lambda folder: make(text_parts(HOSTILE), folder, **usual)))


@pytest.fixture(scope="session")
def hostile(once: Once) -> Bundle:
    model, data = table_parts(names=(HOSTILE[0], HOSTILE[1], HOSTILE[3]), group=HOSTILE[0])
    assert data.groups is not None
    renamed = data.groups.rename(columns={"sex": HOSTILE[1], "race": HOSTILE[4]})
    data = Dataset(
        inputs=data.inputs, labels=data.labels, groups=renamed, space=data.space, classes=(HOSTILE[2], HOSTILE[6]),
        name=HOSTILE[0], source=HOSTILE[5],
    )  # fmt: skip
    model = Model(forward=model.forward, space=model.space, classes=data.classes, name=HOSTILE[3])
    return read(once("report/hostile", lambda folder: make((model, data), folder)))


@pytest.fixture(scope="session")
def interrupted(once: Once) -> Bundle:
    def stop(step: str, done: int, total: int) -> None:
        if step == "attack-fgsm":
            raise KeyboardInterrupt

    def end(folder: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            make(image_parts(), folder, progress=stop)

    return read(once("report/interrupted", end))
