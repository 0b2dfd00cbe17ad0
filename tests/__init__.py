import jaxtyping

from probe.threads import give_way
from tests import checking

give_way()  # before anything here loads torch
jaxtyping.jaxtyped = checking.jaxtyped
