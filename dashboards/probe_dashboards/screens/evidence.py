"""Signatures, the list of files, and what each step left."""

from functools import partial

import streamlit as st

from probe.audit.reading import CHAPTERS
from probe.audit.signing.countersignatures import BINDS
from probe.report.exports import EXPORTS
from probe_dashboards import seals, widgets
from probe_dashboards.screens import signing_off
from probe_dashboards.views import evidence, sealed
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["evidence"]
LIMITS = (
    *CHAPTER.limits,
    "A signature shows who signed the files, not that their content is right. A sign-off "
    "without a signature only shows what somebody wrote, and sign-offs after it may have been taken away.",
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    _seal(opened)
    _sign_offs(opened)
    _report(opened)
    widgets.section("Numbers")
    widgets.listing(evidence.measured(opened.bundle), "Each number with its interval")
    widgets.section("What each step left")
    widgets.listing(evidence.steps(opened.bundle), "Settings and arrays of each step")


def _seal(opened: Opened) -> None:
    widgets.section("Seal")
    found, verified = seals.of(opened).seal, seals.verified(opened.folder, opened.stamp)
    signed = verified.signatures
    st.text(sealed.badge(found) if found and opened.bundle.complete else "None: the audit is not complete")
    if signed:
        widgets.table(sealed.signatures(signed, found), "Signatures of this audit")
        if found and not found.whose:
            st.caption("Give the public keys of those who may sign, in the sidebar, to see whose signature this is.")
    else:
        st.text("Nobody has signed this audit.")
    for each in verified.countersignatures:
        st.markdown(md(sealed.countersigned(each, found)))
    if verified.countersignatures:
        widgets.said(BINDS, small=True)
    st.caption("In a terminal")
    st.code(sealed.commands(opened.bundle), language=None, wrap_lines=True)


def _sign_offs(opened: Opened) -> None:
    widgets.section("Sign-offs")
    records = seals.verified(opened.folder, opened.stamp).signoffs
    for record in records:
        st.markdown(f"**{md(sealed.signed_off(record, seals.of(opened).seal))}**")
        st.markdown(md(record.statement))
        if record.decisions:
            widgets.table(sealed.decisions(record), "Decisions about the open failures")
    if not records:
        st.text(sealed.undecided(opened.bundle))
    signing_off.draw(opened)


def _report(opened: Opened) -> None:
    bundle, found = opened.bundle, seals.of(opened).seal
    widgets.section("Report and exports")
    titles = sealed.sections()
    chosen = st.multiselect(
        "Sections", list(titles), format_func=titles.__getitem__, key=f"sections {opened.id}", placeholder="all of them"
    )
    notes = st.text_area("Notes, to stand before them", key=f"notes {opened.id}", max_chars=20_000)
    write = partial(sealed.report, bundle, chosen, notes, found)
    with st.container(horizontal=True):
        st.download_button("Report (HTML)", write, "report.html", "text/html", on_click="ignore")
        for name, form in EXPORTS.items():
            st.download_button(
                form.title, partial(form.write, bundle), f"{name}.{form.ending}", form.mime, on_click="ignore"
            )
    signing_off.pdf(opened, write, repr((opened.stamp, chosen, notes, found)))
    if st.toggle("Preview of the report", key=f"preview {opened.id}"):
        # Its style forbids scripts, and every name in it is escaped.
        st.iframe(write(), height=700, alt="Preview of the report")
