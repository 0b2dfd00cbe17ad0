"""How accuracy falls as attacks grow."""

import numpy as np
import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.audit.budgets import budget_unit, threat
from probe.audit.titles import title_of, titles
from probe.formatting import share
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import instance
from probe_dashboards.views.words import estimate, number

ATTACK = "attack"  # the curves by attack; anything else is the id of an attribute


def obstacle(bundle: Bundle) -> str:
    """Why there is nothing to show; empty if there is."""
    if bundle.has("tables/robustness.csv"):
        return ""
    return reason(bundle, "robustness")


def reason(bundle: Bundle, lens: str) -> str:
    """Why the audit has nothing of a lens, as a sentence."""
    notes = dict.fromkeys(visible(missing.note) for missing in reading.why_empty(bundle, lens))
    return f"{'; '.join(notes)}."


def choices(bundle: Bundle) -> dict[str, str]:
    """What the curves can be drawn by: id to title."""
    if not bundle.has("tables/robustness_by_group.csv"):
        return {ATTACK: "attack"}
    attributes = bundle.table("robustness_by_group")["attribute"].drop_duplicates()
    return {ATTACK: "attack"} | {k: v for k, v in state.slugs(list(attributes)).items() if k != ATTACK}


def table(bundle: Bundle, by: str) -> pd.DataFrame:
    """Accuracy by radius: of each attack, or of each group under all attacks. Every curve starts at radius 0."""
    if by != ATTACK:
        frame = bundle.table("robustness_by_group")
        return frame[frame["attribute"].astype(str) == choices(bundle)[by]].drop(columns="attribute")
    frame = bundle.table("robustness")
    clean = frame[frame["attack"] == "none"]
    names = frame.loc[frame["attack"] != "none", "attack"].drop_duplicates()
    if len(names) == 2:  # all attacks are that one
        names = names[names != "all attacks"]
    curves = [pd.concat([clean.assign(attack=name), frame[frame["attack"] == name]]) for name in names]
    drawn = pd.concat(curves or [clean], ignore_index=True)
    called = titles(bundle.manifest, "attack")
    return drawn.assign(attack=[called.get(str(name), str(name)) for name in drawn["attack"]])


def shown(bundle: Bundle, by: str) -> pd.DataFrame:
    """The same, as it is read: an estimate with its interval for each radius."""
    frame, names = table(bundle, by), radii(bundle)
    cells = [estimate(r.robust_accuracy, r.low, r.high, "share") for r in frame.itertuples()]
    frame = frame.assign(cell=cells, radius=[names.get(eps, f"{eps:g}") for eps in frame["eps"]])
    name = frame.columns[0]
    wide = frame.pivot_table(index=[name, "n"], columns="radius", values="cell", aggfunc="first", sort=False)
    return wide.reset_index().rename(columns={name: "Attack" if by == ATTACK else "Group"}).rename_axis(columns=None)


def radii(bundle: Bundle) -> dict[float, str]:
    """What the plan calls each radius."""
    found = {0.0: "no attack"}
    for attack in instance.attacks(bundle):
        stored = instance.attack_arrays(bundle, attack)["eps"]
        unit = "" if budget_unit(bundle.manifest) else "eps "
        names = instance.radii(bundle, attack).values()
        found |= {float(e): f"{unit}{visible(n)}" for e, n in zip(stored, names, strict=True)}
    return found


def unit(bundle: Bundle) -> str:
    """What a radius counts; empty where it is a length."""
    return threat(bundle.manifest).axis if budget_unit(bundle.manifest) else ""


def asked(bundle: Bundle) -> tuple[float, float]:
    """The radius and the accuracy that the plan asks for."""
    checks = bundle.manifest.plan.checks
    return instance.fraction(checks["robust_eps"]), float(checks["robust_accuracy"])


def worst(bundle: Bundle) -> pd.DataFrame:
    """The worst case of each example over the attacks."""
    frame = bundle.table("robustness")
    return frame[frame["attack"].isin(["all attacks", "none"])].reset_index(drop=True)


def movable(bundle: Bundle) -> pd.DataFrame:
    """Which share of the right answers rests on an input that the attacks could change at all, at each radius."""
    names, frame = radii(bundle), bundle.table("movable")
    return pd.DataFrame(
        [(names.get(r.eps, f"{r.eps:g}"), share(float(r.movable)), number(int(r.n))) for r in frame.itertuples()],  # type: ignore[arg-type]  # columns of numbers
        columns=["Radius", "Inputs that could be changed", "Right answers (n)"],
    )


def fallen(bundle: Bundle) -> pd.DataFrame:
    """How many examples each attack breaks first at each radius."""
    lines, called = [], titles(bundle.manifest, "attack")
    for attack, name in instance.attacks(bundle).items():
        stored = instance.attack_arrays(bundle, attack)
        success, clean = stored["success"], stored["clean"]
        standing = clean[None] & ~success
        before = np.concatenate([clean[None], standing[:-1]])
        counts = (before & ~standing).sum(axis=1)
        named = [f"falls at {visible(radius)}" for radius in instance.radii(bundle, attack).values()]
        lines.append(
            {
                "Attack": visible(called[name]),
                "Attacked (n)": len(clean),
                "Wrong before": int((~clean).sum()),
            }
            | dict(zip(named, map(int, counts), strict=True))
            | {"Still right": int(standing[-1].sum())}
        )
    return pd.DataFrame(lines)


def settings(bundle: Bundle) -> pd.DataFrame:
    """How each attack was run, at every radius of the grid, and what it cost."""
    steps = [s for s in bundle.manifest.steps if s.kind == "attack"]
    return pd.DataFrame(
        [
            (
                visible(title_of(bundle.manifest, step)),
                visible(step.status),
                formatting.settings(step.method, leave=("method", "eps")),
                number(step.forward),
                number(step.backward),
                visible(step.note),
            )
            for step in steps
        ],
        columns=["Attack", "Ended", "Settings", "Forward passes", "Backward passes", "Note"],
    )
