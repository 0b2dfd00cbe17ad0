"""`probe plan` guesses a plan from a table, and says of each guess that it is one."""

import random
import tomllib

import pytest

from probe import from_csv
from probe.audit import plan_from


def planned(probe, name, *options):
    result = probe("plan", name, *options)
    assert result.exit_code == 0, result.output
    table = tomllib.loads(result.stdout)
    plan_from({"name": "p", **table})
    return table, result.stdout


def test_a_plan_names_label_groups_and_features_by_the_columns(probe, place):
    table, text = planned(probe, "people.csv")
    assert table["data"]["label"] == "hired"
    assert table["data"]["classes"] == ["no", "yes"]
    assert table["data"]["groups"] == ["sex"]
    assert table["data"]["features"] == ["age", "score", "job"]
    assert "positive" not in table["bias"]
    assert text.count("# guess") == 4


@pytest.mark.slow
def test_a_plan_becomes_an_audit_once_its_model_is_named(probe, place):
    text = probe("plan", "people.csv").stdout
    text = text.replace('"my_package.nets:build"', '"mine:build"').replace('# weights = "model', 'weights = "weights')
    attack = '[attack]\nsample = 10\neps = ["0.1"]\nmethods = [{method = "fgsm"}]\n'
    assert "[attack]\n" in text
    (place / "own.toml").write_text(text.replace("[attack]\n", attack) + "\n[explain]\nsample = 3\n")
    assert probe("audit", "--plan", "own.toml", "--allow-code").exit_code in (0, 1)


def test_a_label_with_many_numbers_is_a_regression(probe, place):
    rows = [f"{i / 7:.2f},{'fm'[i % 2]},{i % 3},{i * 1.5}" for i in range(40)]
    (place / "t.csv").write_text("\n".join(["size,sex,rooms,price", *rows]))
    assert planned(probe, "t.csv")[0]["data"]["label"] == "rooms"  # a guess
    table, text = planned(probe, "t.csv", "--label", "price")
    assert table["model"]["task"] == "regression"
    assert table["data"]["label"] == "price"
    assert table["data"]["features"] == ["size", "rooms"]
    assert "classes" not in table["data"]
    assert table["checks"] == {"r_squared": 0.5}
    assert "# tolerance = 1.8" in text  # a tenth of the deviation of 0, 1.5, ... 58.5
    uncommented = tomllib.loads(text.replace("# tolerance", "tolerance"))
    assert plan_from({"name": "p", **uncommented}).model.tolerance == 1.8


def test_numbers_are_the_outcome_where_no_column_could_be_a_class(probe, place):
    (place / "t.csv").write_text("\n".join(["size,price", *(f"{i / 7:.2f},{i * 1.5}" for i in range(40))]))
    table, text = planned(probe, "t.csv")
    assert (table["data"]["label"], table["model"]["task"]) == ("price", "regression")
    assert "since none could be a class" in text


@pytest.mark.parametrize(("label", "said"), [
    ("prise", "has no column 'prise' (did you mean 'price'?)"),
    ("gap", "column 'gap' has no value in 1 of 30 rows"),
    ("name", "column 'name' has 30 different texts, but a label has 2 to 20"),
    ("one", "column 'one' has one value"),
])  # fmt: skip
def test_a_column_that_cannot_be_a_label_is_refused_with_what_it_holds(probe, place, label, said):
    rows = [f"{i / 7},{i if i else ''},n{i},1" for i in range(30)]
    (place / "t.csv").write_text("\n".join(["price,gap,name,one", *rows]))
    assert said in " ".join(probe("plan", "t.csv", "--label", label).stderr.split())


def test_options_on_how_to_read_a_table_are_written_to_the_plan(probe, place):
    (place / "t.csv").write_text("pay;hired\n" + "1,234;yes\n2,345;no\n" * 5)
    assert 'decimal = ","' in probe("plan", "t.csv", code=2).stderr
    table, _ = planned(probe, "t.csv", "--decimal", ",", "--separator", ";")
    assert (table["data"]["decimal"], table["data"]["separator"]) == (",", ";")
    (place / "u.csv").write_text("sex;prediction;pay\n" + "m;1;1,234\nf;0;2,345\n" * 5)
    said = ("bias", "u.csv", "--group", "sex")
    assert 'decimal = ","' in probe(*said, code=2).stderr
    assert "demographic parity" in probe(*said, "--decimal", ",").stdout


@pytest.mark.parametrize("cells", [("TRUE", "FALSE"), ("01", "02"), ("1.50", "2.50")])
def test_the_classes_of_a_plan_are_spelled_as_in_the_table(probe, place, cells):
    (place / "t.csv").write_text("x,label\n" + "".join(f"{i / 3:.2f},{cells[i % 2]}\n" for i in range(40)))
    table, _ = planned(probe, "t.csv")
    assert table["data"]["classes"] == sorted(cells)
    assert from_csv(place / "t.csv", label="label", classes=table["data"]["classes"]).classes == tuple(sorted(cells))


def test_bias_takes_a_table_with_tabs(probe, place):
    (place / "t.tsv").write_text("sex\tprediction\n" + "m\t1\nf\t0\n" * 5)
    assert "t.tsv has tabs between its cells" in probe("bias", "t.tsv", "--group", "sex").stdout


def test_identifiers_and_constants_are_left_out_with_a_reason(probe, place):
    lines = ["id,one,x,y", *(f"{1000 + i},7,{i / 3:.2f},{i % 2}" for i in range(40))]
    (place / "t.csv").write_text("\n".join(lines))
    table, text = planned(probe, "t.csv")
    assert table["data"]["features"] == ["x"]
    assert "left out: id, which differs in every row" in text
    assert "left out: one, which has one value" in text


def test_semicolons_and_cells_that_look_unknown_are_said(probe, place):
    lines = ["job;hired", *(f"{random.Random(i).choice(['cook', '?'])};{'yes' if i % 3 else 'no'}" for i in range(30))]
    (place / "t.csv").write_text("\n".join(lines))
    table, text = planned(probe, "t.csv")
    assert "semicolons" in text
    assert '# missing = ["?"]' in text
    assert "missing" not in table["data"]


def test_hostile_names_stay_text_in_a_plan(probe, place):
    name = 'a"]\\x = 1\x1b[31m\x7f'
    cells = [f"{i % 5},{i % 2}" for i in range(30)]
    quoted = '"' + name.replace('"', '""') + '"'
    (place / "t.csv").write_text("\n".join([f"{quoted},label", *cells]))
    table, text = planned(probe, "t.csv")
    assert table["data"]["features"] == [name]
    assert "\x1b" not in text


def test_an_existing_plan_is_not_overwritten(probe, place):
    assert probe("plan", "people.csv", "--out", "new.toml").exit_code == 0
    before = (place / "new.toml").read_bytes()
    assert probe("plan", "people.csv", "--out", "new.toml").exit_code == 2
    assert (place / "new.toml").read_bytes() == before


@pytest.mark.parametrize("text", ["", "a\n", "a,b\n1.5,x\n1.5,\n"])
def test_a_table_without_an_outcome_is_refused_in_a_sentence(probe, place, text):
    (place / "t.csv").write_text(text)
    result = probe("plan", "t.csv")
    assert result.exit_code == 2
    assert "t.csv" in result.stderr
