"""A user's images, audited from a folder with a subfolder for each class, or from arrays."""

import json

import numpy as np
import pytest
from PIL import Image

from probe.audit import read, verify

FACTORY = """
import torch
from torch import nn

class Bright(nn.Module):
    def forward(self, images):
        light = 10 * (images.mean((1, 2, 3)) - 0.5)
        return torch.stack([-light, light], 1)

def build():
    return Bright()
"""
PLAN = """
[model]
factory = "bright:build"
[data]
{data}
[explain]
sample = 3
methods = [{{method = "kernel_shap", coalitions = 200}}]
[attack]
sample = 10
eps = ["1/255"]
"""


@pytest.fixture
def photos(place):
    """Dark and light photos of different sizes."""
    (place / "bright.py").write_text(FACTORY)
    random = np.random.default_rng(0)
    for name, shade in (("dark", 60), ("light", 190)):
        (place / "photos" / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(shade - 40, shade + 40, (20 + number, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "photos" / name / f"{number}.png")
    return place


def audit(probe, place, data):
    (place / "images.toml").write_text(PLAN.format(data=data))
    return probe("audit", "--plan", "images.toml", "--allow-code", "--json")


@pytest.mark.slow
def test_a_folder_of_images_is_audited_at_the_size_that_the_plan_names(probe, photos):
    result = audit(probe, photos, 'folder = "photos"\nsize = [16, 16]\nsquares = 8')
    assert result.exit_code in (0, 1), result.output
    bundle = read("runs/images")
    assert bundle.manifest.data.form == {"name": "image"}
    assert bundle.manifest.data.shape == (3, 16, 16)
    assert bundle.manifest.data.features == ("square r0 c0", "square r0 c1", "square r1 c0", "square r1 c1")
    accuracy = [f for f in json.loads(result.stdout)[0]["findings"] if f["check"] == "accuracy"]
    assert (accuracy[0]["estimate"], accuracy[0]["n"]) == (1.0, 12)
    assert verify("runs/images").status == "complete"


def test_images_of_different_sizes_need_a_size(probe, photos):
    result = audit(probe, photos, 'folder = "photos"')
    assert result.exit_code == 2
    assert "size = [224, 224]" in result.stderr


def test_photos_are_resized_to_the_input_size_of_a_zoo_network(probe, photos):
    (photos / "images.toml").write_text(
        PLAN.format(data='folder = "photos"').replace('factory = "bright:build"', 'zoo = "fashion-cnn"')
    )
    result = probe("audit", "--plan", "images.toml")
    assert result.exit_code == 2  # it tells ten kinds of clothes apart, and these are two classes
    assert "dark, light" in result.stderr


@pytest.mark.slow
def test_images_in_an_npz_file_are_audited_with_their_groups_and_classes(probe, photos):
    random = np.random.default_rng(0)
    inputs = np.concatenate([random.uniform(0, 0.4, (5, 3, 8, 8)), random.uniform(0.6, 1, (5, 3, 8, 8))])
    np.savez("rows.npz", x=inputs.astype(np.float32), y=[0] * 5 + [1] * 5, sex=list("FMFMFMFMFM"))
    data = 'npz = "rows.npz"\nlabel = "y"\nfeatures = ["x"]\ngroups = ["sex"]\nclasses = ["dark", "light"]'
    result = audit(probe, photos, data)
    assert result.exit_code in (0, 1), result.output
    manifest = read("runs/images").manifest
    assert manifest.data.groups == ("sex",)
    assert manifest.model.classes == ("dark", "light")
