from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from probe import Model, Space

Game = Callable[[Callable[[Tensor], Tensor], int], Model]


class Times(nn.Module):
    """The product with a matrix, which is no parameter: nothing is to be learned here."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = matrix

    def forward(self, x):
        return x @ self.matrix


@pytest.fixture
def game() -> Game:
    """Turns a function of presence (batch, players) into a model whose first logit it is."""

    def build(worth, players):
        def forward(present):
            return torch.stack([worth(present), -worth(present)], 1)

        return Model(forward=forward, space=Space(reference=torch.zeros(1, players, dtype=torch.float64)))

    return build


@pytest.fixture
def multilayer() -> Model:
    """Captum's BasicModel_MultiLayer: its Shapley values, ablations and LIME limits are published or by hand."""
    first, second = nn.Linear(3, 4), nn.Linear(4, 2)
    with torch.no_grad():
        first.weight.fill_(1.0)
        second.weight.fill_(1.0)
        first.bias.copy_(torch.tensor([-10.0, 1.0, 1.0, 1.0]))
        second.bias.copy_(torch.tensor([-1.0, 1.0]))
    module = nn.Sequential(first, nn.ReLU(), second).double().eval()
    space = Space(bounds=(-1000.0, 1000.0), reference=torch.zeros(1, 3, dtype=torch.float64))
    return Model(forward=module, space=space)


@pytest.fixture(scope="session")
def network() -> Callable[..., Model]:
    """Builds a smooth, strongly interacting network over standard normal features, with its reference rows."""

    def build(features=8, references=20, **space):
        source = torch.Generator().manual_seed(3)

        def normal(*shape):
            return torch.randn(*shape, generator=source, dtype=torch.float64)

        first, second, third = normal(features, 16), normal(16, 16) / 2, normal(16, 3)
        rows = normal(references, features)

        layers = nn.Sequential(Times(first), nn.Tanh(), Times(second), nn.ReLU(), Times(third))
        return Model(forward=layers.eval(), space=Space(bounds=(-9.0, 9.0), reference=rows, **space))

    return build


@pytest.fixture(scope="session")
def rows() -> Callable[[int, int], Tensor]:
    return lambda count, features: torch.randn(
        count, features, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
