import re
from dataclasses import replace
from html.parser import HTMLParser
from math import log10
from shutil import copytree

import numpy as np
import pytest

from probe.audit import Bundle, reading, verify
from probe.audit.bundle import read
from probe.audit.strict import plain
from probe.audit.toml import to_toml as toml
from probe.errors import IntegrityError
from probe.formatting import MINUS, estimate, estimated, interval, number, p_value, share, threshold
from probe.report import blocks, render
from probe.report.sections import performance
from probe.text import visible
from tests.figures import unwritten
from tests.report.conftest import HOSTILE, page_of

VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "line", "path", "use"}


class Page(HTMLParser):
    """What a browser would see: elements, their attributes and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.styles = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.styles = tag == "style"

    def handle_endtag(self, tag):
        self.styles = False

    def handle_data(self, data):
        self.text += "" if self.styles else data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(params=["image", "table", "text", "graph", "hostile", "hostile_text", "interrupted"])
def bundle(request) -> Bundle:
    return request.getfixturevalue(request.param)


@pytest.fixture
def html(bundle) -> str:
    return page_of(bundle)


def test_the_report_has_no_scripts_and_loads_nothing(html):
    page = Page(html)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "base", "form", "foreignobject", "audio", "video"}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "action", "style", "srcset", "poster"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/")) or name == "style", (tag, name, value[:50])
            assert "http" not in value or value.startswith("data:")
    assert "@import" not in html
    assert not re.findall(r"url\((?!#)", html)
    assert "default-src 'none'" in html


def test_the_report_is_a_small_file(html):
    assert len(html.encode()) < 5 * 2**20


@pytest.mark.slow
def test_the_same_bundle_gives_the_same_bytes(image, monkeypatch):
    monkeypatch.setattr(blocks, "to_svg", unwritten)  # each figure does too: tests/plots/test_plots.py
    assert render(read(image.folder)) == render(read(image.folder))


def test_every_figure_has_a_caption_and_its_numbers(html):
    for figure in re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL):
        assert "<figcaption>" in figure
        assert "<table" in figure
        assert all('aria-label="' in svg for svg in re.findall(r"<svg[^>]*>", figure))


def test_ids_in_the_report_are_unique(html):
    ids = [attributes["id"] for _, attributes in Page(html).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_finding_appears(html, bundle):
    text = Page(html).text
    told = [finding for part in reading.register(bundle.manifest) for finding in part.findings]
    assert len(told) == len(bundle.manifest.findings)
    for finding in told:
        assert visible(finding.check) in text
        assert visible(finding.note) in text
        assert visible(finding.method) in text


def test_the_cover_counts_and_can_be_checked(html, bundle):
    text = Page(html).text
    assert bundle.manifest.digest in text
    assert "probe verify FOLDER" in text
    assert "viewport" in html


def test_the_report_uses_no_judging_words(image, table):
    for bundle in (image, table):
        assert not re.findall(
            # A metric's name in the plan speaks of proofs, not of what a law asks.
            r"\b(?:un)?(?:fair|compliant|legal|lawful|certified(?!_accuracy))\w*",
            Page(page_of(bundle)).text,
            re.I,
        )


def test_an_image_model_shows_maps_and_attacked_inputs(image):
    html = page_of(image)
    assert "Heat map of saliency" in html
    assert "before and after" in html
    assert "the data declares no groups" in html  # the chapter says why it is empty


def test_a_text_model_shows_its_words_with_their_values_and_what_replaced_them(text):
    html = page_of(text)
    words = text.arrays("instances")["described"][0]
    numbers = text.arrays("explain-lime")["by_feature"][0]
    decimals = max(0, round(2 - log10(abs(numbers).max())))
    for word, value in zip(words, numbers.tolist(), strict=True):
        written = f"{value:+.{decimals}f}".replace("-", MINUS) if round(value, decimals) else "0"
        assert not word or re.search(f"{word}<span[^>]*>{re.escape(written)}</span>", html)
    assert re.search(r"<del[^>]*>\w+</del> <ins[^>]*>\w+</ins>", html)
    read = Page(html).text
    assert "withstands HotFlip at 3 words" in read
    assert "at 1 word" in read
    assert "words replaced" in read
    assert "radius 3" not in read
    assert "word 8" not in read  # a place says nothing, and those that are empty even less


def test_a_graph_model_shows_its_edges_and_those_that_were_flipped(graph):
    html, read = page_of(graph), Page(page_of(graph)).text
    for method in ("saliency", "integrated gradients", "kernel shap", "lime"):
        assert f"The graph with its edges by {method}" in html
    attacked = graph.arrays("attack-grad_argmax")
    at = int(np.flatnonzero(attacked["eps"] == 3)[0])
    broken = np.flatnonzero(attacked["success"][at, :24])[:4]
    assert len(broken) > 0
    for index in broken:
        change = np.triu(attacked["shown"][at, index, :, :6] - attacked["inputs"][index, :, :6])
        up, down = int((change > 0).sum()), int((change < 0).sum())
        said = ", ".join(f"{n} {word}" for n, word in ((up, "up"), (down, "down")) if n)
        assert f"{up + down} edge{'s' * (up + down != 1)} moved: {said}" in html
    assert "withstands GradArgmax at 3 edges" in read
    assert "at 1 edge" in read
    assert "edges flipped" in html
    assert "radius 3" not in read
    # An edge that was flipped is moved by 1, though it has two places.
    moved = re.findall(r'<td>edge \d-\d</td><td class="num">([^<]+)</td>', html)
    assert len(moved) == len(broken)
    assert set(moved) <= {"+1", f"{MINUS}1"}


def test_foreign_words_in_the_report_are_shown_as_text(hostile_text):
    html = page_of(hostile_text)
    assert Page(html).count("img") == 0
    assert "&lt;/script&gt;&lt;img src=x" in html
    assert "\u202e" not in html
    assert "x" * 1000 not in html


def test_a_table_model_shows_groups_and_gaps(table):
    text = Page(page_of(table)).text
    for word in ("Selection rate", "would have failed", "By sex", "By race", "impact ratio", "undefined"):
        assert word.lower() in text.lower()


def test_the_confusion_matrix_has_the_counts_of_the_answers(image, monkeypatch):
    kept = image.arrays("predictions")
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (kept["labels"], reading.decisions(image)), 1)
    found = performance.section(image).blocks
    matrix = next(block for block in found if getattr(block, "caption", "").startswith("Confusion matrix"))
    assert [list(map(int, row[1:])) for row in matrix.rows] == [[*row, sum(row)] for row in counts.tolist()]
    assert [row[0] for row in matrix.rows] == list(image.manifest.model.classes)
    monkeypatch.setattr(performance, "MATRIX", 2)
    listed = next(b for b in performance.section(image).blocks if getattr(b, "caption", "").startswith("Most frequent"))
    assert sum(int(row[2]) for row in listed.rows) == counts.sum() - counts.trace()


def test_the_first_page_says_that_an_audit_was_interrupted(interrupted):
    text = Page(page_of(interrupted)).text
    assert text.index("Interrupted") < text.index("Findings")
    assert "Missing: attacking by fgsm, attacking by pgd." in text
    assert "the plan names no attack, or none could run" in text


def test_a_crashed_audit_still_has_a_report(table, tmp_path):
    manifest = replace(table.manifest, status="running", findings=(), files={}, steps=())
    page = render(Bundle(tmp_path, manifest))
    assert "the audit ended before its evidence was assessed" in page
    assert "Not finished" in page


def test_foreign_names_are_shown_as_text(hostile):
    html = page_of(hostile)
    text = Page(html).text
    assert Page(html).count("img") == 0
    assert HOSTILE[0] in text
    assert HOSTILE[1] in text
    assert HOSTILE[4] in text
    assert HOSTILE[5] in text
    assert "\u202e" not in html
    assert "⟨U+202E⟩" in text
    assert "x" * 1000 not in html
    assert "10,000 characters" in text


@pytest.fixture
def copied(table, tmp_path) -> Bundle:
    """A bundle that a test may change."""
    return read(copytree(table.folder, tmp_path / table.folder.name))


def test_a_changed_table_is_refused(copied):
    bundle = copied
    path = bundle.folder / "tables" / "readings.csv"
    path.write_text(path.read_text().replace("accuracy", "Accuracy"))
    with pytest.raises(IntegrityError, match=r"readings\.csv"):
        render(read(bundle.folder))


def test_a_written_report_leaves_the_evidence_as_it_is(table, copied):
    copied.write_report(page_of(table))
    assert verify(copied.folder).digest == table.manifest.digest


def test_numbers_are_written_one_way():
    assert number(0.9425, "share") == "94.2\u202f%"
    assert number(None) == number(float("nan"), "share") == "undefined"
    assert number(-0.0123, "signed") == "\u22120.0123"
    assert interval(0.1, 0.25, "points") == "10.0 to 25.0\u202fpp"
    assert interval(None, 0.2) == ""
    assert estimate(float("nan"), 0.1, 0.2).ends == ""
    assert threshold(0.8, "at least") == "≥\u202f0.8"
    assert threshold(None, "at most") == ""
    assert p_value(0.0) == "< 0.0001"


def test_the_report_shows_the_plan_as_toml(table):
    import tomllib

    plan = {k: v for k, v in plain(table.manifest.plan).items() if v is not None}
    read_back = tomllib.loads(toml(plan))
    assert read_back["checks"] == plan["checks"]
    assert read_back["attack"] == plan["attack"]


def test_the_standard_error_of_a_value_that_was_drawn_stands_beside_it(image):
    stored = image.arrays("explain-lime")
    assert stored["errors"].shape == stored["by_feature"].shape
    first = int(np.abs(stored["by_feature"][0]).argmax())
    told = estimated(stored["by_feature"][0, first], stored["errors"][0, first])
    assert "±" in told
    read = Page(page_of(image)).text
    assert told in read
    assert "the standard error of values that were estimated from a draw" in read
    assert re.search(r"its first above its second with (> )?\d+(\.\d+)?\s%", read)
    assert not re.search(r"with 100(\.0)?\s% confidence", read)
    assert "errors" not in image.arrays("explain-saliency")


def test_how_well_a_local_fit_tells_the_output_stands_beside_its_values(image, monkeypatch):
    stored = image.arrays("explain-lime")
    assert stored["fidelity"].shape == stored["rows"].shape
    told = f"Its fit tells {share(stored['fidelity'][0])} of how the output varies around this row."
    assert told in Page(page_of(image)).text
    step = next(each for each in image.manifest.steps if each.name == "explain-lime")
    for fidelity, words in ((-0.5, "no more of the output around this row than the mean"), (np.nan, "")):
        known = stored | {"fidelity": np.full(len(stored["rows"]), fidelity)}
        monkeypatch.setattr(type(image), "arrays", lambda *_, known=known: known)
        found = reading.fitted(image, step, int(stored["rows"][0]))
        assert words in found
        assert bool(found) == bool(words)
