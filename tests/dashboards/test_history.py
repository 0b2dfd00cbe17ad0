import shutil
from dataclasses import replace

import pytest
from probe_dashboards.views import history, runs

from probe.audit import read
from probe.audit.glimpse import glimpse
from probe.audit.signing import Signature
from probe.text import visible
from tests.dashboards.conftest import HOSTILE
from tests.dashboards.test_pages import opened, text


@pytest.fixture(scope="module")
def folder(bundles, tmp_path_factory):
    """One folder with an audit of each kind: complete, hostile, interrupted, changed by hand, unreadable."""
    home = tmp_path_factory.mktemp("runs")
    for name in ("table", "better", "hostile", "interrupted", "tampered"):
        shutil.copytree(getattr(bundles, name).folder, home / name)
    (home / "broken").mkdir()
    (home / "broken" / "audit.json").write_text("{}")
    return home


@pytest.fixture(scope="module")
def listed(folder):
    return runs.listing(folder)[0]


def named(found):
    return {run.folder.rpartition("/")[2] for run in found}


def test_runs_are_chosen_by_how_they_ended_and_by_what_they_found(listed):
    assert named(history.chosen(listed, "unfinished")) == {"interrupted"}
    assert named(history.chosen(listed, "fail")) == {
        name for name in named(listed) if any(r.counts.get("fail") for r in listed if r.folder.endswith(name))
    }
    assert history.chosen(listed, "passed") == []
    clean = replace(listed[0], counts={"pass": 3}, ended="complete")
    assert history.chosen([clean], "passed") == [clean]


def test_a_search_matches_runs_with_all_its_words(listed):
    assert named(history.chosen(listed, text="two 2026-11-20")) == {"better"}
    assert history.chosen(listed, text="two 2025-11") == []
    assert named(history.chosen(listed, text=listed[0].digest[:20].upper())) == named([listed[0]])


def test_runs_are_sorted_by_what_is_asked_for(listed):
    assert named(history.chosen(listed)[:1]) == {"better"}  # the only one with a date
    most = [run.counts.get("fail", 0) for run in history.chosen(listed, order="fails")]
    assert most == sorted(most, reverse=True)
    titles = [run.title.lower() for run in history.chosen(listed)[1:]]
    assert titles == sorted(titles)  # of those that are equally new


def test_a_folder_of_audits_is_read_once_until_one_changes(folder, monkeypatch):
    before = runs.listing(folder)
    asked = []
    monkeypatch.setattr(runs, "glimpse", lambda path: asked.append(path) or glimpse(path))
    assert runs.listing(folder) == before
    assert not asked
    bundle = read(folder / "better")
    bundle.change(name="renamed")
    bundle.save()
    assert "renamed" in {run.title for run in runs.listing(folder)[0]}
    assert [path.name for path in asked] == ["better"]
    bundle.change(name="demo two")
    bundle.save()


def test_a_seal_says_what_was_verified_and_whether_anybody_signed():
    one = Signature("signatures/a.intoto.jsonl", "key", "", (), ())
    seals = [runs.Integrity(intact=True, sentence="", signatures=(one,) * number) for number in (0, 1, 2)]
    assert [history.seal(seal).replace("&#44;", ",") for seal in seals] == [
        "consistent with itself, not signed",
        "consistent with itself, 1 signature, whose is not checked here",
        "consistent with itself, 2 signatures, whose is not checked here",
    ]
    assert "differs from what was recorded" in history.seal(runs.Integrity(intact=False, sentence="x"))


def test_the_list_of_runs_is_paged_and_never_empty():
    assert history.pages([]) == [[]]
    assert [len(part) for part in history.pages([None] * (2 * history.PER_PAGE + 1))] == [20, 20, 1]


@pytest.mark.slow
def test_the_page_shows_how_each_run_ended_and_whether_its_files_are_those_recorded(folder):
    app = opened(folder, "runs")
    said = text(app)
    assert "5 of 5 audits" in said
    assert "interrupted: without all of its findings" in said
    assert said.count("differs from what was recorded") == said.count("its findings are not shown") == 1
    assert said.count("consistent with itself, not signed") == 4 + 4  # on the page, and in its table
    assert any("broken" in warning.value and "cannot be read" in warning.value for warning in app.warning)
    assert "What this does not show" in said
    assert "run" not in app.query_params


@pytest.mark.slow
def test_foreign_names_are_shown_as_text_in_the_list(folder):
    app = opened(folder, "runs")
    shown = "\n".join(
        str(e.value) + getattr(e, "label", "") for kind in ("markdown", "caption", "checkbox") for e in app.get(kind)
    )
    assert "](" not in shown
    assert "![x]" not in shown
    assert visible(HOSTILE[1]) in text(app)


def test_filter_search_and_order_are_in_the_address(folder, arguments):
    arguments(folder)
    app = opened(folder, "runs", which="unfinished", q="demo", sort="name")
    assert "1 of 5 audits" in text(app)
    app.text_input(key="q").set_value("nothing such").run()
    assert app.query_params["q"] == "nothing such"
    assert "0 of 5 audits" in text(app)
    app.selectbox(key="which").select("all").run()
    assert app.query_params["which"] == "all"


def test_two_selected_runs_are_compared_the_older_first(folder, listed, arguments):
    arguments(folder)
    app = opened(folder, "runs")
    for run in [run for run in listed if run.title == "demo two" or "table" in run.title]:
        app.checkbox(key=f"tick {run.id}").check().run()
    links = [e.proto for e in app.get("page_link") if "Compare " in e.proto.label]
    assert len(links) == 1
    older, newer = (next(r for r in listed if r.folder.endswith(name)).id for name in ("table", "better"))
    assert f"first={older}&second={newer}" in links[0].query_string.replace("%7E", "~")
    third = next(run.id for run in listed if run.folder.endswith("interrupted"))
    app.checkbox(key=f"tick {third}").check().run()
    assert "two are compared: untick 1" in text(app)


@pytest.mark.parametrize("page", ["runs", "compare"])
def test_without_runs_the_page_says_how_to_make_one(tmp_path, page):
    app = opened(tmp_path, page)
    assert "probe audit adult-mlp" in text(app)
    assert "What this does not show" in text(app)
