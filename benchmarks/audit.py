"""How long the two audits of `make audit` take, each in a process of its own, and how much memory: to JSON.

Run it on a quiet machine, by itself or in turn with a checkout of another commit:

    python benchmarks/audit.py
    git worktree add /tmp/old COMMIT && python benchmarks/audit.py /tmp/old
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

NAMES = ("adult-mlp", "fashion-cnn")
HERE = Path(__file__).resolve().parents[1]
RESULT = HERE / "benchmarks" / "results" / "audit.json"
# Run in the child, so that its peak memory is its own.
CODE = """
import resource, sys
from probe.cli import main
try:
    main()
finally:
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"peak {peak:.0f}", file=sys.__stderr__)
"""


def measure(checkout: Path) -> dict[str, object]:
    """Seconds and peak memory of `probe audit` over both networks, and the seconds of each step."""
    paths = os.pathsep.join(str(checkout / part) for part in (".", "models", "dashboards"))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CODE, "audit", *NAMES, "--out", folder],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
            cwd=folder,
        )
        seconds = time.perf_counter() - started
        if done.returncode not in (0, 1):
            raise SystemExit(f"the audit ended with {done.returncode}: {done.stderr}")
        manifests = {name: json.loads((Path(folder) / name / "audit.json").read_text()) for name in NAMES}
    steps = {
        name: {step["name"]: round(step["seconds"], 2) for step in manifest["steps"]}
        for name, manifest in manifests.items()
    }
    peak = int(done.stderr.rsplit("peak ", 1)[1])
    return {"seconds": round(seconds, 1), "peak_memory_mib": peak, "steps": steps}


def commit(checkout: Path) -> str:
    return subprocess.check_output(["git", "-C", checkout, "rev-parse", "--short", "HEAD"], text=True).strip()


def main() -> None:
    result: dict[str, object] = {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": version("torch"),
    }
    sides = {commit(HERE): HERE} | {commit(Path(other)): Path(other).resolve() for other in sys.argv[1:]}
    # Twice, in turn: the first round may have warmed the disk.
    rounds = [{name: measure(checkout) for name, checkout in sides.items()} for _ in range(2 if len(sides) > 1 else 1)]
    result["rounds"] = rounds
    first, *others = sides
    for other in others:
        ratios = [round(one[first]["seconds"] / one[other]["seconds"], 3) for one in rounds]  # type: ignore[operator]
        result[f"seconds beside {other}"] = ratios
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
