"""Tables that become cards on a narrow screen: beside each cell stands the name of its column."""

import hashlib
from collections.abc import Sequence
from html import unescape

FEWEST = 3  # columns; fewer fit beside each other on a phone


def key(columns: Sequence[str]) -> str:
    """What the container of a table with these columns is called, before its number; empty where they fit."""
    if len(columns) < FEWEST:
        return ""
    return "cards-" + hashlib.sha256("\0".join(columns).encode("utf-8", "replace")).hexdigest()[:12]


def style(columns: Sequence[str]) -> str:
    """A style sheet that names the cells of such a table; names of strangers are texts in it, and nothing else."""
    rules = "".join(
        f'[class*="st-key-{key(columns)}"] td:nth-child({at})::before{{content:"{_text(unescape(name))}"}}'
        for at, name in enumerate(columns, 1)
    )
    return f"<style>@media (max-width:44rem){{{rules}}}</style>"


def _text(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in name)
