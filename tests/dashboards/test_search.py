"""What an auditor looks for is found: examples, captions, names as they are written, and pages at their address."""

import re

import numpy as np
import pytest
from probe_dashboards.app import PAGES, WIDE
from probe_dashboards.views import attacked, examples, explained, instance, performance, summary
from probe_dashboards.views.examples import Wanted
from probe_dashboards.views.words import JOINER, estimate, md
from scipy.special import softmax

from probe import plots
from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.formatting import interval, number
from tests.dashboards.test_pages import markup, show, tables, text

__all__ = ["show"]


def answers(bundle):
    stored = bundle.arrays("predictions")
    probabilities = softmax(stored["logits"], axis=1)
    return stored["labels"], probabilities.argmax(1), probabilities.max(1)


def test_wrong_and_confident_answers_about_women_are_found_among_all_rows(bundles):
    bundle = bundles.table
    labels, predicted, sure = answers(bundle)
    women = bundle.groups()["sex"].to_numpy() == "Female"
    wanted = Wanted(of="all", outcome="wrong", sure="at-least-90", groups={"sex": "female", "race": "any"})
    expected = np.flatnonzero((labels != predicted) & (sure >= 0.9) & women).tolist()
    assert examples.found(bundle, wanted) == expected
    below = Wanted(of="all", outcome="wrong", sure="below-90", groups={"sex": "female"})
    others = np.flatnonzero((labels != predicted) & (sure < 0.9) & women).tolist()
    assert examples.found(bundle, below) == others
    assert 0 < len(others) < women.sum()


def test_examples_are_found_by_label_and_answer(bundles):
    labels, predicted, _ = answers(bundles.image)
    found = examples.found(bundles.image, Wanted(of="all", label="disc", answer="bar"))
    assert found == np.flatnonzero((labels == 0) & (predicted == 2)).tolist()
    assert examples.found(bundles.image, Wanted()) == instance.rows(bundles.image)


def test_a_list_of_examples_says_answer_probability_and_label(bundles):
    labels, predicted, sure = answers(bundles.table)
    names = ("<=50K", ">50K")
    for row, title in examples.titles(bundles.table, list(range(20))).items():
        at = int(row)
        outcome = "right" if labels[at] == predicted[at] else f"wrong, label {names[labels[at]]}"
        assert title == f"{at}: {names[predicted[at]]} ({number(float(sure[at]), 'share')}), {outcome}"


def test_an_example_that_was_not_explained_opens_as_far_as_the_bundle_holds_it(show, bundles):
    tried = bundles.table.arrays("attack-pgd")["rows"]
    row = next(at for at in range(200) if at not in tried)
    app = show(bundles.table.folder.parent, "instance", row=str(row))
    said = text(app) + markup(app)
    predicted, probability, truth = instance.answer(bundles.table, row)
    assert f"Predicted **{predicted}** ({number(probability, 'share')}). True label **{truth}**" in said.replace(
        JOINER, ""
    )
    own = bundles.table.groups().iloc[row]
    assert f"sex: {own['sex']}; race: {own['race']}" in said
    assert "The input was not kept" in said
    assert "This example was not explained; 8 were" in said
    assert "not attacked" in said


def test_a_link_of_a_search_shows_its_results(show, bundles):
    wanted = Wanted(of="all", outcome="wrong", groups={"sex": "female"})
    rows = examples.found(bundles.table, wanted)
    app = show(bundles.table.folder.parent, "instance", of="all", outcome="wrong", **{"in-sex": "female"})
    assert app.selectbox(key="row").options == list(examples.titles(bundles.table, rows).values())
    app.selectbox(key="outcome").select("right").run()
    assert app.query_params["outcome"] == "right"
    assert "row" not in app.query_params
    assert not [warning for warning in app.warning if warning.value.startswith("This link")]


def test_a_search_without_a_match_says_so(show, bundles):
    query = {"of": "explained", "outcome": "wrong", "sure": "at-least-99", "in-race": "other"}
    app = show(bundles.table.folder.parent, "instance", **query)
    assert "No example matches" in text(app)


def test_each_method_has_the_caption_that_its_step_records(show, bundles):
    said = text(show(bundles.table.folder.parent, "instance"))
    assert "The gradient: increasing what is red raises the logit of the answer" in said
    assert "Red supports the answer, blue opposes it." in said
    assert "same features in the same order" in said


@pytest.mark.usefixtures("written")
def test_all_charts_of_an_example_have_one_order(bundles):
    row = instance.rows(bundles.table)[0]
    values = [explained.by_feature(bundles.table, row, m) for m in ("saliency", "lime")]
    names = bundles.table.manifest.data.features
    expected = [names[at] for at in plots.shared_order(values)]
    assert list(explained.attributions(bundles.table, row)["Feature"]) == expected
    from probe_dashboards import figures

    for method in ("saliency", "lime"):
        drawn = figures.svg("explained", bundles.table, str(row), method)
        assert re.findall(rf">({'|'.join(names)})</text>", drawn) == expected


def test_the_answer_at_a_radius_is_shown_with_its_probability(bundles):
    stored = bundles.table.arrays("attack-pgd")
    at = int(np.flatnonzero(stored["success"][1])[0])
    row = int(stored["rows"][at])
    before, probability, _ = instance.answer(bundles.table, row)
    after = ("<=50K", ">50K")[stored["predicted"][1, at]]
    told = attacked.outcome(bundles.table, row, "pgd", "0.2")
    assert told == (
        f"The answer becomes {after} (62.5\u202f%); without an attack it is {before} ({number(probability, 'share')})."
    )
    stood = int(stored["rows"][np.flatnonzero(stored["clean"] & ~stored["success"][2])[0]])
    assert "Not broken at this radius" in attacked.outcome(bundles.table, stood, "pgd", "0.4")
    wrong = int(stored["rows"][np.flatnonzero(~stored["clean"])[0]])
    assert "is wrong already" in attacked.outcome(bundles.table, wrong, "pgd", "0.4")


def test_changes_of_a_table_are_shown_by_values_before_and_after(bundles, copied, monkeypatch):
    stored = dict(bundles.table.arrays("attack-pgd"))
    stored["before"] = np.full((24, 4), "9")
    stored["after"] = np.full((3, 24, 4), "11")
    before, after = (
        reading.Kept(stored[name][at], stored[told][at].tolist(), None)
        for name, told, at in (("inputs", "before", 0), ("shown", "after", (1, 0)))
    )
    found = reading.Moved(before, after, stored["moved"][1, 0])
    monkeypatch.setattr(attacked, "_moved", lambda *_: found)
    told = attacked.changes(bundles.table, int(stored["rows"][0]), "pgd", "0.2")
    assert set(told["Before"]) == {"9"}
    assert set(told["After"]) == {"11"}
    assert set(told["Feature"]) == {"age", "hours", "education", "sex"}


def test_the_performance_page_has_every_measure_and_the_reliability_diagram(show, bundles):
    app = show(bundles.table.folder.parent, "performance")
    said = text(app)
    for measure in bundles.table.table("readings").query("aspect == 'performance'")["title"]:
        assert measure in said
    captions = [caption for image in app.image for caption in image.captions]
    assert len([caption for caption in captions if "Accuracy against confidence" in caption]) == 1
    first = bundles.table.table("readings").to_dict("records")[0]
    assert first["metric"] == "accuracy"
    written = performance.measures(bundles.table)["Estimate [95 % interval]"][0]
    assert written == estimate(first["value"], first["low"], first["high"], "share")
    assert written.replace("\N{NO-BREAK SPACE}", " ").endswith(f"[{interval(first['low'], first['high'], 'share')}]")


def test_every_aspect_that_has_evidence_links_to_it(bundles):
    pages = {group.title: group.page for group in summary.groups(bundles.table)}
    assert pages["Performance"] == "performance"


def test_the_viewer_offers_the_report_only_if_it_is_unchanged(copied):
    from probe.audit import read

    bundle = read(copied)
    assert summary.report(bundle) is None
    assert summary.write_report(bundle).startswith("probe report ")
    bundle.write_report("<p>it</p>")
    assert summary.report(bundle) == b"<p>it</p>"
    (copied / "report.html").write_text("<p>another</p>")
    assert summary.report(bundle) is None


@pytest.mark.parametrize("name", ["adult-mlp", "=5 a<b", "12:30", "x@ y", "a - b", "demographic_parity: sex"])
def test_copied_names_are_the_exact_names(name):
    assert JOINER not in md(name)


@pytest.mark.parametrize("text", ["https://e.example", "www.e.example", "a@e.example", ":smile:", ":red[x]", "a -> b",
                                  ":material/delete:", "a -- b"])  # fmt: skip
def test_names_do_not_become_links_icons_or_arrows(text):
    assert JOINER in md(text)


def test_the_summary_has_an_address_of_its_own(show, monkeypatch, bundles):
    import streamlit as st

    seen = {}
    navigation = st.navigation
    monkeypatch.setattr(
        st, "navigation", lambda pages, **more: (seen.update(pages=pages), navigation(pages, **more))[1]
    )
    show(bundles.image.folder.parent)
    assert [page.url_path for page in seen["pages"]] == ["", "lab", *PAGES, *WIDE]


@pytest.mark.parametrize("page", PAGES)
def test_no_column_of_a_table_is_without_a_name_and_no_level_of_headings_is_left_out(show, bundles, page):
    app = show(bundles.table.folder.parent, page)
    for body in tables(app):
        assert "<th" in body
        assert not re.search(r'<th scope="col">\s*</th>', body)
    assert not [m for m in app.markdown if m.value.lstrip().startswith("#")]
    assert len(app.title) == 1
    assert app.header


def test_a_page_reads_each_file_of_an_audit_once(bundles, monkeypatch):
    from probe_dashboards.views import held as open_ones
    from probe_dashboards.views import runs

    open_ones.forget()
    found, _ = runs.listing(bundles.table.folder.parent)
    bundle, read = runs.opened(found[0], {}).bundle, []
    held = Bundle._bytes
    monkeypatch.setattr(Bundle, "_bytes", lambda self, file: (read.append(file), held(self, file))[1])
    row = instance.rows(bundle)[0]
    for _ in range(2):
        explained.attributions(bundle, row)
        explained.agreement(bundle, row)
        examples.found(bundle, Wanted(of="all", outcome="wrong", groups={"sex": "female"}))
    assert runs.opened(found[0], {}).bundle is bundle  # on the next page, and for the next reader
    assert sorted(read) == sorted(set(read))
    assert "arrays/predictions.npz" in read
    frame = bundle.groups()
    frame["sex"] = "changed"
    assert "changed" not in set(bundle.groups()["sex"])


def test_the_scale_of_a_map_says_where_larger_values_share_its_darkest_shade(bundles, monkeypatch):
    row = instance.rows(bundles.image)[0]
    monkeypatch.setattr(explained, "values", lambda *_: np.linspace(0.001, 1, 36).reshape(1, 6, 6))
    assert explained.scale(bundles.image, row, "lime", explained.OWN) == "darkest at ±1"
    monkeypatch.setattr(explained, "values", lambda *_: np.linspace(0.001, 1, 400).reshape(1, 20, 20))
    assert explained.scale(bundles.image, row, "lime", explained.OWN) == "darkest where ≤ \N{MINUS SIGN}0.99 or ≥ +0.99"
