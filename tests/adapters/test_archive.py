"""A state dict of torch.save is read if it is one; everything else in a zip is refused before it is opened."""

import warnings
from zipfile import ZIP_DEFLATED

import pytest
import torch
from torch import nn

from probe.adapters import load_weights, read_state_dict
from probe.errors import DataError, ShapeError, UnsafeError
from tests.adapters.conftest import Bomb, bomb


def index(content):
    """A change of data.pkl alone."""
    return lambda part, old: content(old) if part.endswith("data.pkl") else old


def swap(old, new):
    def change(content):
        assert old in content
        return content.replace(old, new, 1)

    return index(change)


def test_a_state_dict_is_saved_and_loaded_unchanged(net, saved):
    fresh = nn.Linear(3, 2)
    load_weights(fresh, saved)
    torch.testing.assert_close(fresh.weight, net.weight)
    assert set(read_state_dict(saved)) == {"weight", "bias"}


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_a_training_checkpoint_is_unwrapped(net, place, wrapper):
    optimizer = torch.optim.Adam(net.parameters())
    torch.save({wrapper: net.state_dict(), "epoch": 3, "optimizer": optimizer.state_dict()}, "c.ckpt")
    fresh = nn.Linear(3, 2)
    load_weights(fresh, "c.ckpt")
    torch.testing.assert_close(fresh.weight, net.weight)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_of_wrappers_are_left_out(net, place, prefix):
    torch.save({prefix + name: tensor for name, tensor in net.state_dict().items()}, "w.pth")
    fresh = nn.Linear(3, 2)
    load_weights(fresh, "w.pth")
    torch.testing.assert_close(fresh.weight, net.weight)


def test_a_compiled_part_is_found_by_its_own_name(place):
    torch.save({"0._orig_mod.weight": torch.ones(2, 3), "0._orig_mod.bias": torch.ones(2)}, "w.pt")
    fresh = nn.Sequential(nn.Linear(3, 2))
    load_weights(fresh, "w.pt")
    assert float(fresh[0].weight.detach().sum()) == 6


def test_a_module_that_is_called_module_keeps_its_name(place):
    holder = nn.ModuleDict({"module": nn.Linear(3, 2)})
    torch.save(holder.state_dict(), "w.pt")
    load_weights(nn.ModuleDict({"module": nn.Linear(3, 2)}), "w.pt")


def test_names_and_shapes_that_differ_are_listed(place):
    torch.save({"weight": torch.zeros(2, 4), "extra": torch.zeros(1), "module.weight": torch.zeros(1)}, "w.pt")
    with pytest.raises(ShapeError) as error:
        load_weights(nn.Linear(3, 2), "w.pt")
    for line in ("missing bias (2,)", "unexpected extra (1,)", "unexpected module.weight (1,)",
                 "weight: the file has (2, 4), the module (2, 3)"):  # fmt: skip
        assert line in str(error.value)


def test_integer_tensors_are_refused_as_weights(place):
    torch.save({"weight": torch.zeros(2, 3, dtype=torch.int8), "bias": torch.zeros(2)}, "w.pt")
    with pytest.raises(ShapeError, match="weight: the file has whole numbers, the module decimal numbers"):
        load_weights(nn.Linear(3, 2), "w.pt")


def test_the_test_pickle_runs_code_if_it_is_unpickled(place):
    import pickle

    pickle.loads(bomb())
    assert (place / "exploded").exists()
    (place / "exploded").unlink()


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib", "m.dill", "m.pt", "m.pth", "m.bin", "m.safetensors"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_never_runs(net, place, name, protocol):
    (place / name).write_bytes(bomb(protocol))
    for read in (read_state_dict, lambda path: load_weights(net, path)):
        with pytest.raises(UnsafeError, match="not opened"):
            read(place / name)


def test_what_torch_saved_in_its_old_way_is_refused(net, place):
    torch.save(net.state_dict(), "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UnsafeError, match="not opened"):
        load_weights(net, "old.pt")


def test_a_pickle_in_an_archive_never_runs(net, repack):
    with pytest.raises(UnsafeError, match="more than tensors"):
        load_weights(net, repack("bomb.pt", index(lambda _: bomb())))
    with pytest.raises(UnsafeError, match="more than tensors"):
        load_weights(net, repack("bomb4.pt", index(lambda _: bomb(4))))


def test_a_whole_module_is_refused_by_the_name_of_its_class(net, place):
    torch.save(net, "module.pt")
    with pytest.raises(UnsafeError, match=r"torch.nn.modules.linear.Linear"):
        load_weights(net, "module.pt")
    torch.save({"weight": Bomb()}, "inside.pt")
    with pytest.raises(UnsafeError, match="more than tensors"):
        load_weights(net, "inside.pt")


def test_what_could_take_memory_is_not_built(net, repack):
    # bytearray(2**40), which torch's own list allows.
    take = b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x01\x85R."
    with pytest.raises(UnsafeError, match=r"builtins.bytearray"):
        load_weights(net, repack("memory.pt", index(lambda _: take)))


def test_torchscript_is_refused_as_a_program(net, place):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls it deprecated
        torch.jit.save(torch.jit.script(net), "script.pt")
    with pytest.raises(UnsafeError, match="TorchScript, which is a program"):
        load_weights(net, "script.pt")


@pytest.mark.slow
def test_an_export_is_refused_under_any_name(net, place):
    program = torch.export.export(net, (torch.zeros(1, 3),))
    for name in ("e.pt2", "e.pt"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects .pt2
            torch.export.save(program, name)
        with pytest.raises(UnsafeError, match=r"torch\.export|a pickle"):
            load_weights(net, name)
    with pytest.raises(UnsafeError, match=r"torch\.export, whose loader unpickles"):
        load_weights(net, "e.pt")


@pytest.mark.parametrize("part", ["good/code/net.py", "good/constants.pkl", "good/models/model.json", "good/notes.txt",
                                  "other/data/0", "good/data/0/1", "../up"])  # fmt: skip
def test_an_archive_with_a_strange_part_is_refused(net, repack, part):
    with pytest.raises(UnsafeError, match="not opened"):
        load_weights(net, repack("strange.pt", extra={part: b"x"}))


def test_a_zip_bomb_is_refused_by_its_list_of_contents(net, repack):
    huge = bytes(50_000_000)
    path = repack("zip.pt", lambda part, old: huge if part.endswith("data/0") else old, packing=ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="would unpack to 50,0"):
        load_weights(net, path)


def test_a_packed_archive_is_refused_however_small(net, repack):
    with pytest.raises(DataError, match=r"^packed\.pt is packed"):
        load_weights(net, repack("packed.pt", packing=ZIP_DEFLATED))


def test_a_part_that_is_there_twice_is_refused(net, repack):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = repack("twice.pt", extra={"good/data/0": bytes(24)})
    with pytest.raises(DataError, match="a part twice"):
        load_weights(net, path)


def test_sizes_that_the_archive_does_not_hold_are_refused(net, repack):
    # 6 numbers of weight, declared as 2**50 of them.
    grown = repack("grown.pt", swap(b"K\x06t", b"\x8a\x07\x00\x00\x00\x00\x00\x00\x04t"))
    with pytest.raises(DataError, match="not a whole file"):
        load_weights(net, grown)
    # The first number of weight, seen at 2**35 x 3 places.
    spread = swap(b"K\x02K\x03\x86q\x09K\x03K\x01\x86", b"\x8a\x05\x00\x00\x00\x00\x08K\x03\x86q\x09K\x00K\x00\x86")
    with pytest.raises(DataError, match=r"declares weight as .34359738368, 3. and holds fewer"):
        load_weights(net, repack("spread.pt", spread))


def test_a_truncated_archive_is_refused(net, saved):
    whole = saved.read_bytes()
    for size in (3, 100, len(whole) // 2, len(whole) - 1):
        (saved.parent / "cut.pt").write_bytes(whole[:size])
        with pytest.raises(DataError, match="copy it again"):
            load_weights(net, saved.parent / "cut.pt")


@pytest.mark.parametrize("content", [{}, {"weight": 3}, [1, 2]])
def test_a_file_without_a_state_dict_is_refused(net, place, content):
    torch.save(content, "odd.pt")
    with pytest.raises(DataError, match="expected a state dict"):
        load_weights(net, "odd.pt")


def test_a_missing_file_is_refused_in_a_sentence(net, place):
    with pytest.raises(DataError, match="No such file"):
        load_weights(net, "none.pt")
