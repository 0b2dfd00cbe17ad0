"""The tables of the pages are HTML: what names of strangers are in it, and what the marks of Markdown become."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from probe_dashboards.views import links, marks
from probe_dashboards.views.words import md, status

from probe.statuses import STATUSES

HOSTILE = (
    "</span></td><script>alert(1)</script>",
    ":orange[fail] **bold** :small[x]",
    "[click](javascript:alert(1))",
    '"onmouseover="alert(1)',
    "&#60;b&#62; &lt; & a  \nb",
    "naïve \N{RIGHT-TO-LEFT OVERRIDE}",
)


class Read(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append(" ".join([tag, *(value for name, value in attrs if name == "class")]))

    def handle_data(self, data):
        self.said += data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_foreign_text_is_text_whether_its_table_has_marks_or_none(name):
    plain = Read(links.html(pd.DataFrame({"a": [name]}), "alt"))
    marked = Read(links.html(pd.DataFrame({"a": [f":small[{md(name)}]"]}), "alt", marked=True))
    assert set(plain.elements) == {"div linked", "table", "thead", "tr", "th", "tbody", "td"}
    assert set(marked.elements) == {*plain.elements, "span", "span small"}
    assert marked.said.replace("\N{WORD JOINER}", "") == plain.said


def test_marks_become_elements_also_one_in_another():
    made = marks.html("**A** b  \n:small[:grey[c [0.1 to 0.2] < &#60;]]")
    assert made.startswith("<strong>A</strong> b<br>")
    made = marks.html("x:small[:grey[c &#91;d&#93;]] < &")
    assert made == 'x<span class="small"><span class="grey">c &#91;d&#93;</span></span> &lt; &amp;'
    assert marks.html("[a](methods?m=b&c=d)") == '<a href="methods?m=b&amp;c=d">a</a>'
    assert ' target="_blank"' in marks.html("[arXiv](https://arxiv.org/abs/1)")


@pytest.mark.parametrize("name", [*STATUSES, "splendid"])
def test_each_status_has_its_sign_its_word_and_a_colour_of_the_style_sheet(name):
    made = Read(marks.html(status(name)))
    assert made.elements[0] in {"span orange", "span grey", "span blue"}
    assert "[" not in made.said


def test_the_cells_of_a_card_have_one_element_beside_their_name_and_few_columns_are_no_cards():
    wide = links.html(pd.DataFrame({"a": ["**x**  \ny"], "b": [1], "c": [2000]}), "alt", marked=True)
    assert 'class="linked cards"' in wide
    assert re.findall('<td data-name="([abc])">', wide) == ["a", "b", "c"]
    assert '<td data-name="a"><span><strong>x</strong><br>y</span></td>' in wide
    assert "2,000" in wide
    assert 'class="linked"' in links.html(pd.DataFrame({"a": [1], "b": [2]}), "alt")
