"""A plan that keeps no inputs: nothing of a row is in the bundle, and all of it can be verified and looked at."""

import io
import shutil
import zipfile
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from probe_dashboards.views import attacked, explained, instance
from torch import Tensor

from probe import Dataset, Explainer, Metric, Model
from probe.audit import plan_from, run, verify
from probe.audit.reading import origin
from probe.errors import ForwardError, IntegrityError
from probe.registry import methods
from probe.report import render
from probe.results import Prediction
from tests.audit.conftest import images, table, texts
from tests.audit.forging import Forged

pytestmark = pytest.mark.slow  # the audit that all look at is made once

SECRET = 3.0251953  # a number of a row, which no other number is likely to be
WORD = "xylographer"  # a word, or the value of a category
PARTS = {
    "explain": {"sample": 6, "methods": ["input_x_gradient", "kernel_shap"]},
    "attack": {"sample": 10},
    "certify": {"sample": 4, "methods": [{"method": "randomized_smoothing", "draws": 20, "chosen": 5}]},
    "search": {"sample": 4, "methods": ["nearest_reference"]},
    "survey": {"sample": 20, "methods": ["permutation_importance"]},
}


@dataclass(frozen=True, kw_only=True)
class Quotes(Explainer):
    """Fails with words that quote its input."""

    def attribute(self, model: Model, inputs: Tensor, targets: Tensor) -> Tensor:
        raise ForwardError(f"cannot explain {SECRET} {WORD}")


@dataclass(frozen=True, kw_only=True)
class QuotesToo(Metric[Prediction]):
    """Fails likewise."""

    aspect = "performance"

    def measure(self, model: Model, result: Prediction) -> Tensor:
        raise ForwardError(f"cannot measure {SECRET} {WORD}")


def people() -> tuple[Model, Dataset]:
    model, data = table(60)
    form = replace(data.space.form, levels=("", "", WORD, "smith", "clerk"))
    space, inputs = replace(data.space, form=form, reference=torch.zeros(1, 5)), data.inputs.clone()
    inputs[:, 0] = SECRET
    return replace(model, space=space), replace(
        data, inputs=inputs, space=space, notices=(f"column 'job' holds {WORD!r} and {SECRET}",)
    )


def words() -> tuple[Model, Dataset]:
    model, data = texts()
    named = ("", "?", *[WORD] * 20)
    form = replace(data.space.form, words=named)
    space = replace(data.space, form=form)
    return replace(model, space=space), replace(data, space=space)


def pictures() -> tuple[Model, Dataset]:
    model, data = images()
    inputs = data.inputs.clone()
    inputs[:] = torch.where(inputs > 0.5, SECRET / 10, inputs)
    return model, replace(data, inputs=inputs)


def everything(folder) -> bytes:
    """All bytes of a folder, with what its archives hold as it was before it was compressed."""
    held = b""
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        held += data
        if path.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                held += b"".join(archive.read(name) for name in archive.namelist())
    return held


def traces(secret: float) -> list[bytes]:
    """A number as arrays and texts have it."""
    numbers = [np.array(secret, kind).tobytes() for kind in ("<f4", "<f8")] + [np.float64(np.float32(secret)).tobytes()]
    return [*numbers, f"{secret:.4g}".encode(), f"{secret:.3f}".encode()]


@pytest.fixture(scope="module", params=[people, words, pictures], ids=lambda make: make.__name__)
def both(request, tmp_path_factory):
    """The same audit twice, with inputs shown and with none."""
    home = tmp_path_factory.mktemp(request.param.__name__)
    parts = {k: v for k, v in PARTS.items() if request.param is people or k in ("explain", "survey")}
    keeps = {"shown": {}, "none": {"bundle": {"inputs": "none"}}}
    plans = {name: plan_from({"name": "rows", **parts, **how}, sources=False) for name, how in keeps.items()}
    shown, none = (run(plan, *request.param(), home / name) for name, plan in plans.items())
    return request.param, shown, none


def test_a_bundle_without_inputs_holds_no_byte_of_any_row(both):
    make, shown, none = both
    secrets = {people: [*traces(SECRET), WORD.encode(), WORD.encode("utf-32-le")], words: [WORD.encode(),
               WORD.encode("utf-32-le")], pictures: traces(SECRET / 10)[:3]}[make]  # fmt: skip
    assert any(secret in everything(shown.folder) for secret in secrets)
    none.write_report(render(none))
    assert not [secret for secret in secrets if secret in everything(none.folder)]
    assert not [name for name in none.arrays("instances") if name not in ("rows", "features")]


def test_a_bundle_without_inputs_has_the_same_findings_and_digests(both):
    _, shown, none = both
    assert none.manifest.findings == shown.manifest.findings
    assert none.manifest.data.sha256 == shown.manifest.data.sha256
    verify(none.folder)


def test_the_first_page_says_that_inputs_are_left_out_and_no_page_draws_one(both, monkeypatch):
    _, shown, none = both
    assert "holds no row of inputs" in origin(none.manifest)
    assert "holds no row of inputs" not in origin(shown.manifest)

    def drawn(*parts):
        raise AssertionError("an input is drawn")

    monkeypatch.setattr("probe.plots.Example", drawn)
    assert "holds no row of inputs" in render(none)
    with pytest.raises(AssertionError, match="an input is drawn"):
        render(shown)


def test_the_viewer_of_a_bundle_without_inputs_shows_predictions_only(both):
    _, shown, none = both
    row = instance.rows(none)[0]
    assert not instance.kept(none, row)
    assert instance.kept(shown, row)
    assert instance.answer(none, row) == instance.answer(shown, row)
    for attack in attacked.attacks(none):
        for eps in attacked.radii(none, attack):
            assert attacked.pair(none, row, attack, eps) is None
            assert attacked.attacked(none, row, attack, eps) is None
            assert attacked.changes(none, row, attack, eps).empty
    if instance.features(none, row):
        assert explained.attributions(none, row).equals(explained.attributions(shown, row))
    explained.agreement(none, row)


def test_verification_finds_inputs_added_to_a_bundle_without_inputs(both, tmp_path):
    _, shown, none = both
    shutil.copytree(none.folder, tmp_path / "forged")
    forged = Forged(tmp_path / "forged")
    inputs = shown.arrays("instances")["inputs"]
    forged.write_arrays("instances", none.arrays("instances") | {"inputs": inputs})
    forged.redraw()
    with pytest.raises(IntegrityError, match="it holds inputs, but the plan says that none are kept"):
        verify(forged.folder)


def test_errors_that_quote_inputs_are_stored_without_their_text(tmp_path, monkeypatch):
    known = {**methods(), "quotes": Quotes, "quotes_too": QuotesToo}
    monkeypatch.setattr("probe.registry.methods", lambda: known)
    parts = {"explain": {"sample": 4, "methods": ["quotes"]}, "attack": {"sample": 0}}
    parts["predict"] = {"metrics": ["accuracy", "quotes_too"]}
    plan = plan_from({"name": "rows", **parts, "bundle": {"inputs": "none"}}, sources=False)
    bundle = run(plan, *people(), tmp_path / "none")
    step = next(step for step in bundle.manifest.steps if step.id == "quotes")
    assert (step.status, "may quote an input" in step.note) == ("error", True)
    assert not [secret for secret in (*traces(SECRET), WORD.encode()) if secret in everything(bundle.folder)]
    assert bundle.manifest.data.notices == (
        "1 notice about how the data were read, shown when the audit began, may quote inputs and is left out",
    )
