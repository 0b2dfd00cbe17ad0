"""Parts of a page that are folded away: drawn when somebody opens them, and only they are drawn then."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from probe_dashboards.views.runs import MALFORMED, reason
from probe_dashboards.views.words import md


@st.fragment
def folded(label: str, key: str, draw: Callable[[], None], icon: str | None = None, *, wanted: bool = False) -> None:
    """An expander whose content is drawn by `draw` while it is open. No other on the page has the same key.

    It is open from the start if that is `wanted`.
    """
    look: dict[str, Any] = {"expanded": True} if wanted else {}
    part = st.expander(label, key=f"open {key}", icon=icon, on_change="rerun", **look)
    if not part.open:
        return
    with part:
        try:
            draw()
        except MALFORMED as error:
            st.error(f"This part cannot be shown: {md(reason(error))}.", icon=":material/broken_image:")
