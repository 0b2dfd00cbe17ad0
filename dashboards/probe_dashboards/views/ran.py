"""The methods that ran, by an id that a link can hold."""

from probe.audit import Bundle, reading
from probe.audit.manifest import StepRecord
from probe.audit.titles import titles as called
from probe_dashboards import state


def steps(bundle: Bundle, kind: str) -> dict[str, StepRecord]:
    """The steps of a kind that were done."""
    done = {step.id: step for step in reading.steps(bundle.manifest, kind)}
    return {slug: done[name] for slug, name in state.slugs(list(done)).items()}


def names(bundle: Bundle, kind: str) -> dict[str, str]:
    """The methods of a kind: id to name in the bundle."""
    return {slug: step.id for slug, step in steps(bundle, kind).items()}


def titles(bundle: Bundle, kind: str) -> dict[str, str]:
    """The methods of a kind: id to what people call it."""
    known = called(bundle.manifest, kind)
    return {slug: known[name] for slug, name in names(bundle, kind).items()}
