"""How long the two audits of `make audit` take, each in a process of its own, and how much memory: to JSON.

Run it on a quiet machine: python benchmarks/audit.py
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

NAMES = ("adult-mlp", "fashion-cnn")
RESULT = Path(__file__).parent / "results" / "audit.json"


def measure(folder: str) -> dict[str, object]:
    """Seconds and peak memory of `probe audit` over both networks, and the seconds of each step."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "probe.cli", "audit", *NAMES, "--out", folder], stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise SystemExit(f"the audit ended with {done.returncode}")
    steps = {
        name: {s["name"]: s["seconds"] for s in json.loads((Path(folder) / name / "audit.json").read_text())["steps"]}
        for name in NAMES
    }
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "seconds": round(seconds, 1),
        "peak_memory_mib": round(peak),
        "steps": steps,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = measure(folder)
    result |= {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": version("torch"),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
