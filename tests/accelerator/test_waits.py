"""How often a method makes the program wait for the device: at most once a step, whatever it looks at."""

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import DDN, PGD, HotFlip
from probe.contracts import Explainer
from probe.errors import ProbeError
from probe.explainers import IntegratedGradients, KernelShap, Lime, Saliency
from tests.accelerator import traffic
from tests.accelerator.models import CASES


def counted(device, case, ask):
    """What one call waits for and brings, after another has brought what is kept on the device."""
    model, inputs, labels = case.on(device), case.inputs.to(device), case.labels.to(device)
    ask(model, inputs, labels)
    with traffic() as found:
        ask(model, inputs, labels)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "each"),
    [("pixels", {}, 1), ("table", {"norm": "l2", "restarts": 2}, 2), ("number", {}, 1)],
    ids=["pixels", "table, two starts", "number"],
)
def test_pgd_synchronises_once_a_step_and_copies_nothing(device, name, settings, each):
    few, many = (
        counted(device, CASES[name](), lambda m, x, y, n=n: PGD(steps=n, eps=1e-4, **settings)(m, x, y)) for n in (2, 8)
    )
    assert len(many.waits) - len(few.waits) <= 6 * each
    assert many.arrivals == few.arrivals <= 1


def test_ddn_synchronises_at_no_step(device):
    few, many = (counted(device, CASES["pixels"](), lambda m, x, y, n=n: DDN(steps=n)(m, x, y)) for n in (2, 8))
    assert (len(many.waits), many.arrivals) == (len(few.waits), few.arrivals)


def test_hotflip_synchronises_once_a_step(device):
    few, many = (
        counted(device, CASES["tokens"](), lambda m, x, y, n=n: HotFlip(eps=n, candidates=3)(m, x, y)) for n in (1, 4)
    )
    assert len(many.waits) - len(few.waits) <= 3


def passes(monkeypatch):
    """The number of the passes through a model from here on, as a list that grows."""
    made, ask = [], Model.__call__

    def watched(self, inputs, **rows):
        made.append(len(inputs))
        return ask(self, inputs, **rows)

    monkeypatch.setattr(Model, "__call__", watched)
    return made


METHODS = [
    IntegratedGradients(steps=3, pieces=64, tolerance=0.0),
    IntegratedGradients(steps=40),
    KernelShap(coalitions=60),
    KernelShap(coalitions=500),
    Lime(samples=500),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "name"), [*zip(METHODS, ["pixels", "table"] * 3, strict=False), (METHODS[-1], "table")], ids=str
)
def test_explainers_synchronise_at_most_once_per_pass(device, name, method, monkeypatch):
    monkeypatch.setattr("probe.tensors.COORDINATES_ACCELERATOR", 16 * 20)
    monkeypatch.setattr("probe.explainers.coalitions._PAIRS", 64)
    made = passes(monkeypatch)
    found = counted(device, CASES[name](), lambda m, x, y: method(m, x, y))
    assert len(found.waits) <= len(made) // 2 + 12, found.waits  # the call was made twice; 12 for what goes in and out


class Broken(nn.Module):
    """Gives NaN from the third time on."""

    def __init__(self, *, by_input=False):
        super().__init__()
        self.head, self.asked, self.by_input = nn.Linear(3, 2), 0, by_input

    def forward(self, x):
        self.asked += 1
        return self.head(x) * (torch.nan if self.asked > 2 and not self.by_input else 1.0)


class Hasty(Explainer):
    """Asks, and fails of what it got."""

    def attribute(self, model, inputs, targets):
        for _ in range(4):
            logits = model.logits(inputs)
        if bool(logits.isnan().any()):
            raise ValueError("of no use")
        return inputs


@pytest.mark.parametrize("method", [Saliency(), KernelShap(), Hasty()], ids=str)
def test_nan_outputs_are_refused_at_the_end_or_instead_of_a_later_error(device, method):
    model = Model(forward=Broken().eval().to(device), space=Space(reference=torch.zeros(1, 3)))
    model.forward.asked = 2 if isinstance(method, Saliency) else 1
    with pytest.raises(ProbeError, match="NaN or infinity for finite inputs; the weights may be damaged"):
        method(model, torch.rand(4, 3), torch.zeros(4, dtype=torch.long))


def test_a_model_kept_from_a_late_check_checks_at_once_after_the_block(device):
    model = Model(forward=Broken().eval().to(device), space=Space())
    x = torch.rand(2, 3, device=device)
    with model.checked_late() as late:
        late.logits(x)
    late.logits(x)
    with pytest.raises(ProbeError, match="NaN"):
        late.logits(x)
