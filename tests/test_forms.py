"""What inputs look like is said in one place: a form, and the drawer of its name."""

import ast
import re
from pathlib import Path

import pytest
import torch

from probe import Model, Space, forms, load, plots, stretches
from probe.attacks import PGD
from probe.errors import DataError, RangeError, ShapeError
from probe.explainers import KernelShap, Saliency
from probe.forms import Graph, Image, Series, Table, Tokens

HOME = Path(__file__).parents[1]
NAMES = {*forms.known()}
ELSEWHERE = [
    path
    for part in ("probe", "dashboards/probe_dashboards", "models/probe_models")
    for path in sorted((HOME / part).rglob("*.py"))
    if not path.is_relative_to(HOME / "probe/forms") and not path.is_relative_to(HOME / "probe/plots/drawers")
]


def asked(text):
    """Lines that compare something with a form or its name, or look something up by the names of forms."""
    if not re.search(r"\bform\b|form_of\(", text) and sum(f'"{name}"' in text for name in NAMES) < 2:
        return  # most, and to parse them takes seconds
    for node in ast.walk(ast.parse(text)):
        parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        parts += [node.subject] if isinstance(node, ast.Match) else []
        words = [ast.unparse(part).removesuffix(".name") for part in parts]
        keys = (
            {key.value for key in node.keys if isinstance(key, ast.Constant)} if isinstance(node, ast.Dict) else set()
        )
        if any(word.split(".")[-1] == "form" or "form_of(" in word for word in words) or len(keys & NAMES) > 1:
            yield node.lineno


def test_only_forms_and_drawers_compare_the_form_of_an_input():
    assert len(ELSEWHERE) > 600
    found = {str(path.relative_to(HOME)): list(asked(path.read_text())) for path in ELSEWHERE}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("line", [
    'space.form.name == "x"', 'if form in ("image",): pass', '{"tokens": 1, "graph": 2}[x]', "f(x).form != y",
    "match space.form_of(x).name:\n    case 3: pass",
])  # fmt: skip
def test_the_lint_finds_every_comparison_of_a_form(line):
    assert list(asked(line)) == [1]


def test_every_form_has_a_drawer_and_every_drawer_a_form():
    assert {*plots.drawers.drawers()} == {*forms.known()}


def test_an_unknown_form_is_drawn_as_bars():
    drawer = plots.drawer_of({"name": "points", "size": 3})
    assert type(drawer) is plots.Drawer
    example = plots.Example(torch.zeros(2).numpy(), ("a", "b"))
    values = plots.Values(*[torch.tensor([0.1, -0.2]).numpy()] * 2)
    assert [text.get_text() for text in drawer.explained(example, values).get_yticklabels()] == ["b", "a"]


@pytest.mark.parametrize(("short", "form"), [
    ({"names": ("a", "b"), "kinds": ("integer", "continuous"), "form": "table"},
     Table(names=("a", "b"), kinds=("integer", "continuous"))),
    ({"form": "image"}, Image()),
    ({"form": "graph", "names": ("edge",)}, Graph(names=("edge",))),
    ({"words": ("", "?"), "special": (0,)}, Tokens(words=("", "?"), special=(0,))),
    ({"form": "series", "names": ("lead",)}, Series(names=("lead",))),
])  # fmt: skip
def test_the_short_way_of_a_space_gives_the_form_that_can_be_written_out(short, form):
    assert Space(**short).form == form == Space(form=form).form


def test_settings_of_another_form_are_refused_by_name():
    with pytest.raises(RangeError, match=r"Space\.levels are the levels of table, and Space\.form is image"):
        Space(form=Image(), levels=("a",))


RATE = Series(names=("lead I", "lead II"), sampling_rate=50.0)


def beats(rows=4):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(rows, 2, 12, generator=generator) * 2 - 1


def of_series(**said):
    reference = torch.zeros(1, 2, 12)
    return Space(bounds=(-1.0, 1.0), form=RATE, reference=reference, features=stretches(12, 4, 2), **said)


def test_stretches_of_time_number_the_features_of_a_series_by_channel():
    assert stretches(5, 2, 2).tolist() == [[0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert of_series().feature_count(beats()) == 6
    with pytest.raises(RangeError, match="size=0"):
        stretches(5, 0)


def test_the_features_of_a_series_are_called_by_channel_and_time():
    assert of_series().feature_names(beats())[:2] == ("lead I, 0.00 to 0.06 s", "lead I, 0.08 to 0.14 s")
    every = Space(bounds=(-1.0, 1.0), form=RATE)
    assert every.feature_names(beats())[13] == "lead II, 0.02 s"
    together = Space(bounds=(-1.0, 1.0), form=Series(), features=stretches(12, 6).expand(2, -1))
    assert together.feature_names(beats()) == ("steps 0 to 5", "steps 6 to 11")


def test_a_segment_of_a_series_is_described_by_its_mean_and_range():
    rows = torch.zeros(1, 2, 12)
    rows[0, 0, :4] = torch.tensor([0.0, 0.5, 1.0, 0.5])
    assert of_series().describe(rows)[0][:2] == ["mean 0.5, 0 to 1", "mean 0, 0 to 0"]


@pytest.mark.parametrize(("fields", "error", "message"), [
    ({"form": Series(names=("a",))}, ShapeError, "2 channels, but Space.names has 1 entries"),
    ({"form": RATE, "kinds": ("integer",)}, ShapeError, "24 features, but Space.kinds has 1 entries"),
])  # fmt: skip
def test_a_series_with_contradictory_settings_is_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Space(bounds=(-1.0, 1.0), **fields).check(beats())


def test_a_series_without_channels_or_with_an_invalid_rate_is_refused():
    with pytest.raises(ShapeError, match=r"expected a series \(channels, length\); write inputs\[:, None\]"):
        Space(form="series").check(torch.zeros(2, 12))
    for rate in (-1.0, float("nan")):
        with pytest.raises(RangeError, match="measurements per second"):
            Series(sampling_rate=rate)
    with pytest.raises(DataError, match="a series has names and a rate"):
        plots.drawer_of({"name": "series", "names": [], "rate": -1.0})


class Weights(torch.nn.Module):
    """A linear model of a series, whose Shapley values and gradients are known."""

    def __init__(self):
        super().__init__()
        weight = torch.rand(2, 24, generator=torch.Generator().manual_seed(1)) - 0.5
        self.weight = torch.nn.Parameter(weight, requires_grad=False)

    def forward(self, x):
        return 3 * x.flatten(1) @ self.weight.T


def test_a_series_is_explained_by_its_stretches_and_attacked_within_its_bounds(tmp_path):
    model, x = Model(forward=Weights().eval(), space=of_series(), classes=("a", "b")), beats()
    found = KernelShap()(model, x, torch.ones(4, dtype=torch.long))
    torch.testing.assert_close(found.by_feature(), of_series().by_feature(3 * x * model.forward.weight[1].view(2, 12)))
    result = PGD(eps=0.3)(model, x, model.predict(x))
    assert result.success.any()
    assert result.distance().max() <= 0.3 + 1e-6
    assert result.perturbed.abs().max() <= 1
    for each in (found, result, Saliency()(model, x)):
        assert each.plot(-1).get_xlabel() == "time in seconds"
        each.save(tmp_path / type(each.method).__name__)
        assert load(tmp_path / type(each.method).__name__).space.form == RATE


def test_a_stretch_is_drawn_in_one_colour_where_its_value_is_shared_evenly():
    whole = torch.tensor([[3.0, -1.0]]).numpy()
    owner = stretches(12, 6).numpy()
    ax = plots.series(beats()[0, :1].numpy(), whole.repeat(6, 1) / 6, features=owner)
    assert ax.images[0].get_array().ravel().tolist() == pytest.approx(whole.repeat(6, 1).ravel().tolist())
    assert ax.images[0].get_clim() == (-3, 3)


def test_long_series_and_many_channels_are_drawn_in_few_points_and_lanes():
    lines = torch.zeros(20, 50_000)
    lines[7, 31_415] = 5.0
    ax = plots.series(lines.numpy())
    assert len(ax.lines) == 8
    assert max(line.get_ydata().max() for line in ax.lines) - min(line.get_ydata().max() for line in ax.lines) > 2.4
    assert all(len(line.get_xdata()) <= 1000 for line in ax.lines)
    assert "8 of 20 channels" in ax.get_xlabel()


def test_the_form_of_inputs_is_made_once_for_each_shape():
    plain, image, row = Space().form, torch.zeros(1, 1, 2, 2), torch.zeros(1, 2)
    assert (type(plain.of(image)), type(plain.of(row))) == (Image, Table)
    assert all(plain.of(like) is plain.of(like.clone()) for like in (image, row))
