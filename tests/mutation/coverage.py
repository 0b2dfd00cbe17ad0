"""Which tests run which lines of the modules under test, so that a mutant meets only the tests that can see it."""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest


class Lines:
    """A plugin of pytest: the lines of `files` that each test runs, its fixtures' lines for its whole file."""

    def __init__(self, root: Path, files: list[str]) -> None:
        self.files = {str(root / file): file for file in files}
        self.current = "import"
        self.hits: dict[str, set[str]] = defaultdict(set)  # "file:line" -> tests, files of tests, or "import"
        self.seconds: dict[str, float] = {}

    def trace(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if self._file(frame.f_code) else None

    def _file(self, code: CodeType) -> str | None:
        return self.files.get(code.co_filename)

    def _line(self, frame: FrameType, _event: str, _arg: object) -> Any:
        self.hits[f"{self._file(frame.f_code)}:{frame.f_lineno}"].add(self.current)
        return self._line

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.current = item.nodeid.split("::")[0]
        sys.settrace(self.trace)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self.current = item.nodeid
        sys.settrace(self.trace)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        sys.settrace(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.seconds[report.nodeid] = float("inf")  # red before anything was changed: it shows nothing


def record(root: Path, files: list[str], tests: list[str], kept: Path) -> int:
    """Run the tests once and write what they ran to `kept`."""
    lines = Lines(root, files)
    code = pytest.main(["-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", *tests], plugins=[lines])
    kept.write_text(
        json.dumps({"hits": {key: sorted(tests) for key, tests in lines.hits.items()}, "seconds": lines.seconds})
    )
    return int(code)


def select(recorded: dict[str, Any], module: str, first: int, last: int, budget: float) -> list[str]:
    """The tests that run these lines, the fastest first, until they take `budget` seconds."""
    seconds: dict[str, float] = recorded["seconds"]
    contexts = {test for line in range(first, last + 1) for test in recorded["hits"].get(f"{module}:{line}", ())}
    if not contexts:  # run at import only: whoever runs any line of the module
        own = (tests for line, tests in recorded["hits"].items() if line.startswith(f"{module}:"))
        contexts = {test for tests in own for test in tests}
    files = {context for context in contexts if "::" not in context}
    found = [test for test in seconds if test in contexts or test.split("::")[0] in files]
    chosen: list[str] = []
    spent = 0.0
    for test in sorted(found, key=lambda test: seconds[test]):
        if chosen and spent + seconds[test] > budget:
            break
        chosen.append(test)
        spent += seconds[test]
    return [test for test in chosen if seconds[test] < float("inf")]
