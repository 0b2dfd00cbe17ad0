"""Explanations, and the examples that they explain."""

from collections.abc import Mapping
from math import prod

import numpy as np

from probe.audit.consistency.parts import Array, check_drawn, check_form, check_rows, check_whole, expect
from probe.audit.consistency.step import Step
from probe.audit.expected import planned
from probe.audit.manifest import VALUES
from probe.audit.pieces import SHOWN
from probe.audit.readings import explained_by, values_by

DUST = 1e-4  # rounding tolerance of a sum over coordinates, as a share of the sum of absolute values


def check_instances(step: Step) -> None:
    """Check that the number of explained examples is the plan's, and that they have the data's features."""
    name, arrays, data, count = step.name, step.arrays, step.bundle.manifest.data, len(step.answers.labels)
    rows = arrays["rows"]
    check_rows(name, rows, count)
    check_drawn(name, len(rows), step.plan.explain.sample, count)
    if step.plan.keeps_inputs:
        check_form(name, arrays["inputs"], (len(rows), *data.shape))
        _check_truth(name, arrays.get("truth"), (len(rows), *data.shape))
        check_near(name, arrays, count)
    elif "features" not in arrays:
        return
    features = features_of(step)
    each = features.size == len(rows) * prod(data.shape) and features.ndim > len(data.shape)
    fits = each or features.size == prod(data.shape)
    expect(fits, name, "the features have neither the shape of one input nor that of all inputs")
    check_whole(name, features, len(data.features))


def _check_truth(name: str, truth: Array | None, shape: tuple[int, ...]) -> None:
    """Check that the planted truth, if there is one, marks something in each row."""
    if truth is not None:
        check_form(name, truth, shape)
        expect(bool((truth != 0).reshape(shape[0], -1).any(1).all()), name, "a row has an empty mask of the truth")


def check_near(name: str, arrays: Mapping[str, Array], count: int) -> None:
    """Check that the neighbours, if there are any, are other rows, each once, and the nearer ones first."""
    if "near" not in arrays:
        return
    rows, near, far = arrays["rows"], arrays["near"], arrays["near_far"]
    expect(near.ndim > 0, name, "its neighbours are no table")
    check_form(name, near, (len(rows), near.shape[-1]), "i")
    check_form(name, far, near.shape, "f")
    for part in ("near_within", "near_among"):
        check_form(name, arrays[part], (len(rows),))
        expect(bool((arrays[part] >= 0).all()), name, f"{part} is below 0")
    known = near >= 0
    expect(bool(((near >= -1) & (near < count) & (near != rows[:, None])).all()), name, "a neighbour is no other row")
    twice = any(len(np.unique(own[there])) != there.sum() for own, there in zip(near, known, strict=True))
    expect(not twice, name, "a row is named twice among the neighbours of another")
    ordered = far.shape[1] < 2 or bool((far[:, 1:] >= far[:, :-1]).all())
    fits = bool((known == np.isfinite(far)).all() and (far >= 0).all())
    expect(ordered and fits, name, "the distances of neighbours are not in order")


def check_explanation(step: Step) -> None:
    """Check that the explained classes are planned or predicted, and that values by feature are sums of the values."""
    name, arrays, answers, data = step.name, step.arrays, step.answers, step.bundle.manifest.data
    rows, named = arrays["rows"], step.plan.explain.target
    expect(np.array_equal(rows, step.stored["instances"]["rows"]), name, "its rows are not the rows of instances")
    wanted = np.full(len(rows), answers.task.index(named)) if named else answers.targets[rows]
    agree = (arrays["targets"] == wanted) | (answers.tied[rows] & (not named))
    what = "the plan names" if named else "were predicted"
    expect(bool(agree.all()), name, f"the classes that it explains are not those that {what}")
    by_feature = arrays["by_feature"]
    check_form(name, by_feature, (len(rows), len(data.features)))
    if "errors" in arrays:
        errors = arrays["errors"]
        check_form(name, errors, by_feature.shape)
        expect(bool((np.isfinite(errors) & (errors >= 0)).all()), name, "a standard error is below 0 or not finite")
    if "fidelity" in arrays:
        check_form(name, arrays["fidelity"], (len(rows),), "f")
        # NaN where the output is the same for all coalitions.
        wrong = (arrays["fidelity"] > 1 + DUST) | np.isneginf(arrays["fidelity"])
        expect(not bool(wrong.any()), name, "the fidelity of a fit is above 1 or infinite")
    _check_values(step, rows, by_feature, arrays.get("values"))


def check_again(step: Step) -> None:
    """Check the explanations of attacked inputs: of all rows kept, broken and explained, by explainers of the plan."""
    name, arrays = step.name, step.arrays
    parts = {part for part in arrays if part.startswith((explained_by(""), VALUES))}
    if "explained" not in arrays:
        expect(not parts, name, "it holds explanations of attacked inputs, but not of which rows")
        return
    rows, known = arrays["explained"], [each.id for each in planned(step.plan) if each.kind == "explainer"]
    check_rows(name, rows, len(step.answers.labels))
    known_rows = step.stored["instances"]["rows"] if "instances" in step.stored else rows[:0]
    first, broken = arrays["rows"][:SHOWN], arrays["success"][:, :SHOWN].any(0)
    expect(
        np.array_equal(rows, first[broken & np.isin(first, known_rows)]),
        name,
        f"it does not explain again those of its first {SHOWN} rows that it broke and that are explained",
    )
    named = [one for one in known if explained_by(one) in arrays]
    expected = {explained_by(one) for one in named} | {values_by(one) for one in named if step.plan.keeps_inputs}
    expect(parts == expected and bool(named), name, "its explanations of attacked inputs are not those of the plan")
    for one in named:
        by_feature = arrays[explained_by(one)]
        check_form(name, by_feature, (len(rows), len(step.bundle.manifest.data.features)))
        _check_values(step, rows, by_feature, arrays.get(values_by(one)))


def _check_values(step: Step, rows: Array, by_feature: Array, values: Array | None) -> None:
    """Check that values by feature are finite and, where inputs are kept, the sums of the values."""
    name, data = step.name, step.bundle.manifest.data
    expect(bool(np.isfinite(by_feature).all()), name, "its values hold NaN or infinity")
    if not step.plan.keeps_inputs:
        return
    expect(values is not None, name, "it lacks its values by coordinate")
    assert values is not None
    check_form(name, values, (len(rows), *data.shape))
    expect(bool(np.isfinite(values).all()), name, "its values hold NaN or infinity")
    features = features_of(step).reshape(-1, prod(data.shape))
    if len(features) > 1:
        of_all = step.stored["instances"]["rows"]
        features = features[[int(np.flatnonzero(of_all == row)[0]) for row in rows]]
    features = np.broadcast_to(features, (len(rows), prod(data.shape)))
    sums = (_is_sum(*row) for row in zip(values.reshape(len(rows), -1), by_feature, features, strict=True))
    expect(all(sums), name, "its values by feature are not the sums of its values")


def features_of(step: Step) -> Array:
    """The feature of each coordinate; each is its own feature unless the bundle has a grouping."""
    instances = step.stored["instances"]
    return instances["features"] if "features" in instances else np.arange(prod(step.bundle.manifest.data.shape))


def _is_sum(values: Array, by_feature: Array, features: Array) -> bool:
    """Whether the values of a row by feature are sums of its values; all rows at once would fill the memory."""
    exact = values.astype(np.float64)
    summed, sizes = (np.bincount(features, part, len(by_feature)) for part in (exact, np.abs(exact)))
    return bool((np.abs(summed - by_feature) <= DUST * sizes + 1e-30).all())
