"""Networks for tables find their columns by the Space, not by their order."""

import json

import pytest
import torch
from probe_models.networks import build
from probe_models.training.loop import fit
from probe_models.training.settings import Settings
from probe_models.zoo import recipe_of

from probe import Dataset, Space, from_csv, zoo
from probe.errors import DataError
from tests.models.test_survival import CPU, quiet

SIZES = {
    "mlp": {"bins": 8, "widths": [16], "classes": 2},
    "ftt": {"bins": 8, "width": 8, "layers": 1, "heads": 2, "classes": 2},
}
OWN = ("numbers", "onehots", "levels", "columns")


@pytest.fixture
def people(tmp_path):
    """Reads a table with its columns in any order; who is hired depends on all three."""
    random = torch.Generator().manual_seed(0)
    age = torch.randint(18, 80, (600,), generator=random).tolist()
    score = torch.rand(600, generator=random).tolist()
    job = [("cook", "clerk", "nurse")[k] for k in torch.randint(3, (600,), generator=random).tolist()]
    rows = [
        f"{a},{s:.3f},{j},{'yes' if (a > 50) ^ (j == 'cook') else 'no'}"
        for a, s, j in zip(age, score, job, strict=True)
    ]
    path = tmp_path / "people.csv"
    path.write_text("age,score,job,hired\n" + "\n".join(rows) + "\n")
    return lambda *features: from_csv(path, label="hired", classes=["no", "yes"], features=list(features))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SIZES)
def test_the_order_of_columns_does_not_change_training(architecture, people):
    """One order is learned, and one epoch on the others ends with the same weights."""
    ends = []
    for order in (("job", "age", "score"), ("age", "job", "score"), ("age", "score", "job")):
        data = people(*order)
        network = build(architecture, SIZES[architecture], space=data.space)
        assert network.numbers == 2
        fit(network, data, Settings(epochs=1, batch_size=100), device=CPU, progress=quiet)
        # One bin of age for many ages: the one-hot coordinates are no numbers.
        numbers = network.divide(data.inputs)[0]
        assert {column.unique().numel() > 3 for column in numbers.T} == {True}
        assert float(network.bins.edges.max()) >= 79
        ends.append({name: tensor for name, tensor in network.state_dict().items() if name != "columns"})
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0])
    data = people("job", "age", "score")
    network = build(architecture, SIZES[architecture], space=data.space)
    trained = fit(network, data, Settings(epochs=8, batch_size=32, learning_rate=2e-2), device=CPU, progress=quiet)
    assert trained.best.accuracy > 0.9


@pytest.mark.parametrize("architecture", SIZES)
def test_a_network_that_takes_a_category_for_a_number_is_refused_and_the_remedy_works(architecture, people):
    data = people("job", "age", "score")
    sizes = {"mlp": {"numbers": 2, "onehots": 3}, "ftt": {"numbers": 2, "levels": [3]}}[architecture]
    network = build(architecture, SIZES[architecture] | sizes)
    with pytest.raises(
        DataError, match=r"reads coordinate 0 of .* as a number, and it belongs to job, whose kind is category; build\("
    ):
        fit(network, data, Settings(epochs=1), device=CPU, progress=quiet)
    build(architecture, SIZES[architecture], space=data.space)
    named = build(architecture, SIZES[architecture] | sizes | {"columns": (3, 4, 0, 1, 2)})
    fit(named, data, Settings(epochs=1), device=CPU, progress=quiet)


def test_levels_that_divide_categories_otherwise_are_refused(people):
    space = zoo.data("german").space
    levels = [3, 5, *build("ftt", SIZES["ftt"], space=space).levels[2:]]
    assert sum(levels) < sum(build("ftt", SIZES["ftt"], space=space).levels) + 1
    network = build("ftt", SIZES["ftt"] | {"numbers": 7, "levels": levels[::-1]})
    with pytest.raises(DataError, match="FTTransformer"):
        fit(network, zoo.data("german"), Settings(epochs=1), device=CPU, progress=quiet)


@pytest.mark.parametrize("name", ["adult-mlp", "adult-ftt", "adult-hours-mlp", "compas-mlp", "german-mlp"])
def test_the_sizes_of_a_space_are_those_of_the_zoo(name):
    recipe = recipe_of(name)
    others = {key: value for key, value in recipe.kwargs.items() if key not in OWN}
    found = build(recipe.architecture, others, space=zoo.data(name).space)
    expected = build(recipe.architecture, recipe.kwargs)
    assert found.columns is None
    assert {n: t.shape for n, t in found.state_dict().items()} == {n: t.shape for n, t in expected.state_dict().items()}
    assert json.loads(json.dumps(recipe.kwargs)) == recipe.kwargs


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SIZES)
def test_a_table_of_numbers_alone_and_one_of_categories_alone_are_learned(architecture):
    bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).repeat(10, 1)
    labels = (bits.sum(1) == 1).long()
    numbers = Dataset(bits, labels, space=Space(kinds=("integer",) * 2), classes=("same", "other"), name="xor")
    onehots = torch.stack([1 - bits[:, 0], bits[:, 0], 1 - bits[:, 1], bits[:, 1]], 1)
    space = Space(kinds=("category",) * 2, features=torch.tensor([0, 0, 1, 1]))
    for data in (numbers, Dataset(onehots, labels, space=space, classes=("same", "other"), name="xor")):
        network = build(architecture, SIZES[architecture], space=data.space)
        fit(network, data, Settings(epochs=30, batch_size=8, learning_rate=2e-2), device=CPU, progress=quiet)
        assert torch.equal(network(data.inputs).argmax(1), labels)


@pytest.mark.parametrize(
    ("architecture", "kwargs", "message"),
    [
        ("mlp", {"width": [16]}, "mlp has no argument 'width', did you mean 'widths'"),
        ("mlp", {"widths": 16}, r"mlp has widths=16, expected whole numbers from 1 to 4096, .*, as a list"),
        ("mlp", {"bins": [4]}, r"mlp has bins=\[4\], expected whole numbers .*, one of them"),
        ("mlp", {"columns": [0, 0]}, r"mlp has columns=\[0, 0\], expected coordinates, each once"),
        ("mlp", {"columns": [-1]}, r"mlp has columns=\[-1\], expected coordinates"),
        ("mlp", {"numbers": 7}, "numbers is 7, and the space says 2; leave it out"),
        ("cnn", {"widths": [4]}, "cnn reads no columns of a table, so it takes no space"),
    ],
)
def test_invalid_network_arguments_are_refused_in_a_sentence(architecture, kwargs, message, people):
    with pytest.raises(DataError, match=message):
        build(architecture, SIZES.get(architecture, {}) | kwargs, space=people("age", "score", "job").space)


def test_an_argument_that_is_missing_is_named():
    with pytest.raises(DataError, match="mlp lacks the argument 'numbers'; it takes numbers, onehots, bins"):
        build("mlp", {"widths": [4]})
