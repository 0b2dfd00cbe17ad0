import subprocess
import sys

import pytest

from probe.threads import give_way


@pytest.mark.parametrize("chosen", [{"GOMP_SPINCOUNT": "5"}, {"OMP_WAIT_POLICY": "active"}])
def test_threads_wait_passively_unless_the_user_sets_it(monkeypatch, chosen):
    import os

    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    give_way()
    assert os.environ.get("GOMP_SPINCOUNT") == chosen.get("GOMP_SPINCOUNT")
    for name in chosen:
        monkeypatch.delenv(name)
    give_way()
    assert os.environ["GOMP_SPINCOUNT"] == "1000"


LISTING = """
import atexit, os, sys
loaded = lambda: [os.environ["GOMP_SPINCOUNT"], "torch" in sys.modules, "captum" in sys.modules]
heavy = {"importlib.metadata", "email", "numpy", "pandas", "rich", "socket", "tomllib"}
atexit.register(lambda: print(*loaded(), *sorted(heavy & sys.modules.keys()), file=sys.stderr))
from probe.cli import main
sys.argv = ["probe", "methods", "--json"]
main()
"""


@pytest.mark.slow
def test_the_command_line_lists_methods_without_torch_and_says_how_threads_wait_before_it(monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["1000", "False", "False"]
    assert '"kernel_shap"' in done.stdout
