"""Networks are exported with any number of rows."""

import pytest
import torch
from probe_models.networks import build, start

from tests.models.conftest import SHAPES, SMALL

TEXTS = {
    "lstm": {"words": 20, "width": 4, "hidden": 4},
    "gru": {"words": 20, "width": 4, "hidden": 4},
    "text-cnn": {"words": 20, "width": 4, "filters": 4},
    "text-transformer": {"words": 20, "tokens": 6, "width": 4, "heads": 2},
}
GRAPHS = {
    "gcn": {"features": 1, "widths": [4], "classes": 2},
    "gat": {"features": 1, "widths": [4], "heads": 2, "classes": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [*SMALL, *TEXTS, *GRAPHS])
def test_an_exported_network_takes_any_number_of_rows(architecture):
    kwargs = (SMALL | TEXTS | GRAPHS)[architecture]
    network = build(architecture, kwargs)
    # Of a text the vectors of its words.
    shape = (6, 4) if architecture in TEXTS else SHAPES.get(architecture, (5, 6))
    random = torch.Generator().manual_seed(0)
    rows = torch.rand(7, *shape, generator=random)
    start(network, rows, random)
    network.eval()
    batch = {0: torch.export.Dim("rows", min=2, max=64)}
    program = torch.export.export(network, (rows,), dynamic_shapes=(batch,)).module()
    for count in (2, 3, 7):
        torch.testing.assert_close(program(rows[:count]), network(rows[:count]))
