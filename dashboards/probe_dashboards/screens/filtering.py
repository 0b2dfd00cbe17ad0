"""The filter of rows, which lives in the address; Rows and Instance ask for it alike."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import Any

import numpy as np
import streamlit as st

from probe_dashboards import state, widgets
from probe_dashboards.views import examples, flips, rows
from probe_dashboards.views.examples import ANY, Wanted
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import as_label, md

# By their keys in the address: their titles, their choices, and what is chosen unless the address says.
Parts = dict[str, tuple[str, Mapping[str, str], str]]
BOUNDS = {"from": -inf, "to": inf}


def kept(opened: Opened) -> Wanted:
    """What a link asks for beyond the controls of Instance: one of several, a range, what attacks did, a text."""
    bundle = opened.bundle
    one = _asked(opened, "one", {ANY: "any"} | examples.ones(bundle))
    broken = _asked(opened, "broken", {ANY: "any"} | flips.STATES)
    least, most = (number(opened, key, default) for key, default in BOUNDS.items())
    search = st.query_params.get("search", "")[: state.LONGEST]
    return Wanted(one=one, broken=broken, least=least, most=most, search=search)


def controls(opened: Opened, drops: str, base: Wanted, default: str = "all", *, every: bool = False) -> Wanted:
    """The filter in the address, with a control for each part; a change drops the part of the address named `drops`.

    `base` is what `kept` found, which has controls too if `every`. What few ask for is folded away, and a browser
    draws it only for those who do: of Instance, which shows one row, that is all of it.
    """
    bundle = opened.bundle
    ask = partial(widgets.control, opened, drops=drops, width=170)
    first: Parts = {"of": (f"Of {examples.count(bundle):,}", examples.EXPLAINED, default)}
    if examples.right(bundle) is not None:
        first["outcome"] = "Answer is", examples.OUTCOMES, ANY
    parts, found = _parts(opened, base, every=every), {}
    if every:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            found = {key: ask(key, *each) for key, each in first.items()}
            _search(base, drops)
    else:
        parts = first | parts
    used = [key for key, (_, _, usual) in parts.items() if st.query_params.get(key, usual) != usual]
    used += [key for key in (*BOUNDS, "one", "broken") if every and key in st.query_params]
    more = st.expander(
        "More filters" if every else "Filters", key=f"filters {drops}", expanded=bool(used), on_change="rerun"
    )
    with more, st.container(horizontal=True, vertical_alignment="bottom"):
        if more.open:
            found |= {key: ask(key, *each) for key, each in parts.items()}
            if every:
                _besides(opened, base, drops)
        else:
            found |= {key: widgets.asked(opened, key, list(titles), usual) for key, (_, titles, usual) in parts.items()}
    if used and not more.open:
        st.caption("Filters that are folded away are in use.")
    groups = {key.removeprefix("in-"): value for key, value in found.items() if key.startswith("in-")}
    outcome, answer, label, sure = (found.get(key, ANY) for key in ("outcome", "answer", "label", "sure"))
    return replace(base, of=found["of"], outcome=outcome, answer=answer, label=label, sure=sure, groups=groups)


def _parts(opened: Opened, base: Wanted, *, every: bool) -> Parts:
    """What few filter by."""
    bundle = opened.bundle
    parts: Parts = {}
    if examples.are_classes(bundle):
        classes = {ANY: "any"} | examples.classes(bundle, base.one)
        parts |= {"answer": ("Answer", classes, ANY), "label": ("Label", classes, ANY)}
    if (not every or "sure" in st.query_params) and bundle.manifest.task.one_class:
        parts["sure"] = "Probability of the answer", examples.SURE, ANY
    for attribute, name in examples.attributes(bundle).items():
        parts[f"in-{attribute}"] = as_label(name), {ANY: "any"} | examples.groups(bundle, attribute), ANY
    return parts


def _besides(opened: Opened, base: Wanted, drops: str) -> None:
    """The controls of what `kept` reads, but the search."""
    bundle = opened.bundle
    ones = examples.ones(bundle)
    unnamed = ANY if bundle.manifest.task.kind != "regression" else next(iter(ones))
    if len(ones) > 1:
        titles = ones if unnamed != ANY else {ANY: "the answer" if bundle.manifest.task.one_class else "any"} | ones
        title = "Probability of" if bundle.manifest.task.one_class else "One of several"
        widgets.select("one", title, unnamed if base.one == ANY else base.one, titles, drops=drops, width=170)
    measured, values = examples.measure(bundle, base.one)
    if np.isfinite(values).any():
        unit = "" if bundle.manifest.task.kind == "regression" else " (%)"
        for key, value in (("from", base.least), ("to", base.most)):
            bound(key, as_label(f"{measured} {key}{unit}"), value, drops)
    if flips.norms(bundle):
        widgets.select("broken", "Under attack", base.broken, {ANY: "any"} | flips.STATES, drops=drops, width=200)


def _search(base: Wanted, drops: str) -> None:
    st.session_state["search"] = base.search
    st.text_input("Search", key="search", max_chars=state.LONGEST, on_change=_write, args=("search", drops), width=220)


def clear(*keys: str) -> None:
    """Take all of the filter out of the address, and what else is named."""
    gone = {*BOUNDS, *rows.KEYS, "of", *keys}
    for key in list(st.query_params):
        if key in gone or key.startswith("in-"):
            del st.query_params[key]


def _asked(opened: Opened, key: str, titles: dict[str, str]) -> str:
    return widgets.asked(opened, key, list(titles))


def number(opened: Opened, key: str, default: float) -> float:
    """A number in the address."""
    given = st.query_params.get(key, "")
    try:
        value = float(given) if given else default
    except ValueError:
        value = float("nan")
    if given and not isfinite(value):
        shown = md(given[: state.LONGEST])
        opened.messages.warning(
            f"This link asks for rows {key} {shown}, which is no number. It is left out.", icon=":material/link_off:"
        )
        return default
    return value


def bound(key: str, title: str, value: float, drops: str) -> None:
    """A field for a number, which is kept in the address; a change drops the part of the address named `drops`."""
    name = f"bound {key}"
    st.session_state[name] = value if isfinite(value) else None
    st.number_input(title, key=name, step=1.0, format="%.6g", on_change=_write, args=(key, drops, name), width=170)


def _write(key: str, drops: str, held: str = "") -> None:
    value: Any = st.session_state[held or key]
    if value in (None, ""):
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value if isinstance(value, str) else f"{value:.17g}"
    st.query_params.pop(drops, None)
