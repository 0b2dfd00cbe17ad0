"""The output as features are removed or added one after another: the curves under which a metric is the area."""

import pandas as pd

from probe.audit.bundle import Bundle
from probe.audit.reading.steps import steps
from probe.audit.readings import curves_of
from probe.audit.titles import title_of
from probe.registry import declared

MOVED = {"start": "removed", "end": "added", "": "moved"}
CURVES_NOTE = (
    "The output of what was explained, against the share of features {moved}, the most important first; the mean over "
    "the rows explained. Grey and dotted: the mean of random orders. The measure is the area between the two."
)


def curved(bundle: Bundle) -> dict[str, str]:
    """The metrics of explanations whose curves are kept, and what they do with features: removed or added.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.curved(read("runs/adult-mlp"))  # doctest: +SKIP
        {'deletion': 'removed', 'insertion': 'added'}
    """
    found = {}
    for step in steps(bundle.manifest, "explainer"):
        arrays = bundle.arrays(step.name)
        for each in step.readings:
            known = declared("metric").get(str(each.settings["method"]))
            if curves_of(each.metric) in arrays:
                found[each.metric] = MOVED[str(known.said.get("whole", "")) if known else ""]
    return found


def curves(bundle: Bundle, metric: str, row: int | None = None) -> dict[str, pd.DataFrame]:
    """The curves of a metric by explainer, of one row or their mean over all rows explained: share, own and random.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.curves(read("runs/adult-mlp"), "deletion")["Saliency"].iloc[0]  # doctest: +SKIP
    """
    found = {}
    for step in steps(bundle.manifest, "explainer"):
        arrays = bundle.arrays(step.name)
        if curves_of(metric) not in arrays:
            continue
        kept = arrays[curves_of(metric)]
        own = kept if row is None else kept[arrays["rows"] == row]
        if len(own):
            found[title_of(bundle.manifest, step)] = pd.DataFrame(own.mean(0).T, columns=["own", "random", "share"])
    return found
