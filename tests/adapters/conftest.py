"""Files of other people, made in the test: weights as torch.save packs them, changed in one place."""

import pickle
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
import torch
from torch import nn


class Bomb:
    """Whoever unpickles it leaves a file behind."""

    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.fixture
def net():
    return nn.Linear(3, 2)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder that the test runs in; a bomb that goes off leaves its mark there."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "exploded").exists()


@pytest.fixture
def saved(net, place) -> Path:
    """A state dict as torch.save writes it."""
    torch.save(net.state_dict(), place / "good.pt")
    return place / "good.pt"


@pytest.fixture
def repack(saved) -> Callable[..., Path]:
    """The same archive with parts changed: `change` gets a part's name and bytes; `extra` is put beside them."""

    def make(name: str, change=lambda part, content: content, extra=None, packing: int = ZIP_STORED) -> Path:
        path = saved.parent / name
        with ZipFile(saved) as old, ZipFile(path, "w", packing) as new:
            for part in old.namelist():
                new.writestr(part, change(part, old.read(part)))
            for part, content in (extra or {}).items():
                new.writestr(part, content)
        return path

    return make


def bomb(protocol: int = 2) -> bytes:
    return pickle.dumps(Bomb(), protocol=protocol)
