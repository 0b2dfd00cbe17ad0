"""What a bundle says twice must agree: plan with steps, manifest with arrays, arrays with each other.

Only what an audit cannot write otherwise is refused. That a stranger wrote all of it anew, without a contradiction,
shows in a digest that was given by another way, and not in here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit.aspects.common import Answers
from probe.audit.bundle import Bundle
from probe.audit.expected import Planned, metrics_of, planned
from probe.audit.manifest import StepRecord, tells_inputs
from probe.audit.readings import evidence_of
from probe.errors import IntegrityError
from probe.goals import Flip, LeastLikely, Margin, Shift, Targeted, Untargeted
from probe.npz import Arrays
from probe.numbers import fraction
from probe.task import MultiLabel, Regression, Task

TIE = 1e-2  # share of the largest logit: two answers that are this near may change places with the batch
DUST = 1e-4  # share of the sum of sizes: how far the sum over coordinates may be off by rounding

Array = NDArray[Any]


def check_steps(bundle: Bundle) -> None:
    """Raise IntegrityError unless the steps are those of the plan, each with the file that it leaves."""
    manifest = bundle.manifest
    steps = planned(manifest.plan)
    names, expected = [step.name for step in manifest.steps], [step.name for step in steps]
    if missing := [name for name in expected if name not in names] if bundle.complete else []:
        raise IntegrityError(f"the plan asks for the step {missing[0]}, which {bundle.name} does not have")
    if surplus := [name for name in names if name not in expected]:
        raise IntegrityError(f"{bundle.name} has the step {surplus[0]}, which its plan does not ask for")
    if names != expected[: len(names)]:
        raise IntegrityError(f"the steps of {bundle.name} are {', '.join(names)}; they run as {', '.join(expected)}")
    done = {f"arrays/{step.name}.npz" for step in manifest.steps if step.status == "done"}
    stored = {file for file in manifest.files if file.startswith("arrays/")}
    # A process that is killed may have written the file of a step that it did not come to record.
    known = {f"arrays/{name}.npz" for name in expected} if manifest.status == "running" else done
    if odd := sorted((done - stored) | (stored - known)):
        raise IntegrityError(f"{odd[0]} {'is missing' if odd[0] in done else 'is of no step that was done'}")
    if manifest.contents.keys() != stored:
        raise IntegrityError("audit.json does not list the contents of each array file")
    for step, asked in zip(manifest.steps, steps, strict=False):
        _check_settings(step, asked)


def check_arrays(bundle: Bundle) -> None:
    """Raise IntegrityError where the arrays contradict each other, or what the manifest says of them."""
    done = [step for step in bundle.manifest.steps if step.status == "done"]
    stored = {step.name: bundle.arrays(step.name) for step in done}
    if "predictions" not in stored:
        if stored:
            raise IntegrityError(f"{bundle.name} has evidence of {next(iter(stored))}, and no predictions")
        return
    _check_predictions(bundle, stored["predictions"])
    answers = _Rows.of(bundle)
    _check_measured(stored["predictions"], answers)
    for step in done:
        name, arrays = step.name, stored[step.name]
        shape, keeps = bundle.manifest.data.shape, bundle.manifest.plan.keeps_inputs
        told = [part for part, array in arrays.items() if tells_inputs(part, array, shape)]
        _expect(keeps or not told, name, "it holds inputs, and the plan has none kept")
        if step.kind == "instances":
            _check_instances(bundle, arrays, answers)
        elif step.kind == "explainer":
            _check_explanation(bundle, name, arrays, stored["instances"], answers)
        elif step.kind == "attack":
            _check_attack(bundle, name, arrays, answers)
        elif step.kind == "label attack":
            _check_attack(bundle, name, arrays, _Rows.of(bundle, step.label))
        elif step.kind == "counterfactual":
            _check_search(bundle, step, arrays, answers)
        elif step.kind == "certificate":
            _check_proof(bundle, step, arrays, answers)
        elif step.kind == "survey":
            _check_survey(bundle, step, arrays, answers)
            continue
        _check_readings(bundle, step, arrays)
    drawn = [stored[step.name]["rows"] for step in done if step.kind in ("attack", "label attack")]
    if any(not np.array_equal(rows, drawn[0]) for rows in drawn):
        raise IntegrityError("the attacks are of different rows")


@dataclass(frozen=True)
class _Rows:
    """Labels and answers of the audited rows, and which answers hang by a thread."""

    labels: Array
    predicted: Array
    targets: Array  # the outputs that are explained
    task: Task
    tied: Array
    sure: Array | None  # the probability of the most likely class; None where there are none

    @classmethod
    def of(cls, bundle: Bundle, label: str = "") -> "_Rows":
        answers = Answers.of(bundle)
        answers = answers.only(answers.task.index(label)) if label else answers
        task, logits = answers.task, answers.logits
        tied = task.tied(logits, answers.labels, TIE)
        sure = answers.probabilities.max(1) if task.one_class else None
        return cls(answers.labels, answers.predicted, task.target(logits), task, tied, sure)


def _check_measured(arrays: Arrays, answers: _Rows) -> None:
    """What the usual metrics saw of the answers is what the logits say."""
    if names := answers.task.several(arrays["logits"]):
        found = [str(name) for name in arrays.get("items", np.zeros(0))]
        _expect(found == list(names), "predictions", "the names of its answers are not the task's")
    right = arrays.get(evidence_of("accuracy"))
    if right is not None and names:
        agree = (right == (answers.predicted == answers.labels)).all(1) | answers.tied
        _expect(bool(agree.all()), "predictions", "what was right is not what the logits say")
    elif right is not None:
        agree = (right == ~answers.task.differs(answers.predicted, answers.labels)) | answers.tied
        _expect(bool(agree.all()), "predictions", "what was right is not what the logits say")
    confident = arrays.get(evidence_of("calibration_error"))
    if confident is not None and answers.sure is not None:
        close = np.abs(confident[:, 0] - answers.sure) <= TIE
        _expect(bool(close.all()), "predictions", "how sure the answers were is not what the logits say")


def _check_predictions(bundle: Bundle, arrays: Arrays) -> None:
    data, classes = bundle.manifest.data, bundle.manifest.model.classes
    n = len(arrays["labels"])
    _expect(data.n == n, "predictions", f"audit.json speaks of {data.n!r} rows, and there are {n} labels")
    _expect(arrays["rows"].shape == (n,), "predictions", "rows and labels differ in length")
    logits = arrays["logits"]
    _expect(logits.ndim == 2 and len(logits) == n and logits.dtype.kind == "f", "predictions", "logits are no table")
    _expect(bool(np.isfinite(logits).all()), "predictions", "logits hold NaN or infinity")
    _expect(not classes or logits.shape[1] == len(classes), "predictions", f"{len(classes)} classes are named")
    _check_rows("predictions", arrays["rows"], None)
    _check_labels(bundle.manifest.task, arrays["labels"], logits)
    training = bundle.manifest.model.training
    _expect(training is None or 0 <= training.shared <= n, "predictions", "more rows were learned from than there are")
    if data.groups:
        groups = bundle.groups()
        _expect(groups.shape == (n, len(data.groups)), "groups", f"the table is {groups.shape}, of {n} rows")
    _expect(bool(data.groups) == bundle.has("tables/groups.csv"), "groups", "audit.json and tables/ disagree")


def _check_labels(task: Task, labels: Array, logits: Array) -> None:
    if isinstance(task, MultiLabel):
        _expect(labels.shape == logits.shape, "predictions", "labels and answers are not of the same shape")
        _check_whole("predictions", labels, 2)
        return
    if isinstance(task, Regression):
        shape = (len(logits),) if len(task.outputs) == 1 else logits.shape
        _expect(labels.shape == shape and labels.dtype.kind == "f", "predictions", "labels are no numbers")
        _expect(bool(np.isfinite(labels).all()), "predictions", "labels hold NaN or infinity")
        return
    _expect(labels.shape == (len(logits),), "predictions", "rows and labels differ in length")
    _check_whole("predictions", labels, logits.shape[1])


def _check_instances(bundle: Bundle, arrays: Arrays, answers: _Rows) -> None:
    data, rows = bundle.manifest.data, arrays["rows"]
    _check_rows("instances", rows, len(answers.labels))
    _check_drawn("instances", len(rows), bundle.manifest.plan.explain.sample, len(answers.labels))
    if bundle.manifest.plan.keeps_inputs:
        _check_form("instances", arrays["inputs"], (len(rows), *data.shape))
    elif "features" not in arrays:
        return
    features = _features(bundle, arrays)
    each = features.size == len(rows) * prod(data.shape) and features.ndim > len(data.shape)
    fits = each or features.size == prod(data.shape)
    _expect(fits, "instances", "the features are not of the shape of an input, nor of all inputs")
    _check_whole("instances", features, len(data.features))


def _check_explanation(bundle: Bundle, name: str, arrays: Arrays, instances: Arrays, answers: _Rows) -> None:
    data, rows = bundle.manifest.data, arrays["rows"]
    _expect(np.array_equal(rows, instances["rows"]), name, "its rows are not those of instances")
    named = bundle.manifest.plan.explain.target
    wanted = np.full(len(rows), answers.task.index(named)) if named else answers.targets[rows]
    agree = (arrays["targets"] == wanted) | (answers.tied[rows] & (not named))
    what = "the plan names" if named else "were predicted"
    _expect(bool(agree.all()), name, f"it explains other classes than {what}")
    by_feature = arrays["by_feature"]
    _check_form(name, by_feature, (len(rows), len(data.features)))
    _expect(bool(np.isfinite(by_feature).all()), name, "its values hold NaN or infinity")
    if not bundle.manifest.plan.keeps_inputs:
        return
    values = arrays["values"]
    _check_form(name, values, (len(rows), *data.shape))
    _expect(bool(np.isfinite(values).all()), name, "its values hold NaN or infinity")
    features = _features(bundle, instances).reshape(-1, prod(data.shape))
    features = np.broadcast_to(features, (len(rows), prod(data.shape)))
    flat = values.reshape(len(rows), -1).astype(np.float64)
    summed, sizes = (_summed(part, features, by_feature.shape[1]) for part in (flat, np.abs(flat)))
    close = np.abs(summed - by_feature) <= DUST * sizes + 1e-30
    _expect(bool(close.all()), name, "its values by feature are not the sums of its values")


def _check_attack(bundle: Bundle, name: str, arrays: Arrays, answers: _Rows) -> None:
    manifest, rows = bundle.manifest, arrays["rows"]
    _check_rows(name, rows, len(answers.labels))
    _check_drawn(name, len(rows), manifest.plan.attack.sample, len(answers.labels))
    asked = sorted(float(fraction(str(eps))) for eps in manifest.plan.attack.eps)
    eps = arrays["eps"]
    _check_form(name, eps, (len(asked),))
    _expect(bool(np.allclose(eps, asked, rtol=1e-6, atol=0)), name, "its radii are not those of the plan")
    clean, success, attacked = arrays["clean"], arrays["success"], arrays["predicted"]
    labels = answers.labels[rows]
    for part, shape in ((clean, (len(rows),)), (success, (len(eps), len(rows)))):
        _check_form(name, part, shape, kinds="b")
    _check_form(name, attacked, (len(eps), *labels.shape), kinds="f" if isinstance(answers.task, Regression) else "iu")
    differs = answers.task.differs
    off = np.stack([differs(given, labels) for given in attacked])
    right = (clean == ~differs(answers.predicted[rows], labels)) | answers.tied[rows]
    _expect(bool(right.all()), name, "what was right before the attack is not what the predictions say")
    _check_goal(bundle, name, arrays, answers)
    robust = arrays.get(evidence_of("robust_accuracy"))
    _expect(
        robust is not None and np.array_equal(robust.astype(bool), ~off),
        name,
        "what withstood it is not what was answered",
    )
    if "probability" in arrays:
        _check_form(name, arrays["probability"], off.shape)
        within = (arrays["probability"] >= 0) & (arrays["probability"] <= 1 + TIE)
        _expect(bool(within.all()), name, "its probabilities are not between 0 and 1")
    if not manifest.plan.keeps_inputs:
        return
    kept = len(arrays["inputs"])
    _expect(kept <= len(rows), name, "it keeps more inputs than it attacked")
    _check_form(name, arrays["inputs"], (kept, *manifest.data.shape))
    _check_form(name, arrays["shown"], (len(eps), kept, *manifest.data.shape))
    _check_form(name, arrays["moved"], (len(eps), kept, len(manifest.data.features)))


def _check_goal(bundle: Bundle, name: str, arrays: Arrays, answers: _Rows) -> None:
    """What reached the goal is what its class says of the answers that do; of a goal of others, what the step says."""
    step = next(step for step in bundle.manifest.steps if step.name == name)
    rows, clean, success, attacked = (arrays[part] for part in ("rows", "clean", "success", "predicted"))
    goal, answer = step.method.get("goal", {}).get("method", ""), step.answer
    own = {kind.name(): kind.answer for kind in (Untargeted, Targeted, LeastLikely, Margin, Shift, Flip)}
    _expect(answer == own.get(goal, answer), name, f"it calls {answer or 'nothing'!r} what reaches the goal {goal!r}")
    if answer == "wrong":
        off = np.stack([answers.task.differs(given, answers.labels[rows]) for given in attacked])
        _expect(
            np.array_equal(success, clean & off),
            name,
            "its successes are not the rows that were right before and wrong after",
        )
    elif answer == "target":
        targets = arrays.get("targets", np.array([]))
        _check_form(name, targets, (len(rows),), kinds="iu")
        there = answers.predicted[rows] == targets
        agree = (success == (clean & ~there & (attacked == targets))) | answers.tied[rows]
        _expect(bool(agree.all()), name, "its successes are not the rows that became their target")
    else:
        _expect(bool((success <= clean).all()), name, "it breaks rows that were wrong before")


def _check_search(bundle: Bundle, step: StepRecord, arrays: Arrays, answers: _Rows) -> None:
    """What was found is of the rows that the plan asks for, and reached what its answers say."""
    name, rows, decided, after = step.name, arrays["rows"], arrays["decided"], arrays["answers"]
    _check_rows(name, rows, len(answers.labels))
    _check_drawn(name, len(rows), bundle.manifest.plan.search.sample, len(answers.labels))
    agree = ~answers.task.differs(decided, answers.predicted[rows]) | answers.tied[rows]
    _expect(bool(agree.all()), name, "it begins at other answers than were predicted")
    count = after.shape[1] if after.ndim > 1 else 0
    for part in ("reached", "changed"):
        _check_form(name, arrays[part], (len(rows), count), kinds="b" if part == "reached" else "iu")
    if step.answer == "wrong":
        others = np.stack([answers.task.differs(after[:, at], decided) for at in range(count)], 1)
        _expect(np.array_equal(arrays["reached"], others), name, "what it reached is not what was answered")
    for metric, expected in (("validity", arrays["reached"].any(1)), ("changed_features", arrays["changed"].mean(1))):
        seen = arrays.get(evidence_of(metric))
        _expect(seen is None or bool(np.allclose(seen, expected)), name, f"{metric} is not what its arrays say")
    if not bundle.manifest.plan.keeps_inputs:
        return
    kept = len(arrays["inputs"])
    _check_form(name, arrays["inputs"], (kept, *bundle.manifest.data.shape))
    _check_form(name, arrays["candidates"], (kept, count, *bundle.manifest.data.shape))


def _check_proof(bundle: Bundle, step: StepRecord, arrays: Arrays, answers: _Rows) -> None:
    """What a certificate certified is of the rows and radii that the plan asks for."""
    name, plan, rows = step.name, bundle.manifest.plan, arrays["rows"]
    _check_rows(name, rows, len(answers.labels))
    _check_drawn(name, len(rows), plan.certify.sample, len(answers.labels))
    asked = sorted(float(fraction(str(eps))) for eps in plan.certify.eps)
    _check_form(name, arrays["eps"], (len(asked),))
    _expect(bool(np.allclose(arrays["eps"], asked, rtol=1e-6, atol=0)), name, "its radii are not those of the plan")
    right = arrays["predicted"] == answers.labels[rows]
    certified = right & (arrays["radius"] > arrays["eps"][:, None])
    seen = arrays.get(evidence_of("certified_accuracy"), np.zeros(0))
    _expect(np.array_equal(seen.astype(bool), certified), name, "what is certified is not what its radii say")


def _check_survey(bundle: Bundle, step: StepRecord, arrays: Arrays, answers: _Rows) -> None:
    """What a survey gathered is of the rows that the plan asks for, and read as the survey says."""
    name, plan, rows = step.name, bundle.manifest.plan, arrays["rows"]
    _check_rows(name, rows, len(answers.labels))
    _check_drawn(name, len(rows), plan.survey.sample, len(answers.labels))
    _expect(len(step.readings) == 1 and step.readings[0].status == "done", name, "it has other readings than one")
    reading = step.readings[0]
    _expect(reading.metric == step.method["method"], name, "it reads another survey")
    _check_same(name, reading.settings, step.method)
    _expect(
        reading.threshold == plan.threshold(reading.metric), name, "it has another threshold than the plan asks for"
    )
    seen, items = arrays.get(evidence_of(reading.metric), np.zeros(0)), (len(rows), len(arrays["items"]))
    _expect(seen.dtype.kind in "fiub" and seen.shape[:2] == items, name, "its evidence is not of its rows and items")


def _check_readings(bundle: Bundle, step: StepRecord, arrays: Arrays) -> None:
    """Each metric that the plan asks for was read, as it asks; its evidence is there, a row for each example."""
    name, plan = step.name, bundle.manifest.plan
    wanted = metrics_of(plan, step.kind)
    _expect([r.metric for r in step.readings] == [id_ for id_, _ in wanted], name, "its metrics are not the plan's")
    for reading, (_, config) in zip(step.readings, wanted, strict=True):
        asked = plan.threshold(config["method"])
        _expect(reading.threshold == asked, name, f"{reading.metric} has another threshold than the plan asks for")
        _check_same(f"{name}: {reading.metric}", reading.settings, config)
        held = evidence_of(reading.metric) in arrays
        _expect(held == (reading.status == "done"), name, f"{reading.metric} was read without evidence")
        if held:
            found, rows = arrays[evidence_of(reading.metric)], len(arrays["rows"])
            shape = (len(arrays["eps"]), rows) if step.kind in ("attack", "label attack", "certificate") else (rows,)
            _expect(
                found.dtype.kind in "fiub" and found.shape[: len(shape)] == shape, name, "evidence is not of its rows"
            )


def _check_settings(step: StepRecord, asked: Planned) -> None:
    """The step is the planned one, and ran with the settings that the plan names."""
    if (step.kind, step.id, step.aspect, step.label) != (asked.kind, asked.id, asked.aspect, asked.label):
        raise IntegrityError(f"the step {step.name} is said to be {step.kind} {step.id}")
    _check_same(step.name, step.method, asked.method)


def _check_same(name: str, ran: Mapping[str, Any], planned: Mapping[str, Any]) -> None:
    for key, asked in planned.items():
        if key in ran and not _same(ran[key], asked):
            raise IntegrityError(f"{name} ran with {key} = {ran[key]!r}, and the plan asks for {asked!r}")
    if ran.get("method", "") != planned.get("method", ""):
        raise IntegrityError(f"{name} ran {ran.get('method')!r}")


def _same(one: Any, other: Any) -> bool:
    other = {"method": other} if isinstance(one, dict) and isinstance(other, str) else other
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same(one[key], other[key]) for key in one.keys() & other.keys())
    try:
        return isclose(float(fraction(str(one))), float(fraction(str(other))), rel_tol=1e-9)
    except (ValueError, ArithmeticError):
        return bool(one == other)


def _features(bundle: Bundle, instances: Arrays) -> Array:
    """The feature that each coordinate belongs to; each is its own unless the bundle says otherwise."""
    return instances["features"] if "features" in instances else np.arange(prod(bundle.manifest.data.shape))


def _summed(values: Array, features: Array, count: int) -> Array:
    found = [np.bincount(own, row, count) for own, row in zip(features, values, strict=True)]
    return np.array(found).reshape(len(values), count)


def _check_rows(name: str, rows: Array, n: int | None) -> None:
    _check_whole(name, rows, n)
    _expect(rows.ndim == 1 and len(np.unique(rows)) == len(rows), name, "a row is there twice")


def _check_drawn(name: str, count: int, sample: Any, n: int) -> None:
    _expect(count == min(sample, n), name, f"it is of {count} rows, and the plan asks for {sample} of {n}")


def _check_whole(name: str, numbers: Array, below: int | None) -> None:
    within = numbers.dtype.kind in "iu" and bool((numbers >= 0).all() and (below is None or (numbers < below).all()))
    _expect(within, name, f"it holds numbers of rows, classes or features that are not in 0 to {below}")


def _check_form(name: str, array: Array, shape: tuple[Any, ...], kinds: str = "fiub") -> None:
    _expect(
        array.shape == shape and array.dtype.kind in kinds,
        name,
        f"an array is {array.dtype} of shape {array.shape}, expected shape {shape}",
    )


def _expect(holds: bool, name: str, what: str) -> None:  # noqa: FBT001 - the condition is what is said first
    if not holds:
        raise IntegrityError(f"the evidence contradicts itself: {name}: {what}")
