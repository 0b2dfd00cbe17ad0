"""What README and notebooks show is run as it stands."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    import probe

    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    given = {
        "probe": probe,
        "net": nn.Linear(3, 2).eval(),
        "rows": torch.zeros(1, 3),
        "forest": RandomForestClassifier(5, random_state=0).fit(generator.random((20, 3)), np.arange(20) % 2),
        "ask": lambda rows: np.full((len(rows), 2), 0.5),
        "labels": generator.integers(2, size=200),
        "predictions": generator.integers(2, size=200),
        "groups": __import__("pandas").DataFrame({"sex": ["F", "M"] * 100}),
    }
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, "README.md", "exec"), given)
    assert (tmp_path / "maps.npz").exists()
    assert (tmp_path / "runs/mine/report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_is_kept_without_output(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    names: dict = {}
    for cell in cells:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        exec(compile("".join(cell["source"]), path.name, "exec"), names)
    assert cells


def test_the_folder_of_notebooks_is_not_empty():
    assert NOTEBOOKS
