"""An audit in three sentences: what was tested, what failed and where it breaks, what was not tested."""

from collections import Counter
from typing import NamedTuple

from probe.audit.bundle import Bundle
from probe.audit.expected import planned
from probe.audit.reading.attacked import Attacks, attacks
from probe.audit.reading.groups import attributes as compared
from probe.audit.reading.steps import missing, steps
from probe.audit.reading.verdict import withstands
from probe.audit.titles import check_of, title_of
from probe.formatting import count, counted

# What each kind of step does with the rows, and what its methods are called.
DOES = {
    "explainer": ("explained", "explainers"),
    "counterfactual": ("searched for counterfactuals", "counterfactuals"),
    "attack": ("attacked", "attacks"),
    "certificate": ("certified", "certificates"),
    "survey": ("surveyed", "surveys"),
}
LISTED = 3  # checks that a sentence names


class Sentences(NamedTuple):
    """The three sentences."""

    tested: str
    failed: str
    untested: str


def sentences(bundle: Bundle) -> Sentences:
    """What was tested, what failed and where it breaks, and what was not tested.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.sentences(read("runs/adult-mlp")).tested  # doctest: +SKIP
        'adult-mlp was tested on 16,281 rows of Adult: ...'
    """
    return Sentences(_tested(bundle), _failed(bundle), _untested(bundle))


def few_rows(bundle: Bundle) -> str:
    """The groups with too few rows for some rate, in a line; empty if there are none."""
    small: dict[str, list[str]] = {}
    if bundle.has("tables/bias_small_groups.csv"):
        table = bundle.table("bias_small_groups")
        for attribute, group in zip(table["attribute"], table["group"], strict=True):
            small.setdefault(str(attribute), []).append(str(group))
    told = [f"{', '.join(dict.fromkeys(names))} (by {attribute})" for attribute, names in small.items()]
    return f"Too few rows for some rates: {'; '.join(told)}." if told else ""


def _tested(bundle: Bundle) -> str:
    manifest = bundle.manifest
    done = []
    if any(step.kind == "predictions" and step.done for step in manifest.steps):
        done.append("its answers to all of them")
    for kind, (does, _) in DOES.items():
        if ran := steps(manifest, kind):
            names = _and(list(dict.fromkeys(title_of(manifest, step) for step in ran)))
            done.append(f"{_rows(bundle, ran[0].name)} {does} by {names}")
    if compared(bundle):
        groups = list(dict.fromkeys(map(str, bundle.table("bias_groups")["attribute"])))
        done.append(f"groups compared by {_and([each for each in groups if ' x ' not in each] or groups)}")
    what = f": {'; '.join(done)}" if done else ", but no step has finished"
    return f"{manifest.model.name} was tested on {counted(manifest.data.n)} of {manifest.data.name}{what}."


def _failed(bundle: Bundle) -> str:
    found = [f for f in bundle.manifest.findings if f.about == "model"]
    if not found:
        return "There is no conclusion: the audit did not finish."
    seen = Counter(f.status for f in found)
    judged = [f for f in found if f.status in ("pass", "fail", "inconclusive")]
    failed = [check_of(bundle.manifest, f) for f in judged if f.status == "fail"]
    unsure = f"{count(seen['inconclusive'])} {'is' if seen['inconclusive'] == 1 else 'are'} inconclusive"
    if failed:
        many = f"{count(len(failed))} of {count(len(judged))} checks of the model"
        text = f"{many} fail{'s' if len(failed) == 1 else ''}: {_some(failed)}"
        text += f"; {unsure}" if seen["inconclusive"] else ""
    elif judged:
        text = f"None of {count(len(judged))} checks of the model fails"
        text += f", and {unsure}" if seen["inconclusive"] else ""
    else:
        text = "No check of the model has a conclusive result"
    if not bundle.complete:
        text += "; the audit did not finish, and checks that it did not reach may fail"
    where = _breaks(bundle)
    return f"{text}; {where}." if where else f"{text}."


def _breaks(bundle: Bundle) -> str:
    """Where robustness breaks down: the first radius at which fewer than half of the answers withstand."""
    found = attacks(bundle)
    each = zip(found, withstands(bundle), strict=True)
    return "; ".join(_breaks_at(attacked, said, several=len(found) > 1) for attacked, said in each)


def _breaks_at(found: Attacks, said: str, *, several: bool) -> str:
    broken = next((point for point in found.worst.points if point.eps and point.value < 0.5), None)
    if broken is None or "not tested" in said:
        return said[:1].lower() + said[1:].rstrip(".")
    whose = f"{found.tried} at " if several else ""
    return f"fewer than half of the answers withstand {whose}{broken.at} ({broken.written})"


def _untested(bundle: Bundle) -> str:
    parts = list(dict.fromkeys(f"{each.check} ({each.note})" if each.note else each.check for each in missing(bundle)))
    asked = {step.kind for step in planned(bundle.manifest.plan)}
    names = [name for kind, (_, name) in DOES.items() if kind not in asked]
    none = f"has no {_or(names)}" if names else "has methods of every kind"
    if not parts:
        return f"Nothing of the plan was left out; it {none}."
    return f"Not tested: {_some(parts)}; the plan {none}."


def _rows(bundle: Bundle, step: str) -> str:
    stored = bundle.array(step, "rows") if bundle.has(f"arrays/{step}.npz") else None
    return "some rows" if stored is None else counted(len(stored))


def _some(names: list[str]) -> str:
    if len(names) <= LISTED:
        return _and(names)
    return f"{', '.join(names[:LISTED])} and {count(len(names) - LISTED)} more"


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _or(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
