"""What was verified of an audit, kept until a file of it changes."""

import streamlit as st

from probe_dashboards.views import runs


@st.cache_data(max_entries=1000, show_spinner=False)
def verified(folder: str, stamp: str) -> runs.Integrity:
    """Hash every file and recompute every number of an audit, once for each of its `stamp`s."""
    return runs.check(folder)
