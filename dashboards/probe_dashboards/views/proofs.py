"""What certificates prove, and what surveys found."""

import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.audit.reading import Certified, Measurement, Proof
from probe.formatting import DASH
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.words import unbroken

DRAWN = 30  # items in a figure; the table has all


def certificates(bundle: Bundle) -> dict[str, list[Certified]]:
    """The certificates by how they measure a radius: id to those that measure it alike."""
    found = [each for each in reading.certificates(bundle) if each.rows]
    axes = state.slugs(list(dict.fromkeys(each.axis for each in found)))
    return {slug: [each for each in found if each.axis == axis] for slug, axis in axes.items()}


def surveys(bundle: Bundle) -> dict[str, Proof]:
    """The surveys: id to what each found."""
    found = reading.surveys(bundle)
    slugs = state.slugs([each.step.removeprefix("survey-") for each in found])
    return dict(zip(slugs, found, strict=True))


def by_radius(found: list[Certified]) -> pd.DataFrame:
    """Certified accuracy at each radius, with abstentions, as it is read."""
    radii = {row.eps: row.at for each in found for row in each.rows}
    lines = []
    for each in found:
        cells = {row.eps: unbroken(row.written) for row in each.rows}
        none = unbroken(each.abstentions.written) if each.abstentions else DASH
        counted = formatting.count(each.n)
        lines.append([visible(each.title), *(cells.get(eps, DASH) for eps in radii), none, counted])
    return pd.DataFrame(
        lines, columns=["Certificate", *(f"At {visible(at)}" for at in radii.values()), "Abstentions", "n"]
    )


def proved(found: list[Certified]) -> pd.DataFrame:
    """How each certificate holds, and what was asked of it."""
    lines = [
        (
            visible(each.title),
            visible(each.caption),
            formatting.threshold(each.threshold, "at least", "share") or DASH,
            visible(each.settings) or DASH,
        )
        for each in found
    ]
    return pd.DataFrame(lines, columns=["Certificate", "How it holds", "Threshold at each radius", "Settings"])


def curve(rows: list[Measurement]) -> pd.DataFrame:
    """The numbers of a curve or of intervals; NaN where there is none."""
    return pd.DataFrame(
        [(row.eps, visible(row.item), row.value, row.low, row.high, row.n) for row in rows],
        columns=["eps", "item", "value", "low", "high", "n"],
    ).astype(dict.fromkeys(("eps", "value", "low", "high"), float))


def items(found: Proof) -> pd.DataFrame:
    """What a survey found of each item, the largest first, as it is read."""
    lines = [(visible(row.item), unbroken(row.written), row.counted) for row in found.rows]
    names = (found.item, found.asks)
    heads = [visible(name[:1].upper() + name[1:]) for name in names]
    return pd.DataFrame(lines, columns=[heads[0], f"{heads[1]} [95 % interval]", "n"])


def said(found: Proof) -> str:
    """What a survey asks, of how many rows and with which settings."""
    some = f" The {DRAWN} largest of {len(found.rows)} are drawn." if len(found.rows) > DRAWN else ""
    told = f"{found.asks[:1].upper()}{found.asks[1:]}, with 95 % intervals over {formatting.count(found.n)} rows.{some}"
    return " ".join(filter(None, (told, found.caption, found.settings and f"Settings: {found.settings}.")))


def why_none(bundle: Bundle, kind: str) -> str:
    """Why there is nothing of a kind of step, as a sentence; empty where all of it ran."""
    notes = dict.fromkeys(visible(missing.note) for missing in reading.unmade(bundle, kind))
    return f"{'; '.join(notes)}." if notes else ""
