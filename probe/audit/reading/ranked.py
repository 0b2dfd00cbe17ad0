"""The rank of each explainer by each measure, as measures contradict each other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from probe.audit.bundle import Bundle
from probe.audit.reading.measured import measured
from probe.audit.reading.steps import steps
from probe.audit.titles import title_of
from probe.formatting import defined
from probe.statistics import ranks


class Ranked(NamedTuple):
    """The ranks of one explainer among those of an audit; 1 is best, and equal ones share the mean of their ranks."""

    method: str  # its title
    mean: float  # over the measures
    best: float
    worst: float
    by: Mapping[str, float]  # by measure, as the plan has it


def ranks_note(found: Sequence[Ranked]) -> str:
    """What the ranks say, and what they do not."""
    return (
        f"The rank of each method among these {len(found)} by each measure that all of them have; 1 is best. Measures "
        "contradict each other where best and worst are far apart. Ranks do not say whether methods differ by more "
        "than chance: that is what the intervals say."
    )


def ranked(bundle: Bundle) -> list[Ranked]:
    """The explainers by their mean rank, best first, over the measures that all of them have.

    Empty where fewer than two explainers have two such measures.
    """
    ran = steps(bundle.manifest, "explainer")
    numbers = [{row.metric: row.value for row in measured(bundle, step=step.name)} for step in ran]
    directions = {each.metric: each.direction for step in ran for each in step.readings}
    shared = [name for name in directions if all(defined(own.get(name)) for own in numbers)]
    if len(ran) < 2 or len(shared) < 2:
        return []
    by = {
        name: ranks([float(own[name] or 0) * (-1 if directions[name] == "at least" else 1) for own in numbers])
        for name in shared
    }
    found = []
    for at, step in enumerate(ran):
        own = {name: float(each[at]) for name, each in by.items()}
        mean = sum(own.values()) / len(own)
        found.append(Ranked(title_of(bundle.manifest, step), mean, min(own.values()), max(own.values()), own))
    return sorted(found, key=lambda each: each.mean)
