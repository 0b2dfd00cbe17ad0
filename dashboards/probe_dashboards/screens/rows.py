"""Which rows are right, which wrong, and which of them are alike?"""

import streamlit as st

from probe.formatting import count
from probe_dashboards import widgets
from probe_dashboards.screens import filtering
from probe_dashboards.views import examples, robustness, rows
from probe_dashboards.views.runs import Opened

TITLE = "Rows"
LIMITS = (
    "The inputs of most rows are not in the bundle: a search reads numbers, answers, labels and groups, and the words "
    "of the rows that were explained.",
    "'Not flipped' is said of these attacks up to their largest radius; another attack may succeed.",
    "Rows that were picked because of their answers are no sample: a share among them says little of the model.",
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(TITLE, "Which rows are right, which are wrong, and which of them are alike?")
    if not examples.present(bundle):
        widgets.not_run("The model", robustness.reason(bundle, "performance"))
        return
    base = filtering.kept(opened)
    wanted = filtering.controls(opened, "page", base, every=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sort = widgets.control(opened, "sort", "Sort by", rows.sorts(bundle, wanted.one), drops="page", width=220)
        order = widgets.control(opened, "order", "Order", rows.ORDERS, drops="page", width=170)
        st.button("Clear the filter", icon=":material/filter_alt_off:", on_click=filtering.clear, args=("page",))
    found = rows.ordered(bundle, wanted, sort, order)
    said = f"{count(len(found))} of {count(examples.count(bundle))} rows match."
    if not found:
        st.text("No row matches.")
        return
    widgets.section(said, "rows")
    last = rows.pages(len(found))
    number = int(widgets.asked(opened, "page", [str(at) for at in range(1, last + 1)]))
    widgets.table(rows.linked(bundle, rows.page(found, number), opened.id, wanted), "The rows that match")
    _turn(number, last)
    st.page_link(
        opened.pages["instance"],
        label="Look at these rows one by one",
        icon=":material/image_search:",
        query_params={"run": opened.id, **rows.query(wanted), "row": str(found[0])},
    )
    st.download_button(
        "These rows as CSV",
        lambda: rows.csv(bundle, found, wanted.one),
        "rows.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    widgets.behind(opened, rows.panel(bundle, wanted, sort, order, rows.page(found, number)))


def _turn(number: int, last: int) -> None:
    if last == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        steps = {"First": 1, "Previous": number - 1, "Next": number + 1, "Last": last}
        icons = ("first_page", "chevron_left", "chevron_right", "last_page")
        for (label, to), icon in zip(steps.items(), icons, strict=True):
            there = 1 <= to <= last and to != number
            widgets.step_button("page", label, str(to) if there else None, f":material/{icon}:")
        st.text(f"Page {number:,} of {last:,}")
