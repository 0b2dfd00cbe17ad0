"""One logit, one sigmoid and probabilities are audited as the two logits that say the same."""

import pandas as pd
import pytest
import torch
from torch import nn

from probe import Classification, Dataset, Model, Space
from probe.audit import plan_from, run

X = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
SPACE = Space(reference=torch.zeros(1, 3))
GROUPS = pd.DataFrame({"sex": ["f", "m"] * 30})
DATA = Dataset(X, (X[:, 0] > 0.45).long(), space=SPACE, groups=GROUPS, classes=("no", "yes"))
PLAN = {
    "name": "twins",
    # Of probabilities a logit is their logarithm, which is another number than half the log-odds: both say as much.
    "explain": {
        "sample": 4,
        "methods": [{"method": name, "output": "probability"} for name in ("integrated_gradients", "saliency")],
    },
    "attack": {"sample": 30, "methods": [{"method": "fgsm"}, {"method": "pgd", "steps": 3}], "eps": ["0.02", "0.1"]},
}


class Head(nn.Module):
    """The same answers in four ways of writing them."""

    def __init__(self, outputs):
        super().__init__()
        self.layer, self.outputs = nn.Linear(3, 1), outputs
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[6.0, -2.0, 1.0]]))
            self.layer.bias.fill_(-2.5)

    def forward(self, inputs):
        z = self.layer(inputs)
        if self.outputs == "one logit":
            return z[:, 0]
        if self.outputs == "one probability":
            return z.sigmoid()
        two = torch.cat([-z / 2, z / 2], 1)
        return two.softmax(1) if self.outputs == "probabilities" else two


def audited(outputs, folder):
    model = Model(forward=Head(outputs).eval(), space=SPACE, task=Classification(("no", "yes"), outputs=outputs))
    return run(plan_from(PLAN, sources=False), model, DATA, folder / outputs.replace(" ", "-"))


@pytest.fixture(scope="module")
def two_logits(tmp_path_factory):
    return audited("logits", tmp_path_factory.mktemp("twins"))


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["one logit", "one probability", "probabilities"])
def test_findings_are_the_same_for_equivalent_outputs_of_one_model(outputs, two_logits, tmp_path):
    found, twin = audited(outputs, tmp_path).manifest, two_logits.manifest
    assert [(s.name, s.status) for s in found.steps] == [(s.name, s.status) for s in twin.steps]
    assert [(f.aspect, f.check, f.status) for f in found.findings] == [
        (f.aspect, f.check, f.status) for f in twin.findings
    ]
    for one, other in zip(found.findings, twin.findings, strict=True):
        # Log-odds of a rounded probability differ from the logit in the last digits of float32.
        ends = [[end for end in (f.estimate, f.low, f.high) if end is not None] for f in (one, other)]
        assert ends[0] == pytest.approx(ends[1], rel=2e-3, abs=2e-4), one.check
    assert len(twin.findings) >= 15
