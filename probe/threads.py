"""How torch's threads wait for each other. Imports no torch, since its threads read this when it is loaded."""

import os

SPINS = "1000"  # about ten microseconds; by default some milliseconds, which starve whatever shares the processor


def give_way() -> None:
    """Let waiting threads sleep soon, unless the user says how they wait. To be called before torch is loaded."""
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS
