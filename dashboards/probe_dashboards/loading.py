"""What the pages need, loaded beside the server and the browser: first what the first page needs, then the rest."""

from importlib import import_module
from threading import Thread

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

_threads: list[Thread] = []
_late: list[bool] = []
_checkers: list[Checker] = []


def ahead() -> None:
    """Start what verifies audits, before this process loads anything itself."""
    _checkers.append(Checker())
    _checkers[0].begin()


def begin() -> None:
    """Load what the first page needs beside whatever else this process does."""
    _load(NEEDED)


def later() -> None:
    """Load the rest, once, in a server that was started by `begin`."""
    if _threads and not _late:
        _late.append(True)
        _load(LATER)


def ended() -> None:
    """Wait until all that was begun is loaded: no two threads load the same modules, which may need each other."""
    for each in _threads:
        each.join()


def checker() -> Checker | None:
    """What verifies audits beside this process; None where none was started."""
    return _checkers[0] if _checkers else None


def _load(names: tuple[str, ...]) -> None:
    def load() -> None:
        for name in names:
            import_module(name)

    _threads.append(Thread(target=load, daemon=True))
    _threads[-1].start()
