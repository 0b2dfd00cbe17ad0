"""Robust accuracy as a bracket: at least what is certified, at most what the attacks left."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space
from probe.audit import plan_from, reading, run, verify
from probe.audit.aspects.bracket import bracket
from probe.audit.families import families
from probe.cli.summary import document, summary
from probe.errors import IntegrityError
from probe.report.html import render
from tests.audit.forging import sign


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A linear network, of which half of the rows lie .2 from the boundary and half 1."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 2), names=("pay", "age"))
    model = Model(forward=nn.Sequential(layer).eval(), space=space, classes=("no", "yes"))
    x = torch.tensor([[1.0, 0.5], [-1.0, 0.5], [0.2, -0.5], [-0.2, 0.1]]).repeat(10, 1)
    data = Dataset(x, (x[:, 0] > 0).long(), space=space, classes=("no", "yes"))
    plan = {
        "name": "bracket",
        "explain": {"methods": []},
        "attack": {"methods": ["fgsm"], "eps": ["0.1", "0.5"]},
        "certify": {"methods": ["interval_bounds", "crown", "randomized_smoothing"], "eps": ["0.1"]},
        "checks": {"robust_eps": "0.1"},
    }
    return run(plan_from(plan, sources=False), model, data, tmp_path_factory.mktemp("bracket") / "a")


def test_of_a_linear_network_the_bracket_closes(bundle):
    near, far = reading.brackets(bundle)
    for found, share in ((near, 1.0), (far, 0.5)):
        assert found.certified.value == found.withstood.value == share
        assert found.certified.low < share <= found.certified.high
    assert far.sentence.startswith("Robust accuracy at eps 0.5: at least 50.0")
    agreed = next(each for each in bundle.manifest.findings if each.check == "no row is both certified and broken")
    assert (agreed.status, agreed.about) == ("pass", "attack")
    assert [curve.name for curve in reading.bracketed(reading.attacks(bundle)[0])] == ["FGSM", "certified"]
    verify(bundle.folder)


@pytest.mark.slow
def test_report_and_terminal_show_the_bracket(bundle, capsys):
    page = render(bundle)
    assert "Robust accuracy lies between what is certified and what all attacks left" in page
    told = document(bundle)["bracket"][1]
    assert (told["at"], told["certified"]["value"]) == ("eps 0.5", 0.5)  # in words, so that norms are told apart
    summary(bundle)
    assert "Robust accuracy at eps 0.5: at least 50.0" in capsys.readouterr().out


def test_the_viewer_shows_what_is_certified_beside_each_attack(bundle):
    from probe_dashboards.views import robustness

    shown = robustness.shown(bundle, robustness.ATTACK)
    assert shown["Attack"].tolist() == ["FGSM", "certified"]
    assert robustness.bracketed(bundle)


def test_a_certificate_of_other_answers_than_those_of_the_predictions_is_refused(bundle, tmp_path):
    def other(forged):
        arrays = forged.arrays("certificate-crown")
        forged.write_arrays("certificate-crown", arrays | {"predicted": 1 - arrays["predicted"]})

    copy = shutil.copytree(bundle.folder, tmp_path / "copy")
    sign(copy, other)
    with pytest.raises(IntegrityError, match="it certifies answers that are not those of the predictions"):
        verify(copy)


def test_a_certificate_whose_radii_are_of_another_norm_is_refused(bundle, tmp_path):
    def other(forged):
        step = next(step for step in forged.manifest["steps"] if step["name"] == "certificate-crown")
        step["threat"]["axis"] = "l2"

    copy = shutil.copytree(bundle.folder, tmp_path / "copy")
    sign(copy, other)
    with pytest.raises(IntegrityError, match="it has the norm linf, and its radii another"):
        verify(copy)


def test_a_row_that_is_certified_and_broken_is_an_error_with_its_number(bundle):
    arrays = {name: np.copy(part) for name, part in bundle.arrays("attack-fgsm").items()}
    arrays["measured-robust_accuracy"][0, 3] = 0
    robust = arrays["measured-robust_accuracy"].astype(bool)
    _, found = bracket(bundle, {"fgsm": arrays}, robust, families(bundle.manifest)[0])
    assert found.status == "error"
    assert found.note == f"rows {arrays['rows'][3]}: the certificate or the attack is wrong"
