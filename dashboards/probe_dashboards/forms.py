"""A form made from the settings of a method."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from probe_dashboards.views.lab.settings import Field, filled
from probe_dashboards.views.words import as_label, md


def settings(key: str, fields: Sequence[Field]) -> dict[str, Any]:
    """Draw a field for each setting, and give back those that were changed, as a request holds them."""
    return filled(fields, {one.name: _field(f"{key} {one.name}", one) for one in fields})


def _field(key: str, one: Field) -> Any:
    label, said = as_label(one.label), md(one.help) or None
    if one.kind == "truth":
        return st.checkbox(label, value=one.default, key=key, help=said)
    if one.kind == "choice":
        options = list(one.options)
        return st.selectbox(label, options, index=options.index(one.default), key=key, help=said)
    if one.kind == "whole":
        return int(
            st.number_input(label, value=one.default, min_value=one.low, max_value=one.high, step=1, key=key, help=said)
        )
    if one.kind == "method":
        options = list(one.inner)
        chosen = st.selectbox(
            label,
            options,
            index=options.index(one.default),
            format_func=lambda option: option.replace("_", " ") or "none",
            key=key,
            help=said,
        )
        inner = one.inner[chosen]
        # Their keys hold the method, so that a setting of one is not taken for that of another of the same name.
        return chosen, {each.name: _field(f"{key} {chosen} {each.name}", each) for each in inner}
    return st.text_input(
        label, value=one.default, key=key, help=said, placeholder=one.placeholder, max_chars=500
    ).strip()
