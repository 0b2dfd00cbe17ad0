import pytest
import torch
from probe_models.datasets import anomalies, digits, fashion
from sklearn.datasets import load_digits

from probe import zoo
from probe.errors import PlanError


@pytest.fixture(scope="module")
def data():
    return zoo.data("fashion-anomalies")


def of(data, kind):
    return data.inputs[torch.tensor((data.groups["kind"] == kind).to_numpy())]


def test_only_clothes_are_normal_in_the_anomaly_dataset(data):
    assert data.classes == ("usual", "unusual")
    assert data.groups["kind"].value_counts().to_dict() == {
        "clothes": 8_000,
        "noise": 2_000,
        "permuted": 2_000,
        "digits": 1_797,
    }
    assert ((data.groups["kind"] == "clothes") == (data.labels == 0).numpy()).all()


def test_permuted_clothes_have_the_pixels_of_held_out_clothes(data):
    clothes, permuted = fashion.read("test").inputs.flatten(1), of(data, "permuted").flatten(1)
    assert torch.equal(of(data, "clothes").flatten(1), clothes[:8_000])
    assert torch.equal(permuted.sort(1).values, clothes[8_000:].sort(1).values)
    assert bool((permuted != clothes[8_000:]).any(1).all())


def test_each_image_is_permuted_in_an_order_of_its_own():
    ramp = torch.arange(784.0).view(1, 1, 28, 28).expand(2, -1, -1, -1)
    one, other = anomalies._permuted(ramp, torch.Generator().manual_seed(0))
    assert torch.equal(one.flatten().sort().values, ramp[0].flatten())
    assert not torch.equal(one, other)


def test_noise_is_uniform_then_normal(data):
    uniform, normal = of(data, "noise").chunk(2)
    assert float(uniform.mean()) == pytest.approx(1 / 2, abs=1e-3)
    assert float(uniform.std()) == pytest.approx(12**-0.5, abs=1e-3)
    # Within one deviation of the mean lie 68.27 % of normal numbers, and 2.28 % are cut at either end.
    assert float(((normal - 0.5).abs() < 0.25).double().mean()) == pytest.approx(0.6827, abs=2e-3)
    assert float((normal == 1).double().mean()) == pytest.approx(0.0228, abs=1e-3)
    assert bool((normal >= 0).all())


@pytest.mark.slow
def test_anomalies_are_the_same_each_time_and_leave_global_randomness_alone(data):
    before = torch.get_rng_state()
    assert anomalies.read("test").digest() == data.digest()
    assert torch.equal(torch.get_rng_state(), before)


def test_anomalies_are_for_testing_only():
    with pytest.raises(PlanError, match="fashion-anomalies has the split test; got 'train'"):
        anomalies.read("train")


def test_digits_are_those_of_scikit_learn():
    theirs, images = load_digits(), digits.images()
    for split in ("train", "test"):
        data = digits.read(split)
        assert data.labels.tolist() == theirs.target[data.rows].tolist()
        assert torch.equal(data.inputs, images[data.rows])
    assert images.shape == (1_797, 1, 28, 28)
    # Pixel 2 of 28 shows the middle of pixel 0 of 8, (2 + 1/2) 8 / 28 - 1/2 = 3/14 of the way to pixel 1.
    small = torch.tensor(theirs.images).float() / 16
    row = small[:, 0] + (small[:, 1] - small[:, 0]) * 3 / 14
    torch.testing.assert_close(images[:, 0, 2, 2], row[:, 0] + (row[:, 1] - row[:, 0]) * 3 / 14)


def test_digits_are_learned_from_200_labels_of_other_writers():
    train, test = digits.read("train"), digits.read("test")
    assert train.labels.bincount().tolist() == [20] * 10
    assert train.rows.max() < 898
    assert torch.equal(test.rows, torch.arange(898, 1_797))
