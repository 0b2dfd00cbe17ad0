"""The process of the viewer: Streamlit's command line, beside which the app's modules are loaded."""

import sys

from probe.memory import from_one_place
from probe_dashboards import loading
from probe_dashboards.offer import Offer

if __name__ == "__main__":
    from_one_place()
    # Works while this process imports what follows.
    loading.ahead(Offer.read(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else ()).runs)

from streamlit import delta_generator
from streamlit.components.v2 import manifest_scanner
from streamlit.web import cli

if __name__ == "__main__":
    # The pages use no components of other packages, and to look for some reads the metadata of all that is installed.
    if hasattr(manifest_scanner, "scan_component_manifests"):
        manifest_scanner.scan_component_manifests = lambda max_workers=None: []
    # Nor is this an interactive Python, to find which out it reads the source of whatever calls it.
    if hasattr(delta_generator, "_use_warning_has_been_displayed"):
        delta_generator._use_warning_has_been_displayed = True
    loading.begin()
    cli.main(prog_name="streamlit")
