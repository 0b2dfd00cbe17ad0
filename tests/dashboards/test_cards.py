"""Wide tables are cards on a phone: beside each cell stands the name of its column."""

from probe_dashboards.views import cards

HOSTILE = ["<b>", '"}td{display:none}</style><script>x</script>', "a\\", "na\N{LATIN SMALL LETTER I WITH DIAERESIS}f"]


def test_each_cell_is_named_by_its_column_whatever_that_is_called():
    style = cards.style(HOSTILE)
    inner = style.removeprefix("<style>").removesuffix("</style>")
    assert "<" not in inner
    assert inner.count("}") == inner.count("{") == len(HOSTILE) + 1
    assert inner.count('"') == 4 * len(HOSTILE)
    assert r'td:nth-child(1)::before{content:"\3c b\3e "}' in inner
    assert r"na\ef f" in inner


def test_an_escaped_name_is_shown_as_it_is_in_the_head_of_the_table():
    assert r'content:"a\2c b"' in cards.style(["a&#44;b", "c", "d"])


def test_tables_with_few_columns_stay_tables():
    assert cards.key(["Class", "Probability"]) == ""
    assert cards.key(["a", "b", "c"]) != cards.key(["a", "b", "d"])
