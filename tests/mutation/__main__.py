"""Do the tests bite? A seeded sample of small errors in the modules that decide numbers, and which tests see them.

    python -m tests.mutation --count 300 --seed 0 --out mutants.json

Each error stands in a copy of the tree, in a process of its own; the tests that run its lines run against it, the
fastest first, and the first one that fails has killed it. Survivors are printed with their lines.
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutation.coverage import record, select
from tests.mutation.operators import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "probe/statistics.py",
    "probe/reductions.py",
    "probe/finding.py",
    "probe/contracts/*.py",
    "probe/bias/*.py",
    "probe/attacks/ascent.py",
    "probe/attacks/gradient.py",
    "probe/explainers/shapley.py",
)
# Audits of whole networks see much and take long; these see what they would.
TESTS = (
    "test_[!di]*.py", "bias", "attacks", "explainers", "metrics", "certificates", "surveys",
    "audit/test_assess.py", "audit/test_readings.py", "audit/test_proofs.py", "audit/test_statuses.py",
)  # fmt: skip
# Loaded once, before any copy is made: what a test needs and no mutant stands in.
HEAVY = ("torch", "numpy", "scipy.stats", "pandas", "sklearn.ensemble", "sklearn.linear_model", "captum.attr",
         "shap", "lime.lime_tabular", "fairlearn.metrics", "matplotlib.figure")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Which small errors do the tests see?")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of tests for each error")
    parser.add_argument("--only", default="", help="modules whose path holds this")
    parser.add_argument("--recorded", type=Path, help="what an earlier run recorded of the tests")
    parser.add_argument("--out", type=Path, default=Path("mutants.json"))
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    files = sorted(str(path.relative_to(ROOT)) for pattern in MODULES for path in ROOT.glob(pattern))
    sample = _sample([file for file in files if asked.only in file], asked.count, asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        recorded = asked.recorded or Path(folder, "recorded.json")
        if not recorded.exists():
            copy = _copy(Path(folder, "tests"))
            code = _in_child(copy, lambda: record(copy, files, _tests(copy), recorded), limit=7200)
            print(f"the tests without an error in the code: exit {code}, {_said(copy)}", flush=True)
            if not recorded.exists():
                raise SystemExit((copy / "pytest.log").read_text())
        results = _judge(sample, json.loads(recorded.read_text()), Path(folder), asked)
    _report(results, asked)


def _sample(files: list[str], count: int, seed: int) -> list[Mutant]:
    every = [mutant for file in files for mutant in mutants(file, (ROOT / file).read_text())]
    chosen = random.Random(seed).sample(every, min(count, len(every)))
    print(f"{len(chosen)} of {len(every)} errors in {len(files)} modules, seed {seed}", flush=True)
    return chosen


def _tests(copy: Path) -> list[str]:
    paths = [path for pattern in TESTS for path in sorted((copy / "tests").glob(pattern))]
    return [str(path.relative_to(copy)) for path in paths if path.is_dir() or path.name.startswith("test_")]


def _copy(target: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def _judge(
    sample: list[Mutant], recorded: dict[str, Any], folder: Path, asked: argparse.Namespace
) -> list[dict[str, Any]]:
    """Share the errors out; each worker has its own copy of the tree and writes a line for each error."""
    started, workers = time.monotonic(), []
    for job in range(asked.jobs):
        copy, lines = _copy(folder / f"job{job}"), folder / f"job{job}.jsonl"
        worker = os.fork()
        if worker == 0:
            with lines.open("w") as file:
                for mutant in sample[job :: asked.jobs]:
                    found = _try(mutant, copy, select(recorded, mutant.module, mutant.line, mutant.last, asked.budget))
                    file.write(json.dumps(found) + "\n")
                    file.flush()
                    print(f"{time.monotonic() - started:6.0f} s  {found['end']:9} {found['where']}", flush=True)
            os._exit(0)
        workers.append(worker)
    for worker in workers:
        os.waitpid(worker, 0)
    paths = (folder / f"job{job}.jsonl" for job in range(asked.jobs))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def _try(mutant: Mutant, copy: Path, tests: list[str]) -> dict[str, Any]:
    file = copy / mutant.module
    found = {
        "where": f"{mutant.module}:{mutant.line}",
        "before": mutant.before,
        "after": mutant.after,
        "tests": len(tests),
    }
    if not tests:
        return found | {"end": "untested"}
    original = file.read_text()
    file.write_text(mutant.text)
    try:
        code = _in_child(copy, lambda: _pytest(tests), limit=600)
    finally:
        file.write_text(original)
    end = {0: "survived", None: "killed"}.get(code, "killed")
    return found | {"end": end, "by": _said(copy) if end == "killed" else ""}


def _pytest(tests: list[str]) -> int:
    import pytest

    # Without the checks of shapes at run time: they double the time, and an error is to be seen by an assertion.
    options = ["-o", "addopts=--strict-markers", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no"]
    return int(pytest.main(["-x", "-q", *options, *tests]))


def _said(copy: Path) -> str:
    lines = [line for line in (copy / "pytest.log").read_text().splitlines() if line.strip()]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return (failed or lines or ["no output: out of time"])[-1][:200]


def _in_child(copy: Path, run: Any, limit: float) -> int | None:
    """The exit code of `run` in a fork of this process that imports from `copy`; None if its time ran out."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(copy)
        # What stands in the paths of the installed project would be imported before the copy.
        sys.path[:] = [str(copy), str(copy / "models"), str(copy / "dashboards")] + [
            p for p in sys.path if not _ours(p)
        ]
        sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
        # pytest rewrites what its plugins are made of, so jaxtyping, which `tests` loads, starts anew too.
        for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "probe", "jaxtyping")]:
            del sys.modules[name]
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:3])
        log = os.open("pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 1
        try:
            code = run()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _ours(path: str) -> bool:
    return (
        path in ("", str(ROOT), str(ROOT / "models"), str(ROOT / "dashboards"))
        or Path(path, "probe", "model.py").exists()
    )


def _report(results: list[dict[str, Any]], asked: argparse.Namespace) -> None:
    ends = Counter(result["end"] for result in results)
    share = ends["killed"] / max(1, len(results))
    asked.out.write_text(json.dumps({"seed": asked.seed, "ends": ends, "mutants": results}, indent=1) + "\n")
    for result in sorted((r for r in results if r["end"] != "killed"), key=lambda r: r["where"]):
        print(f"{result['end']}: {result['where']}\n    - {result['before']}\n    + {result['after']}")
    counts = ", ".join(f"{number} {end}" for end, number in ends.items())
    print(f"killed {share:.0%} of {len(results)}: {counts}")


if __name__ == "__main__":
    main()
