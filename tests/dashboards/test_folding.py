"""Parts of a page that are folded away cost nothing until somebody opens them."""

import pandas as pd
import pytest
import streamlit as st
from probe_dashboards.screens import methods as screen
from probe_dashboards.views import methods, panels
from streamlit.testing.v1 import AppTest

from probe.audit import read
from probe.registry import FAMILIES, listed
from tests.dashboards.test_pages import cards, show, tables, text  # noqa: F401  a fixture


@pytest.fixture(autouse=True)
def folded(monkeypatch, unfolded):
    """The pages as a reader meets them, who has opened nothing yet."""
    monkeypatch.setattr(st, "expander", st.expander.func)


@pytest.mark.slow
def test_the_numbers_behind_a_panel_are_made_when_it_is_opened(show, bundles, monkeypatch):  # noqa: F811
    asked = []
    monkeypatch.setattr(panels.Panel, "numbers", property(lambda panel: asked.append(panel.name) or pd.DataFrame()))
    app = show(bundles.table.folder.parent, "performance")
    assert asked == []
    assert "bundle = read(" not in text(app)
    app.session_state["open numbers confusion"] = True
    app.run()
    assert asked == ["confusion"]
    assert "bundle = read(" in text(app)


def test_a_csv_is_written_when_it_is_downloaded(show, bundles, monkeypatch):  # noqa: F811
    monkeypatch.setattr(panels, "csv", lambda panel: pytest.fail("nobody asked for it"))
    app = show(bundles.table.folder.parent, "performance")
    app.session_state["open numbers confusion"] = True
    app.run()
    assert not app.exception
    assert len(app.get("download_button")) == 1


def test_what_can_be_downloaded_from_the_first_page_is_sent_to_those_who_ask(show, copied):  # noqa: F811
    read(copied).write_report("<p>it</p>")
    app = show(copied)
    buttons = [each.proto for each in app.get("download_button")]
    assert [each.label for each in buttons] == ["The report, to print or share", "Download the plan"]
    assert not [each.label for each in buttons if each.url], "a browser fetches what a button holds when it is drawn"
    assert not app.code, "its parts are large, and no number of the first page needs them"
    assert cards(app)


@pytest.mark.slow
def test_methods_lists_all_methods_and_tells_of_the_one_that_is_chosen(show, bundles, monkeypatch):  # noqa: F811
    told = []
    monkeypatch.setattr(methods, "facts", lambda entry: told.append(entry.name) or pd.DataFrame())
    app = show(bundles.table.folder.parent, "methods")
    shown = "".join(tables(app))
    assert all(f'<a href="methods?m={name}">' in shown for family in FAMILIES for name in listed(family))
    assert told == []
    app.selectbox(key="m").select("saliency").run()
    assert told == ["saliency"]
    assert app.query_params["m"] == "saliency"
    app.selectbox(key="m").set_value(None).run()
    assert "m" not in app.query_params
    assert len(told) == 1


@pytest.mark.slow
def test_the_methods_of_a_page_are_looked_up_when_somebody_asks_what_they_do(show, bundles, monkeypatch):  # noqa: F811
    asked = []
    monkeypatch.setattr(screen, "entries", lambda: asked.append(1) or methods.entries())
    app = show(bundles.table.folder.parent, "robustness")
    assert asked == []
    app.session_state["open about"] = True
    app.run()
    assert asked == [1]
    links = {each.proto.label for each in app.get("page_link")}
    assert {methods.entries()[name].title for name in methods.named(bundles.table, "robustness")} <= links


def test_a_part_that_cannot_be_drawn_says_why_and_the_page_stays():
    def page():
        import streamlit
        from probe_dashboards.folding import folded

        from probe.errors import IntegrityError

        def draw():
            raise IntegrityError("a.csv is *gone*")

        streamlit.text("above")
        folded("Part", "part", draw)
        streamlit.text("below")

    app = AppTest.from_function(page)
    app.session_state["open part"] = True
    app.run()
    assert not app.exception
    assert [each.value for each in app.text] == ["above", "below"]
    assert len(app.error) == 1
    assert "gone" in app.error[0].value
    assert "*" not in app.error[0].value
