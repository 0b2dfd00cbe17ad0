import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from probe import Space, from_predict_proba
from probe.adapters import from_factory, load_weights, read_safetensors
from probe.errors import DataError, PlanError, ProbeError, ShapeError, UnsafeError


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.fixture
def net():
    return nn.Linear(3, 2)


def test_weights_are_saved_and_loaded_unchanged(net, tmp_path):
    save_file({k: v + 1 for k, v in net.state_dict().items()}, tmp_path / "m.safetensors")
    old = net.weight.detach().clone()
    load_weights(net, tmp_path / "m.safetensors")
    torch.testing.assert_close(net.weight.detach(), old + 1)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", ["m.pkl", "m.pt"])
def test_a_pickle_is_refused_unopened(net, tmp_path, monkeypatch, protocol, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(pickle.dumps(Bomb(), protocol=protocol))
    with pytest.raises(UnsafeError, match="not opened"):
        load_weights(net, name)
    assert not Path("exploded").exists()


def test_a_pickle_under_another_name_is_refused_too(net, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(Bomb(), protocol=4))
    with pytest.raises(UnsafeError, match="not opened"):
        load_weights(net, path)
    torch.save(net.state_dict(), path)
    with pytest.raises(UnsafeError, match="save_file"):
        load_weights(net, path)


def test_a_truncated_file_is_refused(net, tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(net.state_dict(), path)
    whole = path.read_bytes()
    for size in (0, 5, 20, len(whole) - 3):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match="copy it again"):
            load_weights(net, path)


def test_shapes_that_differ_are_listed(net, tmp_path):
    save_file({"weight": torch.zeros(2, 4), "extra": torch.zeros(1)}, tmp_path / "m.safetensors")
    with pytest.raises(ShapeError) as error:
        load_weights(net, tmp_path / "m.safetensors")
    assert "missing bias (2,)" in str(error.value)
    assert "unexpected extra (1,)" in str(error.value)
    assert "weight: the file has (2, 4), the module (2, 3)" in str(error.value)


def test_a_missing_file_is_refused_in_a_sentence(net, tmp_path):
    with pytest.raises(DataError, match="No such file"):
        load_weights(net, tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("collections", "module:factory"),
        ("no_such_thing:f", "cannot import"),
        ("collections:f", "has no"),
        ("builtins:dict", "Module"),
    ],
)
def test_an_invalid_factory_is_refused(spec, message):
    with pytest.raises(PlanError, match=message):
        from_factory(spec, None)


def test_any_predict_proba_is_a_model():
    def predict_proba(rows):
        p = 1 / (1 + np.exp(-rows.sum(1)))
        return np.stack([1 - p, p], 1)

    model = from_predict_proba(predict_proba, Space(), ("no", "yes"))
    x = torch.tensor([[0.2, 0.3], [0.9, 0.9]])
    torch.testing.assert_close(model(x).softmax(-1)[:, 1], x.sum(1).sigmoid())


def test_a_predict_proba_that_returns_no_probabilities_is_refused():
    model = from_predict_proba(lambda rows: rows * 3, Space(), ("no", "yes"))
    with pytest.raises(ProbeError, match="must return probabilities"):
        model(torch.ones(2, 2))


def test_weights_that_do_not_fit_are_found_by_the_header_alone(net, tmp_path, monkeypatch):
    save_file({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, tmp_path / "m.safetensors")
    monkeypatch.setattr("probe.adapters.safetensor.load_file", lambda path: 1 / 0)
    with pytest.raises(ShapeError, match="the file has"):
        load_weights(net, tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "header",
    [
        b'{"weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}',
        b'{"weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}',
        b'{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,4]}}',
        b'{"weight":{"dtype":"OBJECT","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_sizes_that_the_file_does_not_hold_are_refused(net, tmp_path, header):
    path = tmp_path / "m.safetensors"
    for length in (len(header), 2**40, 2**63):
        path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))
        for read in (read_safetensors, lambda path: load_weights(net, path)):
            with pytest.raises(DataError, match="not a whole safetensors file"):
                read(path)


def test_one_copy_of_tied_weights_is_enough(tmp_path):
    def tied():
        net = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
        net[1].weight = net[0].weight
        return net

    wanted = torch.arange(15.0).view(5, 3)
    save_file({"0.weight": wanted}, tmp_path / "m.safetensors")
    net = tied()
    load_weights(net, tmp_path / "m.safetensors")
    assert torch.equal(net[1].weight, wanted)
    with pytest.raises(ShapeError, match=r"missing 1\.weight"):
        load_weights(nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)), tmp_path / "m.safetensors")


def test_prefixes_of_wrappers_are_left_out_of_safetensors_too(net, tmp_path):
    save_file({f"module.{k}": v + 1 for k, v in net.state_dict().items()}, tmp_path / "m.safetensors")
    old = net.weight.detach().clone()
    load_weights(net, tmp_path / "m.safetensors")
    torch.testing.assert_close(net.weight.detach(), old + 1)
