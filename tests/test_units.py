"""Radii with units: what 2 px and .1 sd are, where they hold, and in what units a radius is told."""

import re

import pytest
import torch

from probe import Model, Space
from probe.attacks import PGD, DeepFool, HotFlip, Square
from probe.audit import run, verify
from probe.errors import PlanError, RangeError, SettingError, Unsupported
from probe.method import sweep
from probe.numbers import fraction, unit_of
from probe.units import in_units
from tests.audit.conftest import small_plan
from tests.audit.test_statuses import ramp

IMAGES, ROWS = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(3, 2)
SCALED = Space(bounds=(-99.0, 99.0), scale=torch.tensor([10.0, 4.0]))


def of_images(space=None):
    return Model(forward=lambda x: torch.stack([x.sum((1, 2, 3)) - 8, 8 - x.sum((1, 2, 3))], 1), space=space or Space())


def of_rows(space):
    return Model(forward=lambda x: torch.stack([x.sum(1) + 9, 0 * x[:, 0]], 1), space=space)


def test_a_radius_in_px_or_sd_is_that_number_and_prints_as_written():
    assert (fraction("2 px"), fraction(" 3/2px "), fraction(".1 sd")) == (
        fraction("2/255"),
        fraction("1/170"),
        fraction("0.1"),
    )
    assert [unit_of(each) for each in ("2 px", PGD(eps="2 px").eps, "0.1", 0.1, ".1sd")] == ["px", "px", "", "", "sd"]
    model, labels = of_images(), of_images().predict(IMAGES)
    found, plain = PGD(eps="2 px")(model, IMAGES, labels), PGD(eps="2/255")(model, IMAGES, labels)
    assert torch.equal(found.perturbed, plain.perturbed)
    assert "eps='2 px'" in repr(found.method)
    assert "eps 0.007843 = 2 px" in repr(found)
    assert torch.equal(
        PGD()(model, IMAGES, labels, eps=["2 px", "0", "2/255"]).budget, torch.tensor([2, 0, 2]).double() / 255
    )
    assert [float(each.eps) for each in sweep(PGD(), eps=["1 px", "2 px"])] == [1 / 255, 2 / 255]
    found = Square(eps=".5 sd", max_queries=3)(of_rows(SCALED), ROWS, torch.zeros(3, dtype=torch.int64))
    assert (found.perturbed - ROWS).abs().amax(0).tolist() == [5.0, 2.0]
    assert "0.5 sd = 2 to 5 in the units of the inputs" in repr(found)
    assert (
        in_units(0.25, Space(bounds=(0.0, 255.0), scale=255.0), IMAGES)
        == "0.25 = 63.75 px = 63.75 in the units of the inputs"
    )
    assert in_units(0.25, Space(), ROWS) == "0.25"


@pytest.mark.parametrize("text", ["px", "2 px px", "2 sd px", "2 cm"])
def test_what_is_no_radius_is_refused(text):
    with pytest.raises(SettingError, match="eps"):
        PGD(eps=text)
    with pytest.raises(RangeError, match="expected a number of at least 0"):  # of an attack that minimises its change
        DeepFool()(of_images(), IMAGES, of_images().predict(IMAGES), eps=text)


@pytest.mark.parametrize(("text", "remedy"), [("8/255 px", "8 px"), (".5px", "127.5 px"), ("1/510px", "0.5 px")])
def test_less_than_a_level_of_a_pixel_is_refused_with_the_radius_that_was_meant(text, remedy):
    model, bare = of_images(), text.replace("px", "").strip()
    labels = model.predict(IMAGES)
    told = f"expected at least 1 px, one level of 255; write '{remedy}"
    for asked in (
        lambda: PGD(eps=text),
        lambda: PGD()(model, IMAGES, labels, eps=["1 px", text, 0]),
        lambda: DeepFool()(model, IMAGES, labels, eps=text),
        lambda: small_plan("ramp", attack={"eps": [text], "methods": [{"method": "fgsm"}]}),
        lambda: small_plan("ramp", certify={"eps": [text]}),
    ):
        with pytest.raises((SettingError, RangeError, PlanError), match=told):
            asked()
    assert float(PGD(eps=bare).eps) == pytest.approx(float(fraction(bare)))
    assert PGD(eps="0 px").eps == 0


def test_only_radii_have_units():
    with pytest.raises(SettingError, match="overshoot"):
        DeepFool(overshoot="2 px")
    with pytest.raises(SettingError, match="eps"):
        HotFlip(eps="2 px")


@pytest.mark.parametrize(("model", "inputs", "eps", "remedy"), [
    (of_images(Space(bounds=(-1.0, 1.0))), IMAGES, "2 px", 4 / 255),
    (of_images(Space(bounds=(0.0, 255.0))), IMAGES, "2 px", 2.0),
    (of_images(), IMAGES, ".1 sd", 0.1),
    (of_rows(SCALED), ROWS, "2 px", 2 / 255),
    (of_rows(Space()), ROWS, "1/4 sd", 0.25),
])  # fmt: skip
def test_a_unit_that_a_space_does_not_have_is_refused_with_the_number_that_it_means(model, inputs, eps, remedy):
    labels = torch.zeros(3, dtype=torch.int64)
    for attack, given in ((PGD(eps=eps), None), (PGD(), eps), (DeepFool(), eps)):
        with pytest.raises(Unsupported, match="eps = ") as refused:
            attack(model, inputs, labels, eps=given)
        number = str(refused.value).rpartition("write eps=")[2]
        assert float(number) == pytest.approx(remedy, rel=1e-4)
        attack(model, inputs, labels, eps=number)


@pytest.mark.parametrize(("bounds", "eps", "levels"), [((0.0, 255.0), "8/255", 8), ((-1.0, 1.0), "1/255", 1 * 2 / 255)])
def test_255ths_of_images_with_other_bounds_are_refused_where_they_are_less_than_a_level(bounds, eps, levels):
    model, labels = of_images(Space(bounds=bounds)), torch.zeros(3, dtype=torch.int64)
    for attack, given in ((PGD(eps=eps), None), (PGD(eps=1), eps), (PGD(eps=1), [eps, 1, 1])):
        with pytest.raises(Unsupported, match="is less than one level of a pixel") as refused:
            attack(model, IMAGES, labels, eps=given)
        many, small = re.findall(r"eps=([\d.]+)", str(refused.value))
        assert float(many) == pytest.approx(levels, rel=1e-4)
        assert float(small) == pytest.approx(float(fraction(eps)), rel=1e-4)
        for number in (many, small):
            attack(model, IMAGES, labels, eps=number)
    # What is a level or more, rows of a table, and pixels whose scale is their range, are as they were.
    PGD(eps="255/255")(of_images(Space(bounds=(0.0, 255.0))), IMAGES, labels)
    PGD(eps="8/255")(of_images(Space(bounds=(0.0, 255.0), scale=255.0)), IMAGES, labels)
    PGD(eps="8/255")(of_rows(Space(bounds=(0.0, 255.0))), ROWS, labels)


def test_a_plan_takes_radii_with_units_which_a_verifier_reads(tmp_path):
    settings = {"sample": 40, "eps": ["1 sd", "4 sd"], "methods": [{"method": "fgsm"}]}
    plan = small_plan("ramp", attack=settings, explain={"sample": 0})
    bundle = run(plan, *ramp(40, scale=2.0), tmp_path / "ramp")  # rows from -10 to 10 fall within the radius of 0
    found = {f.check: f.estimate for f in bundle.manifest.findings if "eps" in f.check}
    assert (found["withstands FGSM at eps 1 sd"], found["withstands FGSM at eps 4 sd"]) == (0.8, 0.2)
    assert verify(bundle.folder).status == "complete"
    refused = run(plan, *ramp(40), tmp_path / "bare")  # its scale is 1
    assert "set Space(scale=rows.std(0))" in " ".join(step.note for step in refused.manifest.steps)
