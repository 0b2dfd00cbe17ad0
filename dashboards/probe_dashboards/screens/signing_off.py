"""The form that signs an audit off, and the report as a PDF."""

from collections.abc import Callable
from threading import Lock

import streamlit as st

from probe.audit.signoff import LONGEST, Verdict
from probe.errors import ProbeError
from probe_dashboards.folding import folded
from probe_dashboards.views import signing_off
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import as_label, md

WRITTEN = "sign-off written"  # of the session: what to say once the page shows it
_printing = Lock()


def draw(opened: Opened) -> None:
    """The form, folded away; or why there is none."""
    if said := st.session_state.pop(f"{WRITTEN} {opened.id}", ""):
        st.success(said, icon=":material/draw:")
    if why := signing_off.refused(opened.bundle):
        st.text(why)
        return
    folded("Sign this audit off", f"sign-off {opened.id}", lambda: _form(opened), ":material/draw:")


def _form(opened: Opened) -> None:
    failures = signing_off.failures(opened.bundle)
    st.markdown(signing_off.DOES)
    with st.form(f"form {opened.id}", border=False):
        name = st.text_input("Your name", max_chars=LONGEST, key=f"so name {opened.id}", width=400)
        role = st.text_input("Your role", max_chars=LONGEST, key=f"so role {opened.id}", width=400)
        statement = st.text_area("Your statement about the audit", max_chars=LONGEST, key=f"so says {opened.id}")
        decided: dict[str, tuple[Verdict, str]] = {}
        for number, (check, title) in enumerate(failures.items(), 1):
            verdict = st.radio(
                as_label(f"{number} of {len(failures)}: {title}"),
                list(signing_off.VERDICTS),
                index=None,
                format_func=lambda each: signing_off.VERDICTS[each],
                horizontal=True,
                key=f"so verdict {opened.id} {number}",
            )
            why = st.text_input(f"Reason for {number}", max_chars=LONGEST, key=f"so reason {opened.id} {number}")
            if verdict is not None:
                decided[check] = (verdict, why)
        sent = st.form_submit_button("Write the sign-off", icon=":material/draw:")
    if not sent:
        return
    try:
        record = signing_off.write(opened, name, role, statement, decided)
    except (ProbeError, OSError) as error:
        st.error(md(f"Nothing was written: {error}."), icon=":material/error:")
        return
    st.session_state[f"{WRITTEN} {opened.id}"] = f"Sign-off {record.number} was written to {record.file}."
    for key in [key for key in st.session_state if str(key).startswith("so ") and opened.id in str(key)]:
        del st.session_state[key]
    st.rerun()


def pdf(opened: Opened, page: Callable[[], str], changes: str) -> None:
    """A button that prints the report, where that is safe here; what is printed is kept until `changes` does."""
    from probe.report import pdf as printing  # loads matplotlib, which the first page does without

    if why := printing.unprintable():
        st.caption(f"{md(why)} In a terminal:")
        st.code(signing_off.pdf_command(opened.bundle), language="bash", wrap_lines=True)
        return
    held = f"pdf {opened.id}"
    if st.button("Print as PDF", icon=":material/print:", key=f"print {opened.id}"):
        try:
            with _printing, st.spinner("A Chromium on this machine prints the report"):
                st.session_state[held] = (changes, printing.to_pdf(page()))
        except ProbeError as error:
            st.error(md(f"Nothing was printed: {error}."), icon=":material/error:")
    before, data = st.session_state.get(held, ("", b""))
    if data and before == changes:
        st.download_button("Report (PDF)", data, "report.pdf", "application/pdf", on_click="ignore")
