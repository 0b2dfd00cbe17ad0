"""The list of methods, read from source, is the list of what is there."""

from dataclasses import MISSING, fields

import pytest

from probe import registry
from probe.catalogue import UnreadableError, catalogue

CONTRACTS = registry.CONTRACTS


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_methods_read_from_source_equal_the_imported_ones(family, monkeypatch):
    expected = registry.discover(family)
    monkeypatch.setattr(registry, "discover", lambda family: pytest.fail("read from source"))
    found = registry.listed(family)
    assert list(found) == list(expected)
    for name, kind in expected.items():
        assert found[name].summary() == kind.summary()
        if all(f.default is not MISSING for f in fields(kind)):
            assert found[name]().config() == kind().config()
        told = [(f.name, str(f.default), f.metadata["help"]) for f in fields(found[name])]
        assert told == [(f.name, str(f.default), f.metadata["help"]) for f in fields(kind)]
        assert [f.metadata["limits"] for f in fields(found[name])] == [f.metadata["limits"] for f in fields(kind)]
        for declared in ("needs", "better", "unit", "aspect", "threshold", "title", "budget", "completeness"):
            assert getattr(found[name], declared, None) == getattr(kind, declared, None), (name, declared)


WRITTEN = '''
@dataclass(frozen=True, kw_only=True)
class Odd(Metric[Attribution]):
    """Odd."""
    better = "lower"
    threshold = 0.3
    eps: float = param(8 / 255, "radius", high=2**3 - 1)
    most: int = param(9**9**9, "a number that nobody writes out")
    def measure(self, model: Model, result: Attribution) -> Evidence: ...
'''


def test_arithmetic_and_attributes_without_annotation_are_read(tmp_path):
    (tmp_path / "odd.py").write_text(WRITTEN.replace("9**9**9", "10**4"))
    found = catalogue(tmp_path, *CONTRACTS)["odd"]
    assert (found.better, found.threshold) == ("lower", 0.3)
    assert found().config() == {"method": "odd", "eps": 8 / 255, "most": 10_000}
    (tmp_path / "odd.py").write_text(WRITTEN)
    with pytest.raises(UnreadableError):
        catalogue(tmp_path, *CONTRACTS)


SQUARE = '''
LIMIT = 0.5
@dataclass(frozen=True, kw_only=True)
class _Base(Attack):
    seed: int = param(3, "seed")
    @abstractmethod
    def shape(self): ...
    def radius(self): ...

@dataclass(frozen=True, kw_only=True)
class Square(_Base):
    """Random squares.

    More of it.
    """
    threat: ClassVar[str] = "numbers"
    eps: float = param(default={eps}, help="radius")
    def perturb(self): ...
    def shape(self): ...

class Helper:
    size: int = 3
'''


def test_a_new_method_is_listed_with_what_it_inherits(tmp_path):
    (tmp_path / "square.py").write_text(SQUARE.replace("{eps}", 'written("8/255")'))
    found = catalogue(tmp_path, *CONTRACTS)
    assert list(found) == ["square"]
    assert found["square"].summary() == "Random squares."
    assert [(f.name, str(f.default)) for f in fields(found["square"])] == [
        ("goal", "Untargeted()"), ("seed", "3"), ("eps", "8/255"),
    ]  # fmt: skip


def test_methods_with_computed_defaults_are_imported(tmp_path, monkeypatch):
    (tmp_path / "square.py").write_text(SQUARE.replace("{eps}", "LIMIT * 2"))
    with pytest.raises(UnreadableError, match="LIMIT"):
        catalogue(tmp_path, *CONTRACTS)

    def unreadable(package, *others):
        raise UnreadableError("LIMIT * 2")

    monkeypatch.setattr(registry, "catalogue", unreadable)
    assert registry.listed("attack") == registry.discover("attack")
