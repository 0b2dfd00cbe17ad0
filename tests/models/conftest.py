import pandas as pd
import pytest
import torch
from probe_models.networks import build
from probe_models.training.settings import Settings

from probe import Dataset

SMALL = {
    "mlp": {"numbers": 2, "onehots": 3, "bins": 4, "widths": [8]},
    "ftt": {"numbers": 2, "levels": [2, 1], "bins": 4, "width": 8, "layers": 1, "heads": 2},
    "image-mlp": {"side": 8, "widths": [16], "classes": 2},
    "lenet": {"side": 16, "classes": 2},
    "cnn": {"widths": [4, 8], "side": 8, "classes": 2},
    "resnet": {"widths": [4, 8], "blocks": 2, "classes": 2},
    "vit": {"side": 16, "width": 8, "layers": 1, "heads": 2, "classes": 2},
}
SHAPES = {
    "mlp": (5,),
    "ftt": (5,),
    "image-mlp": (1, 8, 8),
    "lenet": (1, 16, 16),
    "cnn": (1, 8, 8),
    "resnet": (1, 8, 8),
    "vit": (1, 16, 16),
}


@pytest.fixture(params=SMALL)
def architecture(request):
    return request.param


@pytest.fixture
def blank(architecture):
    """Builds a network of that architecture, with nothing in it."""
    return lambda: build(architecture, SMALL[architecture])


@pytest.fixture
def network(blank):
    return blank()


@pytest.fixture
def easy(architecture):
    """Rows whose class shows in their brightness."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (200,), generator=random)
    noise = torch.rand(200, *SHAPES[architecture], generator=random)
    inputs = 0.5 * noise + 0.5 * labels.view(-1, *[1] * (noise.ndim - 1))
    groups = pd.DataFrame({"half": ["rare" if row % 5 == 0 else "common" for row in range(200)]})
    return Dataset(inputs=inputs, labels=labels, groups=groups, classes=("dark", "bright"), name="easy")


@pytest.fixture
def settings():
    return Settings(epochs=5, batch_size=20, learning_rate=1e-2)


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
