"""The kinds of method, one module each.

An Explainer attributes, an Attack perturbs, a Counterfactual searches, a Certificate certifies, a Survey examines a
whole dataset, a Metric measures a result.

A subclass implements one function over tensors. The final `__call__` around it checks its inputs and outputs, splits
the rows to fit in memory, counts the cost, and returns a result.
"""

from probe.contracts.aim import Aim, slopes
from probe.contracts.attack import Attack, usual_attacks
from probe.contracts.certificate import Certificate
from probe.contracts.common import Need
from probe.contracts.counterfactual import Counterfactual
from probe.contracts.explainer import Explainer, Sampled
from probe.contracts.metric import Metric, Proportion
from probe.contracts.prediction import (
    alike,
    answers_as_before,
    first_answers,
    of_any_examples,
    of_examples,
    predict,
    suited,
)
from probe.contracts.survey import Survey
from probe.contracts.trainer import Trainer, trained

__all__ = [
    "Aim",
    "Attack",
    "Certificate",
    "Counterfactual",
    "Explainer",
    "Metric",
    "Need",
    "Proportion",
    "Sampled",
    "Survey",
    "Trainer",
    "alike",
    "answers_as_before",
    "first_answers",
    "of_any_examples",
    "of_examples",
    "predict",
    "slopes",
    "suited",
    "trained",
    "usual_attacks",
]
