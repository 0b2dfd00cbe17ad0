import pytest
import torch
from probe_models import zoo
from probe_models.datasets import fashion, generated
from probe_models.networks import build, start
from probe_models.zoo import artefact

from probe.errors import DataError, PlanError


@pytest.fixture
def bundled(monkeypatch, tmp_path):
    """A zoo that has nothing but a generator that has learned nothing, and a tenth of the images."""
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    monkeypatch.setattr(generated, "EACH", 500)
    kwargs = {"side": 28, "widths": [2, 2], "code": 4}
    pair = build("gan", kwargs)
    start(pair, torch.zeros(1), torch.Generator().manual_seed(0))
    card = {"name": "fashion-gan", "architecture": {"name": "gan", "kwargs": kwargs}, "data": {"name": "fashion-mnist"}}
    artefact.write(tmp_path / "fashion-gan", pair, card)
    return pair.eval()


@pytest.mark.slow
def test_half_of_the_images_are_generated_from_a_fixed_seed_and_half_are_real(bundled):
    data, before = generated.read("test"), torch.get_rng_state()
    assert data.classes == ("generated", "real")
    assert data.labels.bincount().tolist() == [500, 500]
    assert torch.equal(data.inputs[data.labels == 1], fashion.read("test").inputs[:500])
    made = bundled.generate(500, torch.Generator().manual_seed(0))
    assert float((data.inputs[data.labels == 0] - made).abs().max()) <= 0.5 / 255 + 1e-6
    assert generated.read("test").digest() == data.digest()
    assert torch.equal(torch.get_rng_state(), before)


def test_generated_images_have_the_shades_of_images_in_files(bundled):
    shades = generated.read("test").inputs * 255
    torch.testing.assert_close(shades, shades.round(), rtol=0, atol=1e-4)


def test_generated_images_are_for_testing_only():
    with pytest.raises(PlanError, match="fashion-generated has the split test; got 'train'"):
        generated.read("train")


def test_a_zoo_without_its_generator_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    with pytest.raises(DataError, match=r"needs fashion-gan in .*; `probe train fashion-gan --out .*` puts it there"):
        generated.read("test")
