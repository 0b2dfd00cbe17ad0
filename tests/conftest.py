import pytest
import torch

from probe import Model, Space


@pytest.fixture(autouse=True)
def _same_networks_each_time() -> None:
    """`nn.Linear(2, 2)` in a test is drawn from torch's own generator: the same in every order and on every worker."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def linear() -> Model:
    """Logits are W x: every gradient is known by hand."""
    weight = torch.randn(3, 12, generator=torch.Generator().manual_seed(0))
    return Model(
        forward=lambda x: x.flatten(1) @ weight.T,
        space=Space(bounds=(0.0, 1.0), reference=torch.zeros(1, 3, 2, 2)),
        classes=("a", "b", "c"),
    )


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.rand(5, 3, 2, 2, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.tensor([0, 1, 2, 0, 1])
