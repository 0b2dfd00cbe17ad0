import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from probe import Classification, Model, MultiLabel, Space, from_npz, images, squares
from probe.errors import DataError
from probe.explainers import KernelShap

SHADES = {"cat": 0, "dog": 128, "eel": 255}


def photos(folder, size=(8, 6), suffix="png", mode="RGB"):
    """Two plain images for each class, of its shade."""
    for name, shade in SHADES.items():
        (folder / name).mkdir(parents=True)
        for number in range(2):
            Image.new(mode, (size[1], size[0]), (shade,) * len(mode)).save(folder / name / f"{number}.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tiff"])
def test_a_folder_of_images_is_read_as_brightness_with_a_class_for_each_subfolder(tmp_path, suffix):
    data = images.from_folder(photos(tmp_path / "p", suffix=suffix))
    assert data.classes == ("cat", "dog", "eel")
    assert data.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.inputs.shape == (6, 3, 8, 6)
    assert data.inputs[:, 0, 3, 3].tolist() == pytest.approx([0, 0, 128 / 255, 128 / 255, 1, 1], abs=1e-6)
    assert data.space.form_of(data.inputs).name == "image"
    assert data.space.feature_count(data.inputs) == 48  # squares of one pixel: eight along the longer side


def test_the_classes_of_a_folder_follow_the_order_that_is_named(tmp_path):
    data = images.from_folder(photos(tmp_path / "p"), classes=["eel", "cat"], channels=1)
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.inputs.shape == (4, 1, 8, 6)
    assert data.inputs[0].mean() == 1


def test_images_of_unnamed_classes_are_left_out_and_counted(tmp_path):
    folder = photos(tmp_path / "p")
    assert images.from_folder(folder).notices == images.from_folder(folder, classes=["dog", "eel", "cat"]).notices == ()
    (notice,) = images.from_folder(folder, classes=["eel", "cat"]).notices
    assert notice == "2 images of p are in none of the named classes and left out: dog"


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_images_of_16_bits_that_have_fewer_are_named_and_read_right_as_the_notice_says(tmp_path, bits):
    numbers = np.linspace(0, 2**bits - 1, 48).round().astype(np.uint16).reshape(8, 6)
    for name in ("cat", "dog"):
        (tmp_path / "p" / name).mkdir(parents=True)
        Image.fromarray(numbers).save(tmp_path / "p" / name / "a.tiff")
    (notice,) = images.from_folder(tmp_path / "p").notices
    assert notice.startswith(f"the brightest number in 2 images of 16 bits is {2**bits - 1:,}, as if they had {bits}: ")
    times = int(notice.split("multiply them by ")[1].split()[0])
    for name in ("cat", "dog"):
        Image.fromarray(numbers * np.uint16(times)).save(tmp_path / "p" / name / "a.tiff")
    data = images.from_folder(tmp_path / "p", channels=1)
    assert data.notices == ()
    np.testing.assert_allclose(data.inputs[0, 0], numbers / (2**bits - 1), atol=1 / 255 + 1 / 2**bits)


def test_transparent_pixels_and_frames_after_the_first_are_counted(tmp_path):
    folder = photos(tmp_path / "p", mode="RGBA")  # of which those of the shade 255 are opaque
    other = Image.new("L", (6, 8))
    Image.new("L", (6, 8), 9).save(folder / "cat" / "a.gif", save_all=True, append_images=[other])
    data = images.from_folder(folder)
    assert data.notices == (
        "1 of 7 images have several frames, of which the first is read",
        "4 of 7 images have transparent pixels, which are read in the colour that they hide",
    )
    assert data.inputs[2].mul(255).round().unique().tolist() == [9]


def test_files_that_are_not_read_are_counted(tmp_path):
    folder = photos(tmp_path / "p")
    Image.new("L", (6, 8)).save(folder / "loose.png")
    (folder / "notes.txt").touch()
    for name in ("a.heic", "b.HEIC", "c", ".DS_Store", "Thumbs.db"):
        (folder / "cat" / name).touch()
    assert images.from_folder(folder).notices == (
        "1 of the images of p are in no subfolder, and left out",
        "3 files of p do not end as images do, and are left out: .heic, no ending",
    )


def test_a_class_of_a_folder_is_named_once(tmp_path):
    with pytest.raises(DataError, match="name one twice"):
        images.from_folder(photos(tmp_path / "p"), classes=["cat", "cat"])


def test_large_numbers_may_be_names_of_classes_and_groups(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.eye(2), labels=np.array([0, 1]), g=np.array([1e300, 2.0]))
    data = images.from_npz(tmp_path / "a.npz", classes=["1e5000", "x"], keys=images.Keys(groups=("g",)))
    assert data.labels.tolist() == [0, 1]
    assert data.groups["g"].tolist() == ["1e+300", "2.0"]
    named = images.from_npz(tmp_path / "a.npz", classes=["1.0", "0"])
    assert named.labels.tolist() == [1, 0]


def test_an_image_of_other_proportions_is_scaled_and_its_middle_taken(tmp_path):
    pixels = np.zeros((10, 40, 3), dtype=np.uint8)
    pixels[:, 15:25] = 255  # white in the middle quarter
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "x.png")
    data = images.from_folder(tmp_path, size=(20, 20))
    assert data.inputs.shape == (2, 3, 20, 20)
    assert float(data.inputs[:, :, :, 2:18].min()) > 0.95


def test_a_photo_taken_sideways_is_turned_upright(tmp_path):
    sideways = Image.new("RGB", (4, 8))
    exif = sideways.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sideways.save(tmp_path / name / "x.jpg", exif=exif)
    assert images.from_folder(tmp_path).inputs.shape == (2, 3, 4, 8)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda p: (p / "cat" / "0.png").write_bytes(b"no image"), "cannot be read as an image"),
        (lambda p: (p / "cat" / "0.png").write_bytes((p / "dog" / "0.png").read_bytes()[:45]), "cannot be read"),
        (lambda p: Image.new("RGB", (3, 3)).save(p / "dog" / "0.png"), "size = [224, 224]"),
        (lambda p: (p / "fox").mkdir(), "fox holds no image"),
    ],
)
def test_invalid_folders_of_images_are_refused_in_a_sentence(tmp_path, spoil, expected):
    folder = photos(tmp_path / "p")
    spoil(folder)
    with pytest.raises(DataError) as raised:
        images.from_folder(folder)
    assert expected in str(raised.value)


@pytest.mark.parametrize(("arguments", "expected"), [
    ({"classes": ["cat", "cow"]}, "no subfolder 'cow'; it has cat, dog, eel"),
    ({"classes": ["cat"]}, "has one subfolder of images"),
    ({"channels": 4}, "channels = 4"),
    ({"size": (40_000, 40_000)}, "4 GiB"),
])  # fmt: skip
def test_arguments_that_a_folder_of_images_cannot_follow_are_refused(tmp_path, arguments, expected):
    with pytest.raises(DataError) as raised:
        images.from_folder(photos(tmp_path / "p"), **arguments)
    assert expected in str(raised.value)


def test_an_image_that_would_fill_the_memory_is_not_decompressed(tmp_path, monkeypatch):
    monkeypatch.setattr(images.decoding, "PIXELS", 40)
    with pytest.raises(DataError, match="6 x 8 pixels"):
        images.from_folder(photos(tmp_path / "p"))


def saved(tmp_path, **arrays):
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("kind", "high", "said"), [
    ("u1", 1, "are bytes and at most 1; they are divided by 255, so dark: save them as floats"),
    ("f4", 255, "float32 from 0 to 255, are kept as they are"), ("u2", 65535, "uint16 from 0 to 65535, are kept"),
    ("i8", 3, "int64 from 0 to 3, are kept"), ("u1", 255, ""), ("f4", 1, ""),
])  # fmt: skip
def test_numbers_of_images_that_may_be_of_another_scale_are_named(tmp_path, kind, high, said):
    pixels = (np.linspace(0, 1, 2 * 48).reshape(2, 1, 8, 6) * high).astype(kind)
    data = images.from_npz(saved(tmp_path, inputs=pixels, labels=np.arange(2)))
    assert [said in notice for notice in data.notices] == [True] * bool(said)
    grey = images.from_npz(saved(tmp_path, inputs=pixels[:, 0], labels=np.arange(2)))
    assert grey.notices == data.notices
    normal = images.from_npz(saved(tmp_path, inputs=pixels.astype("f4") / high * 4 - 2, labels=np.arange(2)))
    assert normal.notices == ()
    right = images.from_npz(saved(tmp_path, inputs=(pixels / high).astype("f4"), labels=np.arange(2)))
    assert right.notices == ()
    assert (right.inputs.min(), right.inputs.max()) == (0, 1)


def test_arrays_of_bytes_with_channels_last_are_brightness_with_channels_first(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    data = images.from_npz(saved(tmp_path, inputs=pixels, labels=np.array([0, 3, 1, 0, 0])))
    assert torch.equal(data.inputs, torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255)
    assert data.classes == ("0", "1", "2", "3")  # whole numbers are indices, whichever of them occur
    assert data.labels.tolist() == [0, 3, 1, 0, 0]


def test_arrays_of_grey_images_get_a_channel_and_bounds_that_hold_them(tmp_path):
    data = images.from_npz(saved(tmp_path, inputs=np.linspace(-2, 2, 24).reshape(2, 4, 3), labels=["b", "a"]))
    assert data.inputs.shape == (2, 1, 4, 3)
    assert data.space.bounds == (-2.0, 2.0)
    assert data.classes == ("a", "b")
    assert data.labels.tolist() == [1, 0]


def test_arrays_are_resized_and_carry_groups(tmp_path):
    path = saved(tmp_path, x=np.ones((3, 3, 8, 8), dtype=np.float32), y=[0, 1, 0], sex=["f", "m", "f"])
    data = images.from_npz(path, keys=images.Keys(inputs="x", labels="y", groups=("sex",)), size=(4, 6))
    assert data.inputs.shape == (3, 3, 4, 6)
    assert list(data.groups["sex"]) == ["f", "m", "f"]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"inputs": np.zeros((2, 3))}, "no array 'labels'; it has inputs"),
        ({"inputs": np.zeros((2, 3)), "labels": [0, 1, 1]}, "(2, 3) and labels (3,)"),
        ({"inputs": np.zeros((0, 3)), "labels": np.zeros(0, int)}, "at least one row"),
        ({"inputs": np.full((2, 3), np.nan), "labels": [0, 1]}, "NaN or infinity"),
        ({"inputs": np.zeros((2, 3)), "labels": [-1, 1]}, "number the classes 0, 1, 2"),
        ({"inputs": np.zeros((2, 3)), "labels": [0, 10**9]}, "number the classes 0, 1, 2"),
        ({"inputs": np.zeros((2, 3)), "labels": [0.5, 1]}, "expected class indices or texts"),
        ({"inputs": np.array(["a", "b"]).reshape(2, 1), "labels": [0, 1]}, "expected numbers"),
        ({"inputs": np.array([{}, {}]).reshape(2, 1), "labels": [0, 1]}, "cannot be read"),
    ],
)
def test_arrays_that_are_not_examples_are_refused_in_a_sentence(tmp_path, arrays, expected):
    with pytest.raises(DataError) as raised:
        images.from_npz(saved(tmp_path, **arrays))
    assert expected in str(raised.value)


def test_a_file_of_arrays_that_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(images.arrays, "LARGEST", 10**6)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inputs.npy", bytes(10**7))
    with pytest.raises(DataError, match="unpacks"):
        images.from_npz(path)


def test_segments_follow_the_colours_of_an_image_and_are_features_as_they_come():
    image = torch.zeros(3, 16, 16)
    image[0, :, :8], image[2, :, 8:] = 1.0, 1.0
    found = images.segments(image, 4)
    assert found.shape == image.shape
    assert torch.equal(images.segments(image.numpy(), 4), found)
    assert sorted(set(found.flatten().tolist())) == list(range(int(found.max()) + 1))
    assert not set(found[0, :, :8].flatten().tolist()) & set(found[0, :, 8:].flatten().tolist())
    space = Space(features=found, reference=torch.zeros(1, 3, 16, 16))
    model = Model(forward=lambda x: torch.stack([x[:, 0].sum((1, 2)), x[:, 2].sum((1, 2))], 1), space=space)
    values = KernelShap()(model, image[None], torch.tensor([0])).by_feature()
    assert float(values.sum()) == pytest.approx(128.0, rel=1e-4)


@pytest.mark.parametrize(("image", "count"), [(torch.zeros(4, 4), 4), (torch.zeros(3, 4, 4), 0)])
def test_segments_are_of_one_image(image, count):
    with pytest.raises(DataError, match="expected an image"):
        images.segments(image, count)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_segments_of_nan_images_are_refused(value):
    with pytest.raises(DataError, match="NaN or infinity, which have no colour"):
        images.segments(torch.zeros(2, 3, 8, 8).index_fill(3, torch.tensor([2]), value))


def test_squares_tile_an_image():
    assert squares(4, 5, 2).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5], [3, 3, 4, 4, 5]]


def test_labels_of_an_npz_are_found_by_their_names_before_their_places(tmp_path):
    """Two classes called 2 and 10 are neither eleven nor sorted as text."""
    rows = np.arange(8.0).reshape(4, 2)

    def labels_of(values, classes=None):
        data = images.from_npz(saved(tmp_path, inputs=rows, labels=np.array(values)), classes=classes)
        return data.classes, data.labels.tolist()

    assert labels_of(["2", "10", "2", "10"]) == (("2", "10"), [0, 1, 0, 1])
    assert labels_of([2, 10, 2, 10], ("2", "10")) == (("2", "10"), [0, 1, 0, 1])
    assert labels_of([1, 2, 1, 2], ("1", "2", "3")) == (("1", "2", "3"), [0, 1, 0, 1])
    assert labels_of([0, 1, 1, 1], ("1", "0")) == (("1", "0"), [1, 0, 0, 0])
    assert labels_of([1.0, 2.0, 1.0, 1.0], ("2.0", "1.0")) == (("2.0", "1.0"), [1, 0, 1, 1])
    assert labels_of([True, False, True, True]) == (("False", "True"), [1, 0, 1, 1])
    assert labels_of([0, 1, 1, 0], ("no", "yes")) == (("no", "yes"), [0, 1, 1, 0])
    with pytest.raises(DataError, match=r"span 2 to 10, expected class indices from 0 to 1 or their names a, b"):
        labels_of([2, 10, 2, 10], ("a", "b"))


def test_a_group_of_an_npz_without_a_value_is_missing(tmp_path):
    arrays = {"inputs": np.zeros((3, 2)), "labels": np.array([0, 1, 1]), "sex": np.array([1.0, np.nan, 2.0])}
    data = images.from_npz(saved(tmp_path, **arrays), keys=images.Keys(groups=("sex",)))
    assert data.groups["sex"].isna().tolist() == [False, True, False]
    assert data.groups["sex"].dropna().tolist() == ["1", "2"]


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">f8", np.longdouble])
def test_an_npz_of_another_machine_is_read(tmp_path, dtype):
    rows = np.array([[1, 2], [3, 4]])
    data = images.from_npz(saved(tmp_path, inputs=rows.astype(dtype), labels=np.array([0, 1], dtype=">i8")))
    assert data.inputs.tolist() == rows.tolist()
    assert data.labels.tolist() == [0, 1]


@pytest.mark.parametrize("arrays", [
    {"inputs": np.zeros((2, 0))},
    {"inputs": np.zeros((2, 2, 0, 3), dtype=np.uint8)},
    {"inputs": np.zeros((2, 2)), "labels": np.zeros(2, "V4")},
    {"inputs": np.zeros((2, 2)), "labels": np.array([0.5, 1.5])},
])  # fmt: skip
def test_an_npz_without_numbers_is_refused(tmp_path, arrays):
    with pytest.raises(DataError, match=r"rows\.npz"):
        images.from_npz(saved(tmp_path, **{"labels": np.array([0, 1]), **arrays}))


def test_a_notice_says_that_numeric_subfolders_are_sorted_as_text(tmp_path):
    for name in ("2", "10"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "a.png")
    data = images.from_folder(tmp_path)
    assert data.classes == ("10", "2")
    assert "are sorted as text, as torchvision does: 10, 2" in data.notices[0]
    assert not images.from_folder(tmp_path, classes=("2", "10")).notices


@pytest.mark.parametrize(
    ("given", "read", "guessed"),
    [
        ((8, 8, 4), (4, 8, 8), False),
        ((8, 8, 2), (2, 8, 8), False),
        ((4, 8, 8), (4, 8, 8), False),
        ((9, 9, 13), (9, 9, 13), True),
        ((3, 5, 3), (3, 5, 3), True),
    ],
)
def test_channels_are_where_images_have_them_and_a_guess_is_said(tmp_path, given, read, guessed):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *given), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", inputs=pixels, labels=np.arange(2))
    data = images.from_npz(tmp_path / "a.npz")
    expected = pixels if given == read else np.moveaxis(pixels, -1, 1)
    assert np.allclose(data.inputs.numpy() * 255, expected, atol=1e-3)
    assert bool(data.notices) is guessed
    assert not guessed or f"taken as {read[0]} channels" in data.notices[0]


def test_labels_in_a_column_are_those_of_a_row_and_one_hot_ones_are_not_read_in_silence(tmp_path):
    classes, path = np.arange(6) % 3, tmp_path / "a.npz"
    np.savez(path, inputs=np.zeros((6, 2, 2)), labels=classes[:, None])
    assert images.from_npz(path).labels.tolist() == classes.tolist()
    np.savez(path, inputs=np.zeros((6, 2, 2)), labels=np.eye(3)[classes])
    assert "save labels.argmax(1)" in images.from_npz(path).notices[0]
    assert not images.from_npz(path, task=MultiLabel()).notices
    with pytest.raises(DataError, match=r"write labels.argmax\(1\)"):
        images.from_npz(path, task=Classification())


@pytest.mark.parametrize(("labels", "said"), [
    ([0, 5, 10], "11 classes, and no row has 8 of them: 1, 2, 3, 4, 6, ...; if they are names of 3 classes"),
    ([1, 2, 1], "3 classes, and no row has 1 of them: 0;"),
    ([0, 1, 1], ""),
    (["0", "5", "10"], ""),
])  # fmt: skip
def test_classes_of_an_npz_without_a_row_are_told(tmp_path, labels, said):
    """Labels 0, 5 and 10 may be three names; as indices they make eight classes that no row has."""
    np.savez(tmp_path / "a.npz", inputs=np.zeros((3, 2)), labels=np.array(labels))
    notices = from_npz(tmp_path / "a.npz").notices
    assert [said in notice for notice in notices] == [True] * bool(said)
    named = from_npz(tmp_path / "a.npz", classes=[str(label) for label in sorted(set(labels))])  # as it says
    assert (named.notices, named.classes[int(named.labels[1])]) == ((), str(labels[1]))
