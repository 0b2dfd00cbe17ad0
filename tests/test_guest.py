"""A package outside of probe brings one method of each kind: a file each, and not another line anywhere."""

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import DistributionFinder, MetadataPathFinder
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from probe import Model, Space, guests, load, registry
from probe.cli.commands import app
from probe.errors import ContractError, UnknownMethod
from probe.plots import drawers
from tests import guest
from tests.processes import start

METHODS = {
    "explainer": "through_layer",
    "attack": "bisect",
    "goal": "next_class",
    "counterfactual": "towards_reference",
    "certificate": "lipschitz",
    "survey": "class_rates",
    "metric": "largest_share",
}
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    guest.install(folder)
    return folder


@pytest.fixture
def installed(site):
    with guest.installed(site):
        yield site


def environment(site):
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def model():
    layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.5)
        layers[2].bias -= layers(torch.full((1, 3), 0.5))[0]  # the classes meet in the middle of the unit cube
    space = Space(reference=torch.zeros(1, 3), names=("pay", "age", "debt"))
    return Model(forward=layers.eval(), space=space, classes=("no", "yes"))


@pytest.fixture
def rows():
    return torch.rand(8, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("family", "name"), METHODS.items())
def test_guest_methods_are_found_beside_probes_own(installed, family, name):
    assert name in registry.discover(family)
    assert registry.discover(family)[name].__module__.startswith("probe_guest.")
    assert len(registry.discover(family)) > 1
    assert registry.build(registry.methods(), {"method": name}).name() == name


@pytest.mark.slow
def test_methods_are_listed_from_their_source(installed, monkeypatch):
    monkeypatch.setattr(registry, "discover", lambda family: pytest.fail("read from source"))
    for family, name in METHODS.items():
        assert name in registry.listed(family)
    assert registry.listed("attack")["bisect"].summary().startswith("The shortest step")
    assert registry.listed("attack")["bisect"]().config()["halvings"] == 20
    assert "probe_guest" not in sys.modules


def test_methods_of_an_uninstalled_package_are_not_listed():
    guest.forget()
    assert not set(METHODS.values()) & registry.methods().keys()


@pytest.mark.parametrize("inside", ["far-1.0.dist-info", "far.egg-info", "Far-1.0.Dist-Info"])
def test_a_package_is_found_in_a_folder_by_what_its_installer_left(tmp_path, monkeypatch, inside):
    declare(tmp_path / inside)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "far.ways" in guests.named()


def test_a_package_is_found_in_an_egg_and_in_a_zip_file(tmp_path, monkeypatch):
    declare(tmp_path / "far-1.0.egg" / "EGG-INFO", module="far.egg")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("near-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: near\nVersion: 1.0\n")
        archive.writestr("near-1.0.dist-info/entry_points.txt", "[probe.methods]\nmine = near.zip\n")
    for place in ("far-1.0.egg", "more.zip"):
        monkeypatch.syspath_prepend(str(tmp_path / place))
    assert {"far.egg", "near.zip"} <= set(guests.named())


def test_a_package_that_only_a_finder_of_its_own_knows_is_found(tmp_path, monkeypatch):
    declare(tmp_path / "hidden-1.0.dist-info")

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None): ...

        @staticmethod
        def find_distributions(context):
            return MetadataPathFinder.find_distributions(DistributionFinder.Context(path=[str(tmp_path)]))

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    guests._named.cache_clear()
    assert "far.ways" in guests.named()
    guests._named.cache_clear()


def test_packages_without_entry_points_of_probes_cost_no_search(tmp_path, monkeypatch):
    declare(tmp_path / "other-1.0.dist-info", group="probe.methods.other")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: pytest.fail("all packages are searched"))
    assert guests.named() == []


def declare(info, group="probe.methods", module="far.ways"):
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[console_scripts]\nfar = far:main\n\n[{group}]\nmine = {module}\n")


@pytest.mark.slow
def test_probe_methods_lists_guests_without_torch(site):
    code = (
        "import sys; from probe.cli import main; sys.argv = ['probe', 'methods', '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(site), cwd=site, check=False
    )
    found = json.loads(done.stdout)
    assert {family: name for family, name in METHODS.items() if name in found[family]} == METHODS
    assert done.stderr.strip() == "False"


def test_results_are_saved_and_loaded(installed, model, rows, tmp_path):
    labels = model.predict(rows)
    made = {
        "through_layer": registry.methods()["through_layer"](layer="1")(model, rows),
        "bisect": registry.methods()["bisect"]()(model, rows, labels),
        "lipschitz": registry.methods()["lipschitz"]()(model, rows, labels),
    }
    for name, result in made.items():
        result.save(tmp_path / name)
        again = load(tmp_path / name)
        assert again.method == result.method
        assert again.to_frame().equals(result.to_frame())
    scores = registry.methods()["largest_share"]()(model, made["through_layer"])
    scores.save(tmp_path / "scores")
    assert load(tmp_path / "scores").value == scores.value


def test_the_shortest_step_of_a_linear_model_is_the_distance_to_its_boundary(installed, rows):
    weight = torch.tensor([[1.0, -1.0], [0.5, 0.0], [0.0, 0.5]])
    linear = Model(forward=lambda x: (x - 0.5) @ weight, space=Space())
    result = registry.methods()["bisect"](halvings=30)(linear, rows, linear.predict(rows))
    way = weight[:, 0] - weight[:, 1]
    distance = ((rows - 0.5) @ way).abs() / way.norm()
    inside = ((rows - distance[:, None] * 1.001 <= 1) & (rows - distance[:, None] * 1.001 >= 0)).all(1)
    assert inside.any()
    torch.testing.assert_close(result.distance(2)[inside], distance[inside], atol=1e-4, rtol=1e-3)


def test_the_certificate_is_exact_where_the_network_is_linear(installed):
    layer = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8]]))
    linear = Model(forward=nn.Sequential(layer).eval(), space=Space(bounds=(-9.0, 9.0)))
    x = torch.tensor([[1.0, 0.0, 0.0]])
    proof = registry.methods()["lipschitz"]()(linear, x, torch.tensor([0]))
    # Its norm is sqrt(2), the margin 1.2, and the boundary is .6 away.
    torch.testing.assert_close(proof.radius, torch.tensor([0.6]))
    assert proof.level == 1


def test_a_custom_goal_is_a_setting_of_every_attack(installed, model, rows, tmp_path):
    goal = registry.methods()["next_class"]()
    for name, settings in (("bisect", {"halvings": 30}), ("pgd", {"eps": 1.0})):
        attack = registry.build(registry.methods(), {"method": name, "goal": {"method": "next_class"}, **settings})
        assert attack.goal == goal
        result = attack(model, rows, model.predict(rows))
        assert result.success.any()
        assert torch.equal(model.predict(result.perturbed)[result.success], 1 - model.predict(rows)[result.success])
        result.save(tmp_path / name)
        assert load(tmp_path / name).method == attack


@pytest.fixture
def compass():
    """A model that tells whether the first of two directions lies in the north."""

    def forward(x):
        angle = torch.deg2rad(x)
        north = angle[:, 0].cos() + 0.1 * angle[:, 1].cos()
        return torch.stack([-north, north], 1)

    space = Space(form="compass", bounds=(0.0, 360.0), scale=10.0, reference=torch.tensor([[90.0, 90.0]]))
    return Model(forward=forward, space=space, classes=("elsewhere", "north"))


def test_a_custom_form_measures_describes_and_draws(installed, compass, tmp_path):
    x = torch.tensor([[350.0, 90.0], [10.0, 180.0], [95.0, 0.0]])
    assert compass.space.form.name == "compass"
    assert compass.space.scaled_change(torch.tensor([[10.0, 90.0]]), x[:1]).tolist() == [[2.0, 0.0]]
    assert compass.space.describe(x)[0] == ["350 degrees, north", "90 degrees, east"]
    result = registry.methods()["pgd"](eps=0.5)(compass, x, compass.predict(x))
    result.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert type(again.space.form).__name__ == "Compass"
    assert again.to_frame().equals(result.to_frame())
    drawer = drawers.drawer_of(compass.space.form.record())
    assert type(drawer).__name__ == "CompassDrawer"
    assert "<img" in result._repr_html_()


@pytest.mark.slow
def test_the_drawer_of_a_form_loads_no_torch(site):
    code = (
        "import sys; from probe.plots.drawers import drawer_of\n"
        "print(type(drawer_of({'name': 'compass'})).__name__, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(site), cwd=site, check=False
    )
    assert done.stdout.strip() == "CompassDrawer False", done.stderr


@pytest.mark.slow
def test_the_contract_tests_include_guests(site, tmp_path, monkeypatch):
    names = " or ".join(METHODS.values())
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(site))
    code = (
        "import os, sys, pytest\n"
        "os.dup2(2, 1)\n"
        "said = '-q', '-x', '-p', 'no:cacheprovider', '-W', 'ignore::pytest.PytestAssertRewriteWarning'\n"
        "sys.exit(pytest.main([*said, '--jaxtyping-packages=', '-k', *sys.argv[1:]]))"
    )
    pages = "tests/test_contracts.py", "tests/explainers/test_promises.py"
    process = start(code, names, *pages, said=tmp_path / "said")
    process.join()
    assert process.exitcode == 0, (tmp_path / "said").read_text()[-3000:]
    assert " passed" in (tmp_path / "said").read_text()


RIVAL = """
from dataclasses import dataclass
from probe.contracts import Survey

@dataclass(frozen=True, kw_only=True)
class PGD(Survey):
    def examine(self, model, inputs, labels): ...
"""


def bring(site, code):
    (site / "rival.py").write_text(code)
    info = site / "rival-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[probe.methods]\nrival = rival\n")


WAYS = """
from dataclasses import dataclass
import probe
import probe.contracts as kinds
from probe.contracts import Explainer as Base

@dataclass(frozen=True, kw_only=True)
class ByAlias(Base):
    \"\"\"By an alias.\"\"\"
    def attribute(self, model, inputs, targets): ...

@dataclass(frozen=True, kw_only=True)
class ByModule(kinds.Explainer):
    \"\"\"By its module.\"\"\"
    def attribute(self, model, inputs, targets): ...

@dataclass(frozen=True, kw_only=True)
class ByPackage(probe.Explainer):
    \"\"\"By its package.\"\"\"
    def attribute(self, model, inputs, targets): ...
"""


def test_a_method_is_listed_however_its_kind_was_imported(tmp_path):
    guest.bring(tmp_path, "stranger", {"ways": WAYS})
    with guest.installed(tmp_path):
        found = registry.discover("explainer")
        assert {"by_alias", "by_module", "by_package"} <= found.keys()
        assert registry.listed("explainer").keys() == found.keys()


def test_a_class_named_as_what_it_inherits_from_is_refused_as_a_second_of_that_name(tmp_path):
    rival = "import probe.attacks\n\n\nclass PGD(probe.attacks.PGD):\n    pass\n"
    guest.bring(tmp_path, "stranger", {"rival": rival})
    with guest.installed(tmp_path), pytest.raises(ContractError, match="two methods are named 'pgd'"):
        registry.listed("attack")


def test_two_methods_of_one_name_are_refused_whatever_their_kind(tmp_path, monkeypatch):
    bring(tmp_path, RIVAL)
    monkeypatch.syspath_prepend(str(tmp_path))
    guest.forget()
    with pytest.raises(ContractError, match=r"two methods are named 'pgd': .*rival.PGD; rename"):
        registry.methods()
    guest.forget()


def test_a_package_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    bring(tmp_path, "import nothing_of_that_name")
    monkeypatch.syspath_prepend(str(tmp_path))
    guest.forget()
    with pytest.raises(
        ContractError,
        match=r"rival, which an installed package provides .*ModuleNotFoundError.*fix that package, or unin",
    ):
        registry.methods()
    guest.forget()


def shell(*arguments):
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_guest_explains_and_attacks_from_the_shell_with_settings_of_its_own(installed):
    told = shell(
        "explain", "adult-mlp", "--method", "through_layer", "--set", "output=probability", "--rows=0:2", "--json"
    )
    assert (told["method"]["method"], told["method"]["output"]) == ("through_layer", "probability")
    settings = ("--set", "halvings=3", "--set", "goal=next_class")
    told = shell("attack", "adult-mlp", "--method", "bisect", *settings, "--sample", "5", "--json")
    assert told["method"] == {"method": "bisect", "halvings": 3, "goal": {"method": "next_class"}}
    settings = ("--set", "goal=targeted", "--set", "goal.target=1")
    told = shell("attack", "adult-mlp", "--method", "bisect", *settings, "--sample", "5", "--json")
    assert told["method"]["goal"] == {"method": "targeted", "target": "1"}


def test_a_method_that_is_a_setting_goes_by_its_name(installed):
    attack = registry.build(registry.methods(), {"method": "bisect", "goal": "next_class"})
    assert attack.goal == registry.methods()["next_class"]()
    with pytest.raises(
        UnknownMethod, match=r"no method named 'next_clas' \(did you mean 'next_class'\?\); there are both"
    ):
        registry.build(registry.methods(), {"method": "bisect", "goal": "next_clas"})
