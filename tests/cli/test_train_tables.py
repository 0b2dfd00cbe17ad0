"""`probe train --data`: tables as strangers bring them."""

import json
import random

import pytest

from probe import Regression, zoo

FEW = ("--label", "y", "--set", "epochs=1", "--arch", "bins=2", "--arch", "widths=[4]", "--json")


def table(rows=60, label=lambda k, x: f"{'yes' if x > 0.5 else 'no'}", **columns):
    """The lines of a CSV of one number and a label, with more columns that are functions of the row."""
    source = random.Random(0)
    lines = [",".join(["x", *columns, "y"])]
    for k in range(rows):
        x = source.random()
        lines.append(",".join([f"{x:.4f}", *(str(column(k)) for column in columns.values()), str(label(k, x))]))
    return "\n".join(lines) + "\n"


@pytest.fixture
def trained(probe, place):
    """Trains on the text of a CSV; gives the card and what was said on the way."""

    def call(text, *more):
        (place / "t.csv").write_text(text)
        result = probe("train", "--data", "t.csv", *FEW, *more, code=0)
        return json.loads(result.stdout), result.stderr

    return call


@pytest.mark.slow
def test_a_label_of_numbers_is_a_regression_in_its_unit(probe, place, trained):
    card, _ = trained(
        table(label=lambda k, x: f"{40_000 + 60_000 * x:.0f}", job=lambda k: "abc"[k % 3]),
        "--set",
        "epochs=20",
        "--set",
        "learning_rate=0.1",
    )
    assert card["architecture"]["name"] == "mlp-regressor"
    assert card["metrics"]["mean_absolute_error"] < 12_000
    model = zoo.load("trained/t")
    assert model.task == Regression(("y",))
    assert 40_000 < float(model.predict(zoo.data("trained/t").inputs).mean()) < 100_000
    assert json.loads(probe("explain", "trained/t", "--json", code=0).stdout)["features"].keys() == {"x", "job"}


@pytest.mark.slow
@pytest.mark.parametrize(("label", "more", "classes"), [
    (lambda k, x: int(x * 10), (), tuple(map(str, range(10)))),
    (lambda k, x: int(x * 40), ("--task", "classes"), None),
    (lambda k, x: int(x > 0.5), ("--task", "numbers"), ()),
    (lambda k, x: '"say ""yes"", please"' if x > 0.5 else "no", (), ("no", 'say "yes", please')),
    (lambda k, x: "rare" if k == 7 else "no" if x > 0.5 else "yes", (), ("no", "rare", "yes")),
    (lambda k, x: x > 0.5, (), ("False", "True")),
    (lambda k, x: "1.5" if x > 0.5 else "2", ("--task", "classes"), ("1.5", "2")),
], ids=["ten", "forty", "two numbers", "quotes", "one row", "truths", "spelled"])  # fmt: skip
def test_probe_train_learns_labels_of_every_kind(trained, label, more, classes):
    card, _ = trained(table(label=label), *more)
    assert classes is None or tuple(card["classes"]) == classes
    model, data = zoo.load("trained/t"), zoo.data("trained/t")
    assert len(model.logits(data.inputs)) == len(data) == 12
    assert (data.classes == ()) == isinstance(model.task, Regression)


@pytest.mark.slow
def test_a_tolerance_says_which_answers_are_wrong_so_that_a_regression_can_be_attacked(probe, trained):
    card, _ = trained(table(label=lambda k, x: f"{100 * x:.1f}"), "--tolerance", "20")
    assert zoo.load("trained/t").task == Regression(("y",), tolerance=20.0)
    assert "accuracy" in card["metrics"]
    probe("attack", "trained/t", "--method", "fgsm", "--sample", "4", "--json", code=0)


def test_constant_columns_are_left_out_with_a_notice(trained):
    text = table(id=lambda k: 1000 + k, name=lambda k: f"N. {k}", when=lambda k: f"2024-01-{k % 28 + 1:02}",
                 same=lambda k: "a", empty=lambda k: "", job=lambda k: "abc"[k % 3])  # fmt: skip
    card, said = trained(text)
    assert zoo.load("trained/t").space.names == ("x", "when", "job")
    assert card["data"]["declared"]["left_out"] == {
        "id": "it numbers the rows",
        "name": "it differs in every row, as a name does",
        "same": "it has one value",
        "empty": "all of its cells are empty",
    }
    assert "note: column 'id' is left out: it numbers the rows" in said
    assert "note: column 'when' of t.csv holds dates" in said
    assert any("'id' is left out" in notice for notice in zoo.data("trained/t").notices)


def test_dropped_columns_and_groups_are_not_features(trained):
    trained(
        table(job=lambda k: "abc"[k % 3], sex=lambda k: "FM"[k % 2], age=lambda k: k % 50),
        "--drop",
        "job",
        "--group",
        "sex",
    )
    data = zoo.data("trained/t")
    assert data.space.names == ("x", "age")
    assert list(data.groups) == ["sex"]


def test_rows_with_empty_cells_are_left_out_when_that_is_asked_for(trained):
    card, said = trained(
        table(age=lambda k: "" if k % 6 == 0 else "?" if k % 6 == 1 else k % 50), "--missing", "?", "--drop-missing"
    )
    rows = card["data"]["rows"]
    assert rows["train"] + rows["validation"] + rows["test"] == 40
    assert "note: 20 of 60 rows of t.csv have an empty cell and are left out" in said
    assert all(row % 6 > 1 for row in zoo.data("trained/t").rows.tolist())  # as they stand in the file


@pytest.mark.slow
def test_codes_and_seconds_that_single_precision_rounds_are_learned_from_with_a_notice(probe, trained):
    _, said = trained(table(seconds=lambda k: 1_700_000_000 + 7 * k % 50))
    assert "note: column 'seconds' of t.csv holds numbers that single precision cannot tell apart" in said
    assert json.loads(probe("explain", "trained/t", "--json", code=0).stdout)["features"].keys() == {"x", "seconds"}


def test_the_suggested_validation_fraction_allows_two_training_rows(trained):
    card, _ = trained(table(rows=3, label=lambda k, x: k % 2), "--set", "validation=0.5")
    assert card["data"]["rows"]["validation"] == 1


def test_semicolons_and_decimal_commas_are_read(trained):
    text = table(age=lambda k: k % 50).replace(".", "§").replace(",", ";").replace("§", ",")
    trained(text)
    assert zoo.load("trained/t").space.names == ("x", "age")
    assert zoo.load("trained/t").space.kinds == ("continuous", "integer")


@pytest.mark.parametrize(("text", "more", "message"), [
    (table(label=lambda k, x: f"name {k}"), (), "60 different values in 60 rows, which are hardly classes"),
    (table(label=lambda k, x: "" if k == 3 else "yes"), (), "1 empty cell, which a network does not take; fill"),
    (table(age=lambda k: "" if k % 6 == 0 else k), (), "out: --drop-missing, or the column: --drop age"),
    (table(age=lambda k: ""), ("--drop", "x"), "no column left to learn 'y' from; age: all of its cells are empty"),
    (table(), ("--drop", "z"), "t.csv has no column 'z'; it has x, y"),
    (table(), ("--drop", "y"), "--drop y: that is the label"),
    (table(), ("--group", "y"), "--group y: that is the label"),
    (table(), ("--task", "numbers"), "which is not a number; give --task classes"),
    (table(), ("--tolerance", "2"), "--tolerance is for numbers, and column 'y' of t.csv names classes"),
    (table(), ("--task", "ranks"), "--task ranks: expected classes or numbers"),
    (table(label=lambda k, x: x), ("--arch", "ftt"), "give --arch mlp, or --task classes"),
    (table(rows=1), (), "one value"),
    (table(rows=2, label=lambda k, x: k), (), "t.csv has 2 rows: too few"),
    (table(rows=6), (), "t.csv has 5 rows: too few"),
    ("x,y\n", (), "has no rows below its header"),
    ("", (), "it is empty"),
    (table(), ("--size", "8"), "--size is for a folder of images"),
    (table(), ("--separator", ";"), "x,y"),
    (table(label=lambda k, x: (" Yes", "yes", "no")[k % 3]), (), "may be one class in 2 ways: ' Yes', 'yes'; spell"),
    (table(label=lambda k, x: "inf" if k == 3 else x), (), "holds 'inf', and numbers are learned up to 3.4e+38"),
    (table(label=lambda k, x: x * 1e300), (), "write it in a larger unit, or learn classes: --task classes"),
    (table(age=lambda k: k * 1e300), (), "column 'age' of t.csv holds numbers beyond 3.4e38"),
    (table(age=lambda k: k), ("--label", "age"), "--label names y and age, and `probe train` learns one label"),
    (table(**{f"f{at}": lambda k: f"v{k % 50}" for at in range(84)}), (), "4,201 inputs, one for each number"),
], ids=lambda value: "")  # fmt: skip
def test_an_unusable_table_is_refused_with_a_remedy_for_the_command_line(probe, place, text, more, message):
    (place / "t.csv").write_text(text)
    said = probe("train", "--data", "t.csv", *FEW, *more, code=2).stderr
    assert message in said
    assert "allow_missing" not in said
    assert not (place / "trained").exists()


def test_a_folder_that_was_trained_may_have_any_name(probe, place, trained):
    trained(table(), "--out", "mine")
    assert json.loads(probe("explain", "mine", "--json", code=0).stdout)["features"].keys() == {"x"}
    assert zoo.load("mine").name == "t"


@pytest.mark.parametrize("change", [
    {"declared": {"label": "y", "engine": "x"}}, {"csv": 3}, {"declared": 3},
])  # fmt: skip
def test_a_card_that_was_changed_is_refused(probe, place, trained, change):
    trained(table())
    card = json.loads((place / "trained/t/card.json").read_text())
    (place / "trained/t/card.json").write_text(json.dumps(card | {"data": card["data"] | change}))
    assert "the card is damaged" in probe("explain", "trained/t", code=2).stderr
