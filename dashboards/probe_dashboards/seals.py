"""What was verified of an audit, kept until a file of it changes."""

import streamlit as st

from probe_dashboards import loading
from probe_dashboards.views import runs, sealed


@st.cache_data(max_entries=1000, show_spinner=False)
def verified(folder: str, stamp: str) -> runs.Integrity:
    """Hash every file and recompute every number of an audit, once for each of its `stamp`s."""
    beside = loading.checker()
    return beside.check(folder) if beside else runs.check(folder)


def of(opened: runs.Opened) -> sealed.Sealed:
    """The seal of an audit, by the digest and the public keys that were typed beside it."""
    given, keys = (str(st.session_state.get(f"{name} {opened.id}", "")) for name in ("digest", "signers"))
    return _sealed(opened.folder, opened.stamp, given.strip().lower(), keys)


@st.cache_data(max_entries=200, ttl=3600, show_spinner=False)
def _sealed(folder: str, stamp: str, given: str, keys: str) -> sealed.Sealed:
    return sealed.sealed(verified(folder, stamp), given, keys)
