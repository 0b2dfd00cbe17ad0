"""A tiny model of each form and task, as a worker holds it."""

from pathlib import Path

import pandas as pd
import torch
from torch import nn

from probe import Dataset, Model, MultiLabel, Places, Regression, Space
from probe.audit.plan import plan_from
from probe.forms import Graph, Image, Series
from probe.lab.opened import Asked, Opened
from probe.lab.requests import read
from probe.lab.worker import respond

AGES = torch.tensor([30.0, 41.0, 55.0, 23.0, 38.0, 61.0, 47.0, 29.0])
RED = torch.tensor([1, 0, 0, 1, 1, 0, 0, 1])
FEMALE = torch.tensor([1, 0, 0, 1, 1, 0, 1, 1])  # goes with red, but once


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def network(inside, outputs, seed=1):
    layers = nn.Sequential(nn.Flatten(), nn.Linear(inside, 4), nn.Tanh(), nn.Linear(4, outputs))
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 1.5)
    return layers.eval()


def opened(model, data, runs="runs", **read):
    """`read` is said of the data in the plan."""
    plan = plan_from({"name": "tiny", "model": {"zoo": "adult-mlp"}, "data": read})
    return Opened(model, data, plan, Path(runs))


def table():
    rows = torch.stack([AGES, RED, 1 - RED, FEMALE, 1 - FEMALE], 1).float()
    space = Space(
        names=("age", "colour", "sex"),
        kinds=("integer", "category", "category"),
        features=torch.tensor([0, 1, 1, 2, 2]),
        levels=("", "red", "blue", "female", "male"),
        bounds=(torch.tensor([17.0, 0, 0, 0, 0]), torch.tensor([90.0, 1, 1, 1, 1])),
        scale=torch.tensor([13.0, 1, 1, 1, 1]),
        reference=rows[:4],
    )

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network(5, 2)

        def forward(self, x):
            return self.inner((x - torch.tensor([40.0, 0, 0, 0, 0])) / torch.tensor([13.0, 1, 1, 1, 1]))

    model = Model(forward=Scaled().eval(), space=space, classes=("no", "yes"), name="table")
    groups = pd.DataFrame({"region": ["north", "south"] * 4})
    labels = model.predict(rows)
    labels[:2] = 1 - labels[:2]
    return model, Dataset(rows, labels, space=space, classes=model.classes, groups=groups, name="people")


def images():
    rows = drawn(6, 1, 4, 4)
    features = torch.tensor([[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2)[None]
    space = Space(form=Image(), features=features, reference=torch.zeros(2, 1, 4, 4))
    model = Model(forward=network(16, 3), space=space, classes=("a", "b", "c"), name="images")
    return model, Dataset(rows, model.predict(rows), space=space, classes=model.classes, name="pictures")


def colours():
    rows, space = drawn(6, 3, 4, 4), Space(form=Image())
    model = Model(forward=network(48, 3), space=space, classes=("a", "b", "c"), name="colours")
    return model, Dataset(rows, model.predict(rows), space=space, classes=model.classes, name="photos")


def tokens():
    words = ("", "(unknown)", "good", "bad", "film", "dull", "fine")
    space = Space(bounds=(0, 6), words=words, reference=torch.zeros(1, 4, dtype=torch.long))
    table = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([[0.0], *[[1.0]] * 6])
    embed = nn.Embedding.from_pretrained(table)
    model = Model(forward=network(12, 2), embed=embed, space=space, classes=("negative", "positive"), name="texts")
    rows = torch.tensor([[2, 4, 0, 0], [3, 4, 5, 0], [6, 4, 2, 2], [5, 1, 4, 3]])
    return model, Dataset(rows, model.predict(rows), space=space, classes=model.classes, name="reviews")


def graphs():
    edges = torch.triu((drawn(4, 5, 5) > 0.5).float(), 1)
    rows = torch.cat([edges + edges.mT, drawn(4, 5, 2, seed=1)], 2)
    upper = torch.triu(torch.ones(5, 5), 1).bool()
    numbered = torch.zeros(5, 5, dtype=torch.long)
    numbered[upper] = torch.arange(10)
    edge = numbered + numbered.mT
    edge[torch.arange(5), torch.arange(5)] = torch.arange(10, 15)
    features = torch.cat([edge, torch.arange(15, 25).view(5, 2)], 1)
    mutable = torch.cat([~torch.eye(5).bool(), torch.zeros(5, 2).bool()], 1)
    space = Space(form=Graph(), features=features, mutable=mutable, reference=torch.zeros(1, 5, 7))
    model = Model(forward=network(35, 2), space=space, classes=("ring", "tree"), name="graphs")
    return model, Dataset(rows, model.predict(rows), space=space, classes=model.classes, name="motifs")


def series():
    rows = drawn(5, 2, 8)
    space = Space(form=Series(names=("lead I", "lead II"), sampling_rate=4.0), reference=torch.zeros(1, 2, 8))
    model = Model(forward=network(16, 2), space=space, classes=("sinus", "other"), name="series")
    return model, Dataset(rows, model.predict(rows), space=space, classes=model.classes, name="beats")


def regression():
    space = Space(reference=torch.zeros(2, 3))
    model = Model(forward=network(3, 1), space=space, task=Regression(("price",), tolerance=0.1), name="prices")
    rows = drawn(5, 3)
    return model, Dataset(rows, model.logits(rows)[:, 0] + 0.01, space=space, name="houses")


def labels():
    space = Space(reference=torch.zeros(2, 3))
    task = MultiLabel(("smiling", "young"))
    model = Model(forward=network(3, 2), space=space, task=task, name="faces")
    rows = drawn(5, 3)
    return model, Dataset(rows, model.predict(rows), space=space, classes=task.labels, name="portraits")


def places():
    inner = network(3, 6)
    space = Space(reference=torch.zeros(2, 3))
    model = Model(forward=lambda x: inner(x).view(-1, 3, 2), space=space, task=Places(("name", "other")), name="tagger")
    rows = drawn(5, 3)
    return model, Dataset(rows, model.predict(rows), space=space, name="sentences")


FORMS = {each.__name__: each for each in (table, images, tokens, graphs, series)}
OTHERS = {"colours": colours}  # what only some methods answer
TASKS = {each.__name__: each for each in (regression, labels, places)}


def ask(held, request, arrays=None, told=lambda record: None):
    """The record and the arrays that a worker answers."""
    frame, found = respond(held, request, arrays or {}, told)
    assert frame["frame"] == "answer", frame["sentence"]
    return frame["answer"], found


def refusal(held, request, arrays=None):
    """The sentence with which a worker refuses."""
    frame, _ = respond(held, request, arrays or {}, lambda record: None)
    assert frame["frame"] == "refused", frame
    return frame["sentence"]


__all__ = ["FORMS", "OTHERS", "TASKS", "Asked", "ask", "opened", "read", "refusal"]
