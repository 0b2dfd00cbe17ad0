import os

import jaxtyping

from probe.threads import give_way
from tests import checking

give_way()  # before anything here loads torch
os.environ["NUMBA_DISABLE_JIT"] = "1"  # shap's loops are compiled for longer than any test runs in them
jaxtyping.jaxtyped = checking.jaxtyped
