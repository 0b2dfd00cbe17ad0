"""A slice that the reader of Performance names: groups, and features of the rows that are kept."""

from functools import partial

import streamlit as st

from probe_dashboards import widgets
from probe_dashboards.screens import filtering
from probe_dashboards.views import examples, free, sliced
from probe_dashboards.views.examples import ANY
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import as_label, md

LOOKED = "slices looked at"  # of the session: by audit, those that were shown
WIDTH = 190


def draw(opened: Opened, one: str) -> None:
    """The conditions, and what they choose against the rest; nothing where rows have neither groups nor features."""
    bundle = opened.bundle
    if examples.right(bundle) is None and not sliced.of_numbers(bundle):
        return
    if not examples.attributes(bundle) and not free.features(bundle):
        return
    asked = [f"is-{attribute}" for attribute in examples.attributes(bundle)] + [*free.SLOTS]
    label = "Choose groups and features, and compare their rows with all others"
    widgets.part("free-slice", "A slice of your own", label, partial(_slice, opened, one), *asked)


def _slice(opened: Opened, one: str) -> None:
    bundle = opened.bundle
    named = _named(opened)
    if not named.groups and not named.features:
        st.text("Choose a group or a feature to compare the rows that have it with all others.")
        return
    looked = st.session_state.setdefault(LOOKED, {}).setdefault(opened.id, set())
    looked.add((one, named.written))
    widgets.table(free.table(bundle, opened.id, one, named), "The slice and all other rows")
    st.markdown(md(free.said(bundle, one, named, len(looked))))
    widgets.behind(opened, free.panel(bundle, one, named))


def _named(opened: Opened) -> free.Named:
    bundle, groups, features = opened.bundle, {}, {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for attribute, name in examples.attributes(bundle).items():
            titles = examples.groups(bundle, attribute)
            group = widgets.control(opened, f"is-{attribute}", as_label(name), {ANY: "any"} | titles, width=WIDTH)
            if group != ANY:
                groups[name] = titles[group]
    known = free.features(bundle)
    if known:
        st.caption(md(free.kept_of(bundle)))
    for slot in free.SLOTS if known else ():
        with st.container(horizontal=True, vertical_alignment="bottom"):
            feature = widgets.control(opened, slot, "Feature", {ANY: "any"} | known, width=WIDTH)
            if feature == ANY:
                break
            features[known[feature]] = _of_feature(opened, slot, feature)
    return free.Named(groups, features)


def _of_feature(opened: Opened, slot: str, feature: str) -> str | tuple[float, float]:
    bundle = opened.bundle
    if titles := free.values(bundle, feature):
        return titles[widgets.control(opened, f"{slot}-{feature}-is", "Value", titles, width=WIDTH)]
    ends = free.bounds(bundle, feature)
    asked = []
    for side, end in zip(("from", "to"), ends, strict=True):
        key = f"{slot}-{feature}-{side}"
        value = filtering.number(opened, key, end)
        filtering.bound(key, side.capitalize(), value, "")
        asked.append(value)
    return asked[0], asked[1]
