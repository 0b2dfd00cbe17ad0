"""Planted truth in data: a network with a known shortcut, and which explainers find it in an audit."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from probe import Dataset, Explainer, Model, Space, pasted, zoo
from probe.audit import plan_from, run, verify
from probe.cli.sources import open_both
from probe.errors import DataError, IntegrityError, PlanError, RangeError, ShapeError
from probe.features import image_space
from probe.metrics import PointingGame, RelevanceMass
from tests.audit.conftest import table
from tests.audit.forging import sign

SPACE = image_space(1, 8, 8, side=2)
CLASSES = ("plain", "patched")
METHODS = ["saliency", "integrated_gradients", "occlusion"]


def clothes(rows, seed):
    """Noise, in which nothing tells one class from the other."""
    source = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(rows, 1, 8, 8, generator=source)
    return Dataset(images, torch.arange(rows) % 2, space=SPACE, classes=CLASSES, name="noise")


def patched(data):
    return pasted(data, at=(2, 4), size=(2, 2))


@pytest.fixture(scope="module")
def shortcut():
    """A network trained on images of which those of one class have the patch."""
    torch.default_generator.manual_seed(0)
    data = clothes(128, 0)
    inputs = torch.where(data.labels.view(-1, 1, 1, 1) == 1, patched(data).inputs, data.inputs)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    weights = list(net.parameters())
    for _ in range(60):
        slopes = torch.autograd.grad(nn.functional.cross_entropy(net(inputs), data.labels), weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= 0.4 * slope
    return Model(forward=net.eval(), space=SPACE, classes=CLASSES)


@dataclass(frozen=True, kw_only=True)
class Chance(Explainer):
    """Values that know nothing of the network."""

    def attribute(self, model, inputs, targets):
        return torch.rand(inputs.shape, generator=torch.Generator().manual_seed(1))


def test_an_audit_tells_who_finds_a_shortcut(shortcut, tmp_path):
    data = patched(clothes(40, 1))
    assert (shortcut.predict(data.inputs) == 1).float().mean() > 0.9
    told = {"name": "who", "explain": {"methods": METHODS}, "attack": {"methods": []}, "data": {"sample": 0}}
    plan = plan_from(told, sources=False)
    usual = [config["method"] for config in plan.resolved(shortcut, data).explain.metrics]
    assert usual[-2:] == ["pointing_game", "relevance_mass"]
    assert "pointing_game" not in str(plan.resolved(shortcut, clothes(4, 1)).explain.metrics)
    plan = plan_from(told | {"explain": {"methods": METHODS, "metrics": usual[-2:]}}, sources=False)
    findings = run(plan, shortcut, data, tmp_path / "who").table("findings")
    for metric in usual[-2:]:
        found = findings[findings.metric == metric]
        assert len(found) == len(METHODS)
        assert set(found.status) == {"pass"}
    control = Chance()(shortcut, data.inputs).planted(data.truth)
    for metric in (PointingGame(), RelevanceMass()):
        low, high = metric(shortcut, control).interval(level=0.99)
        assert low < 0 < high


def test_rows_and_their_truth_stay_together():
    data = clothes(6, 0)
    masks = torch.zeros(6, 1, 8, 8, dtype=torch.bool)
    masks[torch.arange(6), 0, 0, torch.arange(6)] = True
    marked = Dataset(data.inputs, data.labels, space=SPACE, classes=CLASSES, truth=masks)
    assert torch.equal(marked[2:5].truth, masks[2:5])
    assert torch.equal(marked.sample(3, 0).truth, masks[marked.draw(3, 0)])
    assert len({one.digest(planted=True) for one in (data, marked, replace(marked, truth=~masks))}) == 3
    assert marked.digest() == data.digest()
    one = Dataset(data.inputs, data.labels, space=SPACE, truth=masks[0])
    assert torch.equal(one.truth, masks[:1].expand(6, -1, -1, -1))
    with pytest.raises(DataError, match=r"is empty for 1 of 6 examples.*leave those rows out, as in data\[rows\]"):
        Dataset(data.inputs, data.labels, truth=masks & (torch.arange(6) < 5).view(-1, 1, 1, 1))
    with pytest.raises(ShapeError, match="mask of the truth has the shape"):
        Dataset(data.inputs, data.labels, truth=masks[:, 0])


def test_a_patch_is_pasted_where_it_is_asked_for():
    data = clothes(3, 0)
    grey = pasted(data, torch.tensor([[0.25, 0.5, 0.75]]), at=(7, 5))
    assert grey.inputs[:, 0, 7, 5:].tolist() == [[0.25, 0.5, 0.75]] * 3
    assert torch.equal(grey.truth, (grey.inputs != data.inputs))
    assert torch.equal(grey.inputs[:, :, :7], data.inputs[:, :, :7])
    assert grey.notices == (
        "a patch of 1 x 3 pixels was pasted on each image at row 7, column 5; labels are those without it",
    )
    with pytest.raises(RangeError, match="a patch of 3 x 3 pixels at row 6, column 0 does not lie within images of 8"):
        pasted(data, size=(3, 3), at=(6, 0))
    with pytest.raises(RangeError, match=r"pasted\(size=\(\)\): expected the height and the width"):
        pasted(data)
    with pytest.raises(ShapeError, match=r"the patch has the shape \(2, 3, 3\), expected \(height, width\) or \(1, "):
        pasted(data, torch.ones(2, 3, 3))
    with pytest.raises(DataError, match="expected images"):
        pasted(Dataset(torch.rand(3, 4), torch.arange(3) % 2), size=(1, 1))


def test_graphs_of_the_zoo_know_their_motif():
    data = zoo.data("motifs")[:5]
    edges = data.truth[..., :-1]
    assert (edges.flatten(1).sum(1) == 14).all()  # each of 7 edges in both of its places
    assert (data.inputs[..., :-1][edges] == 1).all()
    assert not data.truth[..., -1].any()


def test_plans_say_where_the_truth_lies(tmp_path):
    source = torch.Generator().manual_seed(0)
    inputs = torch.rand(20, 2, generator=source).numpy()
    marks = np.stack([np.zeros(20), np.ones(20)], 1)
    np.savez(tmp_path / "t.npz", inputs=inputs, labels=np.arange(20) % 2, marks=marks, odd=marks[:, :1])
    table = "a,b,y\n" + "".join(f"{a},{b},{i % 2}\n" for i, (a, b) in enumerate(inputs))
    (tmp_path / "t.csv").write_text(table)
    (tmp_path / "planted_net.py").write_text("from torch import nn\ndef net():\n    return nn.Linear(2, 2)\n")

    def truth(**said):
        path = {key: str(tmp_path / said.pop(key)) for key in ("csv", "npz") if key in said}
        model = {"factory": "planted_net:net"}
        plan = plan_from({"name": "p", "model": model, "data": path | said})
        return open_both(plan, allow_code=True)[1].truth

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        expected = torch.tensor([False, True]).expand(20, 2)
        assert torch.equal(truth(csv="t.csv", label="y", truth=["b"]), expected)
        assert torch.equal(truth(npz="t.npz", truth=["marks"]), expected)
        with pytest.raises(DataError, match=r"the mask of the truth of t.npz is float64 of shape \(20, 1\)"):
            truth(npz="t.npz", truth=["odd"])
        with pytest.raises(PlanError, match=r"data\.truth names 'c', which is no feature"):
            truth(csv="t.csv", label="y", truth=["c"])
    for said, why in (
        ({"patch": [0, 0, 0, 3]}, r"data.patch = \[0, 0, 0, 3\], expected top, left, height and width"),
        ({"npz": "t.npz", "truth": ["a", "b"]}, "data.truth lists 2 arrays"),
        ({"npz": "t.npz", "truth": ["a"], "patch": [0, 0, 1, 1]}, "truth and patch"),
    ):
        with pytest.raises(PlanError, match=why):
            plan_from({"name": "p", "model": {"zoo": "fashion-cnn"}, "data": said})


@pytest.mark.parametrize("kept", ["shown", "none"])
def test_a_bundle_holds_the_truth_only_with_its_inputs_and_a_verifier_reads_it(kept, tmp_path):
    weight = torch.eye(4)[:, :2]
    model = Model(forward=lambda x: x @ weight, space=Space(bounds=(0.0, 1.0)))
    mask = torch.tensor([True, False, False, False])
    data = Dataset(torch.rand(8, 4), torch.arange(8) % 2, truth=mask)
    plan = plan_from(
        {
            "name": "p",
            "explain": {"methods": ["saliency"], "metrics": ["relevance_mass"]},
            "attack": {"methods": []},
            "bundle": {"inputs": kept},
        },
        sources=False,
    )
    bundle = run(plan, model, data, tmp_path / "p")
    verify(bundle.folder)
    assert ("truth" in bundle.arrays("instances")) == (kept == "shown")
    if kept == "shown":
        arrays = bundle.arrays("instances")
        changed = arrays | {"truth": arrays["truth"] & (np.arange(8) > 0)[:, None]}
        sign(bundle.folder, lambda forged: forged.write_arrays("instances", changed))
        with pytest.raises(IntegrityError, match="empty mask of the truth"):
            verify(bundle.folder)


@pytest.mark.parametrize("asked", [{"explain": {"metrics": ["pointing_game"]}}, {"checks": {"relevance_mass": 0.2}}])
def test_a_plan_that_asks_for_a_truth_that_the_data_lack_is_refused(asked):
    model, data = table()
    plan = plan_from({"name": "p", **asked}, sources=False)
    with pytest.raises(PlanError, match=r"and \w+ does not say what does; name it by \[data\] truth or patch"):
        plan.resolved(model, data)
    assert plan.resolved(model, replace(data, truth=torch.ones_like(data.inputs))).explain.metrics
