"""An audit of this model: its plan, how far it is, and where the result is."""

import streamlit as st

from probe.formatting import duration
from probe_dashboards import widgets
from probe_dashboards.screens.lab.asked import Asked, open_link
from probe_dashboards.views.words import md


def draw(asked: Asked) -> None:
    """Draw the part."""
    widgets.section("Audit")
    usual = asked.ask("Making the usual plan", {"ask": "plan"})
    if usual is None:
        return
    st.caption(
        "This is the usual plan of this model. Change it as you like; it is read as strictly as on the command line."
    )
    text = st.text_area("Plan", usual.record["text"], height=360, key=f"lab plan {asked.model}", max_chars=100_000)
    checked = usual if text == usual.record["text"] else asked.ask("Reading the plan", {"ask": "plan", "text": text})
    if checked is None:
        return
    st.caption(md(f"About {duration(checked.record['seconds'])} and {checked.record['rows']:,} inputs, measured here."))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", checked.record["name"], key=f"lab audit name {asked.model}", max_chars=60)
        st.button(
            "Start the audit",
            icon=":material/play_arrow:",
            type="primary",
            key="lab audit",
            on_click=asked.lab.start,
            args=(f"audit {asked.model}", asked.model, {"ask": "audit", "text": text, "name": name}),
        )
        st.download_button(
            "Download the plan", text, f"{asked.model}.toml", icon=":material/download:", on_click="ignore"
        )
    done = asked.lab.started(f"audit {asked.model}", doing="Auditing")
    if done is not None:
        failed = sum(each["status"] == "fail" for each in done.record["findings"])
        found, name = done.record["findings"], md(done.record["name"])
        digest = md(str(done.record["digest"]))
        said = f"Done: {len(found)} findings, {failed} of them fail. It is called {name}, with digest {digest}."
        st.success(said, icon=":material/fact_check:")
        for sentence in done.record["verdict"]:
            st.markdown(f"- {md(sentence)}")
        open_link(asked, done)
    else:
        st.caption("An audit that is cancelled keeps what is done; the same plan and name continue it.")
