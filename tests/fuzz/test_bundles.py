"""Bundles that no audit wrote: they are refused in a sentence, or hold nothing but what an audit would have written.

A fault of one forgery in 33 of either kind is found in 95 of 100 runs.
"""

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probe import npz
from probe.audit import read, run, verify
from probe.audit.assessment import assess
from probe.audit.bundle import Bundle
from probe.audit.canonical import digest, dump, evidence_digest
from probe.audit.verification import MALFORMED
from probe.cli.pages import drawn
from tests.audit.conftest import images, small_plan, table
from tests.fuzz.odd import answered, block, changed, spoiled

pytestmark = pytest.mark.slow


def forge(folder: Path, source: random.Random) -> None:
    """Change something, and mostly sign again, so that more than a digest has to notice."""
    manifest = json.loads((folder / "audit.json").read_bytes())
    for _ in range(source.randint(1, 2)):
        kind = source.random()
        if kind < 0.5:
            key = source.choice(list(manifest))
            manifest[key] = changed(manifest[key], source)
        elif kind < 0.85:
            path = source.choice(sorted(folder.glob("arrays/*.npz")))
            held = npz.unpack(path.read_bytes(), path.name)
            name = source.choice(list(held))
            held[name] = array(held[name], source)
            np.savez_compressed(path, **held)
            sign(manifest, path, source, held)
        else:
            path = source.choice(sorted((*folder.glob("arrays/*.npz"), *folder.glob("tables/*.csv"))))
            path.write_bytes(spoiled(path.read_bytes(), source))
            sign(manifest, path, source)
    try:
        if source.random() < 0.9:
            manifest["evidence_digest"] = evidence_digest(manifest)
            manifest["digest"] = digest(manifest)
        written = dump(manifest)
    except (TypeError, ValueError, KeyError, AttributeError):
        written = json.dumps(manifest, indent=1, default=str).encode()
    (folder / "audit.json").write_bytes(written)


def sign(manifest: Any, path: Path, source: random.Random, held: Any = None) -> None:
    """Record a file as it is."""
    name = f"{path.parent.name}/{path.name}"
    if source.random() < 0.9 and isinstance(manifest.get("files"), dict):
        manifest["files"][name] = hashlib.sha256(path.read_bytes()).hexdigest()
        if held is not None and isinstance(manifest.get("contents"), dict):
            manifest["contents"][name] = npz.fingerprint(held)


def array(held: np.ndarray, source: random.Random) -> np.ndarray:
    """The array in another shape, type or with other numbers."""
    kind = source.randrange(8)
    if kind == 0:
        return held[: len(held) // 2] if held.ndim else held
    if kind == 1:
        return held.ravel()
    if kind == 2:
        return held[None]
    if kind == 3:
        return np.full_like(held, source.choice((0, 1))) if held.dtype.kind in "iufb" else held
    if kind == 4:
        return np.full(held.shape, source.choice((np.nan, np.inf, -1e300, 1e300)))
    if kind == 5:
        return (
            held.astype(source.choice((np.int8, np.float16, np.complex64, str))) if held.dtype.kind in "iufb" else held
        )
    if kind == 6:
        return np.zeros(0)
    return held[..., ::-1].copy() if held.ndim else held


def case(seed: int, bundle: Bundle, place: Path) -> None:
    source = random.Random(seed)
    folder = place / "forged"
    shutil.copytree(bundle.folder, folder)
    forge(folder, source)
    with answered(seed, folder):
        verify(folder)
    with answered(seed, folder):
        found = read(folder)
        # Drawing takes seconds, so not every forgery is drawn.
        if seed % 50 == 0:
            drawn(found)
        if seed % 10 == 1:
            redraw(found)
            verify(folder)
    shutil.rmtree(folder)


def redraw(bundle: Bundle) -> None:
    """Sign what follows from whatever evidence there is, if anything can."""
    try:
        assessment = assess(bundle)
    except MALFORMED:
        return
    for name, found in assessment.tables.items():
        bundle.write_table(name, found)
    bundle.change(findings=tuple(assessment.findings))
    bundle.save()


@pytest.fixture(scope="module")
def image_bundle(tmp_path_factory):
    plan = small_plan("pictures", explain={"sample": 2, "methods": [{"method": "saliency"}, {"method": "lime"}]})
    return run(plan, *images(20), tmp_path_factory.mktemp("runs") / "pictures")


@pytest.fixture(scope="module")
def table_bundle(tmp_path_factory):
    plan = small_plan(
        "people",
        explain={"sample": 2, "methods": [{"method": "saliency"}, {"method": "kernel_shap"}]},
        attack={"sample": 30, "eps": ["0.01", "0.1"], "methods": [{"method": "fgsm"}]},
        bias={"groups": ["race"]},
    )
    return run(plan, *table(90), tmp_path_factory.mktemp("runs") / "people")


@pytest.mark.parametrize("number", range(5))
def test_a_forged_bundle_of_images_is_refused_in_a_sentence(number, image_bundle, tmp_path):
    block(number, 20, lambda seed: case(seed, image_bundle, tmp_path))


@pytest.mark.parametrize("number", range(5))
def test_a_forged_bundle_of_a_table_is_refused_in_a_sentence(number, table_bundle, tmp_path):
    block(number, 20, lambda seed: case(10_000 + seed, table_bundle, tmp_path))
