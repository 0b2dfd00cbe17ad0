"""What README, documentation and notebooks show is run as it stands."""

import json
import re
import shlex
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from probe_dashboards.views import methods
from sklearn.ensemble import RandomForestClassifier
from torch import nn
from typer.testing import CliRunner

import probe
from probe import zoo
from probe.cli.commands import app
from probe.report import blocks as blocks_of_reports
from tests.documents import NOTEBOOKS, PAGES, ROOT, blocks


@pytest.fixture(autouse=True)
def _figures_of_reports_not_written(monkeypatch):
    """Those of reports are made, and not laid out and written: half of an audit's time, and tested with the reports."""
    monkeypatch.setattr(blocks_of_reports, "to_svg", lambda ax, **how: f"<svg>{len(ax.get_children())}</svg>")


@pytest.fixture
def small_network(monkeypatch):
    """Pages speak of a network that takes several times as long as this one of the same classes and inputs."""
    load = zoo.load
    monkeypatch.setattr(zoo, "load", lambda name, **how: load(name.replace("fashion-cnn", "fashion-lenet"), **how))


def given():
    """What the examples speak of as the reader's own."""
    generator = np.random.default_rng(0)
    return {
        "probe": probe,
        "net": nn.Linear(3, 2).eval(),
        "rows": torch.zeros(1, 3),
        "forest": RandomForestClassifier(5, random_state=0).fit(generator.random((20, 3)), np.arange(20) % 2),
        "ask": lambda rows: np.full((len(rows), 2), 0.5),
        "labels": generator.integers(2, size=200),
        "predictions": generator.integers(2, size=200),
        "groups": pd.DataFrame({"sex": ["F", "M"] * 100}),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("small_network")
@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = given()
    for block in blocks(page):
        exec(compile(block, page, "exec"), names)
    if page == "README.md":
        assert (tmp_path / "runs/mine/report.html").exists()


@pytest.mark.slow
def test_the_shell_of_the_auditor_in_the_readme_runs(tmp_path, monkeypatch):
    (shell,) = [block for block in blocks("README.md", "sh") if "probe signoff" in block]
    first, *lines = shell.splitlines()
    assert first.startswith("probe audit german-mlp ")
    monkeypatch.chdir(tmp_path)
    # The same audit of fewer rows; that of the command is tested with the command.
    few = {"explain": {"methods": ["input_x_gradient"], "sample": 2}, "attack": {"methods": ["fgsm"], "sample": 20}}
    few |= {"bias": {"groups": ["sex"]}}
    probe.audit(zoo.load("german-mlp"), zoo.data("german"), "runs/german-mlp", **few)
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        if program == "probe":
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, (line, done.output)
        else:
            subprocess.run([program, *arguments], check=True)
    assert "signed by" in CliRunner().invoke(app, ["verify", "runs/german-mlp", "--signers", "key.pub"]).output.lower()
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "card.md").exists()


def test_each_command_of_the_documentation_exists():
    commands = {command.name for command in app.registered_commands}
    for page in ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]:
        said = {
            line.split()[1] for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("probe ")
        }
        assert said <= commands, page
    told = set(re.findall(r"`probe ([a-z]+)", (ROOT / "docs/commands.md").read_text(encoding="utf-8")))
    assert commands <= told


def test_each_link_of_the_pages_leads_to_a_file():
    pages = [page for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if page.parent.name != "reference"]
    assert len(pages) > 15
    for page in pages:
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            generated = page.parent.parent.name == "docs" and link.startswith("../reference/")
            assert "://" in link or generated or (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_comparison_in_the_readme_is_what_its_script_writes():
    from docs import comparison

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert comparison.written(readme) == readme
    assert comparison.table().count("|") > 20
    assert comparison.written(readme.replace("| shap", "| SHAP")) == readme


def test_the_pictures_of_the_readme_are_there_and_small():
    shown = re.findall(r"!\[[^\]]+\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) == 2
    for path in shown:
        assert 10_000 < (ROOT / path).stat().st_size < 200_000


@pytest.mark.slow
def test_the_reference_has_each_method_with_settings_source_and_limits():
    from docs import reference

    page = "\n".join(reference.of_methods())
    titles = {line.removeprefix("### ") for line in page.splitlines() if line.startswith("### ")}
    assert titles == {entry.title for entry in methods.entries().values()}
    assert len(titles) > 30
    pgd = page[page.index("### PGD\n") : page.index("###", page.index("### PGD\n") + 3)]
    for told in ("arXiv:1706.06083", "| steps | ", "**Does not show**", "**Needs**", ">>> "):
        assert told in pgd, told


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_is_kept_without_output(path, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    if not any(".activations(" in line for cell in cells for line in cell["source"]):  # they name layers
        request.getfixturevalue("small_network")
    names: dict = {}
    for cell in cells:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        exec(compile("".join(cell["source"]), path.name, "exec"), names)
    assert cells
    drawn = [each.figure for each in names.values() if isinstance(each, Axes)]
    shown = [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")
    assert all(figure in shown for figure in drawn), "draw on plt.subplots(): of other Axes a notebook shows nothing"


def test_the_folder_of_notebooks_is_not_empty():
    assert NOTEBOOKS
