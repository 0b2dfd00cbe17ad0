"""Which audits are here, how did each end, and are its files those that were recorded?"""

import shlex
from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from probe.text import visible
from probe_dashboards import seals, widgets
from probe_dashboards.views import history, runs
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import as_label, md

LIMITS = (
    "Consistent with itself means that files and numbers belong together. It does not show who made them: compare the "
    "digest with one that you received separately.",
    "Only audits in this folder are listed; those that were deleted, moved or never kept are not.",
    "Numbers of failed findings do not rank models: audits differ in their plans, data and thresholds.",
)
TICKED = "ticked runs"


def draw(folder: runs.Folder) -> None:
    """Draw the page."""
    widgets.heading("Runs", "Which audits are here, how did each end, and are its files those that were recorded?")
    if not folder.runs:
        st.text(f"No runs in {visible(folder.path)}. Create one:")
        st.code("probe audit adult-mlp", language=None, wrap_lines=True)
        return
    shown = _asked(folder)
    parts = history.pages(shown)
    page = int(widgets.asked(folder, "page", [str(at) for at in range(1, len(parts) + 1)]))
    st.caption(f"{len(shown)} of {len(folder.runs)} audits. Tick two to compare them.")
    _compare(folder)
    places = [_row(folder, run) for run in parts[page - 1]]
    if len(parts) > 1:
        _turned(page, len(parts))
    known = _sealed(parts[page - 1], places)
    widgets.facts(
        Panel("runs", "The audits of this folder", partial(history.table, shown, known), LIMITS[1], ""),
        f'for run in {shlex.quote(folder.path)}/*/; do probe verify "$run"; done',
        history.python(folder.path),
    )


def _asked(folder: runs.Folder) -> list[runs.Run]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = widgets.control(
            folder, "which", "Show", {name: title for name, (title, _) in history.FILTERS.items()}, drops="page"
        )
        order = widgets.control(
            folder, "sort", "Sort", {name: title for name, (title, _, _) in history.ORDERS.items()}, drops="page"
        )
        text = widgets.search("q", "model, data, date, digest")
    return history.chosen(folder.runs, which, text, order)


def _row(folder: runs.Folder, run: runs.Run) -> tuple[DeltaGenerator, DeltaGenerator]:
    """A run as a card; the places where it says what was found, and what was verified."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.session_state[f"tick {run.id}"] = run.id in _ticked()
            st.checkbox(as_label(run.title), key=f"tick {run.id}", on_change=_tick, args=(run.id,))
            st.page_link(
                folder.pages["summary"], label="Open", icon=":material/arrow_forward:", query_params={"run": run.id}
            )
        found = st.empty()
        found.markdown(history.outcome(run))
        st.caption(history.line(run))
        return found, st.empty()


def _ticked() -> list[str]:
    found: list[str] = st.session_state.setdefault(TICKED, [])
    return found


def _tick(run: str) -> None:
    if run in _ticked():
        _ticked().remove(run)
    else:
        _ticked().append(run)


def _compare(folder: runs.Folder) -> None:
    """A link to the comparison of the two that are ticked, the older first."""
    chosen = sorted((run for run in folder.runs if run.id in _ticked()), key=lambda run: run.created)
    if len(chosen) == 2:
        st.page_link(
            folder.pages["compare"],
            label=f"Compare {md(chosen[0].title)} with {md(chosen[1].title)}",
            icon=":material/compare_arrows:",
            query_params={"first": chosen[0].id, "second": chosen[1].id},
        )
    elif len(chosen) > 2:
        st.caption(f"{len(chosen)} are ticked, and two are compared: untick {len(chosen) - 2}.")


def _turned(page: int, last: int) -> None:
    with st.container(horizontal=True):
        widgets.step_button("page", "Newer page", str(page - 1) if page > 1 else None, ":material/chevron_left:")
        widgets.step_button("page", "Next page", str(page + 1) if page < last else None, ":material/chevron_right:")
        st.text(f"Page {page} of {last}")


def _sealed(
    shown: Sequence[runs.Run], places: Sequence[tuple[DeltaGenerator, DeltaGenerator]]
) -> Mapping[str, runs.Integrity]:
    """Verify the runs of the page one after another, and say so in their places; what is verified is kept."""
    for _, place in places:
        place.caption("Being verified")
    known = {}
    for run, (found, place) in zip(shown, places, strict=True):
        if run.ended == "running":
            place.caption("Not verified before it is done")
            continue
        known[run.id] = seals.verified(run.folder, runs.stamp(run.folder))
        if not known[run.id].intact:
            found.markdown(history.outcome(run, intact=False))
        place.caption(f"Digest {md(run.digest[:12])}, {history.seal(known[run.id])}")
    return known
