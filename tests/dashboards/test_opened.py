"""Parts of a page that a browser draws when somebody opens them, and what a page says once in a session."""

import os

import pytest
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tests.dashboards.test_pages import markup, show, text  # noqa: F401  a fixture

WAITING = "Verifying the audit"


@pytest.fixture(autouse=True)
def folded(monkeypatch, unfolded):
    """The pages as a reader meets them, who has opened nothing yet."""
    monkeypatch.setattr(st, "expander", st.expander.func)


def labels(app):
    """The widgets of a page by their labels."""
    return {each.label for kind in ("selectbox", "slider", "select_slider", "number_input") for each in app.get(kind)}


def test_thresholds_and_slices_are_made_when_somebody_opens_them_or_a_link_asks(show, bundles):  # noqa: F811
    folder = bundles.table.folder.parent
    app = show(folder, "performance")
    assert not {"Threshold (%)", "Feature", "race"} & labels(app)
    assert {"Thresholds", "A slice of your own"} <= {each.value for each in app.header}
    for part in ("threshold-rates", "free-slice"):
        app.session_state[f"open show-{part}"] = True
    assert {"Threshold (%)", "Feature", "race"} <= labels(app.run())
    assert "Predicts" in text(show(folder, "performance", cut="30"))
    for query in ({"is-sex": "female"}, {"f1": "age"}):
        assert "The slice" in markup(show(folder, "performance", **query))


def test_the_curves_of_groups_are_drawn_when_they_are_opened(show, bundles):  # noqa: F811
    app = show(bundles.table.folder.parent, "bias", by="sex")
    before = len(app.image)
    assert "How well scores separate, by group" in {each.value for each in app.header}
    app.session_state["open show-roc-by-group"] = True
    assert len(app.run().image) == before + 1


def test_the_filters_of_one_row_are_folded_away_and_its_title_says_which_rows_are_meant(show, bundles):  # noqa: F811
    folder = bundles.table.folder.parent
    app = show(folder, "instance")
    assert {each.label for each in app.selectbox} & {"Of 200", "Answer is", "Label"} == set()
    assert any(each.label.startswith("Example 1 of 8 explained") for each in app.selectbox)
    app = show(folder, "instance", of="all", outcome="wrong")
    assert {"Answer is", "Label"} <= {each.label for each in app.selectbox}
    assert not any("explained" in each.label for each in app.selectbox)


def test_a_page_says_that_it_waits_for_the_verification_once_for_each_state_of_an_audit(show, copied, monkeypatch):  # noqa: F811
    said, write = [], DeltaGenerator.text
    monkeypatch.setattr(
        DeltaGenerator, "text", lambda at, body, **how: said.append(str(body)) or write(at, body, **how)
    )

    def waited():
        return sum(each.startswith(WAITING) for each in said)

    app = show(copied)
    assert waited() == 1
    app.run()
    assert waited() == 1
    os.utime(copied / "audit.json")
    app.run()
    assert waited() == 2
    assert WAITING not in text(app)
