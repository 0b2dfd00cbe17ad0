"""Methods that examine a model on a whole dataset."""

from probe.surveys.ablation import Ablation
from probe.surveys.accumulated import AccumulatedEffects
from probe.surveys.attack_checks import AttackChecks
from probe.surveys.calibration import Calibration, Temperature
from probe.surveys.concepts import TCAV
from probe.surveys.corruptions import Corruptions
from probe.surveys.dependence import PartialDependence
from probe.surveys.friedman import FriedmanH
from probe.surveys.influence import LastLayerInfluence
from probe.surveys.interactions import PairInteractions
from probe.surveys.layers import LayerActivation, LayerConductance
from probe.surveys.lens import LogitLens
from probe.surveys.maximisation import ActivationMaximisation
from probe.surveys.membership import MembershipAUROC, MembershipTPR
from probe.surveys.nearest import NearestCases
from probe.surveys.outliers import OutlierAUROC, OutlierFPR
from probe.surveys.patching import ActivationPatching
from probe.surveys.permutation import PermutationImportance
from probe.surveys.pick import SubmodularPick
from probe.surveys.probing import LinearProbe
from probe.surveys.sobol import SobolIndices
from probe.surveys.tracin import TracIn

__all__ = [
    "TCAV",
    "Ablation",
    "AccumulatedEffects",
    "ActivationMaximisation",
    "ActivationPatching",
    "AttackChecks",
    "Calibration",
    "Corruptions",
    "FriedmanH",
    "LastLayerInfluence",
    "LayerActivation",
    "LayerConductance",
    "LinearProbe",
    "LogitLens",
    "MembershipAUROC",
    "MembershipTPR",
    "NearestCases",
    "OutlierAUROC",
    "OutlierFPR",
    "PairInteractions",
    "PartialDependence",
    "PermutationImportance",
    "SobolIndices",
    "SubmodularPick",
    "Temperature",
    "TracIn",
]
