"""Accuracy under attack, by radius."""

import numpy as np
import pandas as pd

from probe import plots
from probe.audit import Bundle, reading
from probe.audit.families import JUDGED
from probe.audit.titles import titles
from probe.formatting import DASH, share
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import attacked, panels
from probe_dashboards.views.flips import attacks_of, flips, norms
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import number, unbroken

ATTACK = "attack"  # the curves by attack; anything else is the id of an attribute
LABEL = "label"  # the curves by label, where several are attacked alone


def obstacle(bundle: Bundle) -> str:
    """Why there is nothing to show; empty if there is."""
    if bundle.has("tables/robustness.csv"):
        return ""
    return reason(bundle, "robustness")


def reason(bundle: Bundle, aspect: str) -> str:
    """Why the audit measured nothing of an aspect, as a sentence."""
    notes = dict.fromkeys(visible(missing.note) for missing in reading.why_empty(bundle, aspect))
    return f"{'; '.join(notes)}."


@once
def choices(bundle: Bundle, norm: str = "") -> dict[str, str]:
    """What the curves can be drawn by: id to title."""
    found = attacks_of(bundle, norm)
    attributes = state.slugs(list(found.by_group))
    labels = {LABEL: "label"} if found.by_label else {}
    return (
        {ATTACK: "attack"} | labels | {slug: name for slug, name in attributes.items() if slug not in (ATTACK, LABEL)}
    )


def curves(bundle: Bundle, by: str, norm: str = "") -> list[reading.Curve]:
    """The curves of a norm: of each attack, or of each label or group under all. Every curve starts at radius 0."""
    found = attacks_of(bundle, norm)
    if by == LABEL:
        return found.by_label
    return reading.bracketed(found) if by == ATTACK else found.by_group[choices(bundle, norm)[by]]


def table(bundle: Bundle, by: str, norm: str = "") -> pd.DataFrame:
    """The numbers of the curves."""
    lines = [(c.name, p.eps, p.value, p.low, p.high, p.n) for c in curves(bundle, by, norm) for p in c.points]
    name = by if by in (ATTACK, LABEL) else "group"
    return pd.DataFrame(lines, columns=[name, "eps", attacks_of(bundle, norm).family.metric, "low", "high", "n"])


def drawn(bundle: Bundle, by: str, norm: str = "") -> dict[str, plots.Curve]:
    """The curves by name, to be drawn."""
    frame = table(bundle, by, norm)
    return {
        str(name): plots.Curve(part["eps"], part.iloc[:, 2], part["low"], part["high"])
        for name, part in frame.groupby(frame.columns[0], sort=False)
    }


@once
def shown(bundle: Bundle, by: str, norm: str = "") -> pd.DataFrame:
    """The same as text: an estimate with its interval for each radius."""
    found = curves(bundle, by, norm)
    grid = found[0].points
    lines = []
    for curve in found:
        at = {point.eps: unbroken(point.written) for point in curve.points}
        lines.append((visible(curve.name), curve.counted, *(at.get(point.eps, DASH) for point in grid)))
    radii = [visible(point.at) for point in grid]
    return pd.DataFrame(lines, columns=[by.capitalize() if by in (ATTACK, LABEL) else "Group", "n", *radii])


def bracketed(bundle: Bundle, norm: str = "") -> bool:
    """Whether a certificate bounds robust accuracy from below."""
    return bool(reading.brackets_of(attacks_of(bundle, norm)))


@once
def verdict(bundle: Bundle) -> str:
    """What came of the attacks, in a sentence."""
    return visible(reading.verdict(bundle)[0])


@once
def breakdown(bundle: Bundle, norm: str = "") -> pd.DataFrame:
    """The share of the attacked examples by the smallest radius at which any attack flips them, with its interval."""
    found = flips(bundle, norm)
    tried = found.state != "untried"
    done = "flipped" if found.judges else "moved to the goal"
    names = [found.called("wrong"), *(f"first {done} at {radius}" for radius in found.grid), f"never {done}"]
    parts = [found.state == "wrong", *(found.radius == at for at in range(len(found.grid))), found.state == "withstood"]
    of = attacks_of(bundle, norm).family.share
    shares = [of(part[tried]) if tried.any() else of(np.zeros(1)) for part in parts]
    counts, (value, low, high, _) = [int((part & tried).sum()) for part in parts], zip(*shares, strict=True)
    return pd.DataFrame({"smallest radius": names, "examples": counts, "share": value, "low": low, "high": high})


@once
def middle(bundle: Bundle, norm: str = "") -> str:
    """The smallest radius by which half of the examples that were right are flipped, in a sentence."""
    found = flips(bundle, norm)
    right = np.isin(found.state, ("flipped", "withstood"))
    if not right.any():
        return f"No attacked example was {'right' if found.judges else 'away from the goal'} before the attacks."
    gone = [int(((found.radius >= 0) & (found.radius <= at) & right).sum()) for at in range(len(found.grid))]
    half = next((at for at, count in enumerate(gone) if 2 * count >= right.sum()), None)
    of = f"of the {number(int(right.sum()))} examples{' that were right' if found.judges else ''}"
    done = "flipped" if found.judges else "moved to the goal"
    if half is None:
        return f"Fewer than half {of} are {done} at {found.grid[-1]}, the largest radius tried."
    return f"By {found.grid[half]}, {share(gone[half] / right.sum())} {of} are {done} by some attack."


def not_tried(bundle: Bundle) -> list[str]:
    """The attacks that were not run, and why."""
    kinds = ("attack", "label attack")
    missing = [each for kind in kinds for each in reading.unmade(bundle, kind) if each.check != f"{kind}s"]
    return [visible(f"{each.check}: {each.note}") for each in missing]


def behind(bundle: Bundle, by: str, norm: str = "") -> dict[str, Panel]:
    """What stands behind the curves, the budgets of single examples, and how the attacks were run."""
    own = attacks_of(bundle, norm)
    at = list(norms(bundle)).index(norm) if norm in norms(bundle) else 0
    curve = f"reading.attacks(bundle)[{at}]"
    if by == ATTACK and bracketed(bundle, norm):
        curve = f"reading.bracketed({curve})"
    else:
        curve += "." + (
            "by_label" if by == LABEL else "curves" if by == ATTACK else f"by_group[{choices(bundle, norm)[by]!r}]"
        )
    ran_by = own.family.steps[0] if own.family.steps else None
    again = ""
    if ran_by is not None and panels.has_source(bundle):
        sample = str(bundle.manifest.plan.attack.sample)
        again = panels.replanned(bundle, "attack", "--sample", sample, *panels.options(ran_by.method))
    return {
        "curves": Panel(
            "curves",
            f"{own.measure} by radius",
            lambda: table(bundle, by, norm),
            "that the model withstands what was not tried: attacks that find nothing prove nothing.",
            curve,
            again,
        ),
        "budgets": Panel(
            "budgets",
            "Smallest radius of each example",
            lambda: _budgets(bundle, norm),
            "the true smallest change: a better attack may flip an example at a smaller radius.",
            "{step.name: bundle.arrays(step.name)['success'] for step in reading.steps(bundle.manifest, 'attack')}",
        ),
        "attacks": Panel(
            "attacks",
            "How the attacks were run",
            lambda: settings(bundle),
            "attacks that the plan does not name.",
            "reading.tried(bundle.manifest)",
            again,
        ),
    }


def _budgets(bundle: Bundle, norm: str) -> pd.DataFrame:
    found = flips(bundle, norm)
    rows = [int(row) for row in np.flatnonzero(found.state != "untried")]
    return pd.DataFrame(
        [(row, found.called(str(found.state[row])), *(found.alone(name, row) for name in found.by)) for row in rows],
        columns=["row", "state", *found.by],
    )


@once
def movable(bundle: Bundle, norm: str = "") -> pd.DataFrame:
    """The share of right answers, or of rows away from the goal, whose input the attacks could change at all."""
    found = attacks_of(bundle, norm)
    return pd.DataFrame(
        [(visible(p.at), share(p.value), number(p.n)) for p in found.movable],
        columns=["Radius", "Inputs that could be changed", "Right answers (n)" if found.family.judges else "Rows (n)"],
    )


@once
def besides(bundle: Bundle) -> pd.DataFrame:
    """Other metrics of the attacks."""
    found = [row for row in reading.measured(bundle, kind="attack") if row.metric not in JUDGED]
    lines = [(visible(row.method), visible(row.named), unbroken(row.written), row.counted) for row in found]
    return pd.DataFrame(lines, columns=["Attack", "Measure", "Estimate [95 % interval]", "n"])


@once
def first_successes(bundle: Bundle, norm: str = "") -> pd.DataFrame:
    """How many examples each attack breaks for the first time at each radius."""
    lines, called, own = [], titles(bundle.manifest, "attack"), attacks_of(bundle, norm).family
    mine = {step.id for step in own.steps}
    did, before_, left = (
        ("broken", "Wrong before", "Still right")
        if own.judges
        else ("at the goal", "At the goal before", "Never there")
    )
    for attack, name in attacked.attacks(bundle).items():
        if name not in mine:
            continue
        stored = attacked.attack_arrays(bundle, attack)
        success, clean = stored["success"], stored["clean"]
        robust = clean[None] & ~success
        before = np.concatenate([clean[None], robust[:-1]])
        counts = (before & ~robust).sum(axis=1)
        named = [f"first {did} at {visible(radius)}" for radius in attacked.radii(bundle, attack).values()]
        lines.append(
            {
                "Attack": visible(called[name]),
                "Attacked (n)": len(clean),
                before_: int((~clean).sum()),
            }
            | dict(zip(named, map(int, counts), strict=True))
            | {left: int(robust[-1].sum())}
        )
    return pd.DataFrame(lines)


@once
def settings(bundle: Bundle) -> pd.DataFrame:
    """How each attack was run, at every radius of the grid, and what it cost."""
    lines = [
        (
            visible(t.title),
            visible(t.status),
            visible(t.settings),
            number(t.forward),
            number(t.backward),
            visible(t.note),
        )
        for t in reading.tried(bundle.manifest)
    ]
    return pd.DataFrame(lines, columns=["Attack", "Ended", "Settings", "Forward passes", "Backward passes", "Note"])
