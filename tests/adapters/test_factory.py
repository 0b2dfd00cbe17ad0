"""A factory is somebody's code: whatever it does instead of returning a module is one sentence."""

import pytest

from probe.adapters import from_factory
from probe.errors import PlanError


@pytest.mark.parametrize(("code", "message"), [
    ("def build(:", "cannot import 'theirs': SyntaxError"),
    ("import sys; sys.exit(3)", "cannot import 'theirs': it exits"),
    ("raise ValueError('not today')", "cannot import 'theirs': ValueError: not today"),
    ("import no_such_library", "No module named 'no_such_library'.*PYTHONPATH"),
    ("from os import no_such_name", "cannot import 'theirs': ImportError"),
    ("import os; os.no_such_name", "has no 'build': .*no_such_name"),
    ("build = 3", "theirs:build is an int, expected a function"),
    ("other = 3", "'theirs' has no 'build'$"),
    ("def build(): import sys; sys.exit('bye')", "theirs:build failed: it exits"),
    ("def build(): raise ValueError('no weights')", "theirs:build failed: ValueError: no weights"),
    ("def build(): return 3", "returned an int, expected a torch.nn.Module"),
    ("def build(size): return 3", "theirs:build failed: TypeError"),
])  # fmt: skip
def test_a_failing_factory_is_one_sentence(tmp_path, monkeypatch, code, message):
    (tmp_path / "theirs.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "theirs", raising=False)
    with pytest.raises(PlanError, match=message) as error:
        from_factory("theirs:build", None)
    assert "\n" not in str(error.value).strip() or "SyntaxError" in str(error.value)


@pytest.mark.parametrize("spec", [":build", "theirs", "theirs:", "", ":", ".theirs:build"])
def test_a_factory_without_a_function_is_refused_with_an_example(spec):
    with pytest.raises(PlanError, match="is not of the form module:factory"):
        from_factory(spec, None)


def test_a_folder_is_not_searched_unless_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "lonely.py").write_text("from torch import nn\ndef build(): return nn.Linear(1, 2)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p not in ("", ".")])
    with pytest.raises(PlanError, match="PYTHONPATH=FOLDER"):
        from_factory("lonely:build", None)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not from_factory("lonely:build", None).training
