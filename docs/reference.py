"""Writes the reference from the methods themselves, with settings, ranges, source, cost and limits, and the Python API.

    python docs/reference.py

What is written, docs/reference/, is kept in no repository: a new method needs no line here.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from probe_dashboards.views import methods

import probe
from probe import registry
from probe.text import visible

FOLDER = Path(__file__).parent / "reference"


def main() -> None:
    """Write both pages."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "methods.md").write_text("\n".join(of_methods()) + "\n", encoding="utf-8")
    (FOLDER / "python.md").write_text("\n".join(of_names()) + "\n", encoding="utf-8")


def of_methods() -> Iterator[str]:
    """Every method by family, as the viewer's page of methods has it."""
    known = methods.entries()
    yield "# Methods"
    yield "\nEvery method with its settings, read from the methods themselves; `probe methods` prints the same."
    for family in dict.fromkeys(entry.family for entry in known.values()):
        yield f"\n## {methods.family(family)}\n"
        for entry in methods.chosen(known, family):
            yield f"\n### {entry.title}\n\n{escaped(entry.summary)}\n"
            yield from (f"{escaped(paragraph)}\n" for paragraph in entry.paragraphs)
            yield table(methods.facts(entry))
            if entry.settings:
                yield table(methods.settings(entry).map(escaped))
            if example := doctest(inspect.getdoc(registry.discover(family)[entry.name]) or ""):
                yield f"```python\n{example}\n```\n"


def of_names() -> Iterator[str]:
    """What `import probe` offers, with its documentation."""
    yield "# Python\n\nWhat `import probe` offers. Methods are in `probe.explainers`, `probe.attacks` and so on."
    for name in sorted(set(dir(probe)) - {"annotations"}):
        thing = getattr(probe, name, None)
        if name.startswith("_") or inspect.ismodule(thing) or not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        yield f"\n## {name}\n\n```text\n{signature(name, thing)}\n\n{inspect.getdoc(thing) or ''}\n```"


def signature(name: str, thing: object) -> str:
    """How it is called, on lines that fit a page."""
    try:
        told = str(inspect.signature(thing))  # type: ignore[arg-type]  # a class or a function
    except (TypeError, ValueError):
        return name
    told = re.sub(r"\b(?:probe|typing|collections\.abc)(?:\.\w+)*\.(?=\w)", "", told)
    return name + (told if len(told) < 100 else told.replace(", ", ",\n    "))


def table(frame: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [list(map(str, frame.columns)), ["---"] * len(frame.columns), *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def doctest(text: str) -> str:
    """The example in a docstring."""
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith(">>>")]
    if not starts:
        return ""
    end = next((at for at in range(starts[-1], len(lines)) if not lines[at].strip()), len(lines))
    return "\n".join(lines[starts[0] : end])


def escaped(text: str) -> str:
    """Text of a docstring, in which only code in backquotes is marked."""
    parts = re.split(r"(`[^`]*`)", visible(text))
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<>\[\]|$#])", r"\\\1", part) for part in parts)


if __name__ == "__main__":
    main()
