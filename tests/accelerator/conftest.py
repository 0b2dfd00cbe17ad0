import os

import pytest
import torch

from tests.accelerator import NoCompiler, compiled, started


@pytest.fixture(scope="session")
def library(request, tmp_path_factory):
    cache = getattr(request.config, "cache", None)
    try:
        return compiled(cache.mkdir("accelerator") if cache else tmp_path_factory.mktemp("accelerator"))
    except NoCompiler as error:
        if os.environ.get("CI"):
            pytest.fail(f"the tests of devices would be left out: {error}")
        pytest.skip(f"no pretend accelerator: {error}")


@pytest.fixture
def device(library):
    place = started(library)
    # torch begins its threads for the devices that it knows then, which may have been before this one was there.
    with torch.autograd.set_multithreading_enabled(False):
        yield place
