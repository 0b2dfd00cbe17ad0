"""Adversarial attacks, grouped by what they need to see of the model."""

from probe.attacks.auto import APGD
from probe.attacks.bim import BIM
from probe.attacks.cascade import Cascade
from probe.attacks.edges import GradArgmax
from probe.attacks.gradient import FGSM, PGD
from probe.attacks.mifgsm import MIFGSM
from probe.attacks.minimal import DDN
from probe.attacks.square import Square
from probe.attacks.tokens import HotFlip

__all__ = ["APGD", "BIM", "DDN", "FGSM", "MIFGSM", "PGD", "Cascade", "GradArgmax", "HotFlip", "Square"]
