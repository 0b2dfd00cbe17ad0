import os
from pathlib import Path

import pytest
import torch

from tests.accelerator import NoCompiler, compiled, started


def available(cache: Path) -> Path:
    """The library, or the test's end: skipped, and failed where CI is set."""
    try:
        return compiled(cache)
    except NoCompiler as error:
        if os.environ.get("CI"):
            pytest.fail(f"the tests of devices would be left out: {error}")
        pytest.skip(f"no pretend accelerator: {error}")


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    # Outside of the tree, so that it is compiled once for all copies of it.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "probe-tests"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        cache = tmp_path_factory.mktemp("accelerator")
    return available(cache)


@pytest.fixture
def device(library):
    place = started(library)
    # torch begins its threads for the devices that it knows then, which may have been before this one was there.
    with torch.autograd.set_multithreading_enabled(False):
        yield place
