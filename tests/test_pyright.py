"""What pyright says of code that uses probe: it finds the same mistakes as mypy, and none in the documentation."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.documents import PAGES, ROOT, blocks
from tests.test_typing import GIVEN, SETTINGS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(find_spec("basedpyright") is None, reason="basedpyright is not installed"),
]


def check(folder: Path) -> None:
    """Write the documentation's Python and the settings, and what pyright says of them."""
    folder.mkdir()
    for page in PAGES:
        (folder / f"{Path(page).stem}.py").write_text(GIVEN + "\n".join(blocks(page)), encoding="utf-8")
    (folder / "settings.py").write_text(SETTINGS, encoding="utf-8")
    # What the examples speak of is declared and never assigned.
    wanted = {"typeCheckingMode": "standard", "reportUnboundVariable": False}
    wanted["extraPaths"] = [str(ROOT / part) for part in (".", "models", "dashboards")]
    (folder / "pyrightconfig.json").write_text(json.dumps(wanted), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson", "."]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    (folder / "said.json").write_text(ran.stdout, encoding="utf-8")


@pytest.fixture(scope="module")
def wrong(once: Callable[..., Path]) -> dict[str, set[int]]:
    """The lines with an error, by file."""
    said: dict[str, Any] = json.loads((once("pyright", check) / "said.json").read_text(encoding="utf-8"))
    assert said["summary"]["filesAnalyzed"] == len(PAGES) + 1
    found: dict[str, set[int]] = {}
    for each in said["generalDiagnostics"]:
        if each["severity"] == "error":
            found.setdefault(Path(each["file"]).name, set()).add(each["range"]["start"]["line"] + 1)
    return found


def test_pyright_finds_nothing_wrong_in_the_python_of_the_documentation(wrong):
    assert {file: lines for file, lines in wrong.items() if file != "settings.py"} == {}


def test_pyright_refuses_unknown_settings_and_values(wrong):
    expected = {at for at, line in enumerate(SETTINGS.splitlines(), 1) if "# wrong: " in line}
    assert wrong["settings.py"] == expected
