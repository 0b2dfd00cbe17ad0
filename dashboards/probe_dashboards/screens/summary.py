"""Is anything wrong, how sure is that, and what was not tested?"""

from functools import partial
from typing import Any

import streamlit as st

from probe.audit import Bundle
from probe.statuses import STATUSES
from probe_dashboards import widgets
from probe_dashboards.folding import folded
from probe_dashboards.views import summary
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md, status

LIMITS = (
    "No finding means that a model is fair, safe or lawful: each is one measurement on one data set.",
    "Checks that are not in the plan were not made; a short list of findings does not mean few problems.",
    "Intervals cover sampling error. They do not cover data that differ from what the model will meet in use.",
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(md(bundle.name), "Is anything wrong, how sure is that, and what was not tested?")
    said = [f"**{head}.** {md(sentence)}" for head, sentence in summary.sentences(bundle).items()]
    st.markdown("\n\n".join([*said, md(" ".join(summary.verdict(bundle)[1:]))]))
    _report(opened)
    if caution := summary.origin(bundle):
        st.warning(caution, icon=":material/help:")
    st.caption("Findings about the model")
    widgets.cards([(status(name), str(count), "") for name, count in summary.counts(bundle).items()])
    apart = summary.checks(bundle)
    more = [f"Checks of the explanations and attacks themselves, counted apart: {md(apart)}."] if apart else []
    if more := [*more, *filter(None, [md(summary.few_rows(bundle))])]:
        st.caption("\n\n".join(more))
    widgets.section("Findings", "findings")
    wanted = widgets.control(
        opened, "status", "Show", {"all": "all findings"} | dict(zip(STATUSES, STATUSES, strict=True))
    )
    shown = summary.groups(bundle, wanted)
    if not shown:
        st.text(f"No finding has the status {wanted!r}." if wanted != "all" else "This audit holds no findings.")
    for group in shown:
        st.subheader(md(group.title), anchor=False)
        widgets.markdown_table(group.findings, f"{group.title}: findings")
        measured = partial(widgets.markdown_table, group.measured, f"{group.title}: how each was measured")
        folded("How each was measured", f"measured {group.title}", measured)
        if group.page:
            widgets.evidence(opened, group.page)
    widgets.said(
        "A check passes or fails only if its whole 95 % interval lies on one side of the threshold; otherwise it is "
        "inconclusive, which is not a pass. Thresholds are engineering choices of the plan's author, not law.",
        small=True,
    )
    widgets.behind(opened, summary.behind(bundle, wanted))
    widgets.section("What was not run")
    absent = summary.not_run(bundle)
    if absent.empty:
        ended = "Every step was run, but the audit ended before its findings were computed."
        st.text("Everything in the plan was run." if bundle.complete else ended)
    else:
        widgets.table(absent, "Checks that were not run, and why")
    widgets.section("What was audited")
    widgets.table(summary.subject(bundle), "Model, data and machine of this audit")
    folded("SHA-256 digests", "digests", lambda: _code(summary.digests(bundle)))
    widgets.data_expander("Steps and their cost", lambda: summary.steps(bundle))
    widgets.section("The plan")
    folded("The plan as TOML", "plan", partial(_plan, bundle))
    st.download_button(
        "Download the plan",
        lambda: summary.plan(bundle),
        "plan.toml",
        "application/toml",
        icon=":material/download:",
        on_click="ignore",
    )
    widgets.section("How to reproduce")
    folded("Commands that check this audit and make it again", "commands", lambda: _code(summary.reproduce(bundle)))


def _report(opened: Opened) -> None:
    """The report that was written with the audit, or the command that writes one."""
    bundle = opened.bundle
    if not summary.has_report(bundle):
        st.text("This audit has no report. Write one:")
        st.code(summary.write_report(bundle), language=None, wrap_lines=True)
        return
    name = "The report, to print or share"
    look: dict[str, Any] = {"icon": ":material/description:", "on_click": "ignore", "type": "primary"}
    # Read when it is asked for: what a button holds is fetched by each browser that shows it.
    st.download_button(name, lambda: summary.report(bundle) or summary.CHANGED, "report.html", "text/html", **look)


def _plan(bundle: Bundle) -> None:
    st.code(summary.plan(bundle), language="toml", wrap_lines=True)


def _code(text: str) -> None:
    # Folded away, as a browser takes long to load what marks and copies code, and the first page needs it for nothing.
    st.code(text, language=None, wrap_lines=True)
