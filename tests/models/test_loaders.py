"""`fit` reads rows when they are needed: from an array on disk, a folder of images, or torch's DataLoader."""

import os
import signal
import tracemalloc
from dataclasses import replace
from multiprocessing import active_children, parent_process

import numpy as np
import pytest
import torch
from probe_models.networks import build
from probe_models.training import loaders
from probe_models.training.loaders import Ahead, Examples, Stored
from probe_models.training.loop import fit
from probe_models.training.settings import Balance, Settings
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as Numbered

from probe import Dataset
from probe.errors import DataError, PlanError, ProbeError
from probe.images import files_in, from_folder
from tests.models.test_survival import CPU, SETTINGS, quiet, rows, same, small, weights

ONE = Settings(epochs=1)
BALANCED = replace(ONE, balance=Balance(method="reweight", groups=("a",)))


@pytest.fixture
def stored(tmp_path):
    """The rows of `rows()`, in a file."""
    data = rows()
    np.save(tmp_path / "inputs.npy", data.inputs.numpy())
    return Stored(np.load(tmp_path / "inputs.npy", mmap_mode="r"), data.labels, classes=data.classes, name="rows")


def trained(data, settings=SETTINGS, **others):
    network = small()
    found = fit(network, data, settings, device=CPU, progress=quiet, **others)
    return weights(network), found


@pytest.mark.slow
def test_rows_read_by_a_loader_train_as_rows_in_memory_bit_for_bit(stored, one_thread):
    in_memory, read = trained(rows()), trained(stored)
    assert same(in_memory[0], read[0])
    assert [line["loss"] for line in in_memory[1].lines] == [line["loss"] for line in read[1].lines]
    assert read[1].rows == 180


@pytest.mark.slow
def test_the_seed_decides_the_order_of_rows_that_are_read(stored, one_thread):
    one, again, other = (trained(stored, seed=seed)[0] for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


class Ends:
    """A loader that is interrupted at a read."""

    def __init__(self, of, at):
        self.of, self.left = of, at

    def __len__(self):
        return len(self.of)

    def __getitem__(self, rows):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self.of[rows]


@pytest.mark.slow
@pytest.mark.parametrize("at", [6, 17])  # in the first epoch and in the second
def test_a_run_over_a_loader_is_resumed_with_the_same_bits(stored, tmp_path, one_thread, at):
    with pytest.raises(KeyboardInterrupt):
        trained(Ends(stored, at), folder=tmp_path / "run", save_every=0)
    said = []
    network = small()
    fit(network, Ends(stored, 0), SETTINGS, device=CPU, progress=said.append, folder=tmp_path / "run", save_every=0)
    assert said[0].startswith("continuing in epoch")
    assert same(weights(network), trained(stored)[0])


@pytest.mark.slow
def test_data_larger_than_what_is_held_is_never_in_memory_at_once(tmp_path, monkeypatch):
    count, side = 10_000, 28
    inputs = np.lib.format.open_memmap(tmp_path / "inputs.npy", "w+", np.float32, (count, 1, side, side))
    labels = np.arange(count) % 2
    for start in range(0, count, 1000):
        inputs[start : start + 1000] = labels[start : start + 1000, None, None, None] * 0.5
    inputs.flush()
    size = inputs.nbytes
    del inputs
    monkeypatch.setattr(loaders, "HELD", 2**21)
    on_disk = np.load(tmp_path / "inputs.npy", mmap_mode="r")
    data = Stored(on_disk, torch.from_numpy(labels), classes=("dark", "bright"))
    network = build("image-mlp", {"side": side, "widths": [4], "classes": 2})
    some = Stored(on_disk[:40], torch.from_numpy(labels[:40]), classes=data.classes)
    fit(network, some, ONE, device=CPU, progress=quiet)  # what torch imports at its first step is not the data's
    network = build("image-mlp", {"side": side, "widths": [4], "classes": 2})
    tracemalloc.start()
    try:
        found = fit(network, data, Settings(epochs=1, batch_size=500, learning_rate=1e-2), device=CPU, progress=quiet)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 30e6
    assert peak < size / 4
    assert (found.validation_rows, found.rows) == (668, 9332)  # as many as 2 MiB have
    assert found.best.accuracy == 1.0


def test_images_of_a_folder_are_read_when_they_are_asked_for(tmp_path):
    from PIL import Image

    for label, name in enumerate(("dark", "bright")):
        (tmp_path / name).mkdir()
        for number in range(12):
            pixels = np.full((8, 8), 40 + 120 * label + number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number:02}.png")
    files, whole = files_in(tmp_path, channels=1), from_folder(tmp_path, channels=1)
    assert len(files) == len(whole) == 24
    some = torch.tensor([20, 3, 3])
    assert torch.equal(files[some].inputs, whole.inputs[some])
    assert torch.equal(files[some].labels, whole.labels[some])
    read, in_memory = (trained(data, Settings(epochs=2, batch_size=8))[0] for data in (files, whole))
    assert same(read, in_memory)


class Noisy(Numbered):
    """Examples that draw from global random states when they are read."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, row):
        return 0.5 * self.data.inputs[row] + 0.2 * torch.rand(()) + 0.2 * np.random.rand(), self.data.labels[row]  # noqa: NPY002  # as people do


@pytest.mark.slow
def test_the_number_of_reading_processes_does_not_change_the_bits(stored, one_thread):
    settings, global_state = Settings(epochs=2, batch_size=20), torch.get_rng_state()
    for one, other in (
        (stored, Ahead(stored, workers=2)),
        (DataLoader(Noisy(rows())), DataLoader(Noisy(rows()), num_workers=2)),
    ):
        assert same(trained(one, settings)[0], trained(other, settings)[0])
    assert torch.equal(torch.get_rng_state(), global_state)
    assert not active_children()


class Stops:
    """A loader whose rows of a step cannot be read, or whose process ends."""

    def __init__(self, of, end):
        self.of, self.end, self.workers = of, end, 1

    def __len__(self):
        return len(self.of)

    def __getitem__(self, rows):
        if parent_process() is not None:
            self.end()
        return self.of[rows]


def damaged():
    raise DataError("photos/3.png cannot be read as an image")


@pytest.mark.parametrize(("end", "message"), [
    (damaged, r"^photos/3\.png cannot be read as an image$"),
    (lambda: os.kill(os.getpid(), signal.SIGKILL), "a worker process ended .*; the same call continues"),
])  # fmt: skip
def test_an_error_in_a_reading_process_is_one_sentence_and_leaves_no_process(stored, end, message):
    with pytest.raises(ProbeError, match=message):
        trained(Stops(stored, end), ONE)
    assert not active_children()


def test_an_interruption_while_rows_are_read_ahead_ends_the_processes(stored):
    def interrupt(outputs, labels):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(Ahead(stored, workers=2), ONE, objective=interrupt)
    assert not active_children()


@pytest.mark.parametrize("workers", [-1, 2.0, 10**6, "2"])
def test_an_invalid_number_of_reading_processes_is_refused(stored, workers):
    with pytest.raises(PlanError, match="expected processes from 0 to 256"):
        Ahead(stored, workers=workers)


def test_a_dataloader_of_torchs_gives_its_examples_and_the_seed_their_order(one_thread):
    data = rows()
    loader = DataLoader(TensorDataset(data.inputs, data.labels), batch_size=3, shuffle=True)
    plain = Dataset(data.inputs, data.labels, name="data")
    settings = Settings(epochs=2, batch_size=20)
    assert same(trained(loader, settings)[0], trained(plain, settings)[0])
    assert Examples(loader, classes=data.classes)[torch.tensor([4, 1])].classes == ("dark", "bright")


class Endless(IterableDataset):
    def __iter__(self):
        yield from ()


@pytest.mark.parametrize(("data", "settings", "message"), [
    (lambda: iter([1, 2]), ONE, "expected|whose order a seed cannot set"),
    (lambda: DataLoader(Endless()), ONE, "has its own order, which a seed cannot set"),
    (lambda: DataLoader([1.0, 2.0]), ONE, r"expected pairs: \(inputs, label\)"),
    (lambda: [1, 2, 3], ONE, "gives the rows that it is asked for as a probe.Dataset"),
    (lambda: Stored(np.zeros((0, 4)), torch.zeros(0)), ONE, "rows"),
    (lambda: Stored(np.zeros((2, 4)), torch.zeros(3)), ONE, "2 inputs and 3 labels"),
    (lambda: Stored(np.zeros((3, 4), np.float32), torch.zeros(3).long()), ONE, "too few to keep"),
    (lambda: Stored(np.zeros((30, 4), np.float32), torch.zeros(30).long()), BALANCED, "Settings.balance"),
])  # fmt: skip
def test_unusable_training_data_are_refused_in_a_sentence(data, settings, message):
    with pytest.raises(ProbeError, match=message):
        fit(torch.nn.Linear(4, 2), data(), settings, device=CPU, progress=quiet, initialise=True)
