"""`make benchmark`: every script that has peers, one after the other, then the tables that they write.

python -m benchmarks            on a quiet machine; writes benchmarks/results/ and the table of the README
python -m benchmarks --short    answers alone; fails only where one is wrong
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPTS = {
    "explainers": ("shap", "lime"),
    "shapley": ("captum",),
    "images": ("captum", "lime"),
    "pgd": ("torchattacks", "foolbox"),
    "quality": ("quantus",),
    "bounds": ("auto_LiRPA",),
    "black_box": ("torchattacks", "foolbox", "art"),
    "auto_attack": ("torchattacks",),
    "fairness": ("fairlearn",),
    "trainers": ("lightning",),
    "memory": ("captum", "torchattacks", "foolbox"),
    "growth": (),
    "engines": (),
}
QUIET = 0.5  # load of the machine from which times are not worth writing down


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--short"]):
        print(f"python -m benchmarks takes --short or nothing, got {' '.join(arguments)}", file=sys.stderr)
        return 2
    peers = sorted({peer for each in SCRIPTS.values() for peer in each})
    for peer in peers:
        if not find_spec(peer):
            print(f"{peer} is not installed and is left out: pip install -r benchmarks/requirements.txt")
    if arguments:
        from benchmarks.answers import wrong

        found = wrong()
        print("\n".join(found) or "no answer is wrong")
        return int(bool(found))
    if os.getloadavg()[0] > QUIET:
        print(f"the load of this machine is {os.getloadavg()[0]:.1f}; its times would be of other work as well")
        return 1
    for script, needed in SCRIPTS.items():
        if all(map(find_spec, needed)):
            subprocess.run([sys.executable, "-m", f"benchmarks.{script}"], check=True, cwd=ROOT)
    subprocess.run([sys.executable, "docs/comparison.py"], check=True, cwd=ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
