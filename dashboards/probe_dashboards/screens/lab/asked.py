"""What the parts of the lab's page share: the model that is asked, and what is known of it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from matplotlib.axes import Axes

from probe import plots
from probe.lab import Answer, Source
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.lab import Lab
from probe_dashboards.views.lab import answers, inputs, methods
from probe_dashboards.views.words import md


@dataclass(frozen=True)
class Row:
    """The row that is asked about, with the arrays that it names."""

    named: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Asked:
    """A model of the lab."""

    lab: Lab
    model: str
    answer: Answer  # to `describe`
    pages: Mapping[str, Any]  # of the viewer, which links lead to

    @property
    def described(self) -> Mapping[str, Any]:
        """What is known of the model."""
        return self.answer.record

    @property
    def source(self) -> Source:
        """How the operator named it."""
        return self.lab.desk.sources[self.model]

    @property
    def drawer(self) -> plots.Drawer:
        """How its inputs are drawn."""
        return inputs.drawer(self.described)

    def ask(self, doing: str, request: Mapping[str, Any], row: Row | None = None) -> Answer | None:
        """The answer to a request; None where the page says why there is none."""
        named = {} if row is None else {"row": row.named}
        return self.lab.ask(self.model, {**request, **named}, row.arrays if row else None, doing=doing)


def figure(asked: Asked, part: str, given: Sequence[Any], caption: str, width: int) -> None:
    """What the drawer's method `part` draws, with a caption that is its text for those who cannot see it."""
    seen = fingerprint(asked.described["form"], *given)
    drawn = _svg(part, seen, _draw=partial(getattr(asked.drawer, part), *given))
    with st.container(width=width):
        st.image(drawn, caption=md(caption), width="stretch", alt=visible(caption))


@st.cache_data(max_entries=200, ttl=3600, show_spinner=False)
def _svg(part: str, seen: str, _draw: Callable[[], Axes]) -> str:
    """A figure as SVG, drawn once for what it shows: each step of a slider runs the whole page again."""
    return plots.to_svg(_draw(), alone=True)


def fingerprint(*given: Any) -> str:
    """A digest of all that is in plain values, arrays and dataclasses."""
    seen = hashlib.sha256()
    _hash(given, seen)
    return seen.hexdigest()


def _hash(value: Any, seen: Any) -> None:
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, each.name) for each in fields(value)]
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, list | tuple):
        seen.update(f"{len(value)}[".encode())
        for each in value:
            _hash(each, seen)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        seen.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    else:
        told = repr(value.tolist() if isinstance(value, np.ndarray) else value).encode("utf-8", "backslashreplace")
        seen.update(f"{len(told)}:".encode() + told)


def open_link(asked: Asked, done: Answer) -> None:
    """A link to a bundle that the lab wrote."""
    run = state.run_id(str(done.record["folder"]), str(done.record["digest"]))
    st.page_link(asked.pages["summary"], label="Look at it", icon=":material/arrow_forward:", query_params={"run": run})


def code(command: str, python: str) -> None:
    """How the same is had from the shell and from Python."""
    if not python:
        return
    with st.expander("The same from the shell and from Python" if command else "The same from Python"):
        if command:
            st.code(command, language=None, wrap_lines=True)
        st.code(python, language="python", wrap_lines=True)


def target(asked: Asked, row: Row, key: str) -> str:
    """What is explained, as a request names it; empty stands for the answer."""
    answer = asked.ask("Asking the model", {"ask": "answer"}, row)
    there = answers.targets(asked.described, answers.of(answer)) if answer else {}
    if not there:
        return ""
    return st.selectbox(
        "Explained is", list(there), format_func=there.__getitem__, key=f"{key} {asked.model}", width=220
    )


def before_and_after(asked: Asked, key: str) -> tuple[str, str]:
    """The explainer that is shown before and after a change, and what it is called; empty where none is chosen."""
    there = {"": "no explanation"} | methods.suited(asked.described, "explainer")
    label, key = "Explained before and after by", f"lab {key} explainer {asked.model}"
    chosen = st.selectbox(label, list(there), format_func=there.__getitem__, key=key, width=260)
    return chosen, there[chosen]


def unsuited(asked: Asked, family: str) -> None:
    """The methods of a family that the model cannot be asked for, each with the reason."""
    reasons = methods.unsuited(asked.described, family)
    if reasons:
        with st.expander(f"{len(reasons)} more do not suit this model"):
            for title, why in reasons.items():
                st.markdown(f"**{md(title)}**: {md(why)}")
