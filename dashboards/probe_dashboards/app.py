"""The viewer: choose an audit, verify it, show its pages."""

from probe_dashboards import loading

loading.needed()

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from probe.audit import reading
from probe.audit.reading import CHAPTERS
from probe.audit.signing import CONSISTENT
from probe.formatting import moment
from probe.text import visible
from probe_dashboards import lab, seals, state, widgets
from probe_dashboards.offer import Offer
from probe_dashboards.screens import methods
from probe_dashboards.views import methods as told
from probe_dashboards.views import runs, sealed
from probe_dashboards.views.words import md

# The title of each page, whose module in `screens` has its name, and its icon.
PAGES = {
    "summary": ("Summary", ":material/fact_check:"),
    "performance": (CHAPTERS["performance"].title, ":material/speed:"),
    "rows": ("Rows", ":material/table_rows:"),
    "instance": ("Instance", ":material/image_search:"),
    "explanations": (CHAPTERS["explanation"].title, ":material/psychology:"),
    "counterfactuals": (CHAPTERS["counterfactuals"].title, ":material/alt_route:"),
    "robustness": (CHAPTERS["robustness"].title, ":material/shield:"),
    "certificates": (CHAPTERS["certificates"].title, ":material/verified_user:"),
    "surveys": (CHAPTERS["surveys"].title, ":material/bar_chart:"),
    "bias": (CHAPTERS["bias"].title, ":material/balance:"),
    "evidence": (CHAPTERS["evidence"].title, ":material/dataset:"),
}

# Pages that stand over all audits of the folder, and show none of them as the one that is open.
WIDE = {
    "runs": ("Runs", ":material/history:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "methods": ("Methods", ":material/menu_book:"),
    "glossary": ("Glossary", ":material/dictionary:"),
}
FIRST = "summary"
HOME = "home"
LAB = "lab"
OPEN = "open run"  # of the session: the audit that was shown last
VERIFIED = "verified"  # of the session: the stamps of the audits whose verification it has waited for


def main(offer: Offer) -> None:
    """Draw the page of the current address."""
    folder = Path(offer.runs)
    st.set_page_config(page_title="probe", layout="wide", initial_sidebar_state=250)
    st.html(Path(__file__).with_name("style.css"))
    lab.begin(offer)
    found, broken = runs.listing(folder)
    top = st.container()
    pages: dict[str, Page] = {}
    choice, run, opened = _opened(found, broken, pages, top)
    pages |= {
        name: st.Page(partial(_page, name, opened, folder), title=title, url_path=name)
        for name, (title, _icon) in PAGES.items()
    }
    folder_of = runs.Folder(str(folder), found, broken, pages, top)
    pages |= {
        name: st.Page(partial(_over_all, name, folder_of), title=title, url_path=name)
        for name, (title, _icon) in WIDE.items()
    }
    live = st.Page(partial(_live, offer, pages), title="Lab", url_path=LAB)
    # The first page also has an address without a page name.
    home = st.Page(partial(_page, FIRST, opened, folder), title="Summary", url_path=HOME, default=True)
    page = st.navigation([home, live, *pages.values()], position="hidden")
    wide = page.url_path in WIDE
    if choice and not wide:
        _address(choice, top, told=page is not live)
    given = _sidebar(found, run, pages, live, wide=wide)
    for bad in broken:
        top.warning(f"{md(bad.folder)} cannot be read: {md(bad.reason)}", icon=":material/broken_image:")
    if opened is None or page is live or wide:
        page.run()
    elif runs.progress(opened.folder):
        st.title(page.title, anchor=False)
        st.caption(f"{md(opened.bundle.manifest.name)} is being written.")
        _running(opened.folder)
        widgets.limits(*_screen(page.url_path or FIRST).LIMITS)
    else:
        _unfinished(opened, top)
        # No number is shown before the audit is verified.
        if _is_intact(opened, given, top):
            page.run()
        else:
            st.title(page.title, anchor=False)
            st.text("The numbers of this audit are not shown.")
            widgets.limits(*_screen(page.url_path or FIRST).LIMITS)


def _screen(name: str) -> Any:
    """The module of a page, loaded when the page is first shown: others may need much that it does not."""
    if name != FIRST:
        loading.ended()
    return import_module(f"probe_dashboards.screens.{name}")


def _chosen(found: list[runs.Run]) -> state.Choice | None:
    """The audit of the address; pages over all audits have none there, and leave the one that was open before."""
    if not found:
        return None
    asked = st.query_params.get("run") or st.session_state.get(OPEN)
    return state.choose_run(asked, [run.id for run in found])


def _opened(
    found: list[runs.Run], broken: list[runs.Broken], pages: dict[str, Page], top: DeltaGenerator
) -> tuple[state.Choice | None, runs.Run | None, runs.Opened | None]:
    """The audit that is shown; one that cannot be opened is told of with those that cannot be listed."""
    while choice := _chosen(found):
        run = next(run for run in found if run.id == choice.value)
        try:
            return choice, run, runs.opened(run, pages, top)
        except runs.MALFORMED as error:
            found.remove(run)
            broken.append(runs.Broken(Path(run.folder).name, runs.reason(error)))
    return None, None, None


def _address(choice: state.Choice, top: DeltaGenerator, *, told: bool) -> None:
    if told and choice.stale and "run" in st.query_params:
        top.warning(md(choice.stale), icon=":material/link_off:")
    elif st.query_params.get("run") != choice.value:
        st.query_params["run"] = choice.value  # The address is a link to this evidence from the start.
    st.session_state[OPEN] = choice.value


def _live(offer: Offer, pages: dict[str, Page]) -> None:
    page = _screen("lab")
    page.draw(lab.lab(offer), pages)
    widgets.limits(*page.limits())


def _sidebar(
    found: list[runs.Run], run: runs.Run | None, pages: dict[str, Page], live: Page, *, wide: bool
) -> DeltaGenerator:
    with st.sidebar:
        st.markdown("**probe**")
        st.page_link(live, icon=":material/science:", width="stretch")
        st.caption("Audits")
        for name, (_title, icon) in PAGES.items():
            # Not Streamlit's page icon: that becomes the favicon, which browsers would fetch from the internet.
            st.page_link(pages[name], icon=icon, query_params={"run": run.id} if run else None, width="stretch")
        if run and not wide:
            titles = {each.id: each.title for each in found}
            st.session_state["run"] = run.id
            st.selectbox("Audit", list(titles), format_func=titles.__getitem__, key="run", on_change=_open)
        given = st.container()
        st.caption("All audits")
        for name, (_title, icon) in WIDE.items():
            st.page_link(pages[name], icon=icon, width="stretch")
        return given


def _open() -> None:
    # Rows, attacks and groups of one audit do not exist in another.
    st.query_params.from_dict({"run": st.session_state["run"]})


def _page(name: str, opened: runs.Opened | None, folder: Path) -> None:
    if opened is None:
        widgets.heading("No audits yet", "This viewer shows audits that were made by the command probe audit.")
        st.text(f"No runs in {visible(folder)}. Create one:")
        st.code("probe audit adult-mlp", language=None, wrap_lines=True)
        return
    page = _screen(name)
    try:
        page.draw(opened)
        if told.named(opened.bundle, name):
            widgets.about(opened.pages, lambda: told.used(opened.bundle, methods.entries(), name))
    except runs.MALFORMED as error:
        st.error(f"This page cannot be shown: {md(runs.reason(error))}.", icon=":material/broken_image:")
    widgets.limits(*page.LIMITS)


def _over_all(name: str, folder: runs.Folder) -> None:
    page = _screen(name)
    try:
        page.draw(folder)
    except runs.MALFORMED as error:
        st.error(f"This page cannot be shown: {md(runs.reason(error))}.", icon=":material/broken_image:")
    widgets.limits(*page.LIMITS)


def _unfinished(opened: runs.Opened, top: DeltaGenerator) -> None:
    if not opened.bundle.complete:
        ended = reading.ended(opened.bundle.manifest.status)
        top.warning(
            f"**This audit is not complete**: it was {ended}. What is missing "
            "here was not measured. Run the same command again to continue it.",
            icon=":material/hourglass_top:",
        )


@st.fragment(run_every="2s")
def _running(folder: str) -> None:
    """The progress of an audit that is being written, until it is done."""
    progress = runs.progress(folder)
    if progress is None:
        st.rerun()
    else:
        at = min(progress.done + 1, progress.planned)
        said = f"Running: step {at} of {progress.planned}, {md(progress.step)}"
        st.progress(progress.done / max(progress.planned, 1), text=said)
        began = f"It began on {md(moment(progress.since))}. " if progress.since else ""
        st.caption(f"{began}There are no findings before all evidence is complete. This page updates by itself.")


def _verified(opened: runs.Opened, waiting: DeltaGenerator) -> runs.Integrity:
    """What was verified; the first time in a session a sentence says what is waited for, which moves all below it."""
    done: set[str] = st.session_state.setdefault(VERIFIED, set())
    if opened.stamp not in done:
        # Not a spinner, whose turning takes the browser as long as half of the page does.
        waiting.text("Verifying the audit; its numbers are shown after that.")
    result = seals.verified(opened.folder, opened.stamp)
    if opened.stamp not in done:
        waiting.empty()
        done.add(opened.stamp)
    return result


def _is_intact(opened: runs.Opened, side: DeltaGenerator, top: DeltaGenerator) -> bool:
    result = _verified(opened, top.empty())
    recorded = str(opened.bundle.manifest.digest)
    if result.intact and recorded not in result.digests:
        result = runs.Integrity(intact=False, sentence="it changed while it was read; load the page again")
    with side:
        given = st.text_input("Expected digest", key=f"digest {opened.id}", max_chars=100).strip().lower()
        if result.signatures:
            st.text_area(
                "Public keys of those who may sign", key=f"signers {opened.id}", max_chars=20_000, height=68,
                help="An allowed-signers file of ssh-keygen, one public key, or PEM, from somebody you trust.",
            )  # fmt: skip
    if result.intact and given and given not in result.digests:
        sentence = "its digest is not the expected one: it is another audit, or a changed one"
        result = runs.Integrity(intact=False, sentence=sentence)
    found = seals.of(opened) if result.intact else None
    if found and found.wrong:
        result = runs.Integrity(intact=False, sentence=found.wrong)
    if found and found.refused:
        side.error(md(found.refused))
    # On the page itself: on a phone the sidebar is closed at first.
    badge = top.container(horizontal=True)
    if not result.intact:
        badge.badge("Mismatch", icon=":material/gpp_bad:", color="red", help=md(result.sentence))
        warning = "**This audit differs from what was recorded; do not rely on it.**"
        top.error(f"{warning} {md(result.sentence)}.", icon=":material/gpp_bad:")
    elif found and found.seal:
        words = md(sealed.badge(found.seal))
        if found.seal.words == CONSISTENT:
            badge.badge(words, icon=":material/rule:", color="grey", help=md(result.sentence))
        else:
            badge.badge(words, icon=":material/verified:", color="blue")
    badge.caption(f"Digest {md(recorded[:12])}")
    return result.intact


if __name__ == "__main__":
    main(Offer.read(sys.argv[1:]))
    loading.later()
