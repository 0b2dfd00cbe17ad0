"""Small models of each form of input, with rows for them: made alike each time, and moved to a device."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from probe import Model, MultiLabel, Regression, Space


@dataclass(frozen=True)
class Case:
    """A model on the CPU, rows that it answers, and what they are."""

    model: Model
    inputs: Tensor
    labels: Tensor

    def on(self, device: torch.device) -> Model:
        """The model on a device; that of the case stays where it is."""
        network = deepcopy(self.model.forward).to(device)
        embed = None if self.model.embed is None else network.embed
        return replace(self.model, forward=network, embed=embed)


class SelfAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2)
        return ((tokens.mT @ tokens).softmax(-1) @ tokens.mT).mT.view_as(x)


class Words(nn.Module):
    """A classifier of texts over embeddings, in which the absent word has the zero vector."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.Embedding(9, 4, padding_idx=0)
        self.head = nn.Linear(4, 2)

    def embed(self, ids: Tensor) -> Tensor:
        return self.vectors(ids)

    def forward(self, points: Tensor) -> Tensor:
        return self.head(points.tanh().sum(1))


class Edges(nn.Module):
    """A classifier of graphs by what their nodes hear of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, graphs: Tensor) -> Tensor:
        edges, nodes = graphs[:, :, :4], graphs[:, :, 4:]
        return self.head((edges @ (edges @ nodes)).tanh().sum(1))


def _source() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def _drawn(network: nn.Module) -> nn.Module:
    source = _source()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.6)
    return network.eval()


def _case(model: Model, inputs: Tensor) -> Case:
    labels = model.predict(inputs)
    # The first is answered wrongly, so that not all are attacked.
    labels[0] = 1 - labels[0] if labels.ndim == 2 or not labels.is_floating_point() else labels[0]
    return Case(model, inputs, labels.abs())


def image(*, squares: bool = True, attention: bool = False, channels: int = 1) -> Case:
    middle = SelfAttention() if attention else nn.ReLU()
    network = _drawn(nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), middle, nn.Flatten(), nn.Linear(64, 3)))
    features = (torch.arange(4)[:, None] // 2 * 2 + torch.arange(4) // 2).expand(channels, 4, 4) if squares else None
    rows = torch.rand(5, channels, 4, 4, generator=_source()), torch.arange(5) % 3
    space = Space(features=features, reference=torch.zeros(2, channels, 4, 4))
    model = Model(forward=network, space=space, classes=("a", "b", "c"), training=rows)
    return _case(model, torch.rand(4, channels, 4, 4, generator=_source()))


def table() -> Case:
    network = _drawn(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)))
    space = Space(
        bounds=(torch.zeros(6), torch.tensor([1.0, 90.0, 1.0, 1.0, 1.0, 5.0])),
        features=torch.tensor([0, 1, 2, 2, 2, 3]),
        names=("pay", "age", "job", "debt"),
        kinds=("continuous", "integer", "category", "continuous"),
        scale=torch.tensor([1.0, 90.0, 1.0, 1.0, 1.0, 5.0]),
        mutable=torch.tensor([True, True, True, True, True, False]),
        reference=torch.tensor([[0.5, 40.0, 1.0, 0.0, 0.0, 2.0], [0.2, 30.0, 0.0, 1.0, 0.0, 1.0]]),
    )
    x = torch.rand(5, 6, generator=_source()) * torch.tensor([1.0, 90.0, 1.0, 1.0, 1.0, 5.0])
    x[:, 1], x[:, 2:5] = x[:, 1].round(), torch.eye(3)[torch.tensor([0, 1, 2, 0, 1])]
    rows = x[:4], torch.tensor([0, 1, 0, 1])
    return _case(Model(forward=network, space=space, classes=("no", "yes"), threshold=0.4, training=rows), x)


def tokens() -> Case:
    network = _drawn(Words())
    with torch.no_grad():
        network.vectors.weight[0] = 0.0
    space = Space(bounds=(0, 8), words=tuple("_?abcdefg"), reference=torch.zeros(1, 5, dtype=torch.long))
    model = Model(forward=network, embed=network.embed, space=space, classes=("bad", "good"))
    return _case(model, torch.tensor([[2, 3, 4, 0, 0], [5, 6, 1, 7, 0], [8, 2, 2, 3, 4]]))


def graph() -> Case:
    edges = torch.tensor([[0.0, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]])
    graphs = torch.cat([edges.expand(3, 4, 4), torch.rand(3, 4, 3, generator=_source())], 2)
    pairs = torch.arange(16).view(4, 4).minimum(torch.arange(16).view(4, 4).T)
    number = {int(pair): at for at, pair in enumerate(pairs.unique())}
    features = torch.tensor([[number[int(p)] for p in row] + [10 + 3 * at + k for k in range(3)]
                             for at, row in enumerate(pairs)])  # fmt: skip
    space = Space(form="graph", features=features, reference=torch.zeros(1, 4, 7), mutable=_upper())
    return _case(Model(forward=_drawn(Edges()), space=space, classes=("ring", "star")), graphs)


def _upper() -> Tensor:
    free = torch.zeros(4, 7, dtype=torch.bool)
    free[:, :4] = ~torch.eye(4, dtype=torch.bool)
    return free


def number() -> Case:
    network = _drawn(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)))
    model = Model(forward=network, space=Space(reference=torch.zeros(1, 3)), task=Regression(("price",), tolerance=0.1))
    x = torch.rand(4, 3, generator=_source())
    return Case(model, x, model.predict(x) + torch.tensor([0.0, 0.05, 0.5, -0.05]))


def labels() -> Case:
    network = _drawn(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)))
    task = MultiLabel(("red", "round"), threshold=(0.4, 0.5))
    model = Model(forward=network, space=Space(reference=torch.zeros(1, 3)), task=task)
    return _case(model, torch.rand(4, 3, generator=_source()))


CASES: Mapping[str, Callable[..., Case]] = {
    "image": image,
    "pixels": lambda: image(squares=False),
    "attention": lambda: image(attention=True),
    "table": table,
    "tokens": tokens,
    "graph": graph,
    "number": number,
    "labels": labels,
    "colours": lambda: image(channels=3),
}
