import csv
import gzip
import os
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from probe_models.datasets import READERS, adult, compas, fashion, idx
from probe_models.files import unpack
from probe_models.found import found

from probe import zoo
from probe.errors import DataError, IntegrityError, PlanError


@pytest.fixture(scope="module")
def train():
    return zoo.data("adult", "train")


@pytest.fixture(scope="module")
def test():
    return zoo.data("adult", "test")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine with no training images on it, and an empty folder to download them into."""
    monkeypatch.setattr(fashion, "DEBIAN", tmp_path / "no package")
    monkeypatch.setenv("PROBE_DATA", str(tmp_path / "data"))
    return tmp_path


def test_adult_has_the_counts_of_the_census_file(train, test):
    assert (len(train), len(test)) == (32_561, 16_281)
    assert (int(train.labels.sum()), int(test.labels.sum())) == (7_841, 3_846)
    assert train.groups["sex"].value_counts().to_dict() == {"Male": 21_790, "Female": 10_771}
    assert test.groups["sex"].value_counts().to_dict() == {"Male": 10_860, "Female": 5_421}
    assert train.groups["race"].value_counts()["Black"] == 3_124
    assert test.groups["race"].value_counts()["Amer-Indian-Eskimo"] == 159


def test_adult_rows_are_those_of_the_file(train):
    first = dict(zip(adult.TABLE.numbers, train.inputs[0].tolist(), strict=False))
    assert first == {"age": 39, "education_num": 13, "capital_gain": 2174, "capital_loss": 0, "hours_per_week": 40}
    chosen = [v for i, v in enumerate(v for vs in adult.TABLE.levels().values() for v in vs) if train.inputs[0, 5 + i]]
    expected = ["State-gov", "Never-married", "Adm-clerical", "Not-in-family", "White", "Male", "United-States"]
    assert chosen == expected


def test_no_adult_row_is_in_both_splits(train, test):
    assert not torch.isin(train.rows, test.rows).any()


def test_each_category_of_adult_is_one_feature_that_sums_to_one(train, test):
    for data in (train, test):
        sums = data.space.by_feature(data.inputs)[:, len(adult.TABLE.numbers) :]
        assert sums.shape[1] == 7
        assert bool((sums == 1).all())


def test_missing_answers_are_a_category():
    assert "?" in adult.TABLE.levels()["occupation"]


def test_groups_of_adult_agree_with_its_coordinates(test):
    sex = adult.TABLE.features.index("sex")
    coordinates = test.inputs[:, (test.space.features == sex)]
    assert adult.TABLE.levels()["sex"] == ("Female", "Male")
    assert coordinates.argmax(1).tolist() == (test.groups["sex"] == "Male").astype(int).tolist()


def test_an_attacker_of_adult_moves_schooling_money_and_hours_only(test):
    space = test.space
    movable = set(space.features[space.mutable_mask(test.inputs[:1])[0]].tolist())
    names = {adult.TABLE.features[i] for i in movable}
    assert names == {"education_num", "capital_gain", "capital_loss", "hours_per_week"}


def test_the_scale_of_adult_is_a_standard_deviation_of_training_rows(train):
    torch.testing.assert_close(train.space.scale[:5], train.inputs[:, :5].std(0))
    assert bool((train.space.scale[5:] == 1).all())


def test_references_of_adult_are_training_rows(train):
    reference = train.space.reference
    assert reference.shape == (50, 91)
    assert all(bool((train.inputs == row).all(1).any()) for row in reference[:5])


def test_fashion_is_bundled_bright_from_0_to_1_and_balanced():
    data = zoo.data("fashion-mnist")
    assert data.inputs.shape == (10_000, 1, 28, 28)
    assert data.inputs.min() == 0
    assert data.inputs.max() == 1
    assert data.labels.bincount().tolist() == [1000] * 10
    assert "MIT" in data.source


def test_fashion_has_49_squares_and_a_black_reference():
    data = zoo.data("fashion-mnist")
    assert data.space.feature_count(data.inputs) == 49
    assert data.space.names[0] == "square r0 c0"
    assert data.space.features.flatten().bincount().tolist() == [16] * 49
    assert data.space.references(data.inputs).abs().sum() == 0


def test_a_model_names_the_data_that_it_learned_from(test):
    assert zoo.data("adult-mlp").digest() == test.digest()


@pytest.mark.parametrize("name", READERS)
def test_an_unknown_split_is_named_with_those_there_are(name):
    with pytest.raises(PlanError, match="test; got 'validation'"):
        zoo.data(name, "validation")


def test_an_unknown_data_set_is_named_with_those_there_are():
    with pytest.raises(PlanError, match="adult, adult-hours, adult-labels, compas, digits, ecg, fashion-anomalies"):
        zoo.data("iris")


def test_a_changed_file_is_refused():
    packed = gzip.compress(b"age,income\n")
    with pytest.raises(IntegrityError, match=r"adult.csv.gz has the SHA-256 .* expected 000"):
        unpack(packed, "adult.csv.gz", 100, "0" * 64)


def test_a_cut_file_is_refused():
    with pytest.raises(DataError, match="not a whole gzip file"):
        unpack(gzip.compress(b"age,income\n" * 1000)[:-9], "adult.csv.gz", 10**6, "0" * 64)


def test_a_file_that_is_not_compressed_is_named_as_such():
    with pytest.raises(DataError, match="not a whole gzip file: it is not compressed; compress it with gzip"):
        unpack(b"age,income\n", "ricci.csv", 100, "0" * 64)


def test_a_file_is_unpacked_no_further_than_recorded():
    with pytest.raises(IntegrityError, match="more than the recorded 10 bytes"):
        unpack(gzip.compress(bytes(10**7)), "bomb.gz", 10, "0" * 64)


def test_an_idx_header_must_declare_the_expected_shape():
    huge = bytes([0, 0, 8, 3]) + b"\xff" * 12
    with pytest.raises(DataError, match="use the original file"):
        idx.parse(huge, (60_000, 28, 28), "train-images")
    with pytest.raises(DataError, match="has 9 bytes, its header declares 10"):
        idx.parse(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7]), (2,), "labels")
    assert idx.parse(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), (2,), "labels").tolist() == [7, 9]


def test_missing_training_images_are_looked_for_and_the_error_says_what_to_do(nowhere, monkeypatch):
    monkeypatch.setattr(fashion, "URL", (nowhere / "no server").as_uri() + "/")
    with pytest.raises(DataError, match=r"dataset-fashion-mnist, or set PROBE_DATA"):
        zoo.data("fashion-mnist", "train")


def test_training_images_are_downloaded_once_and_checked(nowhere, monkeypatch):
    name, server = "t10k-labels-idx1-ubyte.gz", nowhere / "server"
    server.mkdir()
    (server / name).write_bytes((fashion.BUNDLED / name).read_bytes())
    monkeypatch.setattr(fashion, "URL", server.as_uri() + "/")
    size = idx.size((10_000,))
    path = fashion._find(name, size)
    assert path == nowhere / "data" / name
    (server / name).unlink()
    assert fashion._find(name, size) == path


def test_a_wrong_download_is_not_kept(nowhere, monkeypatch):
    name, server = "t10k-labels-idx1-ubyte.gz", nowhere / "server"
    server.mkdir()
    (server / name).write_bytes(gzip.compress(b"something else"))
    monkeypatch.setattr(fashion, "URL", server.as_uri() + "/")
    with pytest.raises(IntegrityError):
        fashion._find(name, idx.size((10_000,)))
    assert not (nowhere / "data").exists()


def test_a_cache_that_cannot_be_written_is_named(nowhere, monkeypatch):
    name = "t10k-labels-idx1-ubyte.gz"
    monkeypatch.setattr(fashion, "URL", fashion.BUNDLED.as_uri() + "/")
    (nowhere / "data").write_text("a file, not a folder")
    with pytest.raises(DataError, match=r"cannot keep t10k-labels.*set PROBE_DATA"):
        fashion._find(name, idx.size((10_000,)))


@pytest.fixture
def wheeled(nowhere, monkeypatch):
    """A probe installed from a wheel, which has no table of COMPAS, and a publisher that has one of two people."""
    published = nowhere / "server" / compas.PUBLISHED
    published.parent.mkdir()
    header = ["id", "name", *compas.COLUMNS, "priors_count"]
    people = [[str(i), "Doe, Jane", *["1"] * len(compas.COLUMNS), "left out"] for i in range(2)]
    with published.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *people])
    kept = "".join(",".join(line) + "\n" for line in (compas.COLUMNS, *[["1"] * len(compas.COLUMNS)] * 2)).encode()
    monkeypatch.setattr(compas, "BUNDLED", nowhere / "no bundle")
    monkeypatch.setattr(compas, "URL", published.as_uri())
    monkeypatch.setattr(compas, "PUBLISHED_SHA256", sha256(published.read_bytes()).hexdigest())
    monkeypatch.setattr(compas, "SIZE", len(kept))
    monkeypatch.setattr(compas, "SHA256", sha256(kept).hexdigest())
    return published, kept


def test_compas_is_downloaded_once_from_its_publisher_and_kept_without_names(wheeled, nowhere, capfd):
    published, kept = wheeled
    assert compas.content() == kept
    assert f"downloading {published.as_uri()}" in capfd.readouterr().err
    published.unlink()
    assert compas.content() == kept
    assert gzip.decompress((nowhere / "data" / compas.FILE).read_bytes()) == kept


def test_compas_is_made_from_the_publishers_file_in_the_folder_of_data(wheeled, nowhere):
    published, kept = wheeled
    (nowhere / "data").mkdir()
    published.rename(nowhere / "data" / compas.PUBLISHED)
    assert compas.content() == kept


def test_another_edition_of_compas_is_refused_and_not_kept(wheeled, nowhere):
    published, _ = wheeled
    published.write_text(published.read_text().replace("Doe", "Roe"))
    with pytest.raises(IntegrityError, match=r"another edition, or was cut; copy it again from file:"):
        compas.content()
    assert not (nowhere / "data").exists()


def test_without_a_network_the_error_says_where_compas_is_read_from(wheeled):
    wheeled[0].unlink()
    with pytest.raises(DataError, match=r"set PROBE_DATA to a folder that holds compas.csv.gz, or compas-scores-two"):
        compas.content()


def test_compas_is_what_its_publisher_has_where_that_file_is_at_hand():
    published = Path(os.environ.get("PROBE_DATA") or "") / compas.PUBLISHED
    if not published.is_file():
        pytest.skip(f"set PROBE_DATA to a folder that holds {compas.PUBLISHED}")
    assert gzip.decompress(compas.reduced(published.read_bytes())) == compas.content()


def test_a_module_of_a_folder_is_found_by_what_it_says_at_its_top_level_and_is_not_run(tmp_path):
    (tmp_path / "points.py").write_text('NAME = "points"\nraise SystemExit\n')
    (tmp_path / "helper.py").write_text('def named():\n    NAME = "inner"\n    return NAME\n')
    (tmp_path / "__init__.py").write_text('NAME = "folder"\n')
    (tmp_path / "typed.py").write_text('NAMES = 3\nNAME: str = "typed"\n')
    assert found(tmp_path, "NAME") == {"points": '"points"', "typed": '"typed"'}
