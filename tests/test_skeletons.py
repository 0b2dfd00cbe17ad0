"""What is kept of source files says what they say, until they change."""

import ast
import json
import sys

import pytest

from probe import skeletons
from probe.registry import CONTRACTS, HOME
from probe.skeletons import definitions

SOURCE = '''
from probe import Attack as Base
LIMIT = 1_000
@dataclass(frozen=True)
class One(Base):
    """Says "one" and \\\\ too.

    More."""
    eps: float = param(8 / 255, "radius: 'é'", high=2**3)
    @property
    def shape(self): return exit(1)
def unread(): ...
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    home = tmp_path / "package"
    home.mkdir()
    (home / "one.py").write_text(SOURCE)
    return home


def again(path):
    """The definitions as another process reads them."""
    skeletons._defined.cache_clear()
    return [ast.dump(node) for node in definitions(path)]


def store(package):
    (found,) = package.rglob("*.json")
    return found


def test_what_is_kept_equals_what_is_read(package, monkeypatch):
    read = again(package)
    monkeypatch.setattr(skeletons, "_of_source", lambda file: pytest.fail("kept already"))
    assert again(package) == read
    assert len(read) == 2
    assert "exit" not in str(read)
    assert "Attack" in read[1]  # by its original name


@pytest.mark.parametrize("home", [HOME / "attacks", *CONTRACTS], ids=lambda path: path.name)
def test_docstrings_and_settings_of_real_methods_are_kept(home):
    files = sorted(home.rglob("*.py")) if home.is_dir() else [home]
    read = [ast.dump(node) for file in files for node in skeletons._of_source(file)]
    assert again(home) == read == again(home)


def test_a_file_that_changed_is_read_again_and_one_that_is_gone_forgotten(package):
    again(package)
    (package / "two.py").write_text("TWO = 2\n")
    (package / "one.py").write_text(SOURCE.replace("LIMIT", "LONGEST"))
    assert all(name in str(again(package)) for name in ("LONGEST", "TWO"))
    (package / "two.py").unlink()
    (package / "three.py").write_text("THREE = 3\n")
    assert "TWO" not in str(again(package))
    assert set(json.loads(store(package).read_text())) == {"package/one.py", "package/three.py"}


@pytest.mark.parametrize("spoiled", ["", "[]", "{", "[" * 10**5, '{"package/one.py": [STAMP, "class ("]}', "\0", "{}"])
def test_a_spoiled_store_is_made_anew(package, spoiled):
    read = again(package)
    written = (package / "one.py").stat()
    store(package).write_text(spoiled.replace("STAMP", f"{written.st_mtime_ns}, {written.st_size}"))
    assert again(package) == read
    assert json.loads(store(package).read_text())["package/one.py"][2]


def test_nothing_is_kept_where_python_keeps_nothing(package, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert again(package)
    assert not list(package.rglob("*.json"))


def test_a_folder_that_cannot_be_written_to_is_read_each_time(package):
    (package / "__pycache__").write_text("a file where the folder would be")
    assert again(package) == again(package) != []
