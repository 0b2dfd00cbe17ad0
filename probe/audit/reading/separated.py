"""How well the scores tell the outcomes apart within each group: ROC curves."""

import pandas as pd

from probe.audit.aspects.bias import grouped
from probe.audit.bundle import Bundle
from probe.audit.reading.decided import curve_of
from probe.audit.reading.thresholds import subject
from probe.bias.counts import Outcomes, tabulate
from probe.bias.settings import Settings


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
    plan = bundle.manifest.plan.bias
    answers, columns = subject(bundle, attribute)
    groups, classes = grouped(bundle, answers), answers.task.names or bundle.manifest.model.classes
    if groups is None or not columns or not answers.task.one_class:
        return {}
    index = classes.index(plan.positive) if plan.positive else 1
    positive, scores = answers.labels == index, answers.probabilities[:, index]
    settings = Settings(thresholds={}, merge_spellings=plan.merge_spellings, order=plan.order)
    tables = tabulate(Outcomes(None, positive.astype(int)), groups[list(columns)], settings)
    table = next(each for each in tables if each.attribute == " x ".join(columns))
    members = [(name, table.codes == code) for code, name in enumerate(table.names)]
    members.sort(key=lambda member: -int(member[1].sum()))
    curves = {name: curve_of(scores[rows], positive[rows]) for name, rows in members}
    return {name: curve for name, curve in curves.items() if len(curve)}
