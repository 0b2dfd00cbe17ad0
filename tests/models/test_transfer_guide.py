"""What the guide to training says of transfer holds for its example as printed."""

import re
from pathlib import Path

import pytest

from probe import zoo

GUIDE = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_example_of_transfer_reaches_the_figure_beside_it(monkeypatch):
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "zoo.adapt(" in block]
    (after, before) = map(float, re.findall(r"reach an accuracy of (\.\d+) from `fashion-cnn` and (\.\d+)", GUIDE)[0])
    adapt, test, found = zoo.adapt, zoo.data("digits"), []
    for seed in range(5):
        monkeypatch.setattr(zoo, "adapt", lambda *given, seed=seed, **named: adapt(*given, seed=seed, **named))
        names = {"zoo": zoo}
        exec(code, names)  # our own guide
        found.append((names["model"].predict(test.inputs) == test.labels).double().mean().item())
    assert sum(found) / len(found) == pytest.approx(after, abs=0.015)
    assert min(found) > before
