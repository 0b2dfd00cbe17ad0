"""Adversarial attacks, grouped by what they need to see of the model."""

from probe.attacks.auto import APGD
from probe.attacks.cascade import Cascade
from probe.attacks.edges import GradArgmax
from probe.attacks.gradient import FGSM, PGD
from probe.attacks.minimal import DDN
from probe.attacks.square import Square
from probe.attacks.tokens import HotFlip

__all__ = ["APGD", "DDN", "FGSM", "PGD", "Cascade", "GradArgmax", "HotFlip", "Square"]
