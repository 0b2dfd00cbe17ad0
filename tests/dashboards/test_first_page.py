import os
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from time import sleep

import pytest
from probe_dashboards import checking, loading
from probe_dashboards.views import runs

from probe import lock

# What takes long to load, and what the first page has no use for.
HEAVY = ("scipy", "matplotlib", "altair", "torch", "captum", "probe_models", "probe.report", "probe.audit.verification")
SHOWS = """
import gc, sys
from probe_dashboards import loading
loading.ahead()
loading.begin()
from pathlib import Path
from streamlit.testing.v1 import AppTest
later, loading.later = loading.later, list  # which the app calls when the page is drawn
heavy, sys.argv[1:] = sys.argv[2:], sys.argv[1:2]
app = AppTest.from_file(str(Path(loading.__file__).with_name("app.py")), default_timeout=60).run()
assert not app.exception and app.header[0].value == "Findings", app
print(*(name for name in heavy if name in sys.modules))
later()
loading.ended()
print(*(name for name in heavy if name in sys.modules))
gc.collect()
print(gc.isenabled(), len(gc.get_objects()) < gc.get_freeze_count())
"""


@pytest.fixture
def checker():
    made = checking.Checker()
    yield made
    made.end()


@pytest.mark.slow
def test_the_first_page_loads_nothing_heavy_and_the_rest_is_loaded_after_it(bundles):
    argv = [sys.executable, "-c", SHOWS, str(bundles.table.folder.parent), *HEAVY]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, then, searched = done.stdout.splitlines()
    assert first == ""
    assert {"scipy", "matplotlib", "probe.report"} <= set(then.split())
    assert searched == "True True", "what was loaded is searched for garbage after each run of a page"


@pytest.mark.slow
def test_a_process_of_its_own_says_of_each_audit_what_the_viewer_would(bundles, checker):
    for folder in (str(bundles.image.folder), str(bundles.tampered.folder)):
        assert checker.check(folder) == runs.check(folder)


@pytest.mark.parametrize("change", ["", "touched", "another"])
def test_the_newest_audit_is_verified_ahead_and_once_unless_it_changes(bundles, tmp_path, monkeypatch, change):
    shutil.copytree(bundles.bare.folder, tmp_path / "newest")
    checked, verified = [], runs.checked
    monkeypatch.setattr(runs, "checked", lambda folder: checked.append(folder) or verified(folder))
    ahead, newest = checking.Ahead(str(tmp_path)), str(tmp_path / "newest")
    ahead._thread.join()
    assert checked == [newest]
    if change == "touched":
        (tmp_path / "newest" / "audit.json").write_text("{}")
    found = ahead.of("another" if change == "another" else newest)
    assert found == (None if change else verified(newest))
    assert checked == [newest]


@pytest.mark.parametrize("state", ["none", "written"])
def test_nothing_is_verified_ahead_where_there_is_no_audit_that_ended(bundles, tmp_path, monkeypatch, state):
    monkeypatch.setattr(runs, "checked", lambda folder: pytest.fail(f"{folder} was verified"))
    if state == "written":
        shutil.copytree(bundles.bare.folder, tmp_path / "newest")
        monkeypatch.setattr(lock, "writer", lambda folder: 1)
    ahead = checking.Ahead(str(tmp_path))
    assert ahead.of(str(tmp_path / "newest")) is None


@pytest.mark.slow
def test_a_process_that_was_killed_is_started_again_and_one_that_cannot_be_is_done_without(
    bundles, checker, monkeypatch
):
    folder = str(bundles.bare.folder)
    checker.begin()
    os.kill(checker._process.pid, signal.SIGKILL)
    checker._process.wait()
    assert checker.check(folder).intact
    assert checker._process.poll() is None
    checker.end()
    monkeypatch.setattr(subprocess, "Popen", _refused)
    assert checker.check(folder) == runs.check(folder)


@pytest.mark.slow
def test_a_process_ends_with_the_viewer_and_when_it_has_nothing_to_do(monkeypatch, checker):
    checker.begin()
    checker._process.stdin.close()
    assert checker._process.wait(60) == 0
    silent, spoken = os.pipe()
    monkeypatch.setattr(checking, "IDLE", 0.01)
    with os.fdopen(silent) as stdin, os.fdopen(spoken, "w"):
        monkeypatch.setattr(sys, "stdin", stdin)
        checking.main()  # it returns


def test_without_a_server_nothing_is_loaded_ahead():
    assert loading.checker() is None
    loading.later()
    assert not loading._threads


def _refused(*_given, **_named):
    raise OSError("no process")


def test_what_a_page_leaves_behind_is_searched_for_once_the_page_is_sent(monkeypatch):
    class Left:
        pass

    monkeypatch.setattr(loading, "_threads", [threading.current_thread()])
    monkeypatch.setattr(loading, "_late", [True])
    monkeypatch.setattr(loading, "CALM", 0.2)
    left = Left()
    left.itself, gone = left, weakref.ref(left)
    del left
    before = threading.active_count()
    loading.later()
    loading.later()  # another page at the same time
    assert gone() is not None
    assert threading.active_count() == before + 1
    for _ in range(50):
        sleep(0.1)
        if gone() is None:
            return
    raise AssertionError("it is still there")


@pytest.mark.parametrize(("stops", "then"), [(102.0, 103.0), (120.0, 105.0)])
def test_garbage_is_not_searched_for_while_a_reader_turns_pages_but_for_long(monkeypatch, stops, then):
    collected, clock = [], [100.0]

    def turned(seconds):
        clock[0] += min(seconds, 0.5)
        loading._drawn[0] = min(clock[0], stops)  # a page each half second, until they stop

    monkeypatch.setattr(loading.gc, "collect", lambda: collected.append(clock[0]))
    monkeypatch.setattr(loading, "monotonic", lambda: clock[0])
    monkeypatch.setattr(loading, "sleep", turned)
    monkeypatch.setattr(loading, "_drawn", [100.0])
    loading._tidying.acquire()
    loading._tidy()
    assert collected == [then]
