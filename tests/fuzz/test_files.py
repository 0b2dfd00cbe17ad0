"""Arrays, images and saved results that are damaged, or hold what nobody expects."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import probe
from probe import Attribution, Model, Space
from probe.explainers import Saliency
from probe.images import Keys, from_folder, from_npz
from tests.fuzz.odd import TEXTS, answered, block, spoiled

pytestmark = pytest.mark.slow
TYPES = ("u1", "i1", "i4", "i8", "u8", "u2", "f2", "f4", "f8", ">f4", ">i2", "g", "c8", "?", "U3", "S3", "M8[D]", "V4")
SHAPES = ((6, 3), (6, 4, 4), (6, 4, 4, 3), (6, 3, 4, 4), (6, 1, 4, 4), (6,), (), (0, 3), (6, 0), (6, 2, 0, 3), (1, 2))


def array(source: random.Random, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Numbers of any type, of which some are none."""
    made = np.random.default_rng(source.randrange(2**31)).integers(0, source.choice((1, 2, 256)), shape)
    kind = np.dtype(source.choice(("u1", "i8", "f4", "f8", *TYPES)))
    held = made.astype(kind) if kind.kind != "V" else np.zeros(shape, kind)
    if kind.kind in "fc" and held.size and source.random() < 0.3:
        held.flat[0] = source.choice((np.nan, np.inf, -3.5, 1e4))
    return held


def labels(source: random.Random) -> np.ndarray[Any, Any]:
    kind = source.random()
    if kind < 0.1:
        return array(source, source.choice(((6,), (6,), (5,), (6, 1))))
    names = source.choice((("no", "yes"), ("2", "10"), (1.0, 2.0), (1, 2), (0, 1), (True, False), (-1, 1), (0.5, 1.5)))
    return np.array([source.choice(names) for _ in range(6)])


def npz(seed: int, folder: Path) -> None:
    source = random.Random(seed)
    path = folder / "rows.npz"
    arrays = {
        "inputs": array(source, source.choice((*SHAPES[:5], *SHAPES[:5], *SHAPES))),
        "labels": labels(source),
        "sex": labels(source),
    }
    np.savez(path, **arrays)
    if source.random() < 0.3:
        path.write_bytes(spoiled(path.read_bytes(), source))
    keys = Keys(groups=("sex",)) if source.random() < 0.5 else Keys(labels=source.choice(("labels", "absent")))
    chosen: dict[str, Any] = {"keys": keys}
    if source.random() < 0.3:
        chosen["classes"] = source.choice((("10", "2"), ("2", "1"), ("yes", "no"), ("a", "a"), (), ("1.0", "2.0")))
    if source.random() < 0.3:
        chosen["size"] = source.choice(((2, 2), (7, 3), (1, 1)))
    with answered(seed, (arrays, chosen)):
        data = from_npz(path, **chosen)
        data.digest()
        repr(data.space)
        data.space.describe(data.inputs[:1])


def pictures(seed: int, folder: Path) -> None:
    source = random.Random(seed)
    place = folder / str(seed)
    for name in source.sample(("no", "yes", "2", "10", "a b", *TEXTS[2:4]), source.choice((0, 2, 3))):
        (place / name).mkdir(parents=True)
        for at in range(source.choice((0, 1, 1, 2, 2))):
            path = place / name / f"{at}.{source.choice(('png', 'jpg', 'png', 'gif', 'bmp', 'tif'))}"
            mode = source.choice(("RGB", "L", "RGBA", "P", "1", "I;16", "F", "CMYK", "LA"))
            try:
                Image.new(mode, source.choice(((4, 4), (4, 4), (1, 9)))).save(path)
            except (OSError, ValueError, KeyError):
                path.write_bytes(source.randbytes(9))
            if source.random() < 0.15:
                path.write_bytes(spoiled(path.read_bytes(), source))
    chosen: dict[str, Any] = {"channels": source.choice((1, 3))}
    if source.random() < 0.7:
        chosen["size"] = source.choice(((4, 4), (2, 5)))
    if source.random() < 0.3:
        chosen["classes"] = source.choice((("no", "yes"), ("yes",), ("absent", "no"), ("no", "no")))
    with answered(seed, chosen):
        from_folder(place, **chosen).digest()


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = torch.nn.Linear(3, 2).eval()
    model = Model(forward=net, space=Space(names=("a", "b", "c"), bounds=(0.0, 1.0)), classes=("no", "yes"))
    stem = tmp_path_factory.mktemp("saved") / "maps"
    Saliency()(model, torch.rand(4, 3, generator=torch.Generator().manual_seed(0))).save(stem)
    return stem


def saved(seed: int, result: Path, folder: Path) -> None:
    source = random.Random(seed)
    stem = folder / "maps"
    for ending in (".npz", ".json"):
        data = result.with_name(result.name + ending).read_bytes()
        stem.with_name(stem.name + ending).write_bytes(spoiled(data, source) if source.random() < 0.6 else data)
    with answered(seed, stem):
        assert isinstance(probe.load(stem), Attribution)


@pytest.mark.parametrize("number", range(2))
def test_odd_arrays_are_read_or_refused_in_a_sentence(number, tmp_path):
    block(number, 250, lambda seed: npz(seed, tmp_path))


def test_odd_images_are_read_or_refused_in_a_sentence(tmp_path):
    block(0, 150, lambda seed: pictures(seed, tmp_path))


def test_a_corrupted_result_is_refused_in_a_sentence(result, tmp_path):
    block(0, 300, lambda seed: saved(seed, result, tmp_path))
