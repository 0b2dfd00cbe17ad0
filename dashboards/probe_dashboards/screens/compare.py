"""Did the second audit come out otherwise than the first, by how much, and how sure is that?"""

from functools import partial

import streamlit as st

from probe.audit.pairing import Comparison
from probe_dashboards import seals, state, widgets
from probe_dashboards.folding import folded
from probe_dashboards.views import comparing, runs
from probe_dashboards.views.held import held
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import md

LIMITS = (
    "A difference is measured on these rows: its interval holds for rows drawn in the same way, not for other data.",
    "Of many readings some differ by chance: of twenty without any difference about one looks better or worse.",
    "No difference shown does not mean that there is none: the interval says how large one could be.",
    "A status can change without a difference, where its interval lay near the threshold.",
)


def draw(folder: runs.Folder) -> None:
    """Draw the page."""
    widgets.heading("Compare", "What differs in the second audit, by how much, and how certain is that?")
    if len(folder.runs) < 2:
        st.text("Two audits are compared, and there are not two here. Make another one, such as of another model:")
        st.code("probe audit adult-mlp", language=None, wrap_lines=True)
        return
    known = {run.id: run for run in folder.runs}
    first, second = _chosen(folder)
    if first == second:
        st.info("Both are the same audit. Choose another one.", icon=":material/info:")
        return
    pair = known[first], known[second]
    intact = [_intact(run, which) for run, which in zip(pair, ("first", "second"), strict=True)]
    if not all(intact):
        st.text("Audits are compared only if their files are those that were recorded.")
        return
    with st.spinner("Comparing; differences are drawn again many times for their intervals"):
        found = _compared(*(part for run in pair for part in (run.folder, runs.stamp(run.folder))))
    _shown(found)
    widgets.facts(
        Panel("comparison", "The comparison", partial(comparing.numbers, found), LIMITS[2], ""),
        comparing.command(pair[0].folder, pair[1].folder),
        comparing.python(pair[0].folder, pair[1].folder),
    )


def _chosen(folder: runs.Folder) -> tuple[str, str]:
    titles = comparing.titles(folder.runs)
    usual = comparing.usual(folder.runs)
    for which in ("first", "second"):
        if known := state.named(st.query_params.get(which, ""), list(titles)):
            st.query_params[which] = known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = widgets.control(folder, "first", "First audit", titles, usual[0], width=380)
        second = widgets.control(folder, "second", "Second audit", titles, usual[1], width=380)
        st.button("Swap", icon=":material/swap_horiz:", on_click=_to, args=(second, first))
    if {"first", "second"} - set(st.query_params):
        _to(first, second)  # The address is a link to this comparison from the start.
    with st.container(horizontal=True):
        for number, which in ((first, "first"), (second, "second")):
            st.page_link(
                folder.pages["summary"],
                label=f"Open the {which}",
                icon=":material/arrow_forward:",
                query_params={"run": number},
            )
    return first, second


def _to(first: str, second: str) -> None:
    st.query_params["first"] = first
    st.query_params["second"] = second


def _intact(run: runs.Run, which: str) -> bool:
    if run.ended == "running":
        st.info(f"The {which} audit is being written. Compare it when it is done.", icon=":material/hourglass_top:")
        return False
    seal = seals.verified(run.folder, runs.stamp(run.folder))
    if not seal.intact:
        st.error(
            f"**The {which} audit differs from what was recorded.** {md(seal.sentence)}.", icon=":material/gpp_bad:"
        )
    return seal.intact


@st.cache_data(max_entries=50, show_spinner=False)
def _compared(first: str, first_stamp: str, second: str, second_stamp: str) -> Comparison:
    """A changed audit has another stamp, and is compared again."""
    return comparing.compare(*(held(folder, stamp) for folder, stamp in ((first, first_stamp), (second, second_stamp))))


def _shown(found: Comparison) -> None:
    if found.refused:
        st.warning(md(found.refused), icon=":material/block:")
    else:
        st.header(md(comparing.said(found)), anchor=False)
    for note in found.notes:
        st.caption(md(f"{note[:1].upper()}{note[1:]}."))
    if found.refused:
        both = partial(widgets.markdown_table, comparing.apart(found), "Readings of both audits")
        folded("The numbers of both, without differences", "apart", both)
        return
    widgets.section("Changed statuses")
    if found.findings.changed:
        widgets.markdown_table(comparing.statuses(found.findings.changed), "Findings whose status changed")
    else:
        st.text("No finding has changed its status.")
    if same := comparing.unchanged(found.findings):
        st.caption(md(same))
    widgets.section("Readings that differ")
    differing, alike, apart = comparing.differing(found), comparing.alike(found), comparing.apart(found)
    if differing.empty:
        st.text("No reading differs by more than chance.")
    else:
        widgets.markdown_table(differing, "Readings that differ, with the interval of the difference")
    if not (alone := comparing.alone(found.findings)).empty:
        widgets.section("Findings that are new or gone")
        widgets.markdown_table(alone, "Findings that only one audit has")
    widgets.section("Unchanged, or not compared")
    for part, what in (
        (alike, "without a difference that can be told from chance"),
        (apart, "not subtracted, and why"),
    ):
        if not part.empty:
            folded(f"{len(part)} readings {what}", what, partial(widgets.markdown_table, part, f"Readings {what}"))
