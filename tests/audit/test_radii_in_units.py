"""Radii of attacks stand in every unit that the inputs have, in report and manifest."""

import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space
from probe.audit import plan_from, reading, run, verify
from probe.audit.manifest import DataRecord
from probe.audit.strict import typed
from probe.errors import IntegrityError
from probe.report.html import render


def audited(folder, inputs, eps, **said):
    net = nn.Sequential(nn.Flatten(), nn.Linear(inputs[0].numel(), 2)).eval()
    space = Space(reference=inputs[:1], **said)
    model = Model(forward=net, space=space)
    data = Dataset(inputs, torch.arange(len(inputs)) % 2, space=space)
    plan = {
        "name": "units",
        "explain": {"methods": []},
        "attack": {"methods": ["fgsm"], "eps": eps},
        "checks": {"robust_eps": eps[0]},
    }
    return run(plan_from(plan, sources=False), model, data, folder)


@pytest.mark.parametrize(
    ("inputs", "eps", "said", "told"),
    [
        (torch.rand(8, 1, 4, 4), ["8/255", "0.1"], {}, "8/255 = 0.03137 = 8 px; 0.1 = 25.5 px"),
        (torch.rand(8, 1, 4, 4), ["2 px"], {}, "0.007843 = 2 px"),
        (
            9 * torch.rand(8, 2),
            ["0.5"],
            {"scale": torch.tensor([4.0, 10.0]), "bounds": (0.0, 9.0)},
            "0.5 sd = 2 to 5 in the units of the inputs",
        ),
        (torch.rand(8, 2), ["0.5"], {}, ""),
    ],
    ids=["pixels", "levels", "table", "plain"],
)
def test_each_radius_is_told_in_each_unit(tmp_path, inputs, eps, said, told):
    bundle = audited(tmp_path / "a", inputs, eps, **said)
    (found,) = reading.attacks(bundle)
    assert found.in_units == (f"Radii in each unit: {told}." if told else "")
    assert ("Radii in each unit" in render(bundle)) == bool(told)
    verify(bundle.folder)


def test_units_that_no_space_has_are_refused(tmp_path):
    bundle = audited(tmp_path / "a", torch.rand(8, 1, 4, 4), ["2 px"])
    data = bundle.manifest.to_json()["data"]
    for units in ({"level": -1.0, "scale": []}, {"level": None, "scale": [1.0]}):
        with pytest.raises(IntegrityError, match="units are not a level above 0"):
            typed(DataRecord, data | {"units": units}, "data")
