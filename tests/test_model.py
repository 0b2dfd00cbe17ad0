import subprocess
import sys

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.errors import ProbeError, ShapeError

TWO = {"space": Space(), "classes": ("a", "b")}


def test_a_training_module_is_refused():
    with pytest.raises(ProbeError, match=r"training mode.*\.eval\(\)"):
        Model(forward=nn.Linear(2, 2), **TWO)
    mixed = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    mixed[1].train()
    with pytest.raises(ProbeError, match="training mode"):
        Model(forward=mixed, **TWO)


def test_probabilities_are_told_from_logits():
    with pytest.raises(ProbeError, match="returns probabilities"):
        Model(forward=lambda x: x.softmax(-1), **TWO)(torch.rand(4, 2))
    logits = Model(forward=lambda x: x + 1, **TWO)
    assert logits.predict(torch.tensor([[0.1, 0.2]])).tolist() == [1]


@pytest.mark.parametrize("forward", [lambda x: x[:, :1], lambda x: x[:, 0], lambda x: x[:1], lambda x: None])
def test_what_cannot_be_logits_is_refused(forward):
    with pytest.raises(ShapeError, match="one logit for each class"):
        Model(forward=forward, **TWO)(torch.rand(3, 2))


def test_usage_counts_examples_forward_and_backward():
    model = Model(forward=nn.Linear(2, 2).eval(), **TWO)
    model.logits(torch.rand(7, 2))
    model.gradient(torch.rand(5, 2), lambda z: z[:, 0])
    assert (model.usage.forward, model.usage.backward) == (12, 5)


def test_the_gradient_does_not_depend_on_the_batch():
    model = Model(forward=nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).eval(), **TWO)
    x = torch.rand(5, 2)
    _, together = model.gradient(x, lambda z: z[:, 0])
    _, alone = model.gradient(x[:1], lambda z: z[:, 0])
    torch.testing.assert_close(together[:1], alone)


def test_import_probe_is_fast_and_free_of_torch():
    code = (
        "import time; t = time.perf_counter(); import probe, sys; seconds = time.perf_counter() - t; "
        "assert 'torch' not in sys.modules; print(seconds)"
    )
    seconds = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert seconds < 0.2
