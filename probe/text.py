"""Display of untrusted text: it cannot hide, reorder or flood the text around it."""

import unicodedata
from collections.abc import Iterator

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, formats, halves of pairs, unassigned, line breaks
# Letters and marks that are drawn as nothing.
_BLANK = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
}
_ALIKE = {"Latin", "Cyrillic", "Greek", "Armenian", "Cherokee", "Fullwidth", "Mathematical"}
_JOINERS = "\u200c\u200d"  # shape the letters of many scripts, and join emoji
_EMOJI_STYLES = "\ufe0e\ufe0f"


def visible(text: object, longest: int | None = 1000, keep: str = "") -> str:
    r"""Untrusted text with invisible and reordering characters written out, as ⟨U+202E⟩.

    Each output format escapes its own syntax in addition: HTML, Markdown, formulas.

    Args:
        text: the text; anything else is converted to text first.
        longest: maximum length; longer text is shortened in the middle. None means no limit.
        keep: control characters to keep, such as "\n" for multi-line output.

    >>> visible("a\u202eb")
    'a⟨U+202E⟩b'
    >>> visible("x" * 2000, longest=9)
    'xxxx…xxxx'
    """
    whole = str(text)
    part = whole if longest is None or len(whole) <= longest else _cut(whole, longest, len(whole))
    plain = part.isascii() and part.isprintable()  # most text, and a thousand cells of it on a page
    shown = part if plain else "".join(_shown(part, keep))
    return shown if longest is None or len(shown) <= longest else _cut(shown, longest, len(whole))


def scripts(text: str) -> tuple[str, ...]:
    r"""The alphabets of words that mix letters of several which look alike, such as an a of Cyrillic among Latin ones.

    >>> scripts("Ada L\u043evelace"), scripts("Ada Lovelace, \u041c\u043e\u0441\u043a\u0432\u0430")
    (('Cyrillic', 'Latin'), ())
    """
    found: set[str] = set()
    for word in text.split():
        named = {unicodedata.name(each, "").partition(" ")[0].capitalize() for each in word if each.isalpha()}
        mixed = named & _ALIKE
        found |= mixed if len(mixed) > 1 else set()
    return tuple(sorted(found))


def _shown(text: str, keep: str) -> Iterator[str]:
    for before, character in zip(" " + text, text, strict=False):
        hidden = unicodedata.category(character) in _HIDDEN or ord(character) in _BLANK
        stays = character in keep or (character in _JOINERS + _EMOJI_STYLES and _joins(before, character))
        yield f"⟨U+{ord(character):04X}⟩" if hidden and not stays else character


def _joins(before: str, character: str) -> bool:
    """Whether a joiner has something to join: no letter of Latin, Greek, Cyrillic or East Asian scripts takes one."""
    kind = unicodedata.category(before)
    if character in _EMOJI_STYLES:
        return kind == "So"
    wide = kind == "Lo" and unicodedata.east_asian_width(before) in "WF"
    return (kind in ("Lo", "Mn", "Mc", "So", "Sk") or before in _EMOJI_STYLES) and not wide


def _cut(text: str, longest: int, length: int) -> str:
    gap = f" … ({length:,} characters) … " if longest >= 60 else "…"
    room = max(longest - len(gap), 0)
    tail = min(40, room // 4) if longest >= 60 else room // 2
    return f"{text[: room - tail]}{gap}{text[len(text) - tail :]}"
