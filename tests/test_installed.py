"""What is installed has names of its own, which nobody's own folders take away."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = "import sys; from probe import zoo; from probe.cli import main; sys.argv = ['probe', 'models', '--json']; main()"


def test_a_users_folders_named_models_or_dashboards_break_nothing(tmp_path):
    for name in ("models", "dashboards", "benchmarks", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('somebody else is at home here')")
    first = {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))}
    run = [sys.executable, "-c", CODE]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=os.environ | first, check=False)
    assert done.returncode == 0, done.stderr
    assert "adult-mlp" in done.stdout


def test_the_wheel_installs_no_generic_package_names():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert [Path(package).name for package in build["packages"]] == ["probe", "probe_models", "probe_dashboards"]
