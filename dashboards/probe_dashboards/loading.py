"""The modules that the pages need, loaded while the server starts and the first browser loads its own part."""

from importlib import import_module
from threading import Thread

# None of them imports streamlit, which would miss its server. Those that take long to load, and what they need.
NEEDED = (
    "probe.audit.verification",
    "probe.audit.reading",
    "probe.report",
    "probe.lab",
    "probe_dashboards.views.sealed",
    "probe_dashboards.views.methods",
    "probe_dashboards.views.comparing",
)

_thread: list[Thread] = []


def begin() -> None:
    """Load them beside whatever else this process does."""
    _thread.append(Thread(target=_load, daemon=True))
    _thread[0].start()


def ended() -> None:
    """Wait until they are loaded: no two threads load the same modules, which may need each other."""
    for each in _thread:
        each.join()


def _load() -> None:
    for name in NEEDED:
        import_module(name)
