"""What a link holds: ids, words from closed lists, and what a reader typed to search for; no text or path of the data.

Links are untrusted input.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

RUN = re.compile(r"[A-Za-z0-9._-]{1,100}~[0-9a-f]{12}")
LONGEST = 120  # characters of a link's value that are read or shown


@dataclass(frozen=True)
class Choice:
    """The option chosen for a link's parameter, and a sentence if it is not the one in the link."""

    value: str
    stale: str = ""


def run_id(folder: str, digest: str) -> str:
    """The id of an audit: the name of its folder and the start of its digest, so that a link means one evidence."""
    return f"{_slug(folder)}~{re.sub('[^0-9a-f]', '0', digest.lower())[:12].ljust(12, '0')}"


def choose(key: str, asked: str | None, options: Sequence[str], default: str = "") -> Choice:
    """The option that a link asks for, or the nearest that exists, with a sentence."""
    default = default or options[0]
    if asked is None or asked == "":
        return Choice(default)
    if asked in options:
        return Choice(asked)
    shown = re.sub(r"[^\w.~/ -]", "?", asked[:LONGEST], flags=re.ASCII)
    value = _nearest(asked[:LONGEST], options, default)
    return Choice(value, f"This link asks for {key} {shown!r}, which is not here. Shown instead: {value}.")


def choose_run(asked: str | None, ids: Sequence[str]) -> Choice:
    """The audit that a link asks for; if it changed since or is gone, another, with a sentence.

    The name of its folder alone asks for the audit that is in it now.
    """
    if not asked or asked in ids:
        return Choice(asked or ids[0])
    if (known := named(asked, ids)) or not RUN.fullmatch(asked):
        told = f"This link does not name an audit. Shown instead: {ids[0]}, the newest."
        return Choice(known or ids[0], "" if known else told)
    name, digest = asked.split("~")
    for same in ids:
        if same.split("~")[0] == name:
            return Choice(same, f"This link was made for {name} with digest {digest}; its evidence is now {same}.")
    return Choice(ids[0], f"This link asks for the audit {asked}, which is not here. Shown instead: {ids[0]}.")


def named(asked: str, ids: Sequence[str]) -> str:
    """The audit in the folder of this name; empty if there is none, or more than one whose names are written alike."""
    found = [each for each in ids if "~" not in asked and each.split("~")[0] == _slug(asked[: 2 * LONGEST])]
    return found[0] if len(found) == 1 else ""


def _slug(folder: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", folder)[:100] or "run"


def _nearest(asked: str, options: Sequence[str], default: str) -> str:
    if asked.isascii() and asked.isdigit() and all(option.isdigit() for option in options):
        return min(options, key=lambda option: abs(int(option) - int(asked)))
    close = get_close_matches(asked, options, n=1)
    return close[0] if close else default


def slugs(names: Sequence[object]) -> dict[str, str]:
    """An id for each name that can be put into a link, in their order: lower-case letters, digits, '-', '.' and '/'."""
    found: dict[str, str] = {}
    for position, name in enumerate(map(str, names)):
        slug = re.sub(r"[^a-z0-9./]+", "-", name.lower())[:24].strip("-") or str(position)
        found[slug if slug not in found else f"{slug}-{position}"] = name
    return found
