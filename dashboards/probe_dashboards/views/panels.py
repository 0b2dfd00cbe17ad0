"""What stands behind a panel of a page: its numbers, how to have them elsewhere, and what it does not show."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from probe.audit import Bundle
from probe.audit.spreadsheet import to_csv

PLAN = "plan.toml"


@dataclass(frozen=True, eq=False)
class Panel:
    """A part of a page, which a link, a command and a file can name."""

    name: str  # in its link and in the name of its file: lower-case letters and '-'
    title: str
    made: pd.DataFrame | Callable[[], pd.DataFrame]  # its numbers, or how they are made
    lacks: str  # what it does not show, one sentence
    python: str  # an expression of `bundle`, or lines that end with one
    command: str = ""  # that measures it again; unless given, the one that recomputes it from the evidence

    @cached_property
    def numbers(self) -> pd.DataFrame:
        """The numbers, as exact as the bundle has them."""
        return self.made() if callable(self.made) else self.made


def python(bundle: Bundle, panel: Panel) -> str:
    """The Python that gives the numbers of a panel."""
    used = [name for name in ("reading",) if f"{name}." in panel.python]
    return "\n".join(
        [
            f"from probe.audit import {', '.join(['read', *used])}",
            "",
            f"bundle = read({str(bundle.folder)!r})",
            panel.python,
        ]
    )


def command(bundle: Bundle, panel: Panel) -> str:
    """The command that measures or recomputes the numbers of a panel."""
    return panel.command or f"probe verify {shlex.quote(str(bundle.folder))}"


def replanned(bundle: Bundle, *words: str) -> str:
    """A command about the model and the data of an audit, which its plan names."""
    folder = shlex.quote(str(bundle.folder))
    again = shlex.join(["probe", words[0], "--plan", PLAN, *words[1:]])
    return f"probe report {folder} --format toml --out {PLAN}\n{again}"


def has_source(bundle: Bundle) -> bool:
    """Whether the plan names its model, so that a command finds it again without running foreign code."""
    return any(bundle.manifest.plan.model.get(key) for key in ("zoo", "onnx", "transformers", "timm"))


def options(config: Mapping[str, Any]) -> list[str]:
    """A method and its settings as options of a command."""
    found = ["--method", str(config["method"])]
    for key, value in config.items():
        if key == "method" or value is None:
            continue
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for name, each in inner:
            found += ["--set", f"{key if name in ('', 'method') else f'{key}.{name}'}={each}"]
    return found


def link(page: str, query: Mapping[str, str], name: str) -> str:
    """The address of a panel: the page as it is shown, and the place on it."""
    return f"{page}?{urlencode(query)}#{name}" if query else f"{page}#{name}"


def csv(panel: Panel) -> str:
    """The numbers as CSV that is safe to open in a spreadsheet."""
    return to_csv(panel.numbers)
