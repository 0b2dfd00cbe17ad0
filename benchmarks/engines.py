"""One audit and one study by two workers of an engine beside one process, to JSON: how far from half of the time.

    python -m benchmarks.engines            # the engines that are installed: processes, ray, slurm
    python -m benchmarks.engines ray
    python -m benchmarks.engines --long     # of processes, or of the engines named, a longer study and no audit

Everything has one thread for each worker. The ideal of two workers is half of the seconds of one process without what
each worker does for itself: start, open model and data, and, once, merge. The start of a worker is measured as a study
that has nothing to do. The overhead is what the seconds exceed the ideal and that start by, as a share of the ideal.

Two cores need not do twice the work of one, as they share caches, memory and often a core's units. What this machine
can do is two processes at once, which know nothing of each other and have half of the images each: the overhead over
that is the engine's own.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.sides import there, written

ENGINES = {"processes": "sys", "ray": "ray", "slurm": "submitit"}
ROOT = Path(__file__).parent.parent
STUDY = """
import os, sys, time
import torch
from probe import study, zoo
from probe.attacks import PGD

torch.set_num_threads(1)
model, data = zoo.load("fashion-robust"), zoo.data("fashion-mnist", split="test")[: int(sys.argv[2])]
engine = dict(engine=sys.argv[3], workers=2) if len(sys.argv) > 3 else {}
began = time.perf_counter()
found = study.run(
    [PGD(steps=20, seed=seed) for seed in range(2)], model, data, eps=[0.05, 0.1], out=sys.argv[1], batch_size=100,
    progress=None, **engine,
)
print(time.perf_counter() - began, found["value"].tolist())
"""


def ran(*command: str, where: Path) -> str:
    """What a command prints, with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode > 1:  # 1 are findings, which an audit may have
        raise SystemExit(done.stderr)
    return done.stdout


def study(engine: str, images: int, where: Path, out: str = "") -> tuple[float, str]:
    """The seconds of the call, and the values."""
    (where / "sweep.py").write_text(STUDY)
    out = out or f"{engine or 'one'}-{images}"
    said = ran(sys.executable, "sweep.py", out, str(images), *[engine][: bool(engine)], where=where)
    seconds, _, values = said.partition(" ")
    return float(seconds), values


def at_once(images: int, where: Path) -> float:
    """The seconds of two processes at once with half of the images each, until the later ends."""
    with ThreadPoolExecutor(2) as pool:
        return max(seconds for seconds, _ in pool.map(lambda out: study("", images // 2, where, out), ("a", "b")))


def audit(engine: str, where: Path) -> float:
    """The seconds of an audit, with its start and its report."""
    more = ["--engine", engine, "--workers", "2"] if engine else []
    began = time.perf_counter()
    ran(
        sys.executable, "-m", "probe.cli", "audit", "adult-mlp", "--out", f"audit-{engine or 'one'}", *more, where=where
    )
    return time.perf_counter() - began


def beside(engine: str, images: int, alone: dict[str, Any], where: Path) -> dict[str, Any]:
    """An engine beside one process; the audit too, if one process has made it."""
    start, _ = study(engine, 2, where)
    seconds, values = study(engine, images, where)
    ideal = alone["study"] / 2
    told = {
        "study": round(seconds, 2),
        "a study of two images": round(start, 2),
        "the values of one process": values == alone["values"],
        "overhead over the ideal": round((seconds - ideal) / ideal, 3),
        "overhead without the start": round((seconds - start - ideal) / ideal, 3),
        "overhead over two at once": round(seconds / alone[APART] - 1, 3),
    }
    if AUDIT in alone:
        audited = audit(engine, where)
        told |= {AUDIT: round(audited, 2), "audit as a share of one process": round(audited / alone[AUDIT], 3)}
    return told


AUDIT = "audit of adult-mlp"
APART = "two at once, half of the study each"
USUAL, LONG = 500, 2500  # images: a minute or two in one process


def main(engines: list[str], *, long: bool = False) -> None:
    images, engines = LONG if long else USUAL, engines or ["processes"] * long
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        seconds, values = study("", images, where)
        alone: dict[str, Any] = {"study": round(seconds, 2), "values": values, APART: round(at_once(images, where), 2)}
        if not long:
            alone[AUDIT] = round(audit("", where), 2)
        asked = [name for name, needed in ENGINES.items() if there([needed]) and (not engines or name in engines)]
        found = {engine: beside(engine, images, alone, where) for engine in asked}
    written(
        "engines-long" if long else "engines",
        f"two workers with a thread each beside one process with one; PGD of fashion-robust, {images} images, 4 cells",
        [needed for name, needed in ENGINES.items() if name in found and needed != "sys"],
        {"one process": alone, "engines": found},
        load,
    )


if __name__ == "__main__":
    main([each for each in sys.argv[1:] if each != "--long"], long="--long" in sys.argv)
