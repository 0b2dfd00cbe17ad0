"""Pages of what the lab keeps."""

import pytest

from probe import report
from probe.report import blocks
from tests.cli.conftest import drawn, page_of, unwritten

__all__ = ["drawn"]


@pytest.fixture(scope="package", autouse=True)
def _pages_not_drawn():
    """Have what is kept get a digest of its files as its page, but in tests that ask for `drawn`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "to_svg", unwritten)
        patch.setattr(report, "render", page_of)
        yield
