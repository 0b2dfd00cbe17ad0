import re
import sys
from functools import cache
from html import unescape
from pathlib import Path

import probe_dashboards
import pytest
from probe_dashboards.app import PAGES
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

APP = Path(probe_dashboards.__file__).with_name("app.py")
PROVED = ("certificates", "surveys", "counterfactuals", "evidence")
COMPLETE = ("image", "table", "prose", "graph", "hostile", "hostile_prose", "tampered", "bare", "interrupted")


def opened(folder: Path, name: str = "summary", **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.query_params |= query
    # AppTest can switch to pages that are files; ours are functions, which Streamlit tells apart by this hash.
    app._page_hash = calc_hash(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["app.py", str(folder)])
        app.run()
    assert not app.exception
    return app


@pytest.fixture
def show(arguments):
    def page(folder: Path, name: str = "summary", **query: str) -> AppTest:
        arguments(folder)  # for those who run the page again
        return opened(folder, name, **query)

    return page


@pytest.fixture(scope="session")
def seen(bundles):
    """A page of a kind of bundle, run once, for those who only look at it."""
    return cache(lambda kind, page: opened(getattr(bundles, kind).folder.parent, page))


def text(app: AppTest) -> str:
    """All that the page says."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "text",
        "code",
        "warning",
        "error",
        "info",
    )
    words = [f"{getattr(e, 'label', '')} {e.value}" for kind in kinds for e in getattr(app, kind)]
    scrolled = [frame.value.to_csv(index=False) for frame in app.dataframe]
    read = [re.sub("<[^>]*>", "", re.sub("</t[hd]>", ",", re.sub("<br>|</tr>", "\n", body))) for body in tables(app)]
    captions = [caption for image in app.image for caption in image.captions]
    read += [re.sub("<[^>]*>", " ", body) for body in cards(app)]
    return unescape("\n".join(words + scrolled + read + captions))


def cards(app: AppTest) -> list[str]:
    """The numbers that stand side by side, as HTML."""
    return [body for body in (each.proto.body for each in app.get("html")) if 'class="numbers"' in body]


def tables(app: AppTest) -> list[str]:
    """The tables that do not scroll, as HTML."""
    return [body for body in (each.proto.body for each in app.get("html")) if 'class="linked' in body]


# What a bundle has for inputs is nothing to these pages.
ALIKE = ("performance", "bias"), ("image", "prose", "graph", "hostile_prose")


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (p, k)
        for k in COMPLETE
        for p in PAGES
        if (p not in PROVED or k == "tampered") and not (p in ALIKE[0] and k in ALIKE[1])
    ]
    + [(p, "proofs") for p in PROVED],
)
def test_every_page_of_every_bundle_lists_its_limits(seen, page, kind):
    app = seen(kind, page)
    assert "What this does not show" in text(app)
    assert "run" in app.query_params


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_same_when_it_is_run_again(show, bundles, page):
    app = show(bundles.table.folder.parent, page)
    before = text(app)
    assert text(app.run()) == before


@pytest.mark.parametrize("page", PAGES)
def test_without_runs_a_page_says_how_to_make_one(show, tmp_path, page):
    said = text(show(tmp_path / "empty", page))
    assert "No runs in" in said
    assert "probe audit adult-mlp" in said


@pytest.mark.parametrize("page", PAGES)
def test_all_pages_report_a_changed_bundle(seen, page):
    app = seen("tampered", page)
    assert any("differs from what was recorded" in error.value and "robustness" in error.value for error in app.error)


@pytest.mark.parametrize("page", PAGES)
def test_a_changed_bundle_shows_no_number(seen, page):
    app = seen("tampered", page)
    assert not cards(app)
    assert not tables(app)
    assert not app.dataframe
    assert not app.image
    assert "The numbers of this audit are not shown" in text(app)


def test_an_expected_digest_is_compared_with_that_of_the_audit(show, bundles):
    manifest = bundles.image.manifest
    app = show(bundles.image.folder.parent)
    for given in (manifest.digest, manifest.evidence_digest):
        app.text_input[0].set_value(given).run()
        assert "Is the one you were given" in text(app)
        assert not app.error
    app.text_input[0].set_value("0" * 64).run()
    assert any("its digest is not the expected one" in error.value for error in app.error)
    assert not cards(app)


def test_an_audit_that_is_being_written_is_followed_and_not_judged(show, copied):
    from probe import lock
    from probe.audit import read

    bundle = read(copied)
    bundle.change(status="running", findings=(), steps=bundle.manifest.steps[:2], files={}, contents={})
    bundle.save()
    with lock.writing(copied):
        app = show(copied)
        said = text(app) + str([e.proto for e in app.get("progress")])
        assert "Running: step 3 of 6, explaining by saliency" in said.replace("\N{WORD JOINER}", "")
        assert app.title[0].value == "Summary"
        for word in ("Consistent", "Mismatch", "Run the same command again", "ended"):
            assert word not in said
        assert not cards(app)
    app = show(copied)
    assert any("it was killed" in warning.value and "same command again" in warning.value for warning in app.warning)


@pytest.mark.parametrize("page", PAGES)
def test_an_intact_bundle_has_no_error_and_says_that_it_was_verified(seen, page):
    app = seen("image", page)
    assert not app.error
    assert "Consistent with itself" in text(app)


@pytest.mark.parametrize("page", PAGES)
def test_all_pages_say_that_an_audit_was_interrupted(seen, page):
    app = seen("interrupted", page)
    assert any("not complete" in warning.value for warning in app.warning)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("kind", ["hostile", "hostile_prose", "proofs"])
def test_hostile_names_are_never_parsed_as_markdown(seen, page, kind):
    app = seen(kind, page)
    read = [
        f"{getattr(e, 'label', '')} {e.value}"
        for kind in ("markdown", "caption", "title", "warning", "error", "info")
        for e in getattr(app, kind)
    ]
    for foreign in (
        "<script",
        "![x]",
        "evil.example)",
        "](",
        "$\\frac",
        "://",
        ":red[trust",
        "\N{RIGHT-TO-LEFT OVERRIDE}",
        "x" * 1001,
    ):
        assert foreign not in "\n".join(read)


def markup(app: AppTest) -> str:
    bodies = [element.proto.body for element in app.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style>"))


def test_a_text_is_shown_with_its_words_their_values_and_what_replaced_them(show, bundles):
    arrays = bundles.prose.arrays
    row = arrays("instances")["rows"][0]
    at = list(arrays("attack-hot_flip")["rows"]).index(row)
    old, new = arrays("attack-hot_flip")["before"][at, 2], arrays("attack-hot_flip")["after"][2, at, 2]
    app = show(bundles.prose.folder.parent, "instance", row=str(row), eps="3-words")
    html = markup(app)
    for word in filter(None, arrays("instances")["described"][0]):
        assert f">{word}<span" in html
    assert old == new or re.search(f"<del[^>]*>{old}</del> <ins[^>]*>{new}</ins>", html)
    said = text(app)
    assert "3 words" in said
    assert "word 5" not in said
    robustness = text(show(bundles.prose.folder.parent, "robustness"))
    assert "first broken at 1 word" in robustness
    assert "eps 1" not in robustness


def test_a_graph_is_shown_with_its_edges_and_those_that_were_flipped(show, bundles):
    stored, explained = bundles.graph.arrays("attack-grad_argmax"), bundles.graph.arrays("instances")["rows"]
    broken = stored["rows"][:24][stored["success"][1, :24]]
    row = str(next(row for row in broken if row in explained))
    app = show(bundles.graph.folder.parent, "instance", row=row, eps="2-edges")
    said = text(app)
    for caption in (
        f"Example {row}, true label",
        "wide edges matter most",
        "the edges that GradArgmax moved; radius: 2",
    ):
        assert caption in said
    assert len(app.image) == 5
    robustness = text(show(bundles.graph.folder.parent, "robustness"))
    assert "first broken at 1 edge" in robustness
    assert "eps 1" not in robustness


def test_the_page_says_that_an_attack_left_a_text_unchanged(show, bundles):
    row = str(bundles.prose.arrays("instances")["rows"][0])
    app = show(bundles.prose.folder.parent, "instance", row=row, eps="1-word")
    assert "There is no change to show" in text(app)


@pytest.mark.slow
def test_hostile_words_are_text_in_html_too(show, bundles):
    rows = bundles.hostile_prose.arrays("instances")["rows"]
    html = "".join(markup(show(bundles.hostile_prose.folder.parent, "instance", row=str(row))) for row in rows)
    assert "&lt;/script&gt;&lt;script&gt;" in html
    tables = re.findall(r'<div class="linked[^>]*>.*?</table></div>', html, flags=re.DOTALL)
    assert {address for each in tables for address in re.findall(r'href="([^?"]*)', each)} == {"instance", "methods"}
    for each in tables:
        html = html.replace(each, "")
    assert not set(re.findall(r"<(\w+)", html)) - {"div", "span", "del", "ins"}
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in html


@pytest.mark.parametrize(("page", "kind", "what"), [
    ("bias", "image", "the data declares no groups"),
    ("instance", "bare", "the plan names no explainer"),
    ("robustness", "bare", "the plan names no attack"),
    ("robustness", "interrupted", "the audit ended before"),
])  # fmt: skip
def test_the_page_says_why_a_section_was_not_run(seen, page, kind, what):
    app = seen(kind, page)
    assert any("was not run" in info.value and what in info.value for info in app.info)


@pytest.mark.parametrize(("page", "query"), [
    ("summary", {"status": "splendid"}),
    ("instance", {"row": "99999"}),
    ("instance", {"row": "<script>"}),
    ("instance", {"attack": "autoattack"}),
    ("instance", {"eps": "7"}),
    ("robustness", {"by": "height"}),
    ("bias", {"rate": "luck"}),
    ("bias", {"by": "sex-x"}),
    ("summary", {"run": "demo~000000000000"}),
    ("bias", {"run": "gone~000000000000"}),
    ("bias", {"run": "../../etc"}),
])  # fmt: skip
def test_a_stale_link_shows_the_nearest_option_with_a_message(show, bundles, page, query):
    app = show(bundles.table.folder.parent, page, **query)
    assert any(warning.value.startswith("This link") for warning in app.warning)
    assert "What this does not show" in text(app)


def test_the_summary_gives_each_number_with_interval_threshold_and_n(show, bundles):
    said = text(show(bundles.table.folder.parent))
    finding = bundles.table.manifest.findings[0]
    estimate, low, high = (f"{100 * getattr(finding, key):.1f}" for key in ("estimate", "low", "high"))
    assert f"{estimate}\u202f% [{low}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{high}\u202f%]" in said
    assert "≥\u202f60.0\u202f%" in said
    assert "Wilson" in said
    assert "probe verify" in said
    assert "e" * 64 in said


def test_a_filter_is_in_the_link_and_the_link_in_the_filter(show, bundles):
    app = show(bundles.table.folder.parent, status="inconclusive")
    assert app.selectbox(key="status").value == "inconclusive"
    app.selectbox(key="status").select("fail").run()
    assert app.query_params["status"] == "fail"
    assert "Inconclusive" not in "".join(tables(app)[:-2])


@pytest.mark.slow
def test_next_and_previous_step_through_the_examples(show, bundles):
    rows = [str(row) for row in bundles.image.arrays("instances")["rows"]]
    app = show(bundles.image.folder.parent, "instance", row=rows[1])
    app.button(key="to Next").click().run()
    assert app.query_params["row"] == rows[2]
    app.button(key="to Previous").click().run().button(key="to Previous").click().run()
    assert app.query_params["row"] == rows[0]
    assert app.button(key="to Previous").disabled


def test_an_instance_shows_both_badges_and_the_attack(show, bundles):
    row = str(bundles.image.arrays("instances")["rows"][0])
    app = show(bundles.image.folder.parent, "instance", row=row)
    said = text(app) + markup(app)
    assert "NOT DISTINGUISHABLE FROM RANDOM" in said
    assert "better than random order" in said
    assert "Smallest radius that flips it" in said


def test_the_bias_page_compares_the_attribute_of_the_link(show, bundles):
    app = show(bundles.table.folder.parent, "bias", run="demo", by="race", rate="fpr")
    assert app.query_params["run"].startswith("demo~")  # so that the link stays one to this evidence
    assert not any(warning.value.startswith("This link") for warning in app.warning)
    assert app.selectbox(key="by").value == "race"
    said = text(app)
    assert "False positive rate (share of negatives) of each group" in said
    assert "Rates of groups with too few rows to be reliable" in said


def test_the_viewer_can_be_given_one_bundle_instead_of_a_folder_of_them(show, bundles):
    assert "Consistent with itself" in text(show(bundles.image.folder))


def test_choosing_another_audit_resets_the_selection(show, bundles):
    app = show(
        bundles.image.folder.parent.parent / "image", "instance", row=str(bundles.image.arrays("instances")["rows"][3])
    )
    app.selectbox(key="run").select(app.query_params["run"]).run()
    assert "run" in app.query_params
