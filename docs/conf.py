"""Sphinx: `make docs` writes the reference from the methods, then builds these pages without a warning."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "models"), str(ROOT / "dashboards")]

from probe.version import __version__  # noqa: E402  the path comes first

project = "probe"
author = copyright = "The maintainers of probe"
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["pictures"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "Explain, attack and audit trained neural networks.", "page_width": "1100px"}
html_show_copyright = False
html_copy_source = False


def setup(app):  # noqa: ANN001, ANN201  Sphinx is not installed where types are checked
    """Links to files above this folder lead to the pages that include them."""

    def inside(_app, _page, source):  # noqa: ANN001, ANN202  as above
        for file, page in (("ARCHITECTURE", "architecture"), ("SECURITY", "security")):
            source[0] = source[0].replace(f"](../{file}.md)", f"]({page}.md)")

    app.connect("source-read", inside)
