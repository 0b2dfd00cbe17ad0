"""Examples whose features are their own, such as segments of an image: each is answered as it is alone."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import probe
from probe import Dataset, Model, Space, load, study
from probe.attacks import FGSM
from probe.audit.reading import features_of
from probe.counterfactuals import NearestReference
from probe.errors import ShapeError, Unsupported
from probe.explainers import InputXGradient, KernelShap, Lime
from probe.metrics import ChangedFeatures, Deletion, Insertion, Sparseness
from probe.surveys import PermutationImportance

WEIGHTS = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))
# Two, four, sixteen and two segments.
OWN = torch.stack(
    [
        torch.arange(16).view(1, 4, 4) // 8,
        torch.arange(16).view(1, 4, 4) % 4,
        torch.arange(16).view(1, 4, 4),
        torch.arange(16).view(1, 4, 4) // 8,
    ]
)
BLACK = torch.zeros(1, 1, 4, 4)


def model_of(features):
    return Model(forward=lambda x: (x.flatten(1) @ WEIGHTS).tanh() * 3, space=Space(features=features, reference=BLACK))


TOGETHER, ALONE = model_of(OWN), [model_of(features) for features in OWN]


@pytest.mark.parametrize(
    "method", [KernelShap(coalitions=64), Lime(samples=50), InputXGradient()], ids=lambda m: m.name()
)
def test_an_explanation_of_an_example_with_features_of_its_own_is_that_of_it_alone(method):
    targets = torch.tensor([0, 1, 2, 0])
    found = method(TOGETHER, IMAGES, targets)
    for at, alone in enumerate(ALONE):
        expected = method(alone, IMAGES[at : at + 1], targets[at : at + 1])
        assert_close(found.values[at], expected.values[0], rtol=1e-5, atol=1e-6)
        own = expected.by_feature()[0]
        assert_close(found.by_feature()[at], torch.nn.functional.pad(own, (0, 16 - len(own))), rtol=1e-5, atol=1e-5)
        assert_close(found[at].by_feature()[0][: len(own)], own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", [Deletion(), Insertion(), Sparseness()], ids=lambda m: m.name())
def test_a_metric_of_examples_with_features_of_their_own_is_that_of_each_alone(metric):
    found = Lime(samples=50)(TOGETHER, IMAGES)
    scores = metric(TOGETHER, found)
    for at, alone in enumerate(ALONE):
        expected = metric(alone, Lime(samples=50)(alone, IMAGES[at : at + 1]))
        assert_close(scores.evidence[at], expected.evidence[0], rtol=1e-5, atol=1e-5)
    part = metric(TOGETHER, found[1:3])
    assert_close(part.evidence, scores.evidence[1:3], rtol=1e-5, atol=1e-5)


def test_examples_with_features_of_their_own_are_attacked_saved_and_drawn(tmp_path):
    attacked = FGSM(eps=0.1)(TOGETHER, IMAGES, TOGETHER.predict(IMAGES))
    assert_close(attacked.perturbed, FGSM(eps=0.1)(model_of(None), IMAGES, TOGETHER.predict(IMAGES)).perturbed)
    found = Lime(samples=50)(TOGETHER, IMAGES)
    found.save(tmp_path / "mine")
    assert torch.equal(load(tmp_path / "mine").space.features, OWN)
    for result in (found, attacked):
        assert "<img" in result._repr_html_()
        assert result.plot(1) is not None
    assert isinstance(found.to_frame(), pd.DataFrame)


def test_a_part_of_a_dataset_has_the_features_of_its_examples():
    data = Dataset(IMAGES, torch.tensor([0, 1, 2, 0]), space=TOGETHER.space)
    assert torch.equal(data[torch.tensor([2, 0])].space.features, OWN[[2, 0]])
    assert torch.equal(data[1:].space.features, OWN[1:])


def test_examples_of_other_features_and_what_is_said_of_all_are_refused():
    with pytest.raises(ShapeError, match=r"a grouping for each of 4 examples, and these are 2; .*of_rows"):
        Lime()(TOGETHER, IMAGES[:2])
    gap = OWN.clone()
    gap[0] = gap[0] * 2
    with pytest.raises(ShapeError, match="without a gap, in each example"):
        Lime()(model_of(gap), IMAGES)
    space = Space(features=OWN, names=tuple("abcdefghijklmnop"), form="image")
    with pytest.raises(ShapeError, match="names has an entry for each feature, and each example has features of its"):
        Model(forward=TOGETHER.forward, space=space).predict(IMAGES)
    with pytest.raises(Unsupported, match="each example has features of its own"):
        PermutationImportance()(TOGETHER, Dataset(IMAGES, torch.tensor([0, 1, 2, 0]), space=TOGETHER.space))


@pytest.mark.slow
def test_an_audit_of_examples_with_features_of_their_own_is_verified_and_drawn(tmp_path):
    classes = tuple("abc")
    model = Model(forward=TOGETHER.forward, space=TOGETHER.space, classes=classes)
    data = Dataset(IMAGES, model.predict(IMAGES), classes=classes)
    bundle = probe.audit(
        model,
        data,
        tmp_path / "own",
        explain={"methods": [{"method": "lime", "samples": 50}], "sample": 3},
        attack={"methods": ["fgsm"], "eps": ["0.1"], "sample": 3},
    )
    kept, found = bundle.arrays("instances"), bundle.arrays("explain-lime")
    assert kept["features"].tolist() == OWN[kept["rows"]].tolist()
    for at, row in enumerate(kept["rows"]):
        alone = Lime(samples=50)(ALONE[row], IMAGES[row : row + 1]).by_feature()[0]
        expected = torch.nn.functional.pad(alone, (0, 16 - len(alone)))
        assert_close(torch.as_tensor(found["by_feature"][at]), expected, rtol=1e-5, atol=1e-5)
        assert features_of(bundle, int(row)).tolist() == OWN[row].tolist()
    assert "<svg" in (bundle.folder / "report.html").read_text()


def test_a_study_of_examples_with_features_of_their_own_is_that_of_each_alone():
    data = Dataset(IMAGES, TOGETHER.predict(IMAGES), space=TOGETHER.space)
    found = study.run([Lime(samples=50), FGSM(eps=0.1)], TOGETHER, data, eps=None, batch_size=3, progress=None)
    assert found["note"].fillna("").eq("").all(), found["note"].tolist()
    expected = Deletion()(TOGETHER, Lime(samples=50)(TOGETHER, IMAGES)).value
    assert found.set_index(["method", "metric"]).loc[("lime", "deletion"), "value"] == pytest.approx(expected, abs=1e-5)


def test_counterfactuals_change_the_features_that_each_example_has():
    rows = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    model = replace(TOGETHER, space=replace(TOGETHER.space, reference=rows))
    found = NearestReference(count=2)(model, IMAGES)
    assert found.reached.any(1).all()
    counted = torch.tensor([[2], [4], [16], [2]]).expand(4, 2)  # every number of a found row is another one
    assert torch.equal(found.changed()[found.reached], counted[found.reached])
    assert_close(found.moves().abs().sum(-1), found.distance())
    assert_close(found[2:].changed(), found.changed()[2:])
    data = Dataset(IMAGES, model.predict(IMAGES), space=model.space)
    studied = study.run([NearestReference(count=2)], model, data, batch_size=3, progress=None).set_index("metric")
    assert studied.loc["changed_features", "value"] == ChangedFeatures()(model, found).value
