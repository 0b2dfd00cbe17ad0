"""`probe train --data people.csv` trains a network on a user's table."""

import json

import pytest

from probe import zoo

FEW = ("--set", "epochs=2", "--arch", "bins=4")


@pytest.mark.slow
def test_a_network_trained_on_a_users_table_is_audited_by_its_folder(probe, place):
    card = json.loads(
        probe("train", "--data", "people.csv", "--label", "hired", "--group", "sex", *FEW, "--json").stdout
    )
    assert card["data"]["name"] == "people.csv"
    assert card["data"]["rows"]["test"] == 24
    assert card["architecture"]["kwargs"]["numbers"] == 2
    model, test, train = zoo.load("trained/people"), zoo.data("trained/people"), zoo.data("trained/people", "train")
    assert model.classes == test.classes == ("no", "yes")
    assert (len(test), len(train)) == (24, 96)
    assert not set(test.rows.tolist()) & set(train.rows.tolist())
    assert list(test.groups) == ["sex"]
    accuracy = float((model.predict(test.inputs) == test.labels).double().mean())
    assert accuracy == pytest.approx(card["metrics"]["accuracy"])
    shown = probe("explain", "trained/people", "--json", code=0).stdout
    assert list(json.loads(shown)["features"]) == ["age", "score", "job"]


def test_a_trained_folder_is_opened_where_its_table_is_gone(probe, place):
    probe("train", "--data", "people.csv", "--label", "hired", *FEW, "--json", code=0)
    (place / "people.csv").unlink()
    assert zoo.load("trained/people").space.names == ("age", "score", "job", "sex")
    assert "people.csv" in probe("explain", "trained/people", code=2).stderr


@pytest.mark.parametrize(("call", "message"), [
    ((), "name a network of the zoo, such as adult-mlp, or a table"),
    (("--data", "people.csv"), "needs --label"),
    (("--data", "people.csv", "--label", "hird"), "has no column 'hird' (did you mean 'hired'?)"),
    (("--data", "none.csv", "--label", "hired"), "there is no file"),
    (("--data", "people.csv", "--label", "hired", "--arch", "cnn"), "the architectures for tables are mlp, ftt"),
    (("--data", "people.csv", "--label", "hired", "--arch", "bin=4"), "did you mean 'bins'"),
    (("--data", "one.csv", "--label", "hired"), "column 'hired' of one.csv has one value, 'yes'"),
    (("adult-mlp", "--label", "income"), "give --data"),
    (("adult-mlp", "--arch", "mlp"), "the architecture of adult-mlp cannot be changed"),
])  # fmt: skip
def test_a_mistake_in_probe_train_is_one_sentence_and_leaves_no_files(probe, place, call, message):
    (place / "one.csv").write_text("age,hired\n" + "".join(f"{age},yes\n" for age in range(20, 60)))
    assert message in probe("train", *call, code=2).stderr
    assert not (place / "trained").exists()
