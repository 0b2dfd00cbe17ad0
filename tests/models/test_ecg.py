"""Generated heartbeats, a network that reads them, and an audit of one."""

import pytest
import torch
from probe_models.datasets import ecg

from probe import zoo
from probe.attacks import PGD
from probe.audit import plan_from, read, run, verify
from probe.errors import PlanError
from probe.explainers import IntegratedGradients
from probe.forms import Series
from tests.figures import figures_unwritten  # noqa: F401  a fixture

NETWORKS = ("ecg-gru", "ecg-tcn")


@pytest.mark.slow
def test_heartbeats_follow_from_their_seed_and_no_series_is_in_both_splits():
    train, test = ecg.read("train"), ecg.read("test")
    assert (len(train), len(test)) == (4000, 1000)
    assert ecg.read("test").digest() == test.digest()
    assert test.labels.bincount().tolist() == [250] * 4
    assert not {row.numpy().tobytes() for row in train.inputs} & {row.numpy().tobytes() for row in test.inputs}
    assert test.space.form == Series(names=("lead I", "lead II"), sampling_rate=50.0)
    with pytest.raises(PlanError, match="ecg has the splits train, test; got 'validation'"):
        ecg.read("validation")


def test_heartbeats_rest_at_zero_and_the_classes_differ_in_their_waves():
    data = ecg.read("test")
    assert float(data.inputs.median()) == pytest.approx(0, abs=0.1)
    assert float(data.inputs.amax((1, 2)).median()) == pytest.approx(1.0, abs=0.2)  # the R wave of lead II
    means = [float(data.inputs[data.labels == label].mean()) for label in range(4)]
    # Beats without a P wave have less, beats with a raised ST more of an area under them.
    assert means[1] < means[0] < means[2]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_bundled_network_of_heartbeats_is_as_good_as_its_card_says(name):
    model, data = zoo.load(name), zoo.data(name)[:400]
    assert float((model.predict(data.inputs) == data.labels).float().mean()) > 0.9
    assert zoo.card(name)["data"]["name"] == "ecg"


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_of_the_ecg_networks_do_not_depend_on_the_batch(name):
    model, rows = zoo.load(name), zoo.data(name).inputs[:3]
    torch.testing.assert_close(model.logits(rows), torch.cat([model.logits(row[None]) for row in rows]))


@pytest.mark.parametrize("name", NETWORKS)
def test_an_ecg_network_beats_a_linear_model_without_alignment(name):
    metrics = zoo.card(name)["metrics"]
    assert 0.94 < metrics["linear_baseline"] < 0.98
    assert metrics["ahead_of_linear_baseline_low"] > 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_explanations_of_a_network_of_heartbeats_add_up_and_attacks_stay_in_their_ball(name):
    model, data = zoo.load(name), zoo.data(name)[:8]
    explained = IntegratedGradients()(model, data.inputs)
    logits = model.logits(data.inputs)
    given = (logits - model.logits(model.space.baseline(data.inputs))).gather(1, logits.argmax(1, keepdim=True))[:, 0]
    torch.testing.assert_close(explained.values.flatten(1).sum(1), given, atol=0.05, rtol=0.01)
    attacked = PGD(eps=0.3, steps=10)(model, data.inputs, data.labels)
    assert float((attacked.perturbed - data.inputs).abs().max()) <= 0.3 + 1e-6
    assert float(attacked.success.double().mean()) > 0.5


@pytest.mark.slow
def test_an_audit_of_a_time_series_ends_in_a_bundle_that_keeps_its_form(tmp_path):
    name = "ecg-tcn"
    plan = plan_from({
        "name": "beats", "model": {"zoo": name}, "data": {"sample": 60},
        "explain": {"sample": 4, "methods": [{"method": "saliency"}, {"method": "kernel_shap"}]},
        "attack": {"sample": 20, "methods": [{"method": "fgsm"}], "eps": ["0.05", "0.2"]},
    })  # fmt: skip
    run(plan, zoo.load(name), zoo.data(name), tmp_path / "beats")
    bundle = read(tmp_path / "beats")
    assert verify(bundle.folder).digest
    assert bundle.arrays("instances")["described"][0, 0].startswith("mean ")

    from probe.report import render

    html = render(bundle)
    assert "The series, coloured by" in html
    assert "0.00 to 0.14 s" in html
    assert "time in seconds" in html
