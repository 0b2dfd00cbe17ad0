"""The lab of this viewer: a desk for the server, a token for each session, and answers that are waited for."""

import atexit
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from probe.lab import Answer, Desk, Job, LabError, Setup, offered
from probe.lab.jobs import digest
from probe_dashboards.offer import Offer
from probe_dashboards.views.lab import waiting
from probe_dashboards.views.words import md

PATIENCE = 1.5  # seconds that a page waits for an answer before it shows how far it is
POLL = "0.5s"
VIEWER = "the viewer itself"  # who asks on nobody's behalf; the tokens of people are drawn


@dataclass(frozen=True)
class Lab:
    """The lab as one browser session sees it: nobody else knows its token, so nobody else sees or cancels its jobs."""

    desk: Desk
    token: str

    @property
    def models(self) -> dict[str, str]:
        """The models that are offered: key to name."""
        return {key: source.name for key, source in self.desk.sources.items()}

    def ask(
        self, model: str, request: Mapping[str, Any], arrays: Mapping[str, Any] | None = None, *, doing: str
    ) -> Answer | None:
        """The answer to a request. Until it is there the page shows how far it is, and a button that cancels.

        None while it is under way, or where it was refused, failed or was cancelled, which the page says.
        `doing` says what is done, in a few words.
        """
        key = f"{model} {digest(request, arrays or {})}"
        try:
            job = self._remembered(key) or self._new(key, model, request, arrays)
            if not job.ended:
                job = self.desk.wait(self.token, job.id, PATIENCE)
        except LabError as error:
            st.error(md(error), icon=":material/error:")
            return None
        return self._outcome(job, key, doing)

    def start(self, name: str, model: str, request: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> None:
        """Begin work that writes something, such as an audit: once for each call. `started` shows it."""
        try:
            job = self.desk.ask(self.token, model, request, arrays)
        except LabError as error:
            st.session_state[f"lab start {name}"] = str(error)
        else:
            st.session_state[f"lab start {name}"] = job

    def started(self, name: str, *, doing: str) -> Answer | None:
        """The outcome of such work, as `ask` gives it; None too where none was begun."""
        begun = st.session_state.get(f"lab start {name}")
        if isinstance(begun, str):
            st.error(md(begun), icon=":material/error:")
        if not isinstance(begun, Job):
            return None
        try:
            job = self.desk.job(self.token, begun.id)
        except LabError as error:
            st.error(md(error), icon=":material/error:")
            return None
        return self._outcome(job, "", doing)

    def _outcome(self, job: Job, key: str, doing: str) -> Answer | None:
        """The answer of a job that is done; else the page says how far it is, or how it ended."""
        if job.state == "done":
            return job.answer
        if job.ended:
            _ended(job, key)
        else:
            # Made anew in each run: only while something is waited for does the page ask again.
            st.fragment(self._progress, run_every=POLL)(job.id, doing)
        return None

    def _remembered(self, key: str) -> Job | None:
        known = st.session_state.setdefault("lab jobs", {})
        try:
            return self.desk.job(self.token, known[key]) if key in known else None
        except LabError:
            return None

    def _new(self, key: str, model: str, request: Mapping[str, Any], arrays: Mapping[str, Any] | None) -> Job:
        job = self.desk.ask(self.token, model, request, arrays)
        known = st.session_state["lab jobs"]
        known[key] = job.id
        for old in list(known)[:-64]:
            del known[old]
        return job

    def _progress(self, job_id: str, doing: str) -> None:
        try:
            job = self.desk.job(self.token, job_id)
        except LabError:
            st.rerun()
        if job.ended:
            st.rerun()
        done, said = waiting.progress(job, doing)
        st.progress(done, text=md(said))
        st.button("Cancel", key=f"cancel {job_id}", icon=":material/cancel:", on_click=self._cancel, args=(job_id,))

    def _cancel(self, job_id: str) -> None:
        self.desk.cancel(self.token, job_id)


def _ended(job: Job, key: str) -> None:
    if job.state == "cancelled":
        st.info("This was cancelled.", icon=":material/cancel:")
    elif job.state == "refused":
        st.warning(md(job.error), icon=":material/block:")
    else:
        st.error(f"This failed. {md(job.error)}", icon=":material/error:")
    if key:
        st.button("Ask again", key=f"again {job.id}", icon=":material/refresh:", on_click=_forget, args=(key,))


def _forget(key: str) -> None:
    st.session_state.get("lab jobs", {}).pop(key, None)


def lab(offer: Offer) -> Lab:
    """The lab of this session."""
    return Lab(_desk(offer), _token(offer))


def begin(offer: Offer) -> None:
    """Begin to open the model that the operator named first, while people look at other pages."""
    if offer.live:
        _desk(offer)


@st.cache_resource(show_spinner=False, hash_funcs={Offer: repr})
def _desk(offer: Offer) -> Desk:
    sources = offered(".", offer.live, () if offer.live else offer.zoo, allow_code=offer.allow_code)
    desk = Desk(sources, Setup(runs=offer.runs, allow_code=offer.allow_code, device=offer.device))
    atexit.register(desk.close)
    if offer.live and not sources[0].why:
        desk.ask(VIEWER, sources[0].key, {"ask": "describe"})  # it is open by the time that somebody looks at it
    return desk


def _left(token: str, offer: Offer) -> None:
    _desk(offer).forget(token)


def _token(offer: Offer) -> str:
    held = _session(offer)
    return held[0]


@st.cache_resource(scope="session", show_spinner=False, hash_funcs={Offer: repr}, on_release=lambda held: _left(*held))
def _session(offer: Offer) -> tuple[str, Offer]:
    """A token that this session alone knows; what it asked is given up when it ends."""
    return secrets.token_urlsafe(24), offer
