"""What report, viewer and command line ask of a bundle, answered once and without torch."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from probe.audit.budgets import reached
from probe.audit.bundle import Bundle
from probe.audit.lenses.robustness import NEAR_NONE
from probe.audit.manifest import Manifest, StepRecord
from probe.audit.titles import title_of
from probe.finding import Finding
from probe.formatting import share

ASSUMED = "assumed, not named in the plan"
ORIGINS = {
    "test": "",
    "train": "The model was trained on these rows, so that it may do worse on others.",
    "unknown": "It is not known whether the model was trained on these rows; if it was, it may do worse on others.",
}


def tally(findings: Iterable[Finding]) -> tuple[Counter[str], Counter[str]]:
    """How many findings have each status: those about the model, and those that check the audit's own methods."""
    model, methods = Counter[str](), Counter[str]()
    for finding in findings:
        (model if finding.about == "model" else methods)[finding.status] += 1
    return model, methods


def steps(manifest: Manifest, kind: str) -> list[StepRecord]:
    """The steps of a kind that were done."""
    return [step for step in manifest.steps if step.kind == kind and step.done]


def readings(bundle: Bundle, lens: str, step: str = "") -> list[dict[str, Any]]:
    """The rows of the table of readings that are of a lens, or of one of its steps."""
    if not bundle.has("tables/readings.csv"):
        return []
    table = bundle.table("readings")
    chosen = table[(table["lens"] == lens) & ((table["step"] == step) if step else True)]
    return [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]


def favourable(manifest: Manifest) -> tuple[str, bool]:
    """The class that counts as the favourable outcome, and whether it is assumed; empty where there is none."""
    named, classes = manifest.plan.bias.positive, manifest.model.classes
    if named:
        return named, False
    return (classes[1], True) if len(classes) == 2 else ("", False)


def origin(manifest: Manifest) -> str:
    """What is to be known of where the rows come from; empty for rows of a test split."""
    return ORIGINS.get(manifest.data.role, ORIGINS["unknown"])


def verdict(bundle: Bundle) -> list[str]:
    """The audit in a few sentences: what attacks leave of the answers, how many are right, and what groups get."""
    findings = bundle.manifest.findings
    if not findings:
        return ["Nothing was concluded: the audit has not ended."]
    return [_withstands(bundle), _accuracy(findings), _groups(bundle.manifest, findings)]


def repeat(manifest: Manifest, folder: str) -> list[str]:
    """The command lines that run the plan of a bundle again."""
    model = manifest.plan.model
    lines = [f"probe report {folder} --format toml --out plan.toml"]
    if any(model.get(key) for key in ("zoo", "factory", "onnx", "transformers", "timm")):
        code = " --allow-code" if model.get("factory") else ""
        return [*lines, f"probe audit --plan plan.toml --out again{code}"]
    return [
        *lines,
        "# the plan names no model and no data, as it was run from Python; there, with both at hand:",
        '# plan = probe.audit.plan_from(tomllib.loads(Path("plan.toml").read_text()), sources=False)',
        f'# probe.audit.run(plan, model, data, "again/{manifest.plan.name}")',
    ]


def changes(
    features: Sequence[Any], attacked: Mapping[str, Any], radius: int, index: int
) -> list[tuple[str, str, str, float]]:
    """What an attack changed of a kept row of a table: feature, value before, value after, move in units of the radius.

    Values are empty where the audit did not write them down in words.
    """
    moved = attacked["moved"][radius, index]
    told = "before" in attacked and attacked["before"].shape[1] == len(moved)
    old, new = (attacked["before"][index], attacked["after"][radius, index]) if told else (None, None)
    return [
        (
            str(features[at]) if at < len(features) else f"feature {at}",
            "" if old is None else str(old[at]),
            "" if new is None else str(new[at]),
            float(moved[at]),
        )
        for at in abs(moved).argsort(kind="stable")[::-1]
        if moved[at]
    ]


def captioned(step: StepRecord) -> str:
    """What the values of an explainer say, as it declares them."""
    return step.caption or "Red is above 0, blue below; what that says was not recorded."


def _withstands(bundle: Bundle) -> str:
    """How far the answers withstand the attacks, at radii that were audited and at which inputs could be changed."""
    if not bundle.has("tables/robustness.csv"):
        return "What an attack can do was not measured."
    table = bundle.table("robustness")
    clean = float(table.loc[table["attack"] == "none", "robust_accuracy"].iloc[0])
    worst = table[table["attack"] == "all attacks"]
    curve = dict(zip(worst["eps"].astype(float), worst["robust_accuracy"].astype(float), strict=True))
    moved = bundle.table("movable")
    still = {float(eps) for eps, part in zip(moved["eps"], moved["movable"], strict=True) if part < NEAR_NONE}
    names = _names(bundle)
    tested = {eps: right for eps, right in curve.items() if eps not in still}
    if not tested:
        return f"What {names} can do was not tested: they could change almost no input at any radius of the plan."
    most = max(tested)
    below = [eps for eps, right in tested.items() if right < 0.5]
    last = f"{share(tested[most])} withstand {_reach(bundle, most)}"
    if clean < 0.5:
        text = f"Fewer than half of the answers are right even without an attack ({share(clean)}); {last}"
    elif not below:
        most_of = "Half" if tested[most] == 0.5 else "More than half"
        text = f"{most_of} of the answers withstand {names} at {_reach(bundle, most)}, the largest radius tried"
        text += f" ({share(tested[most])})"
    elif below[0] == most:
        text = f"Fewer than half of the answers withstand {names} at {_reach(bundle, most)} ({share(tested[most])})"
        if len(tested) > 1:
            before = max(eps for eps in tested if eps < most)
            text += f"; {share(tested[before])} withstand {_reach(bundle, before)}"
    else:
        text = f"Fewer than half of the answers withstand {names} at {_reach(bundle, below[0])}"
        text += f" ({share(tested[below[0]])}); {last}"
    if still:
        text += f". At {', '.join(_reach(bundle, eps) for eps in sorted(still))} almost no input could be changed"
    return f"{text}."


def _accuracy(findings: Sequence[Finding]) -> str:
    found = next((f for f in findings if f.check == "accuracy" and f.estimate is not None), None)
    if found is None:
        return _explained(findings)
    asked = {"pass": "as asked", "fail": "too few", "inconclusive": "too close to tell"}.get(found.status, "")
    return f"{share(found.estimate)} of the answers are right ({asked}: at least {share(found.threshold)})."


def _explained(findings: Sequence[Finding]) -> str:
    """Of a regression how much of what varies its answers explain."""
    found = next((f for f in findings if f.metric == "r_squared" and f.estimate is not None), None)
    if found is None:
        return "Accuracy was not measured."
    return f"The answers explain {share(max(0.0, found.estimate or 0.0))} of the variance of the labels (R squared)."


def _groups(manifest: Manifest, findings: Sequence[Finding]) -> str:
    gaps = [f for f in findings if f.lens == "bias" and f.threshold is not None]
    if not gaps:
        why = next((f.note for f in findings if f.lens == "bias"), "the audit ended before")
        return f"Groups were not compared: {why}."
    seen = Counter(f.status for f in gaps)
    failed = [f.check for f in gaps if f.status == "fail"]
    if failed:
        text = f"{len(failed)} of {len(gaps)} comparisons of groups fail, first {failed[0]}"
    elif seen["pass"] == len(gaps):
        text = f"All {len(gaps)} comparisons of groups pass"
    else:
        text = f"None of {len(gaps)} comparisons of groups fails, and {len(gaps) - seen['pass']} are undecided"
    name, assumed = favourable(manifest)
    return f"{text}; the favourable answer is {name}{f' ({ASSUMED})' if assumed else ''}."


def _names(bundle: Bundle) -> str:
    return " and ".join(title_of(bundle.manifest, step) for step in steps(bundle.manifest, "attack"))


def _reach(bundle: Bundle, eps: float) -> str:
    return reached(bundle.manifest, eps)
