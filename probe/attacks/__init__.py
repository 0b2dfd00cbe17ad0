"""Adversarial attacks, grouped by what they need to see of the model."""

from probe.attacks.auto import APGD
from probe.attacks.auto_attack import AutoAttack
from probe.attacks.bim import BIM
from probe.attacks.boundary import Boundary
from probe.attacks.carlini import CarliniWagner
from probe.attacks.cascade import Cascade
from probe.attacks.columns import ColumnSearch
from probe.attacks.deepfool import DeepFool, SuperDeepFool
from probe.attacks.ead import EAD
from probe.attacks.edges import GradArgmax
from probe.attacks.fab import FAB
from probe.attacks.fmn import FMN
from probe.attacks.geoda import Geoda
from probe.attacks.gradient import FGSM, PGD
from probe.attacks.hopskipjump import HopSkipJump
from probe.attacks.low_precision import LowPrecision
from probe.attacks.mifgsm import MIFGSM
from probe.attacks.minimal import DDN
from probe.attacks.patch import PatchAttack
from probe.attacks.pdpgd import PDPGD
from probe.attacks.peers.of_art import ART
from probe.attacks.peers.of_foolbox import Foolbox
from probe.attacks.pgd0 import PGD0
from probe.attacks.quantised import Quantised
from probe.attacks.recolor import Recolor
from probe.attacks.sigma_zero import SigmaZero
from probe.attacks.simba import Simba
from probe.attacks.smooth import SmoothPerturbation
from probe.attacks.spatial import RotationTranslation
from probe.attacks.spsa import SPSA
from probe.attacks.square import Square
from probe.attacks.synonyms import Synonyms
from probe.attacks.tokens import HotFlip
from probe.attacks.transfer import TransferAttack
from probe.attacks.universal import UniversalPerturbation

__all__ = [
    "APGD",
    "ART",
    "BIM",
    "DDN",
    "EAD",
    "FAB",
    "FGSM",
    "FMN",
    "MIFGSM",
    "PDPGD",
    "PGD",
    "PGD0",
    "SPSA",
    "AutoAttack",
    "Boundary",
    "CarliniWagner",
    "Cascade",
    "ColumnSearch",
    "DeepFool",
    "Foolbox",
    "Geoda",
    "GradArgmax",
    "HopSkipJump",
    "HotFlip",
    "LowPrecision",
    "PatchAttack",
    "Quantised",
    "Recolor",
    "RotationTranslation",
    "SigmaZero",
    "Simba",
    "SmoothPerturbation",
    "Square",
    "SuperDeepFool",
    "Synonyms",
    "TransferAttack",
    "UniversalPerturbation",
]
