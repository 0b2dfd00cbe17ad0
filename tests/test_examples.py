"""Each public name has an example in its docstring, and every example of the library gives what it says."""

import doctest
import importlib
import inspect
from pathlib import Path

import probe_models
import pytest

import probe
from probe.registry import discover

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
HOUSES = (
    *("attacks", "bias", "certificates", "counterfactuals", "explainers", "goals"),
    *("metrics", "study", "surveys", "zoo"),
)
FAMILIES = ("explainer", "attack", "counterfactual", "certificate", "survey", "metric")


def public():
    """What the rooms offer, by name: classes and functions, as people import them."""
    rooms = {"probe": probe} | {f"probe.{name}": importlib.import_module(f"probe.{name}") for name in HOUSES}
    named = {f"{room}.{name}": getattr(home, name) for room, home in rooms.items() for name in offered(home)}
    named |= {"probe.audit": importlib.import_module("probe.auditing").audit}
    named |= {kind.name(): kind for family in FAMILIES for kind in discover(family).values()}
    return {name: value for name, value in named.items() if inspect.isclass(value) or inspect.isfunction(value)}


def offered(room):
    said = getattr(room, "__all__", None)
    own = [name for name, value in vars(room).items() if getattr(value, "__module__", "") == room.__name__]
    return said if said is not None else [name for name in own if not name.startswith("_")]


PUBLIC = public()


def with_examples():
    """The modules whose source holds an example."""
    for home in (probe, probe_models):
        for path in sorted(Path(home.__path__[0]).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(Path(home.__path__[0]).parent).with_suffix("").parts
                yield ".".join(part for part in parts if part != "__init__")


def test_a_public_name_has_an_example():
    assert len(PUBLIC) > 200
    without = [name for name, value in PUBLIC.items() if ">>>" not in (value.__doc__ or "")]
    assert not without, f"{without}: write an example that a newcomer learns from"


@pytest.mark.parametrize("name", list(with_examples()))
def test_the_examples_in_docstrings_run_with_the_printed_results(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for each in doctest.DocTestFinder().find(module):
        if each.examples:  # `testmod` begins a debugger, which looks at all files that were read, for others too
            runner.run(each)
    found = runner.summarize(verbose=False)
    assert found.failed == 0, f"{name}: {found.failed} of {found.attempted} examples fail; see the output"
