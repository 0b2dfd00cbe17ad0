"""PGD on two threads by itself, twice at once, and beside a busy loop: how threads that wait cost others, to JSON.

Each is measured with GOMP_SPINCOUNT as the command line sets it and without. Run it on a quiet machine:

    python benchmarks/beside.py
"""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "beside.json"
WORK = """
import time, torch
from probe import zoo
from probe.attacks import PGD
torch.set_num_threads(2)
model, data = zoo.load("fashion-cnn"), zoo.data("fashion-mnist").sample({images}, 0)
attack = PGD(eps="8/255", steps=20)
attack(model, data.inputs[:8], data.labels[:8])
started = time.perf_counter()
attack(model, data.inputs, data.labels)
print(time.perf_counter() - started)
"""
BUSY = "while True: pass"
SETTINGS = {"GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"}, "torch's own": {}}


def start(code: str, chosen: dict[str, str]) -> subprocess.Popen[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=kept | chosen)


def seconds(process: subprocess.Popen[str]) -> float:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a run ended with {process.returncode}")
    return round(float(out), 3)


def measure(images: int, chosen: dict[str, str]) -> dict[str, object]:
    code = WORK.replace("{images}", str(images))
    alone = seconds(start(code, chosen))
    both = [seconds(process) for process in [start(code, chosen) for _ in range(2)]]
    loop = start(BUSY, chosen)
    try:
        beside = seconds(start(code, chosen))
    finally:
        loop.kill()
        loop.wait()
    return {"quiet": alone, "two at once": both, "beside a busy loop": beside}


def main(images: int = 120) -> None:
    found = {name: measure(images, chosen) for name, chosen in SETTINGS.items()}
    record = {
        "question": f"seconds of 20 PGD steps on {images} images, 2 threads",
        "found": found,
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 1),
        "torch": version("torch"),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
