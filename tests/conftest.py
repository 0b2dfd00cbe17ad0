import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.checking import begin_test

# torch is loaded with the first tests: the process that only gives others their work starts two seconds sooner.
if TYPE_CHECKING:
    import torch

    from probe import Model


@pytest.fixture(autouse=True)
def _same_networks_each_time() -> None:
    """`nn.Linear(2, 2)` in a test is drawn from torch's own generator: the same in every order and on every worker."""
    import torch

    torch.default_generator.manual_seed(0)  # `torch.manual_seed` keeps a stack trace for each kind of device


@pytest.fixture(autouse=True, scope="session")
def _files_need_not_survive_a_power_failure() -> Iterator[None]:
    """Nobody waits for the disk, as an audit does at each of its steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def pytest_configure() -> None:
    gc.disable()  # until all modules are there


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The slow part of the tests loads the files that have slow ones."""
    if config.option.markexpr == "slow" and collection_path.suffix == ".py":
        return "slow" not in collection_path.read_text().lower() or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a browser comes first: so one process has it, with one browser and one viewer."""
    items.sort(key=lambda item: "browser" not in getattr(item, "fixturenames", ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    begin_test(item.nodeid.partition("[")[0])


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()  # modules and tests stay to the end, so that nobody looks through them again and again


@pytest.fixture(scope="session")
def once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Have a folder filled that tests only read: by this process or another of the run, whichever comes first."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if hasattr(request.config, "workerinput") else base) / "once"

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_name(f"{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.with_name(f"{place.name}.made").exists():
                shutil.rmtree(place, ignore_errors=True)  # of one that failed
                make(place)
                place.with_name(f"{place.name}.made").touch()
        return place

    return folder


@pytest.fixture(scope="session")
def linear() -> "Model":
    """Logits are W x: every gradient is known by hand."""
    import torch

    from probe import Model, Space

    weight = torch.randn(3, 12, generator=torch.Generator().manual_seed(0))
    return Model(
        forward=lambda x: x.flatten(1) @ weight.T,
        space=Space(bounds=(0.0, 1.0), reference=torch.zeros(1, 3, 2, 2)),
        classes=("a", "b", "c"),
    )


@pytest.fixture
def inputs() -> "torch.Tensor":
    import torch

    return torch.rand(5, 3, 2, 2, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> "torch.Tensor":
    import torch

    return torch.tensor([0, 1, 2, 0, 1])
