"""How little a command loads that needs no method."""

import subprocess
import sys

ASKED = "import sys; sys.argv = ['probe', 'dashboard', '--help']; from probe.cli import main\n"
ASKED += "try:\n    main()\nfinally:\n    print(*(name for name in sys.modules if name.startswith('probe')))"


def test_the_viewer_begins_without_the_other_commands_and_the_catalogue_of_methods():
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert "--live" in done.stdout
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "probe.cli.dashboard" in loaded
    assert not loaded & {"probe.cli.commands", "probe.cli.asking", "probe.registry", "probe.catalogue"}
