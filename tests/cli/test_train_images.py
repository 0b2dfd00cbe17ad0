"""`probe train --data FOLDER` trains a network on a user's images."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from probe import zoo
from probe.audit import plan_from, run, verify
from probe.cli.sources import open_both

FEW = ("--set", "epochs=6", "--set", "batch_size=8", "--set", "learning_rate=1e-2")


def photos(folder, count=30, height=12, width=16, names=("red", "green")):
    """Noise whose mean colour is its class; in grey all are alike."""
    random = np.random.default_rng(0)
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 80, (height, width, 3))
            pixels[..., label] += 120
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture
def trained(once, probe, place):
    """A network that was trained on photos elsewhere, with them, here; its card."""

    def train(folder):
        photos(folder / "photos")
        call = ("train", "--data", "photos", "--arch", "cnn", "--arch", "widths=[4,8]", "--size", "12", *FEW, "--json")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            (folder / "said").write_text(probe(*call, code=0).stdout)

    folder = once("cli/photos", train)
    shutil.copytree(folder, place, dirs_exist_ok=True)
    card = place / "trained/photos/card.json"
    card.write_text(card.read_text().replace(str(folder), str(place)))  # it names the folder of the photos
    return json.loads((place / "said").read_text())


@pytest.mark.slow
def test_colour_images_in_folders_are_trained_on_and_audited_by_the_folders_name(probe, place, trained):
    assert trained["architecture"]["kwargs"] == {"widths": [4, 8], "channels": 3, "classes": 2, "side": 12}
    assert trained["metrics"]["accuracy"] == 1.0
    assert trained["data"]["rows"] | {"validation": 0, "train": 0} == {
        "train": 0, "validation": 0, "test": 12, "test_seen_in_training": 0,
    }  # fmt: skip
    model, test, train = zoo.load("trained/photos"), zoo.data("trained/photos"), zoo.data("trained/photos", "train")
    assert model.classes == test.classes == ("green", "red")  # as their subfolders are sorted
    assert test.inputs.shape == (12, 3, 12, 12)
    assert not set(test.rows.tolist()) & set(train.rows.tolist())
    probe("attack", "trained/photos", "--method", "fgsm", "--sample", "4", "--json", code=0)
    plan = plan_from({
        "name": "photos", "model": {"zoo": str(place / "trained" / "photos")},
        "explain": {"sample": 2, "methods": [{"method": "saliency"}]},
        "attack": {"sample": 4, "methods": [{"method": "fgsm"}], "eps": ["0.1"]},
    })  # fmt: skip
    bundle = run(plan, *open_both(plan), place / "audited")
    assert [step.name for step in bundle.manifest.steps if step.status != "done"] == []
    assert verify(bundle.folder).numbers > 50


@pytest.mark.slow
def test_images_trained_on_are_looked_at_in_any_folder_of_the_same_sizes(probe, place, trained):
    (place / "photos").rename(place / "moved")
    model = zoo.load("trained/photos")  # without its images
    assert model.space.reference.shape == (1, 3, 12, 12)
    (place / "mine.toml").write_text('[model]\nzoo = "./trained/photos"\n[data]\nfolder = "moved"\n')
    shown = json.loads(probe("explain", "--plan", "mine.toml", "--json", code=0).stdout)
    assert shown


@pytest.mark.parametrize("architecture", ["cnn", "resnet", "vit", "lenet", "image-mlp"])
def test_every_network_for_images_takes_colour_and_any_sides(probe, place, architecture):
    photos(place / "photos", count=8)
    call = ("train", "--data", "photos", "--arch", architecture, "--size", "13x18", "--set", "epochs=1", "--json")
    card = json.loads(probe(*call, code=0).stdout)
    assert card["architecture"]["kwargs"]["channels"] == 3
    assert card["architecture"]["kwargs"].get("side", [13, 18]) == [13, 18]
    model, test = zoo.load("trained/photos"), zoo.data("trained/photos")
    assert model.space.reference.shape == (1, 3, 13, 18)
    assert test.inputs.shape[1:] == (3, 13, 18)
    assert model(test.inputs).shape == (3, 2)


def test_images_of_one_size_are_read_in_their_own_sides(probe, place):
    photos(place / "photos", count=8, height=9, width=14)
    probe("train", "--data", "photos", "--channels", "1", "--set", "epochs=1", code=0)
    assert zoo.data("trained/photos").inputs.shape[1:] == (1, 9, 14)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "names"), [((30, 9, 14), {"x": "x", "y": "y"}), ((30, 9, 14, 3), {})])
def test_arrays_of_images_are_trained_on_and_attacked_by_the_folders_name(probe, place, shape, names):
    labels = np.arange(30) % 2
    images = np.random.default_rng(0).integers(0, 80, shape, dtype=np.uint8)
    images[labels == 1] += 120
    arrays = {names.get("x", "inputs"): images, names.get("y", "labels"): np.array(["dark", "light"])[labels]}
    np.savez(place / "pictures.npz", **arrays)
    said = ("--label", names["y"]) if names else ()
    call = (
        "train",
        "--data",
        "pictures.npz",
        *said,
        "--set",
        "epochs=6",
        "--set",
        "batch_size=8",
        "--set",
        "learning_rate=1e-2",
    )
    card = json.loads(probe(*call, "--json", code=0).stdout)
    assert card["architecture"]["kwargs"]["side"] == [9, 14]
    assert card["metrics"]["accuracy"] == 1.0
    assert zoo.load("trained/pictures").classes == ("dark", "light")
    (place / "pictures.npz").rename(place / "moved.npz")
    said = f'label = "{names["y"]}"\nfeatures = ["{names["x"]}"]' if names else ""
    (place / "plan.toml").write_text(f'[model]\nzoo = "./trained/pictures"\n[data]\nnpz = "moved.npz"\n{said}')
    probe("attack", "--plan", "plan.toml", "--method", "fgsm", "--sample", "4", code=0)


@pytest.mark.parametrize(("arrays", "call", "message"), [
    ({"x": np.zeros((9, 4, 4)), "y": np.arange(9) % 2}, (), "has no array 'labels'; name what is to be predicted"),
    ({"inputs": np.zeros((9, 4)), "labels": np.arange(9) % 2}, (), "save rows of numbers as a CSV"),
    ({"inputs": np.zeros((9, 4, 4)), "labels": np.arange(9) % 2}, ("--drop", "x"), "--drop does not apply to arrays"),
    ({"inputs": np.zeros((9, 4, 4)), "labels": np.zeros(9)}, (), "holds one class, '0'; give rows of two or more"),
])  # fmt: skip
def test_a_mistake_with_arrays_is_one_sentence_and_leaves_nothing(probe, place, arrays, call, message):
    np.savez(place / "pictures.npz", **arrays)
    assert message in probe("train", "--data", "pictures.npz", *call, code=2).stderr
    assert not (place / "trained").exists()


@pytest.mark.slow
def test_images_are_trained_on_in_colour_or_grey_with_augmentations(probe, place):
    photos(place / "photos", count=8, width=12)
    augment = "augment={flip=0.5, shift=1, cutout=2, crop=1, noise=0.1}"
    call = ("train", "--data", "photos", "--set", "epochs=1", "--set", augment, "--json")
    assert json.loads(probe(*call, "--out", "colour", code=0).stdout)["architecture"]["kwargs"]["channels"] == 3
    card = json.loads(probe(*call, "--out", "grey", "--channels", "1", code=0).stdout)
    assert card["architecture"]["kwargs"]["channels"] == 1
    assert zoo.data("grey").inputs.shape[1:] == (1, 12, 12)


@pytest.mark.slow
def test_a_folder_of_pictures_as_cameras_and_scanners_write_them_is_read_alike(probe, place):
    grey = np.random.default_rng(0).integers(0, 256, (10, 14)).astype(np.uint8)
    colour = Image.fromarray(np.stack([grey] * 3, 2))
    turned = colour.getexif()
    turned[0x0112] = 6  # the camera was held sideways
    for name in ("cat", "dog"):
        folder = place / "mixed" / name
        folder.mkdir(parents=True)
        colour.save(folder / "a.png")
        colour.quantize(256).save(folder / "palette.png")
        colour.convert("RGBA").save(folder / "alpha.png")
        Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "sixteen.png")
        Image.fromarray(grey.astype(np.float32) / 255).save(folder / "decimal.tif")
        colour.convert("CMYK").save(folder / "cmyk.jpg", quality=100)
        colour.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=turned, quality=100)
        (folder / "notes.txt").write_text("no image")
    probe("train", "--data", "mixed", "--set", "epochs=1", "--set", "batch_size=4", code=0)
    for split in ("train", "test"):
        images = zoo.data("trained/mixed", split).inputs
        assert images.shape[1:] == (3, 10, 14)
        assert float((images - torch.from_numpy(grey) / 255).abs().mean((1, 2, 3)).max()) < 0.02
    assert json.loads(probe("explain", "trained/mixed", "--json", code=0).stdout)  # of three test rows


def test_numbers_that_are_no_brightness_are_refused(probe, place):
    photos(place / "photos", count=6)
    Image.fromarray(np.full((12, 16), 7.5, dtype=np.float32)).save(place / "photos" / "red" / "depth.tif")
    said = probe("train", "--data", "photos", code=2).stderr
    assert "depth.tif cannot be read as an image: its numbers are not all from 0 to 1, black to white; save it" in said


@pytest.mark.parametrize(("call", "message"), [
    (("--size", "12x"), "expected pixels from 1 to 4096: a side, such as 64, or height x width, 48x64"),
    (("--label", "x"), "--label is for the columns of a table, and photos is a folder of images"),
    (("--arch", "mlp"), "the architectures for images are cnn, resnet, vit, lenet, image-mlp"),
    (("--size", "12", "--arch", "side=20"), "--arch side=20: the images say 12; give --size"),
    (("--size", "12", "--channels", "2"), "channels = 2, expected 3 for colour or 1 for grey"),
    (("--size", "12", "--arch", "width=3"), "did you mean 'widths'"),
    (("--size", "5000"), "5000"),
    (("--size", "4", "--arch", "lenet"), "images of 4 x 4 pixels are too small; give 12 x 12 or more"),
])  # fmt: skip
def test_a_mistake_with_images_is_one_sentence_and_leaves_nothing(probe, place, call, message):
    photos(place / "photos", count=6)
    assert message in probe("train", "--data", "photos", *call, code=2).stderr
    assert not (place / "trained").exists()


@pytest.mark.parametrize(("odd", "message"), [
    (lambda photos: (photos / "red" / "bad.png").write_bytes(b"no image"), "cannot be read as an image"),
    (lambda photos: (photos / "empty").mkdir(), "holds no image"),
    (lambda photos: Image.new("RGB", (5, 5)).save(photos / "red" / "small.png"), "--size"),
    (lambda photos: (photos / "red").rename(photos.parent / "away"), "expected one for each of two classes"),
])  # fmt: skip
def test_an_odd_folder_of_images_is_refused_in_a_sentence(probe, place, odd, message):
    odd(photos(place / "photos", count=6, width=12))
    assert message in probe("train", "--data", "photos", code=2).stderr
