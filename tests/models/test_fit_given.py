"""What `fit` is given as people have it: taken where its meaning is plain, and refused in one sentence else."""

import inspect

import numpy as np
import pytest
import torch
from probe_models.training.loop import fit
from probe_models.training.settings import Settings
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from probe import Classification, Dataset, MultiLabel, Places, Regression, Space
from probe.errors import DataError, PlanError, ProbeError, Unsupported

ONCE = Settings(epochs=1, batch_size=8)
X = torch.rand(40, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 3
ONE_HOT = nn.functional.one_hot(Y)


def net(outputs=3):
    torch.manual_seed(0)
    return nn.Linear(4, outputs)


def trained(labels, network=None, **changed):
    data = changed.pop("data", None)
    given = {"device": torch.device("cpu"), "progress": lambda line: None, "initialise": True} | changed
    settings = given.pop("settings", ONCE)
    return fit(network or net(), Dataset(X, labels) if data is None else data, settings, **given).best


@pytest.mark.slow
def test_class_numbers_are_learnt_alike_in_whatever_way_they_are_written():
    found = trained(Y)
    for labels in (Y.float(), Y.double(), Y.int(), Y.byte(), Y[:, None], Y.float()[:, None], ONE_HOT.float()):
        assert trained(labels) == pytest.approx(found), (labels.dtype, labels.shape)
    assert trained(Y.float(), objective=Classification()).loss == pytest.approx(found.loss)
    loader = DataLoader(TensorDataset(X, Y.float()), batch_size=8)
    assert trained(None, data=loader) == trained(None, data=DataLoader(TensorDataset(X, Y), batch_size=8))


def test_distributions_over_classes_are_labels_of_a_classification():
    soft = ONE_HOT * 0.8 + 0.2 / 3
    for settings in (ONCE, Settings(epochs=1, loss="mse"), Settings(epochs=1, loss="bce", label_smoothing=0.1)):
        assert trained(soft, settings=settings).accuracy is not None
    assert trained(soft, objective=Classification()).loss == pytest.approx(trained(soft).loss)


@pytest.mark.parametrize(
    ("labels", "outputs", "more", "message"),
    [
        (X[:, 0], 1, {}, r"labels of data hold 0\.\d+, expected the numbers of classes, .*objective=Regression\(\)"),
        (X[:, 0] > 2, 3, {}, r"labels are torch.bool, .*write labels.long\(\)"),
        (Y, 1, {}, r"run from 0 to 2, Linear has 1 outputs, .*objective=Regression\(\)"),
        (ONE_HOT, 3, {}, r"are one-hot, \(40, 3\), .* write labels.argmax\(1\)"),
        (X, 4, {}, r"no probabilities with the sum 1, .*objective=Regression\("),
        (ONE_HOT | 1, 3, {}, r"several 1 in a row, .*objective=MultiLabel\("),
        (ONE_HOT * 2, 3, {}, r"one class for each row; for a class at each of 3 places give objective=Places\("),
        (
            ONE_HOT.float(),
            4,
            {},
            r"data has 3 labels for each row, and Linear answers a row by \(4,\); expected 4 labels",
        ),
        (Y, 2, {"objective": MultiLabel(("a", "b"))}, "data has one label for each row, .*expected 2 labels"),
        (ONE_HOT + 1, 3, {"objective": MultiLabel(("a", "b", "c"))}, "run from 1 to 2, .*give 1 for each label"),
        (Y + 1, 3, {"objective": Classification(("a", "b", "c"))}, "run from 1 to 3, .*expected labels from 0 to 2"),
    ],
)
def test_labels_that_no_loss_takes_are_refused_with_the_way_to_give_them(labels, outputs, more, message):
    network = net(outputs)
    with pytest.raises(DataError, match=message):
        trained(labels, network, **more)


def test_places_take_class_numbers_in_any_type_and_leave_out_what_is_ignored():
    tags = torch.randint(3, (40, 4), generator=torch.Generator().manual_seed(0))
    tags[0, 0] = -100
    reader, task = nn.Sequential(nn.Unflatten(1, (4, 1)), nn.Linear(1, 3)), Places(("a", "b", "c"))
    assert trained(tags.int(), reader, objective=task) == trained(tags, reader, objective=task)
    with pytest.raises(DataError, match="run from 0 to 3, "):
        trained(tags + (tags == 2), reader, objective=task)
    with pytest.raises(DataError, match=r"data has 3 labels for each row, .*expected 4 labels"):
        trained(tags[:, :3], reader, objective=task)


def test_validation_rows_that_do_not_fit_are_refused_before_training():
    called = []
    for validation, message in (
        (Dataset(X[:, :3], Y), r"the rows of validation are \(3,\), and those of data \(4,\); give validation rows"),
        (Dataset(X, Y + 4), "the labels of validation run from 4 to 6, .*expected labels from 0 to 2"),
        (Dataset(X, X[:, 0]), "the labels of data hold"),
    ):
        with pytest.raises(DataError, match=message):
            trained(Y, validation=validation, on_epoch=called.append)
    named = Dataset(X, Y, classes=("a", "b", "c"))
    with pytest.raises(DataError, match="validation has the classes c, b, a, and data has a, b, c"):
        trained(None, data=named, validation=Dataset(X, Y, classes=("c", "b", "a")))
    numbers = {"network": net(1), "objective": Regression()}
    with pytest.raises(DataError, match="the rows of validation"):
        trained(X[:, 0], validation=Dataset(X[:, :3], X[:, 0]), **numbers)
    assert not called


def test_the_columns_of_validation_rows_have_the_names_of_the_training_rows():
    ahead, behind = (Dataset(X, Y, space=Space(names=names)) for names in (tuple("abcd"), tuple("dcba")))
    with pytest.raises(DataError, match="feature 0 is 'a' in data, and 'd' in validation"):
        trained(None, data=ahead, validation=behind)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda inputs, generator: inputs[:2], r"augment= gave \(2, 4\) for 8 rows, expected a tensor of as many"),
        (lambda inputs, generator: None, "augment= gave NoneType for 8 rows"),
        (lambda inputs: inputs, r"augment= takes \(inputs\), expected a function augment\(inputs, generator\)"),
        ("flip", r"augment = 'flip', expected a function .* named in Settings\(augment=...\)"),
    ],
)
def test_an_augmentation_that_does_not_fit_is_named(augment, message):
    with pytest.raises(ProbeError, match=message):
        trained(Y, augment=augment)


@pytest.mark.parametrize("name", ["on_epoch", "progress"])
@pytest.mark.parametrize("given", [3, lambda: None, lambda epoch, loss: None])
def test_a_callback_that_cannot_be_called_is_refused_before_training(name, given):
    network = net(3)
    before = [each.clone() for each in network.state_dict().values()]
    with pytest.raises(PlanError, match=rf"{name}(= takes .*| = 3), expected a function {name}\((metrics|line)\)"):
        trained(Y, network=network, **{name: given})
    assert all(map(torch.equal, before, network.state_dict().values()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": {"epochs": 2}}, r"settings are a dict, expected Settings; write Settings.from_toml\(settings\)"),
        ({"settings": 3}, r"settings are an int, expected Settings; write Settings\(epochs=5\)"),
        ({"objective": "mse"}, r"objective = 'mse', expected a task .* named in Settings\(loss=...\)"),
        ({"objective": MultiLabel}, r"expected a task .*; write MultiLabel\(...\)"),
        ({"data": (X, Y)}, r"this one gave a tuple; write probe.Dataset\(inputs, labels\)"),
        ({"data": TensorDataset(X, Y)}, r"this one gave a tuple; .*DataLoader\(data\)"),
    ],
)
def test_other_things_that_fit_does_not_take_are_refused_in_a_sentence(changed, message):
    with pytest.raises((PlanError, DataError), match=message):
        trained(Y, **changed)


def test_an_iterable_data_set_is_refused_by_name():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(X, Y, strict=True))

    loader = DataLoader(Stream(), batch_size=8)
    with pytest.raises(PlanError, match="an iterable data set of torch has its own order"):
        fit(net(), loader, ONCE, device=torch.device("cpu"), initialise=True)


def test_a_folder_may_be_a_text(tmp_path):
    trained(Y, folder=str(tmp_path / "run"))
    assert (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_dataset_of_arrays_is_trained_on_as_that_of_their_tensors():
    data = Dataset(X.numpy(), Y.numpy(), classes=["a", "b", "c"], rows=np.arange(40))
    assert data.classes == ("a", "b", "c")
    assert data[:3].digest() == Dataset(X, Y)[:3].digest()
    assert trained(None, data=Dataset(X.numpy(), Y.numpy().astype(np.int32))) == trained(Y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Dataset(X, ["a", "b"] * 20),
            r"data: labels are a list; expected a tensor, an array .*: write torch.tensor\(labels\)",
        ),
        (lambda: Dataset(X, Y, classes="abc"), r"classes are one text, 'abc'; give a tuple"),
        (lambda: Dataset(X, Y, groups={"sex": list("fm" * 20)}), r"groups are a dict, .*write pd.DataFrame\(groups\)"),
    ],
)
def test_a_dataset_says_what_it_cannot_hold(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_a_device_goes_by_its_name_and_a_part_of_the_rows_by_the_settings():
    data, told = Dataset(X, Y), {"progress": lambda line: None, "initialise": True}
    assert fit(net(), data, ONCE, device="cpu", **told).best == trained(Y)
    with pytest.raises(Unsupported, match="the device 'gpu' cannot be used here"):
        fit(net(), data, ONCE, device="gpu", **told)
    with pytest.raises(DataError, match=r"^validation is a float, expected a Dataset; write .*Settings\(validation="):
        inspect.unwrap(fit)(net(), data, ONCE, device="cpu", validation=0.3, **told)
