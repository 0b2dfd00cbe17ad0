"""Whether two audits are of the same model and the same data, in sentences."""

from collections.abc import Iterator

from probe.audit.bundle import Bundle
from probe.audit.manifest import DataRecord, ModelRecord


def refusal(one: DataRecord, other: DataRecord) -> str:
    """Why the rows of two audits cannot be paired."""
    if one.sha256 == other.sha256:
        return ""
    which = f"{one.name} and {other.name}" if one.name != other.name else f"other rows of {one.name}"
    return (
        f"The two audits use different data ({which}), so a difference may come from the rows as "
        "well as from the model: neither differences nor changes of status are shown. Audit both "
        "models on the same rows."
    )


def notes(first: Bundle, second: Bundle) -> Iterator[str]:
    """The differences between two audits as a whole."""
    for which, bundle in (("first", first), ("second", second)):
        if not bundle.complete:
            yield f"the {which} audit is {bundle.manifest.status}: its missing steps cannot be compared"
    yield _of_one("model", first.manifest.model, second.manifest.model)
    yield _of_one("data", first.manifest.data, second.manifest.data)


def _of_one(part: str, one: ModelRecord | DataRecord, other: ModelRecord | DataRecord) -> str:
    if one.sha256 is None or other.sha256 is None:
        return f"it is not known whether the {part} is the same: {one.name} and {other.name}"
    if one.sha256 == other.sha256:
        return "the model has the same weights in both" if part == "model" else "the data are the same in both"
    if part == "model":
        return f"the models differ: {one.name} and {other.name}"
    same = ", other rows of the same name" if one.name == other.name else ""
    return f"the data differ: {one.name} and {other.name}{same}, so rows are not paired"
