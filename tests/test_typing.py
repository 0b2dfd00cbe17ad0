"""What a type checker says of code that uses probe: the README passes, and mistakes in settings are found."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents import PAGES, ROOT, blocks

# What the README's examples speak of without making it.
GIVEN = """
# mypy: warn-return-any
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

import probe

rows: torch.Tensor
net: torch.nn.Module
forest: Any
ask: Callable[..., Any]
labels: np.ndarray[Any, Any]
predictions: np.ndarray[Any, Any]
groups: pd.DataFrame
"""
SETTINGS = """
from dataclasses import dataclass
from typing import Literal, assert_type

from probe import Explainer, Method, sweep
from probe.attacks import FGSM, PGD
from probe.explainers import KernelShap, Lime
from probe.method import param, required
from probe.numbers import Number


@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    layer: str = required("where")
    width: Number = param("1/2", "how wide")
    most: int | None = param(None, "how many")
    inner: Explainer = param(Lime(), "what is run")
    kind: Literal["a", "b"] = param("a", "which")


attack = PGD(eps="8/255", steps=3, norm="l2", step=1)
assert_type(attack, PGD)
assert_type(attack.steps, int)
assert_type(attack.norm, Literal["linf", "l2", "l1"])
radius: float = attack.eps * 2 + FGSM(eps=0.1).eps
assert_type(sweep(attack, steps=[1, 2]), list[PGD])
mine = Mine(layer="blocks.2", width="3/4", inner=KernelShap(seed=1))
assert_type(mine.width, float)
assert_type(mine.most, int | None)
assert_type(mine.inner, Explainer)

PGD(stepz=3)  # wrong: Unexpected keyword argument "stepz" for "PGD"; did you mean "step" or "steps"?
PGD(0.1)  # wrong: Too many positional arguments for "PGD"
PGD(norm="l3")  # wrong: Argument "norm" to "PGD" has incompatible type
PGD(steps="many")  # wrong: Argument "steps" to "PGD" has incompatible type "str"; expected "int"
attack.steps = 3  # wrong: Property "steps" defined in "PGD" is read-only
Mine()  # wrong: Missing named argument "layer" for "Mine"
Mine(layer="", inner=attack)  # wrong: Argument "inner" to "Mine" has incompatible type "PGD"; expected "Explainer"
"""


def check(folder: Path) -> None:
    """Write both, and what mypy says of them."""
    folder.mkdir()
    for page in PAGES:
        (folder / f"{Path(page).stem.replace('-', '_')}.py").write_text(
            GIVEN + "\n".join(blocks(page)), encoding="utf-8"
        )
    (folder / "settings.py").write_text(SETTINGS, encoding="utf-8")
    files = sorted(folder.glob("*.py"))
    # As strict as the configuration is, so that what mypy knows of the packages still holds.
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--no-pretty", *files],
        cwd=ROOT, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr
    (folder / "said").write_text(ran.stdout, encoding="utf-8")


@pytest.fixture(scope="module")
def said(once: Callable[..., Path]) -> dict[str, list[tuple[int, str]]]:
    """What mypy says, by file: line and message."""
    folder = once("typed", check)
    found: dict[str, list[tuple[int, str]]] = {file.name: [] for file in folder.glob("*.py")}
    text = (folder / "said").read_text(encoding="utf-8")
    for file, line, message in re.findall(r"^([^:\n]+):(\d+): error: (.*)$", text, flags=re.MULTILINE):
        found.setdefault(Path(file).name, []).append((int(line), message))
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_python_of_the_readme_and_of_the_documentation_passes_the_type_checker(said):
    assert {file: found for file, found in said.items() if file != "settings.py" and found} == {}
    assert "README.py" in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_type_checker_knows_every_setting_and_refuses_unknown_ones(said):
    wrong = {at: line.split("# wrong: ")[1] for at, line in enumerate(SETTINGS.splitlines(), 1) if "# wrong: " in line}
    assert {at for at, _ in said["settings.py"]} == set(wrong)
    for at, expected in wrong.items():
        assert any(message.startswith(expected) for line, message in said["settings.py"] if line == at), expected
