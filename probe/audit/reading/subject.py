"""What was audited, the origin of its rows, and how to repeat the audit."""

from typing import Any

import numpy as np

from probe.audit.manifest import Manifest, TrainingRecord
from probe.formatting import count, number
from probe.task import MultiLabel

ASSUMED = "assumed, not named in the plan"
WITHHELD = (
    "As its plan says, this bundle holds no row of inputs, whole or in part, and nothing that may quote one. It holds "
    "explanations by feature, and those of a simple model can reveal its inputs. Rows can be checked against the "
    "SHA-256 of the audited ones."
)
ORIGINS = {
    "test": "",
    "train": "The model was trained on these rows, so it may do worse on others.",
    "unknown": "It is not known whether the model was trained on these rows; if it was, it may do worse on others.",
}


def favourable(manifest: Manifest) -> tuple[str, bool]:
    """The favourable outcome, and whether it is assumed; empty if there is none."""
    named, classes = manifest.plan.bias.positive, manifest.model.classes
    if named or manifest.task.kind == "regression":
        return named, False
    if isinstance(manifest.task, MultiLabel):
        return "that a label is true", True
    return (classes[1], True) if len(classes) == 2 else ("", False)


def origin(manifest: Manifest) -> str:
    """A note on the origin of the rows, and on whether they are shown; may be empty."""
    role, training = manifest.data.role, manifest.model.training
    said = [] if training and role not in ("test", "train") else [ORIGINS.get(role, ORIGINS["unknown"])]
    if training:
        said.append(_seen(training, manifest.data.n))
    return " ".join(filter(None, [*said, "" if manifest.plan.keeps_inputs else WITHHELD]))


def _seen(training: TrainingRecord, audited: int) -> str:
    known = f"among the {count(training.n)} known training rows of the model"
    if not training.shared:
        return f"None of the {count(audited)} audited rows has inputs that are also {known}."
    have = "has" if training.shared == 1 else "have"
    return (
        f"{count(training.shared)} of the {count(audited)} audited rows {have} inputs that are also {known}; the model "
        "may do worse on others."
    )


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


ABOUT = {
    "use": "intended use",
    "users": "who works with the answers",
    "people": "whom the answers are about",
    "out_of_scope": "out of scope",
    "responsible": "who answers for the model",
}


def about(manifest: Manifest) -> list[tuple[str, str]]:
    """What the plan says of the model's use; empty where it says nothing. The audit has checked none of it."""
    told = ((title, getattr(manifest.plan.about, key).strip()) for key, title in ABOUT.items())
    return [(title, text) for title, text in told if text]


def answer_name(manifest: Manifest, answer: Any) -> str:
    """A label or an answer in words: a class by its name, or by its number where it has none; a number as it is."""
    task = manifest.task
    if task.one_class:
        return task.name(int(answer))
    told = task.words(np.asarray([answer]))[0]
    return told if isinstance(told, str) else number(told)
