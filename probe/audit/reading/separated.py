"""How well the scores tell the outcomes apart within each group: ROC curves."""

import pandas as pd

from probe.audit.bundle import Bundle
from probe.audit.reading.decided import curve_of
from probe.audit.reading.thresholds import members, subject


def roc_by(bundle: Bundle, attribute: str) -> dict[str, pd.DataFrame]:
    """The ROC curve of the favourable outcome in each group of an attribute, the largest group first.

    Groups without rows of both outcomes have none, nor have groups where the answers are no decision.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> list(reading.roc_by(read("runs/adult-mlp"), "sex"))  # doctest: +SKIP
        ['Male', 'Female']
    """
    return bundle.derived(("roc by", attribute), lambda: _roc_by(bundle, attribute))


def _roc_by(bundle: Bundle, attribute: str) -> dict[str, pd.DataFrame]:
    named = bundle.manifest.plan.bias.positive
    answers, _ = subject(bundle, attribute)
    classes = answers.task.names or bundle.manifest.model.classes
    if not answers.task.one_class:
        return {}
    index = classes.index(named) if named else 1
    positive, scores = answers.labels == index, answers.log_odds(index)
    told = answers.probabilities[:, index]
    groups = sorted(members(bundle, attribute).items(), key=lambda group: -int(group[1].sum()))
    curves = {name: curve_of(scores[rows], positive[rows], told[rows]) for name, rows in groups}
    return {name: curve for name, curve in curves.items() if len(curve)}
