import re

import pandas as pd
import pytest
from probe_dashboards.views import links, methods, ran, robustness, terms
from probe_dashboards.views.runs import Run

from probe import registry
from probe.glossary import TERMS
from tests.dashboards.test_pages import opened, text
from tests.guest import install, installed


@pytest.fixture(scope="module")
def known():
    return methods.entries()


def test_every_method_there_is_has_an_entry_with_what_it_does(known):
    assert set(known) == {name for family in registry.KINDS for name in registry.listed(family)}
    for entry in known.values():
        assert entry.summary.endswith(".")
        assert not any(">>>" in paragraph for paragraph in entry.paragraphs)
        assert entry.family == "goal" or entry.cost


def test_an_entry_tells_source_direction_range_needs_and_refusals(known):
    shap, deletion, smoothing = known["kernel_shap"], known["deletion"], known["randomized_smoothing"]
    assert shap.sources[0] == "arXiv:1705.07874"
    assert shap.needs == ("a reference: what an absent feature looks like",)
    assert any("no reference" in each for each in shap.refuses)
    assert (deletion.direction, deletion.range, deletion.measures) == ("higher is better", "in [-1, 1]", "explanations")
    assert known["calibration_error"].direction == "lower is better"
    assert any("graphs" in each for each in smoothing.refuses)


def test_an_entry_tells_how_an_audit_uses_it(known):
    assert known["saliency"].usual == "Run unless the plan says otherwise on: graph, image, series."
    assert known["ddn"].usual == "Run where the plan names it."
    assert "threshold at least 0.8" in known["accuracy"].usual


def test_settings_have_their_type_default_and_range(known):
    settings = {name: rest for name, *rest in known["pgd"].settings}
    assert settings["steps"][:3] == ["whole number", "40", "at least 1"]
    assert settings["norm"][:2] == ["linf, l2, l1", "linf"]
    assert settings["eps"][1:3] == ["8/255", "at least 0"]
    assert settings["goal"][1] == "untargeted"
    assert {name: default for name, _, default, *_ in known["flip"].settings} == {"of": "must be given"}


def test_methods_are_found_by_words_and_by_paper(known):
    assert [e.name for e in methods.chosen(known, text="madry 2018")] == ["pgd"]
    assert {e.family for e in methods.chosen(known, "survey")} == {"survey"}
    assert methods.chosen(known, "survey", "madry") == []


def test_what_a_method_cost_in_the_audits_of_the_folder_is_told(known):
    run = Run("a~1", "a", "first", "complete", "", "m", "d", "", {}, "", {"pgd": (1200, 30, 2.5)})
    assert methods.costs(known["pgd"], [run]) == ["first: 1,200 examples forward, 30 backward, 2.5\u202fs"]
    assert methods.costs(known["fgsm"], [run]) == []


@pytest.mark.slow
def test_methods_of_other_packages_are_listed_as_such(tmp_path):
    install(tmp_path)
    with installed(tmp_path):
        found = methods.entries()
        own = {name for name, entry in found.items() if not entry.brought}
        brought = {name: entry for name, entry in found.items() if entry.brought}
    assert "pgd" in own
    assert {entry.family for entry in brought.values()} == set(registry.KINDS)
    assert all(entry.summary for entry in brought.values())
    assert "another package than probe" in methods.facts(brought["bisect"]).to_csv()


def test_a_docstring_that_attacks_is_text(known):
    hostile = "[click](javascript:alert(1)) (arXiv:1705.07874) <script>"
    shown = methods.linked(hostile)
    assert "](javascript" not in shown
    assert "<script" not in shown
    assert shown.count("](https://arxiv.org/abs/1705.07874)") == 1


def test_the_page_of_one_method_has_its_settings_and_commands(bundles):
    said = text(opened(bundles.table.folder.parent, "methods", m="pgd"))
    assert "projected" in said
    assert "gradient steps in each restart" in said
    assert "probe attack adult-mlp --method pgd" in said
    assert "It cost in demo" in said
    assert "What this does not show" in said


def test_a_link_to_a_method_that_is_not_there_says_what_is_shown_instead(tmp_path):
    app = opened(tmp_path, "methods", m="kernel_sharp")
    assert any("kernel" in warning.value for warning in app.warning)
    assert "contribution over all" in text(app)


@pytest.mark.slow
def test_the_list_of_methods_is_there_without_any_audit_and_without_torch(tmp_path):
    app = opened(tmp_path, "methods")
    assert [h.value for h in app.header[: len(methods.FAMILIES)]] == list(methods.FAMILIES.values())
    assert "run" not in app.query_params


def test_pages_of_an_audit_lead_to_what_its_methods_do(bundles):
    app = opened(bundles.table.folder.parent, "robustness")
    links = {e.proto.query_string for e in app.get("page_link") if e.proto.page.endswith("methods")}
    assert {"m=fgsm", "m=pgd"} <= links
    assert "m=saliency" not in links


def test_a_text_leads_from_a_term_to_its_meaning_and_holds_no_link_in_its_line():
    seen: set[str] = set()
    first, _, rest = terms.termed("It fails by deletion <b>.", seen).partition("\n")
    assert first == "It [fails][fail] by [deletion][deletion] &#60;b&#62;&#46;"
    assert '[deletion]: glossary?term=deletion "How much sooner' in rest
    assert terms.termed("deletion", seen) == "deletion"


def test_sentences_are_a_list_whose_links_follow_it():
    shown = terms.listed(("An interval.", "Plain words", "A seed."), set())
    lines = shown.split("\n")
    assert lines[:3] == ["- An [interval][interval]&#46;", "- Plain words", "- A [seed][seed]&#46;"]
    assert sum(line.startswith("[") for line in lines) == 2
    assert not lines[3]


def test_the_glossary_explains_each_term_and_the_one_that_is_asked_for_first(tmp_path):
    app = opened(tmp_path, "glossary", term="deletion")
    said = text(app)
    assert all(term.meaning.split(".")[0] in said for term in TERMS.values())
    assert said.index(TERMS["deletion"].meaning) < said.index(TERMS["pass"].meaning)
    found = opened(tmp_path, "glossary", q="drawing again many times")
    assert [h.value for h in found.header] == ["How sure a number is", "What this does not show"]


def test_a_page_marks_a_term_where_it_uses_it_first(bundles):
    app = opened(bundles.table.folder.parent, "robustness")
    shown = "\n".join(str(e.value) for kind in ("markdown", "caption") for e in app.get(kind))
    used = re.findall(r"^\[([a-z0-9-]+)\]: glossary\?term=", shown, flags=re.MULTILINE)
    assert "upper-bound" in used
    assert len(used) == len(set(used))


def test_the_names_of_methods_in_a_table_lead_to_the_page_of_methods(bundles):
    found = ran.linked(bundles.table, "attack", robustness.settings(bundles.table))
    assert [(cell.text, cell.address) for cell in found["Attack"]] == [
        (title, f"methods?m={name}")
        for title, name in zip(robustness.settings(bundles.table)["Attack"], ("fgsm", "pgd"), strict=True)
    ]
    assert found.drop(columns="Attack").equals(robustness.settings(bundles.table).drop(columns="Attack"))


def test_a_name_that_is_no_method_of_the_registry_leads_nowhere(bundles):
    frame = pd.DataFrame({"Attack": ["all attacks", "[x](javascript:alert(1))", "</td><script>"], "n": [1, 2000, 3]})
    found = ran.linked(bundles.table, "attack", frame)
    assert list(found["Attack"]) == list(frame["Attack"])
    shown = links.html(found, "hostile")
    assert "<a" not in shown
    assert "<script" not in shown
    assert "2,000" in shown


def test_what_names_a_cell_on_a_phone_holds_no_end_of_a_tag_which_a_sanitizer_would_drop_with_all_of_it():
    shown = links.html(pd.DataFrame({"</script>x-->": [1]}), "</style>")
    names = re.findall(r'(?:data-name|aria-label)="([^"]*)"', shown)
    assert names == [
        "&lt;\N{WORD JOINER}/style\N{WORD JOINER}&gt;",
        "&lt;\N{WORD JOINER}/script\N{WORD JOINER}&gt;x--\N{WORD JOINER}&gt;",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["instance", "explanations"])
def test_every_table_of_methods_leads_to_what_they_do(bundles, page):
    app = opened(bundles.table.folder.parent, page)
    shown = "".join(each.proto.body for each in app.get("html"))
    methods_of = ("saliency", "lime", "pgd") if page == "instance" else ("saliency", "lime")
    least = 3 if page == "instance" else 2  # tables that name each explainer
    for name in methods_of:
        found = shown.count(f"methods?m={name}")
        assert found >= (1 if name == "pgd" else least), (name, found)
