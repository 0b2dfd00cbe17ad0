"""What the pages need, loaded beside the server and the browser: first what the first page needs, then the rest.

What is loaded is no garbage: it is set aside from the search for some, which would take a quarter of a second.
"""

import gc
from importlib import import_module
from threading import Event, Lock, Thread
from time import monotonic, sleep

from probe_dashboards.checking import Checker

# None of these imports streamlit, which would miss its server, nor matplotlib and scipy, which take long to load.
NEEDED = (
    "probe.audit.reading",
    "probe.lab",
    "probe_dashboards.views.sealed",
    "probe_dashboards.views.methods",
    "probe_dashboards.views.summary",
)
# What other pages need besides, such as figures and intervals. It is loaded once the first page is drawn.
LATER = (
    "scipy.special",
    "probe.report",
    "probe_dashboards.figures",
    "probe_dashboards.charts",
    "probe_dashboards.views.comparing",
)

CALM = 1.0  # seconds after the first page is drawn, in which the server sends it and the browser asks for its parts
LATEST = 5.0  # seconds in which garbage is searched for, whoever turns pages

_threads: list[Thread] = []
_late: list[bool] = []
_drawn: list[float] = [0.0]  # when the last page was
_checkers: list[Checker] = []
_hurry = Event()  # somebody waits for the rest
_tidying = Lock()


def ahead(audits: str = "") -> None:
    """Start what verifies audits, the newest of a folder at once, before this process loads anything itself."""
    _checkers.append(Checker())
    _checkers[0].begin(audits)


def begin() -> None:
    """Load what the first page needs beside whatever else this process does."""
    gc.disable()  # until all is loaded
    _load(NEEDED)


def later() -> None:
    """In a server that was started by `begin`, when a page is drawn: load the rest, once; later search for garbage."""
    _drawn[0] = monotonic()
    if _threads and not _late:
        _late.append(True)
        _load(LATER, CALM)
    elif gc.isenabled() and _threads and _tidying.acquire(blocking=False):
        Thread(target=_tidy, daemon=True).start()


def needed() -> None:
    """Wait until what the first page needs is loaded."""
    for each in _threads[:1]:
        each.join()


def ended() -> None:
    """Wait until all that was begun is loaded: no two threads load the same modules, which may need each other."""
    _hurry.set()
    for each in _threads:
        each.join()


def checker() -> Checker | None:
    """What verifies audits beside this process; None where none was started."""
    return _checkers[0] if _checkers else None


def _tidy() -> None:
    """Search for garbage once the page is sent: what a session leaves behind is large, and in circles.

    It stops all else for a moment, so that it waits while a reader turns one page after the other, but not for long.
    """
    latest = monotonic() + LATEST
    while (wait := min(_drawn[0] + CALM, latest) - monotonic()) > 0:
        sleep(wait)
    _tidying.release()
    gc.collect()


def _load(names: tuple[str, ...], after: float = 0.0) -> None:
    def load() -> None:
        _hurry.wait(after)
        for name in names:
            import_module(name)
        gc.freeze()
        if _late:
            gc.enable()

    _threads.append(Thread(target=load, daemon=True))
    _threads[-1].start()
