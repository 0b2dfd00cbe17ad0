"""What is built to be installed: a wheel with all that it needs, and with nothing that may not be passed on."""

import email
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from probe_models.datasets import READERS
from probe_models.zoo import FOLDER

from probe.extras import EXTRAS, NEEDED
from probe.version import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SHOWN = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "notebooks").glob("*.ipynb"),
    *(path for part in ("probe", "models", "dashboards") for path in (ROOT / part).rglob("*.py")),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ZipFile(folder / done.stdout.split()[-1])


@pytest.fixture(scope="module")
def inside(wheel):
    return set(wheel.namelist())


@pytest.mark.slow
def test_the_wheel_has_what_an_installed_probe_needs(inside):
    assert {f"{package}/py.typed" for package in ("probe", "probe_models", "probe_dashboards")} <= inside
    assert {"probe/report/templates/report.html", "probe_dashboards/style.css"} <= inside
    trained = {path.parent.name for path in FOLDER.glob("*/card.json")}
    assert len(trained) > 20
    for name in trained:
        assert {f"probe_models/zoo/{name}/{file}" for file in ("card.json", "model.safetensors")} <= inside


@pytest.mark.slow
def test_the_wheel_has_every_data_set_but_the_one_without_a_licence(inside):
    bundled = {path.name for path in (ROOT / "models/probe_models/datasets/data").iterdir()}
    wheeled = {Path(name).name for name in inside if name.startswith("probe_models/datasets/data/")}
    assert bundled - wheeled == {"compas.csv.gz"}


@pytest.mark.slow
def test_the_wheel_is_small_and_has_only_names_of_its_own(wheel, inside):
    assert sum(entry.compress_size for entry in wheel.infolist()) < 25e6
    tops = {name.split("/")[0] for name in inside}
    assert tops == {"probe", "probe_models", "probe_dashboards", f"probe_toolkit-{__version__}.dist-info"}


@pytest.mark.slow
def test_the_wheel_says_whose_it_is_and_under_which_licences(wheel, inside):
    told = email.message_from_bytes(wheel.read(f"probe_toolkit-{__version__}.dist-info/METADATA"))
    assert told["Version"] == __version__
    assert told["License-Expression"] == "Apache-2.0 AND CC-BY-4.0 AND MIT"
    assert told["Author"]
    assert len(told.get_all("Project-URL")) > 5
    assert {f"probe_toolkit-{__version__}.dist-info/licenses/{name}" for name in told.get_all("License-File")} <= inside


def test_the_licence_of_each_bundled_file_is_beside_it():
    folder = ROOT / "models/probe_models/datasets/data"
    said = (folder / "README.md").read_text(encoding="utf-8")
    for path in folder.iterdir():
        assert path.name == "README.md" or f"| {path.name} |" in said
    chapters = said.split("\n## ")[1:]
    assert len(chapters) == 6
    assert [chapter.split("\n")[0] for chapter in chapters if not re.search("licence|license", chapter, re.I)] == []
    assert [chapter.split("\n")[0] for chapter in chapters if "states no licence" in chapter] == ["COMPAS"]
    assert {"adult", "compas", "german", "digits", "reviews", "fashion-mnist"} <= set(READERS)


def test_the_version_is_written_in_one_place_and_cited():
    assert "version" not in PROJECT
    (cited,) = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_what_is_needed_is_what_the_package_declares():
    assert list(NEEDED.values()) == PROJECT["dependencies"]
    said = {name: list(extra.packages.values()) for name, extra in EXTRAS.items()}
    tools = {"dev", "docs"}
    assert said == {name: found for name, found in PROJECT["optional-dependencies"].items() if name not in tools}


def test_nobody_is_told_to_install_a_name_that_is_not_published():
    told = re.compile(r"install[^\n]{0,80}\bprobe-toolkit\b(?!_)")
    assert [str(path) for path in SHOWN if told.search(path.read_text(encoding="utf-8"))] == []
    assert told.search('pip install -U "probe-toolkit[hub]"')
