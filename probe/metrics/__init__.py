"""Metrics of models and explanations; each has evidence for every example."""

from probe.metrics.agreement import Agreement
from probe.metrics.certified import CertifiedAccuracy
from probe.metrics.counterfactual import ChangedFeatures, Validity
from probe.metrics.effective_complexity import EffectiveComplexity
from probe.metrics.efficient_mprt import EfficientMPRT
from probe.metrics.f_fidelity import FFidelity
from probe.metrics.faithfulness import Completeness, Deletion, Insertion
from probe.metrics.faithfulness_correlation import FaithfulnessCorrelation
from probe.metrics.goal import GoalReached
from probe.metrics.infidelity import Infidelity
from probe.metrics.local_lipschitz import LocalLipschitz
from probe.metrics.max_sensitivity import MaxSensitivity
from probe.metrics.monotonicity import Monotonicity
from probe.metrics.mprt import MPRT
from probe.metrics.null_player import NullPlayer
from probe.metrics.pointing_game import PointingGame
from probe.metrics.prediction import Accuracy, AreaUnderROC, CalibrationError, ExactMatch, RobustAccuracy
from probe.metrics.random_logit import RandomLogit
from probe.metrics.rank_stability import RankStability
from probe.metrics.regression import MeanAbsoluteError, RootMeanSquaredError, RSquared
from probe.metrics.relevance_mass import RelevanceMass
from probe.metrics.road import ROAD
from probe.metrics.seed_stability import SeedStability
from probe.metrics.sensitivity_n import SensitivityN
from probe.metrics.sparseness import Sparseness
from probe.metrics.sufficiency import Sufficiency
from probe.metrics.withstood import Withstood

__all__ = [
    "MPRT",
    "ROAD",
    "Accuracy",
    "Agreement",
    "AreaUnderROC",
    "CalibrationError",
    "CertifiedAccuracy",
    "ChangedFeatures",
    "Completeness",
    "Deletion",
    "EffectiveComplexity",
    "EfficientMPRT",
    "ExactMatch",
    "FFidelity",
    "FaithfulnessCorrelation",
    "GoalReached",
    "Infidelity",
    "Insertion",
    "LocalLipschitz",
    "MaxSensitivity",
    "MeanAbsoluteError",
    "Monotonicity",
    "NullPlayer",
    "PointingGame",
    "RSquared",
    "RandomLogit",
    "RankStability",
    "RelevanceMass",
    "RobustAccuracy",
    "RootMeanSquaredError",
    "SeedStability",
    "SensitivityN",
    "Sparseness",
    "Sufficiency",
    "Validity",
    "Withstood",
]
