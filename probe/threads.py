"""The waiting policy of torch's threads. Imports no torch, which reads this when it is loaded."""

import os

SPINS = "1000"  # about ten microseconds; the default of milliseconds starves other processes


def give_way() -> None:
    """Let waiting threads sleep soon, unless the user has set a policy. Call before torch is imported."""
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS
