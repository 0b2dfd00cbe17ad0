"""The table of rows, and the numbers of Performance that lead to it."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from probe_dashboards.views import decided, examples, links, performance, rows, sliced
from probe_dashboards.views.examples import ANY, Wanted
from probe_dashboards.views.flips import flips
from probe_dashboards.views.links import Link

from probe.audit import reading
from tests.audit.test_several import bundle as labelled
from tests.dashboards.test_pages import markup, show, text
from tests.test_regression import audited

__all__ = ["audited", "labelled", "show"]

ALL = Wanted(of="all")


def asked(address: str) -> Wanted:
    """The filter of an address, as the page reads it."""
    query = dict(parse_qsl(urlsplit(address).query))
    groups = {key[3:]: value for key, value in query.items() if key.startswith("in-")}
    bounds = {name: float(query[key]) for key, name in (("from", "least"), ("to", "most")) if key in query}
    return Wanted(**{k: v for k, v in query.items() if k in ("of", *rows.KEYS)}, **bounds, groups=groups)


def linked(frame) -> list[Link]:
    return [cell for line in frame.itertuples(index=False) for cell in line if isinstance(cell, Link)]


def led(bundle, frame) -> None:
    """Each number of a table is that of the rows it leads to."""
    found = linked(frame)
    assert found
    for link in found:
        counted = int(re.match(r"[\d,]+", link.text)[0].replace(",", ""))
        assert len(examples.found(bundle, asked(link.address))) == counted, link


@pytest.mark.parametrize("kind", ["table", "image", "hostile"])
def test_every_number_of_a_confusion_and_of_the_classes_leads_to_its_rows(bundles, kind):
    bundle = getattr(bundles, kind)
    led(bundle, decided.confusion(bundle, "run", ANY))
    led(bundle, decided.by_class(bundle, "run", ANY))


def test_many_classes_are_shown_by_their_most_frequent_mistakes(bundles, monkeypatch):
    monkeypatch.setattr(reading, "MATRIX", 2)
    found = decided.confusion(bundles.image, "run", ANY)
    led(bundles.image, found)
    assert (found["Label"] != found["Answer"]).all()
    counts = [int(link.text.split()[0]) for link in linked(found)]
    assert counts == sorted(counts, reverse=True)
    labels, chosen = bundles.image.arrays("predictions")["labels"], reading.decisions(bundles.image)
    assert sum(counts) == (labels != chosen).sum()


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0.5, 0.37])
def test_every_count_of_a_threshold_leads_to_its_rows(bundles, labelled, cut):
    led(bundles.table, decided.threshold(bundles.table, "run", ANY, cut))
    led(labelled, decided.threshold(labelled, "run", "tall", cut))


@pytest.mark.slow
def test_every_slice_leads_to_its_rows_and_small_ones_are_last(bundles, labelled):
    found = sliced.slices(bundles.table, "run", ANY)
    led(bundles.table, found)
    led(labelled, sliced.slices(labelled, "run", "tall"))
    assert found["Note"].iloc[0] == ""
    assert found["Note"].iloc[-1] == "fewer than 30 rows"


@pytest.mark.slow
def test_the_decisions_about_one_label_are_told_apart(labelled):
    for at, (id_, name) in enumerate(examples.ones(labelled).items()):
        stored = labelled.arrays("predictions")
        truth, answer = stored["labels"][:, at], reading.decisions(labelled)[:, at]
        found = reading.confusion(labelled, name)
        assert found.to_numpy().tolist() == [[((truth == t) & (answer == a)).sum() for a in (0, 1)] for t in (0, 1)]
        led(labelled, decided.confusion(labelled, "run", id_))
        assert len(examples.found(labelled, Wanted(of="all", one=id_, outcome="wrong"))) == (truth != answer).sum()


def test_every_bin_of_a_reliability_diagram_leads_to_its_rows(bundles, labelled):
    led(bundles.image, performance.bins(bundles.image, run="run"))
    assert not linked(performance.bins(bundles.image))


@pytest.mark.slow
def test_every_bin_of_errors_leads_to_its_rows(audited):
    bundle = audited[1]
    found = sliced.distribution(bundle, "run", ANY)
    led(bundle, found)
    stored = bundle.arrays("predictions")
    assert sum(int(link.text.replace(",", "")) for link in linked(found)) == len(stored["labels"])


def test_rows_are_sorted_and_those_without_a_value_come_last(bundles):
    sure = examples.measure(bundles.table)[1]
    down = rows.ordered(bundles.table, ALL, "measured", "down")
    assert (np.diff(sure[down]) <= 0).all()
    assert rows.ordered(bundles.table, ALL, "row", "down") == list(range(200))[::-1]
    radius = flips(bundles.table).radius
    for order in rows.ORDERS:
        found = radius[rows.ordered(bundles.table, ALL, "radius", order)]
        flipped = found[: (radius >= 0).sum()]
        assert (flipped >= 0).all()
        assert (found[len(flipped) :] == -1).all()
        assert (np.diff(flipped) * (1 if order == "up" else -1) >= 0).all()


def test_the_smallest_radius_that_flips_a_row_is_the_smallest_over_the_attacks(bundles):
    found = flips(bundles.image)
    stored = {name: bundles.image.arrays(f"attack-{name.lower()}") for name in found.by}
    for at, row in enumerate(next(iter(stored.values()))["rows"]):
        first = {name: np.flatnonzero(each["success"][:, at]) for name, each in stored.items()}
        least = min((int(each[0]) for each in first.values() if len(each)), default=None)
        if least is None:
            clean = stored["FGSM"]["clean"][at]
            assert found.said(row) == ("not flipped up to 0.4" if clean else "wrong before any attack")
        else:
            by = [name for name, each in first.items() if len(each) and each[0] == least]
            assert found.said(row) == f"{('0.1', '0.2', '0.4')[least]} ({', '.join(by)})"
    untried = next(row for row in range(40) if row not in stored["FGSM"]["rows"])
    assert found.said(untried) == "not attacked"
    assert set(flips(bundles.bare).state) == {"untried"}


def test_a_search_reads_groups_answers_and_the_words_that_were_kept(bundles):
    groups = bundles.table.groups()
    found = examples.found(bundles.table, Wanted(of="all", search="OTHER"))
    assert found == np.flatnonzero(groups["race"] == "Other").tolist()
    kept = bundles.prose.arrays("instances")
    expected = [int(r) for r, words in zip(kept["rows"], kept["described"], strict=True) if "nobody" in words]
    assert expected
    assert examples.found(bundles.prose, Wanted(of="all", search="nobody")) == expected
    assert examples.found(bundles.table, Wanted(of="all", search="no such text")) == []


def test_a_filter_survives_its_address(bundles):
    wanted = Wanted(
        of="all", outcome="wrong", label="50k", one="50k-1", least=100 / 3, most=66.7, broken="untried",
        search="a&b=ü #%", groups={"sex": "male"},
    )  # fmt: skip
    assert asked(links.address("rows", "run~1", rows.query(wanted))) == wanted


def test_a_cold_link_gives_the_same_rows(show, bundles):
    wanted = Wanted(of="all", outcome="wrong", groups={"sex": "female"})
    query = rows.query(wanted) | {"sort": "measured", "order": "down"}
    app = show(bundles.table.folder.parent, "rows", **query)
    told = [int(row) for row in re.findall(r">(\d+)</a>", markup(app))]
    assert told == rows.ordered(bundles.table, wanted, "measured", "down")
    assert f"{len(told)} of 200 rows match" in text(app)
    assert app.selectbox(key="outcome").value == "wrong"


def test_a_changed_filter_is_in_the_address_and_begins_at_the_first_page(show, bundles):
    app = show(bundles.table.folder.parent, "rows", page="5")
    assert re.findall(r">(\d+)</a>", markup(app)) == [str(row) for row in range(100, 125)]
    app.button(key="to Next").click().run()
    assert app.query_params["page"] == ["6"] or app.query_params["page"] == "6"
    assert "in-race" not in {box.key for box in app.selectbox}, "what few ask for is drawn where it was sent for"
    app.session_state["filters page"] = True
    app.run().selectbox(key="in-race").select("other").run()
    app.text_input(key="search").set_value("female").run()
    app.number_input(key="bound from").set_value(60.0).run()
    assert "page" not in app.query_params
    sure = examples.measure(bundles.table)[1]
    groups = bundles.table.groups()
    expected = np.flatnonzero((groups["race"] == "Other") & (groups["sex"] == "Female") & (sure >= 60))
    assert re.findall(r">(\d+)</a>", markup(app)) == [str(row) for row in expected]
    next(each for each in app.button if each.label == "Clear the filter").click().run()
    assert set(app.query_params) == {"run"}


@pytest.mark.parametrize("page", ["rows", "instance"])
def test_a_filter_that_is_folded_away_applies_and_is_told_of(show, bundles, page):
    app = show(bundles.table.folder.parent, page, **{"in-sex": "female", "answer": "50k", "of": "all"})
    key = "filters page" if page == "rows" else "filters row"
    assert app.selectbox(key="in-sex").value == "female", "a link that asks for more opens what is folded away"
    found = [each.value for each in (*app.header, *app.caption)], [box.label for box in app.selectbox]
    app.session_state[key] = False
    app.run()
    assert "in-sex" not in {box.key for box in app.selectbox}
    assert "Filters that are folded away are in use." in {each.value for each in app.caption}
    told = found[0][1] if page == "rows" else next(label for label in found[1] if label.startswith("Example"))
    assert told in [each.value for each in (*app.header, *app.caption)] + [box.label for box in app.selectbox]


@pytest.mark.parametrize("query", [{"from": "nan"}, {"to": "<b>"}, {"page": "99"}, {"sort": "luck"}, {"broken": "x"}])
def test_a_stale_link_to_rows_is_answered_with_a_message(show, bundles, query):
    app = show(bundles.table.folder.parent, "rows", **query)
    assert any(warning.value.startswith("This link") for warning in app.warning)
    assert ">0</a>" in markup(app) or ">199</a>" in markup(app)


def test_a_row_opens_its_instance_among_the_rows_that_match(show, bundles):
    query = rows.query(Wanted(of="all", outcome="wrong", least=50.0))
    app = show(bundles.table.folder.parent, "rows", **query)
    told = [unescape(link) for link in re.findall(r'href="([^"]+)"', markup(app))]
    page, _, given = told[1].partition("?")
    app = show(bundles.table.folder.parent, page, **dict(parse_qsl(given)))
    assert f"Example 2 of {len(told)}" in {box.label for box in app.selectbox}
    assert "probability of at least 50 %" in text(app)


def test_hostile_names_are_text_in_tables_that_lead_elsewhere(show, bundles):
    for page in ("rows", "performance"):
        html = markup(show(bundles.hostile.folder.parent, page))
        assert "cmd()|" in html
        assert not set(re.findall(r"<(\w+)", html)) - {"div", "table", "thead", "tbody", "tr", "th", "td", "a"}
        assert all(link.startswith(("rows?", "instance?")) for link in re.findall(r'href="([^"]*)"', html))
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in html


def test_a_search_is_shown_as_text(show, bundles):
    app = show(bundles.table.folder.parent, "instance", of="all", search="![x](http://evil.example/x.png)")
    assert "No example matches" in text(app)
    assert not [m for m in (*app.markdown, *app.warning, *app.caption) if "](" in m.value]


def test_the_csv_of_rows_has_each_attack_and_exact_probabilities(bundles):
    import io

    import pandas as pd

    frame = pd.read_csv(io.StringIO(rows.csv(bundles.table, [3, 1])))
    assert frame["Row"].tolist() == [3, 1]
    assert {"FGSM: radius", "PGD: radius", "sex", "race"} <= set(frame)
    assert frame["Probability"].tolist() == pytest.approx(examples.measure(bundles.table)[1][[3, 1]] / 100)
    assert "'=cmd" in rows.csv(bundles.hostile, [0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("page", ["performance", "rows"])
def test_several_labels_and_numbers_have_their_pages(show, labelled, audited, page):
    said = text(show(labelled.folder, page, one="tall"))
    assert "What this does not show" in said
    numbers = show(audited[1].folder, page)
    assert not numbers.error
    assert "What this does not show" in text(numbers)


@pytest.mark.slow
def test_performance_says_what_it_shows_in_each_form(show, labelled, audited, bundles):
    said = text(show(labelled.folder, "performance", one="tall", cut="37"))
    for part in ("Confusion matrix", "ROC curve of tall", "Predicts tall at a probability of 37.0"):
        assert part in said
    said = text(show(audited[1].folder, "performance"))
    assert "Answers against labels" in said
    assert "Confusion matrix" not in said
    said = text(show(bundles.table.folder.parent, "performance"))
    for part in ("percentile bootstrap", "probe verify", "reading.confusion(bundle)", "Not shown here"):
        assert part in said


def test_each_panel_of_performance_gives_its_numbers_by_its_python(bundles, labelled, audited):
    made = [decided.panel(bundles.table, name, ANY) for name in ("confusion", "by_class", "threshold_rates")]
    made += [decided.panel(bundles.table, "roc", ANY, ">50K"), sliced.slice_panel(bundles.table, ANY)]
    made += [performance.bin_panel(bundles.table)]
    made += [decided.panel(labelled, name, "tall") for name in ("confusion", "by_class", "threshold_rates")]
    made += [sliced.error_panel(audited[1], name, ANY) for name in ("distribution", "predicted")]
    held = [bundles.table] * 6 + [labelled] * 3 + [audited[1]] * 2
    for panel, bundle in zip(made, held, strict=True):
        found = eval(panel.python, {"reading": reading, "bundle": bundle})
        assert len(found) == len(panel.numbers) > 0


def test_the_python_of_the_page_of_rows_gives_all_rows_that_match(bundles):
    wanted = Wanted(of="all", outcome="wrong", least=60.0, one="50k-1", groups={"sex": "female", "race": ANY})
    found = rows.ordered(bundles.table, wanted, "measured", "down")
    *lines, last = rows.panel(bundles.table, wanted, "measured", "down", found[:2]).python.splitlines()
    scope = {"bundle": bundles.table}
    exec("\n".join(lines), scope)
    assert eval(last, scope)["Row"].tolist() == found
    assert len(found) > 2


@pytest.mark.parametrize("page", ["rows", "instance"])
def test_names_of_groups_that_attack_are_text_in_the_labels_of_their_filters(show, bundles, page):
    app = show(bundles.hostile.folder, page)
    app.session_state[f"filters {'page' if page == 'rows' else 'row'}"] = True
    app.run()
    assert not app.exception
    labels = [box.label for box in (*app.selectbox, *app.number_input, *app.text_input)]
    assert any("evil" in label for label in labels)
    assert not [label for label in labels if re.search(r"[<>\[\]!]", label)]


def test_how_sure_an_answer_is_filters_by_its_probability(bundles):
    sure = reading.sureness(bundles.table)
    bounds = {"at-least-99": (0.99, 2), "at-least-90": (0.9, 2), "below-90": (0, 0.9), "below-60": (0, 0.6)}
    assert set(bounds) == set(examples.SURE) - {ANY}
    for key, (low, high) in bounds.items():
        assert examples.found(bundles.table, Wanted(of="all", sure=key)) == list(
            np.flatnonzero((sure >= low) & (sure < high))
        )
