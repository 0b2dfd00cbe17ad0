"""Metrics of models and explanations; each has evidence for every example."""

from probe.metrics.certified import CertifiedAccuracy
from probe.metrics.counterfactual import ChangedFeatures, Validity
from probe.metrics.faithfulness import Completeness, Deletion, Insertion
from probe.metrics.faithfulness_correlation import FaithfulnessCorrelation
from probe.metrics.goal import GoalReached
from probe.metrics.infidelity import Infidelity
from probe.metrics.prediction import Accuracy, AreaUnderROC, CalibrationError, ExactMatch, RobustAccuracy
from probe.metrics.regression import MeanAbsoluteError, RootMeanSquaredError, RSquared
from probe.metrics.sensitivity_n import SensitivityN
from probe.metrics.sparseness import Sparseness
from probe.metrics.withstood import Withstood

__all__ = [
    "Accuracy",
    "AreaUnderROC",
    "CalibrationError",
    "CertifiedAccuracy",
    "ChangedFeatures",
    "Completeness",
    "Deletion",
    "ExactMatch",
    "FaithfulnessCorrelation",
    "GoalReached",
    "Infidelity",
    "Insertion",
    "MeanAbsoluteError",
    "RSquared",
    "RobustAccuracy",
    "RootMeanSquaredError",
    "SensitivityN",
    "Sparseness",
    "Validity",
    "Withstood",
]
