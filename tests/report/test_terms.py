"""Terms of the glossary in a report."""

import re

import pytest

from probe.report.terms import Terms
from tests.report.conftest import page_of


def test_the_first_use_of_a_term_leads_to_what_it_means_and_the_text_stays_what_it_was():
    terms = Terms()
    page = terms("Deletion, <b> and deletion.")
    assert re.sub("<a[^>]*>|</a>", "", page) == "Deletion, &lt;b&gt; and deletion."
    assert page.startswith('<a class="term" href="#term-deletion" title="How much sooner')
    assert page.count("<a ") == 1
    assert [term.name for term in terms.used] == ["deletion"]


@pytest.fixture(scope="module")
def page(table):
    return page_of(table)


def test_every_marked_term_is_explained_at_the_end_and_marked_once(page):
    marked = re.findall('<a class="term" href="#(term-[^"]*)"', page)
    assert len(marked) > 10
    assert len(set(marked)) == len(marked)
    assert sorted(marked) == sorted(re.findall('<div id="(term-[^"]*)"', page))


def test_terms_are_marked_in_sentences_of_the_report_alone_and_never_among_names(page):
    own = re.sub('<p class="lead">.*?</p>|<dd>.*?</dd>', "", page, flags=re.DOTALL)
    assert 'class="term"' not in own
    after = page.partition("The favourable answer is ")[2].partition("</dd>")[0]
    assert after
    assert "<a" not in after


def test_what_stands_in_backticks_is_code_and_no_term_of_the_glossary():
    said = str(Terms()("Write `probe attack <FOLDER>` to see what an attack does."))
    assert "<code>probe attack &lt;FOLDER&gt;</code>" in said
    assert "`" not in said
    assert said.index('class="term"') > said.index("</code>")
