"""Foreign text made visible, once for every medium."""

import sys
import unicodedata

import pytest

from probe.text import visible

HIDDEN = {
    "right-to-left override": "\u202e", "zero width space": "\u200b", "byte order mark": "\ufeff", "NUL": "\0",
    "escape": "\x1b", "C1 control": "\x9b", "half a surrogate pair": "\ud800", "line separator": "\u2028",
    "private use": "\ue000", "tag": "\U000e0041", "Hangul filler": "\u3164", "Braille blank": "\u2800",
    "grapheme joiner": "\u034f", "variation selector": "\U000e0101", "soft hyphen": "\u00ad", "tab": "\t",
    "line feed": "\n", "zero width joiner between Latin letters": "\u200d", "isolate": "\u2066",
}  # fmt: skip


@pytest.mark.parametrize("character", HIDDEN.values(), ids=HIDDEN)
def test_visible_writes_out_what_hides_or_reorders(character):
    assert visible(f"Ma{character}le") == f"Ma⟨U+{ord(character):04X}⟩le"


@pytest.mark.parametrize("text", [
    "Zürich 1\u00a0000",
    "\u0646\u0627\u0645\u0647\u200c\u0647\u0627", "\u0915\u094d\u200d\u0937", "👩\u200d🔬", "❤\ufe0f",
    "名前", "👍🏽", "a — b", "91.0\u202f%", "§ ⟨x⟩",
])  # fmt: skip
def test_visible_leaves_ordinary_writing_of_any_script_as_it_is(text):
    assert visible(text) == text


@pytest.mark.slow
def test_visible_writes_out_every_character_of_unicode_that_is_not_seen():
    unseen = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "C"]
    unseen = [c for c in unseen if c not in "\u200c\u200d"]
    assert visible("".join(unseen), longest=None) == "".join(f"⟨U+{ord(c):04X}⟩" for c in unseen)


@pytest.mark.parametrize("longest", [1, 2, 9, 28, 60, 80, 1000])
@pytest.mark.parametrize("text", ["x" * 10_000, "\u202e" * 500, "ab" * 700])
def test_visible_is_never_longer_than_asked(text, longest):
    assert len(visible(text, longest)) == longest


def test_visible_keeps_lines_only_where_asked():
    assert visible("a\nb\tc", keep="\n") == "a\nb⟨U+0009⟩c"
    assert visible("x" * 5000, longest=None) == "x" * 5000
    assert visible(12.5) == "12.5"
