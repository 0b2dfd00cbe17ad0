"""An audit by one call from Python."""

import inspect

import pytest
import torch
from torch import nn

import probe
from probe import Dataset, Space
from probe.errors import PlanError


@pytest.fixture(scope="module")
def ours():
    space = Space(bounds=(0.0, 1.0), reference=torch.full((1, 3), 0.5))
    inputs = torch.rand(40, 3, generator=torch.Generator().manual_seed(0))
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0, 0, 0], [2, 1, 0]]))
        net.bias.copy_(torch.tensor([1.5, 0.0]))
    data = Dataset(inputs, (inputs @ torch.tensor([2.0, 1, 0]) > 1.5).long(), space=space, classes=("no", "yes"))
    return probe.from_module(net.eval(), space, classes=("no", "yes")), data


SECTIONS = {
    "explain": {"sample": 3, "methods": [{"method": "saliency"}]},
    "attack": {"sample": 10, "methods": [{"method": "fgsm"}]},
}


@pytest.mark.slow
def test_one_call_leaves_a_verified_bundle_with_its_report(ours, tmp_path):
    seen = []
    bundle = probe.audit(*ours, tmp_path / "mine", progress=lambda *at: seen.append(at), seed=4, **SECTIONS)
    assert bundle.manifest.name == "mine"
    assert bundle.manifest.plan.seed == 4
    assert "mine" in (tmp_path / "mine" / "report.html").read_text()
    assert "accuracy" in set(bundle.table("findings").check)
    assert seen[-1][0] == "attack-fgsm"
    created = bundle.manifest.created
    assert probe.audit(*ours, tmp_path / "mine", seed=4, **SECTIONS).manifest.created == created


def test_an_unknown_section_is_refused_with_the_nearest(ours, tmp_path):
    with pytest.raises(PlanError, match="did you mean 'attack'"):
        probe.audit(*ours, tmp_path / "mine", atack={"sample": 10})
    assert not (tmp_path / "mine").exists()


def test_probe_audit_is_a_function_and_a_package():
    assert inspect.ismodule(probe.audit)
    assert probe.audit.read is not None


@pytest.mark.parametrize(("sections", "said"), [
    ({"model": {"task": "multilabel"}}, r"\[model\] has task, and the model is given as an object"),
    ({"model": {"batch_size": 3}}, r"\[model\] has batch_size"),
    ({"data": {"csv": "t.csv", "label": "y"}}, r"\[data\] has csv, and the data is given as an object"),
    ({"data": {"role": "train"}}, r"\[data\] has role"),
])  # fmt: skip
def test_sections_that_the_given_model_and_data_replace_are_refused(ours, tmp_path, sections, said):
    with pytest.raises(PlanError, match=said):
        probe.audit(*ours, tmp_path / "mine", **sections)
