"""Adversarial attacks, grouped by what they need to see of the model."""

from probe.attacks.gradient import FGSM, PGD

__all__ = ["FGSM", "PGD"]
