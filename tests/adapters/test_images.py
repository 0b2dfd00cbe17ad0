"""Image classifiers of Hugging Face: brightness from 0 to 1 goes in, and what their processor does happens inside."""

import numpy as np
import pytest
import torch

from probe import from_transformers
from probe.adapters.images import Preparation
from probe.attacks import PGD
from probe.errors import DataError, Unsupported
from probe.explainers import IntegratedGradients
from tests.adapters.huggingface import image

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 3, 24, 20), dtype=np.uint8)


def theirs(folder, pixels):
    """The logits of transformers for pixels 0..255, prepared by its own processor."""
    import transformers

    network = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = transformers.ViTImageProcessorPil.from_pretrained(folder)
    with torch.no_grad():
        prepared = processor(list(pixels.transpose(0, 2, 3, 1)), return_tensors="pt")
        return prepared["pixel_values"], network(**prepared).logits


def test_pixels_of_the_right_size_are_prepared_exactly_as_theirs(tmp_path):
    folder = image(tmp_path / "vit")
    model = from_transformers(folder)
    pixels = PIXELS[..., :16, :16]
    prepared, logits = theirs(folder, pixels)
    inputs = torch.from_numpy(pixels) / 255
    torch.testing.assert_close(model.forward.prepare(inputs), prepared, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(inputs), logits, atol=1e-4, rtol=0)
    assert model.space.reference.shape == (1, 3, 16, 16)
    assert model.space.feature_count(inputs) == 64
    assert model.classes == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize("processor", [
    {"resample": 2}, {"resample": 3}, {"resample": 0},
    {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 16, "width": 16}},
    {"size": {"shortest_edge": 18}, "do_center_crop": True, "crop_size": {"height": 16, "width": 16}},
    {"do_normalize": False}, {"rescale_factor": 1 / 127.5},
], ids=str)  # fmt: skip
def test_other_sizes_come_out_within_the_rounding_of_pillow(tmp_path, processor):
    folder = image(tmp_path / "vit", **processor)
    model = from_transformers(folder)
    prepared, _ = theirs(folder, PIXELS)
    found = model.forward.prepare(torch.from_numpy(PIXELS) / 255)
    assert found.shape == prepared.shape
    # Pillow rounds to whole pixels between its two passes: one of 255 steps here or there, over the deviation.
    assert float((found - prepared).abs().mean()) < 0.6 * 2 / 255 / 0.2


def test_grey_images_become_three_equal_channels(tmp_path):
    model = from_transformers(image(tmp_path / "vit"))
    grey = torch.from_numpy(PIXELS[:, :1]) / 255
    torch.testing.assert_close(model.forward(grey), model.forward(grey.expand(-1, 3, -1, -1)))


def test_image_models_are_explained_and_attacked_in_brightness(tmp_path):
    model = from_transformers(image(tmp_path / "vit"))
    inputs = torch.from_numpy(PIXELS[..., :16, :16]) / 255
    attribution = IntegratedGradients()(model, inputs)
    answer = model.logits(inputs) - model.logits(torch.zeros(1, 3, 16, 16))
    risen = answer.gather(1, attribution.targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.values.flatten(1).sum(1), risen, atol=2e-3, rtol=0.02)
    moved = PGD(eps="8/255", steps=5)(model, inputs, attribution.targets).perturbed - inputs
    assert 0 < float(moved.abs().max()) <= 8 / 255 + 1e-6


def test_a_preparation_that_takes_memory_is_refused():
    with pytest.raises(DataError, match="sides from 1 to 4096"):
        Preparation(resize=(10**6, 10**6))
    with pytest.raises(DataError, match="no deviation of 0"):
        Preparation(deviation=(1.0, 0.0, 1.0))


def test_an_offset_of_brightness_is_refused(tmp_path):
    folder = image(tmp_path / "vit")
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"do_normalize"', '"rescale_offset": true, "do_normalize"'))
    with pytest.raises(Unsupported, match="offset"):
        from_transformers(folder)
