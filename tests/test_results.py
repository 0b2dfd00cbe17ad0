"""What a result shows, and what is left of it on the disk."""

import io
import json
import zipfile
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
import torch

import probe
from probe import Attribution, Model, Prediction, Scores, Space, load, store
from probe.attacks import FGSM, PGD
from probe.contracts import Explainer
from probe.errors import DataError, ProbeError, UnknownMethod
from probe.explainers import InputXGradient, Saliency
from probe.forms import Series
from probe.metrics import Accuracy, CalibrationError, RobustAccuracy
from probe.tensors import sha256

SPACE = Space(
    bounds=(torch.tensor([0.0, -5.0, 0.0, 0.0]), torch.tensor([9.0, 5.0, 1.0, 1.0])),
    features=torch.tensor([0, 1, 2, 2]),
    names=("age", "gain", "job"),
    kinds=("integer", "continuous", "category"),
    reference=torch.tensor([[1.0, 0.5, 1.0, 0.0], [2.0, 0.0, 0.0, 1.0]]),
    mutable=torch.tensor([True, False, True, True]),
    levels=("", "", "Private", "State"),
    scale=torch.tensor([1.0, 2.0, 1.0, 1.0]),
    form="table",
    types=("float64", "Int64", "str"),
    missing=(False, True, False),
)
TEXTS = Space(bounds=(0, 4), reference=torch.zeros(1, 3).long(), words=("", "<unknown>", "a", "b", "c"), special=(0, 1))
ROWS = torch.tensor([[3.0, 1.0, 1.0, 0.0], [4.0, -1.0, 0.0, 1.0], [8.0, 2.0, 1.0, 0.0]])


def model(space=SPACE, dtype=torch.float32, **settings):
    layer = torch.nn.Linear(4, 2).to(dtype).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0, -1.0, 0.5], [0.5, 1.0, 0.0, 0.0]]))
        layer.bias.zero_()
    return Model(forward=layer, space=space, classes=("stays", "goes"), **settings)


def same(a, b):
    """Whether two values agree in every field, dtype and bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, tuple):
        return type(b) is tuple and len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__") and not isinstance(a, probe.Method):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in store.saved(a))
    return type(a) is type(b) and a == b


def results(m, x=ROWS):
    y = m.predict(x)
    attribution, perturbation = InputXGradient()(m, x), FGSM(eps="1/4")(m, x, y)
    return [attribution, perturbation, perturbation.clean, RobustAccuracy()(m, perturbation)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("index", range(4))
def test_every_field_of_a_result_is_saved_and_loaded_bit_by_bit(dtype, index, tmp_path):
    space = replace(SPACE, reference=SPACE.reference.to(dtype))
    result = results(model(space, dtype, threshold=0.3), ROWS.to(dtype))[index]
    result.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert same(result, again)
    assert repr(again) == repr(result)
    assert again.to_frame().equals(result.to_frame())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.npz"]


@pytest.mark.parametrize("space", [SPACE, TEXTS, Space(bounds=(-torch.inf, torch.inf), scale=0.5)])
def test_every_field_of_a_space_is_saved_and_loaded(space, tmp_path):
    x = torch.zeros(2, 3).long() if space is TEXTS else ROWS[:2]
    Attribution(torch.zeros(*x.shape), x, torch.tensor([0, 1]), Saliency(), space).save(tmp_path / "r")
    again = load(tmp_path / "r").space
    assert same(space, again)
    assert again.describe(x) == space.describe(x)
    assert torch.equal(again.mutable_mask(x), space.mutable_mask(x))


def test_the_spaces_of_these_tests_set_every_field():
    """So that a field that is added to Space is set here too, and is seen to be kept."""
    plain = Space()
    for f in fields(Space):
        assert any(
            not same(getattr(space, f.name), getattr(plain, f.name)) for space in (SPACE, replace(TEXTS, special=(0,)))
        ), f.name


def test_a_result_that_the_first_format_holds_is_read(tmp_path):
    arrays = {"values": ROWS, "inputs": ROWS, "targets": torch.tensor([0, 1, 1]), "features": SPACE.features}
    arrays |= {"low": SPACE.bounds[0], "high": SPACE.bounds[1], "scale": torch.tensor(1.0)}
    np.savez_compressed(tmp_path / "r.npz", **{k: v.numpy() for k, v in arrays.items()})
    record = {"kind": "Attribution", "method": {"method": "saliency", "output": "logit"}, "names": SPACE.names,
              "kinds": SPACE.kinds, "form": "", "words": [], "special": [0, 1], "cost": {"forward": 3}}  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps(record))
    again = load(tmp_path / "r")
    assert torch.equal(again.values, ROWS)
    assert again.space.names == SPACE.names
    assert again.method == Saliency()


def test_a_saved_series_with_its_sampling_rate_as_rate_is_read(tmp_path):
    x, space = torch.zeros(1, 1, 4), Space(form=Series(names=("lead I",), sampling_rate=50.0))
    Attribution(x, x, torch.tensor([0]), Saliency(), space).save(tmp_path / "r")
    record = (tmp_path / "r.json").read_text()
    assert record.count('"sampling_rate"') == 1
    (tmp_path / "r.json").write_text(record.replace('"sampling_rate"', '"rate"'))
    assert load(tmp_path / "r").space.form == space.form


@dataclass(frozen=True, kw_only=True)
class Mine(Explainer):
    """The input itself."""

    def attribute(self, model, inputs, targets):
        model(inputs)
        return inputs


def test_a_result_of_a_users_method_is_read_after_following_the_error(tmp_path):
    Mine()(model(), ROWS).save(tmp_path / "r")
    with pytest.raises(UnknownMethod, match=r"was made by 'mine'.*import its class, and write probe.load\(.*known="):
        load(tmp_path / "r")
    assert load(tmp_path / "r", known=[Mine]).method == Mine()


def test_a_save_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        InputXGradient()(model(), ROWS).save(tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        header = (
            b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117)
            + b"\n"
        )
        archive.writestr("values.npy", header)
    return buffer.getvalue()


def altered(change):
    def alter(record, arrays):
        change(record["result"]["fields"])
        return json.dumps(record).encode(), npz(**arrays)

    return alter


DAMAGE = {
    "no record": lambda r, a: (b"", npz(**a)),
    "a list": lambda r, a: (b"[]", npz(**a)),
    "a number": lambda r, a: (b"5", npz(**a)),
    "deep": lambda r, a: (b"[" * 100_000, npz(**a)),
    "deep objects": lambda r, a: (b'{"result":' * 5_000 + b"1" + b"}" * 5_000, npz(**a)),
    "no result": lambda r, a: (b'{"format": 2}', npz(**a)),
    "a later format": lambda r, a: (json.dumps({**r, "format": 4}).encode(), npz(**a)),
    "an unknown kind": lambda r, a: (json.dumps(r).replace('"Attribution"', '"Model"').encode(), npz(**a)),
    "an unhashable kind": lambda r, a: (b'{"format": 2, "result": {"kind": [], "fields": {}}}', npz(**a)),
    "only a space": lambda r, a: (json.dumps({"format": 2, "result": {"kind": "Usage", "fields": {}}}).encode(), npz()),
    "not utf-8": lambda r, a: (b"\xff\xfe\x00", npz(**a)),
    "5,000 digits": lambda r, a: (b'{"format": 2, "result": ' + b"9" * 5000 + b"}", npz(**a)),
    "no arrays": lambda r, a: (json.dumps(r).encode(), npz()),
    "not a zip": lambda r, a: (json.dumps(r).encode(), b"PK"),
    "a bomb": lambda r, a: (json.dumps(r).encode(), bomb()),
    "objects": lambda r, a: (json.dumps(r).encode(), npz(**{**a, "values": np.array([{}], dtype=object)})),
    "texts": lambda r, a: (json.dumps(r).encode(), npz(**{**a, "values": np.array(["a"])})),
    "other shapes": lambda r, a: (json.dumps(r).encode(), npz(**{**a, "values": a["values"][:, :1]})),
    "fewer rows": lambda r, a: (json.dumps(r).encode(), npz(**{**a, "targets": a["targets"][:1]})),
    "not finite": lambda r, a: (json.dumps(r).encode(), npz(**{**a, "values": a["values"] * np.nan})),
    "the wrong type": lambda r, a: (json.dumps(r).encode(), npz(**{**a, "targets": a["targets"] * 1.5})),
    "names 5": altered(lambda f: f["space"]["fields"].update(names=5)),
    "names of numbers": altered(lambda f: f["space"]["fields"].update(names=[1, 2, 3])),
    "one bound": altered(lambda f: f["space"]["fields"].update(bounds=[0.0])),
    "bounds that cross": altered(lambda f: f["space"]["fields"].update(bounds=[9.0, 0.0])),
    "another field": altered(lambda f: f.update(approved=True)),
    "no inputs": altered(lambda f: f.pop("inputs")),
    "no method": altered(lambda f: f.update(method=None)),
    "a method without a name": altered(lambda f: f.update(method={"config": {}})),
    "a method of a list": altered(lambda f: f.update(method={"config": {"method": []}})),
    "a bad setting": altered(lambda f: f["method"]["config"].update(output="x")),
    "an unknown setting": altered(lambda f: f["method"]["config"].update(steps=3)),
    "an unknown dtype": altered(lambda f: f["values"].update(dtype="load")),
    "a dtype of another size": altered(lambda f: f["values"].update(dtype="float64")),
    "a cost in words": altered(lambda f: f["cost"]["fields"].update(forward="many")),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_and_hostile_files_end_in_a_data_error(damage, tmp_path):
    InputXGradient()(model(), ROWS).save(tmp_path / "r")
    record = json.loads((tmp_path / "r.json").read_text())
    with np.load(tmp_path / "r.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    text, packed = damage(record, arrays)
    (tmp_path / "r.json").write_bytes(text)
    (tmp_path / "r.npz").write_bytes(packed)
    with pytest.raises(DataError, match="is not a saved result") as caught:
        load(tmp_path / "r")
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_files_that_unpack_to_too_much_are_not_opened(tmp_path, monkeypatch):
    InputXGradient()(model(), ROWS).save(tmp_path / "r")
    monkeypatch.setattr(store, "LARGEST", 200_000)
    (tmp_path / "r.npz").write_bytes(npz(values=np.zeros(100_000)))
    with pytest.raises(DataError, match="unpacks to more than"):
        load(tmp_path / "r")
    with pytest.raises(DataError, match="is not a saved result"):
        load(tmp_path / "absent")


def test_tables_name_classes_and_features():
    attribution, perturbation, prediction, scores = results(model())
    assert attribution.to_frame().columns.tolist() == ["age", "gain", "job"]
    assert set(prediction.to_frame().predicted) <= {"stays", "goes"}
    assert perturbation.to_frame().clean.tolist() == prediction.to_frame().predicted.tolist()
    assert scores.to_frame().columns.tolist() == ["correct"]
    unnamed = Prediction(torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
    assert unnamed.to_frame().predicted.tolist() == [1]


def test_a_result_prints_as_a_few_lines_without_its_numbers():
    for result in (*results(model()), *(r[0] for r in results(model())), *(r[:0] for r in results(model())[:3])):
        lines = repr(result).splitlines()
        assert len(lines) <= 5
        assert "tensor" not in repr(result)
        assert len(repr(result)) < 500
    assert "FGSM(eps='1/4', norm='linf')" in repr(results(model())[1])


def test_indexing_a_result_stops_at_its_end():
    for result in results(model()):
        assert len(result) == 3
        assert len(list(result)) == 3
        assert len(result[-2]) == len(result[1]) == 1
        assert len(result[torch.tensor([0, 2])]) == 2
        assert result[1:].cost == result.cost if hasattr(result, "cost") else True
        with pytest.raises(IndexError, match="example 3 of 3"):
            result[3]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_results_in_half_precision_are_shown(dtype):
    space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 4, dtype=dtype))
    m = model(space, dtype)
    for result in [*results(m, ROWS.to(dtype)), CalibrationError()(m, results(m, ROWS.to(dtype))[2])]:
        assert "<table" in result._repr_html_()
        assert len(result.to_frame()) == 3
    assert Accuracy()(m, results(m, ROWS.to(dtype))[2]).value == 1


def test_half_precision_is_summed_and_measured_in_single():
    x = torch.ones(1, 4096, dtype=torch.float16) * 60
    one = Space(bounds=(0, 100), features=torch.zeros(4096).long())
    attribution = Attribution(x, x, torch.tensor([0]), Saliency(), one)
    assert attribution.by_feature().item() == 60 * 4096  # beyond the largest number of half precision, 65,504
    answers = Prediction(torch.zeros(1, 2), torch.tensor([0]))
    moved = probe.Perturbation(x * 0, x, answers, answers, PGD(norm="l2"), one)
    assert moved.distance(2).item() == pytest.approx(60 * 64)


@pytest.mark.slow
def test_names_with_half_a_surrogate_pair_are_shown_and_kept(tmp_path):
    space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 4), names=("a", "b", "c", "\ud800"))
    m = replace(model(space), classes=("stays", "\ud800"))
    for at, result in enumerate(results(m)):
        result._repr_html_().encode("utf-8")
        result.save(tmp_path / str(at))
        assert same(load(tmp_path / str(at)), result)


def test_a_single_example_has_an_interval_of_nan_that_is_shown():
    m = model()
    scores = CalibrationError()(m, results(m)[2][0])
    assert len(scores) == 1
    assert "<table" in scores._repr_html_()
    assert isinstance(scores, Scores)
    assert issubclass(DataError, ProbeError)


def test_the_digest_does_not_depend_on_the_memory_layout():
    rows = torch.arange(6).view(1, 6)
    turned = rows.view(2, 3).T
    assert sha256({"it": rows.view(3, 2)[:1, 1]}) == sha256({"it": torch.tensor([1])})
    assert sha256({"it": turned}) == sha256({"it": torch.tensor(turned.tolist())})
