"""Plans over somebody's own tables: the model is given what the file holds, and what was found out is said."""

import numpy as np
import pandas as pd
import pytest
import torch

from probe.audit import plan_from, read
from probe.cli.sources import open_both
from probe.errors import DataError

N = 200
RANDOM = np.random.default_rng(0)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Model and data of a plan whose factory's code is given, over a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def call(code, table, model=(), **data):
        name = f"made_{abs(hash((code, str(tmp_path))))}"
        (tmp_path / f"{name}.py").write_text("import numpy as np, pandas as pd\n" + code)
        (tmp_path / "t.csv").write_bytes(table if isinstance(table, bytes) else table.to_csv(index=False).encode())
        plan = {"model": {"factory": f"{name}:build", **dict(model)}, "data": {"csv": "t.csv", "label": "y", **data}}
        return open_both(plan_from({"name": "p", **plan}), allow_code=True)

    return call


TREE = """
from sklearn.tree import DecisionTreeClassifier
def build():
    t = pd.read_csv("t.csv")
    return DecisionTreeClassifier().fit(t.drop(columns="y"), t["y"])
"""
DATES = 20240101 + np.arange(N) % 30


@pytest.mark.parametrize("table", [
    pd.DataFrame({"a": np.arange(N) % 12 * 1.0, "y": np.arange(N) % 12}),
    pd.DataFrame({"date": DATES, "y": (DATES > 20240115).astype(int)}),
    pd.DataFrame({"a": np.arange(N) % 3 == 1, "y": np.where(np.arange(N) % 3 == 1, "yes", "no")}),
    pd.DataFrame({"a": RANDOM.normal(size=N), "y": np.arange(N) % 2 * 2 - 1}),
])  # fmt: skip
def test_an_estimator_of_a_plan_answers_as_itself(opened, table):
    # A tree of scikit-learn rounds to single precision itself.
    code = TREE.replace("DecisionTreeClassifier()", "HistGradientBoostingClassifier(min_samples_leaf=1)").replace(
        "sklearn.tree import DecisionTree", "sklearn.ensemble import HistGradientBoosting"
    )
    model, data = opened(code if "date" in table else TREE, table)
    assert (model.predict(data.inputs) == data.labels).all()
    assert model.notices[-1] == f"compared: {N} rows as they are in the table get the same probabilities and decisions"


def test_a_file_with_semicolons_and_latin_1_is_read_and_said(opened):
    table = pd.DataFrame({"a": np.arange(N) / 4, "town": np.resize(["Köln", "Bonn"], N), "y": np.arange(N) % 2})
    code = TREE.replace('read_csv("t.csv")', 'read_csv("t.csv", sep=";", decimal=",", encoding="latin-1")')
    code = code.replace('drop(columns="y")', '[["a"]]').replace("t.[", "t[")
    written = table.to_csv(index=False, sep=";", decimal=",").encode("latin-1")
    _, data = opened(code, written, features=["a"], groups=["town"])
    assert data.inputs[:, 0].tolist() == table["a"].tolist()
    assert set(data.groups["town"]) == {"Köln", "Bonn"}
    assert sum(word in " ".join(data.notices) for word in ("semicolons", "decimal commas", "Windows-1252")) == 3
    _, named = opened(code, written, features=["a"], separator=";", decimal=",", encoding="latin-1")
    assert not any(word in " ".join(named.notices) for word in ("semicolons", "decimal commas", "Windows-1252"))


SCORES = pd.DataFrame({"a": RANDOM.normal(size=N)})
SCORES["y"] = (SCORES["a"] + RANDOM.normal(size=N) > 0).astype(int)
CUT = """
from sklearn.linear_model import LogisticRegression
class Cut(LogisticRegression):
    def predict(self, rows):
        return (self.predict_proba(rows)[:, 1] >= 0.8).astype(int)
def build():
    t = pd.read_csv("t.csv")
    return Cut().fit(t[["a"]], t["y"])
"""


def test_the_threshold_of_a_plan_is_the_owners(opened):
    with pytest.raises(DataError, match=r"a threshold other than 0\.5"):
        opened(CUT, SCORES)
    model, data = opened(CUT, SCORES, {"threshold": 0.8})
    probabilities = model.logits(data.inputs).softmax(-1)[:, 1]
    assert (model.predict(data.inputs) == (probabilities >= 0.8)).all()


IMPUTING = """
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
def build():
    t = pd.read_csv("t.csv")
    return make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression()).fit(t[["a", "b"]], t["y"])
"""
MODULE = "from torch import nn\ndef build():\n    return nn.Linear(2, 2)\n"
FUNCTION = """
class Mine:
    def predict_proba(self, rows):
        yes = 1 / (1 + np.exp(-np.FILL(rows[:, 0])))
        return np.stack([1 - yes, yes], 1)
def build():
    return Mine()
"""
HOLES = SCORES.assign(b=RANDOM.random(N))[["a", "b", "y"]]
HOLES["a"] = HOLES["a"].mask(RANDOM.random(N) < 0.2)


def test_missing_cells_go_to_a_model_that_takes_them(opened):
    count = int(HOLES["a"].isna().sum())
    for code in (IMPUTING, FUNCTION.replace("FILL", "nan_to_num")):
        _model, data = opened(code, HOLES)
        assert data.inputs[:, 0].isnan().sum() == count
        assert any(f"column 'a' of t.csv has {count} empty cells" in notice for notice in data.notices)


@pytest.mark.parametrize("code", [
    MODULE, FUNCTION.replace("FILL", "abs"), IMPUTING.replace("SimpleImputer(add_indicator=True), ", "").replace(
        'fit(t[["a", "b"]], t["y"])', 'fit(t[["a", "b"]].fillna(0), t["y"])'),
])  # fmt: skip
def test_missing_cells_are_refused_where_the_model_does_not_take_them(opened, code):
    with pytest.raises(DataError, match=r"empty cells; drop those rows|does not take missing cells: drop those rows"):
        opened(code, HOLES)


def test_a_module_has_notices_of_its_assumptions_and_of_no_comparison(opened):
    table = SCORES.assign(b=0.5)[["a", "b", "y"]]
    model, data = opened(MODULE, table)
    assert model.notices[0] == "the model's outputs are assumed to be, in this order: 0, 1; [data] classes names it"
    assert model.notices[1].startswith("not compared: a module")
    assert data.inputs.dtype == torch.float32
    model, _ = opened(MODULE, table, classes=["0", "1"])
    assert not any("assumed" in notice for notice in model.notices)


def test_a_function_has_a_notice_that_the_order_of_its_classes_is_assumed(opened):
    model, _ = opened(FUNCTION.replace("FILL", "abs"), SCORES)
    assert "the model's outputs are assumed to be, in this order: 0, 1" in " ".join(model.notices)
    model, _ = opened(FUNCTION.replace("FILL", "abs"), SCORES, classes=["0", "1"])
    assert "assumed" not in " ".join(model.notices)
    model, _ = opened(TREE, SCORES)
    assert "assumed" not in " ".join(model.notices)


def test_a_module_in_single_precision_is_given_rounded_numbers_with_a_word(opened):
    table = pd.DataFrame({"date": DATES, "b": 0.5, "y": np.arange(N) % 2})
    model, data = opened(MODULE, table)
    assert data.inputs.dtype == model.space.reference.dtype == torch.float32
    (notice,) = [notice for notice in data.notices if "date" in notice]
    assert "30 values would become 16; the weights are torch.float32" in notice
    _, data = opened(MODULE.replace("nn.Linear(2, 2)", "nn.Linear(2, 2).double()"), table)
    assert data.inputs[:, 0].tolist() == DATES.tolist()


def test_other_spellings_of_a_missing_cell_are_listed_in_the_plan(opened):
    table = SCORES.assign(sex=np.resize(["F", "M", "?", "None"], N))
    _, data = opened(TREE.replace('drop(columns="y")', '[["a"]]').replace("t.[", "t["), table, features=["a"], groups=["sex"], missing=["?"])  # fmt: skip  # noqa: E501
    assert data.groups["sex"].isna().sum() == N // 4
    assert f"{N // 4} of {N} rows of t.csv name no group" in " ".join(data.notices)
    assert f"'None' in {N // 4} rows" in " ".join(data.notices)


WORDS = """
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
def build():
    t = pd.read_csv("t.csv", HOW)
    imputed = SimpleImputer(strategy="constant", fill_value="cook")
    return make_pipeline(imputed, OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(t[["job"]], t["y"])
"""


def test_a_model_fitted_to_another_reading_of_the_table_is_reported(opened):
    jobs = np.resize(["cook", "clerk", "None", "clerk", "clerk"], N)
    table = pd.DataFrame({"job": jobs, "y": np.isin(jobs, ["cook", "None"]).astype(int)})
    model, _ = opened(WORDS.replace("HOW", ""), table)
    assert (
        f'pandas reads "None" as missing by default, and then the model gives different answers for {N // 5} rows'
        in " ".join(model.notices)
    )
    model, data = opened(WORDS.replace("HOW", ""), table, missing=["None"])
    assert not any("pandas reads" in notice for notice in model.notices)
    assert (model.predict(data.inputs) == data.labels).all()


def test_a_group_that_is_a_feature_too_stays_a_number(opened):
    table = SCORES.assign(age=RANDOM.integers(18, 80, N))[["a", "age", "y"]]
    _, data = opened(TREE, table, groups=["age"], features=["a", "age"])
    assert data.inputs[:, 1].tolist() == table["age"].tolist()
    assert data.groups["age"].tolist() == table["age"].astype(str).tolist()


@pytest.mark.slow
def test_notices_are_printed_and_are_on_the_first_page(probe, place, drawn):
    lines = (place / "people.csv").read_text().replace(",F,", ",None,").splitlines()
    lines[1:21] = [line.replace(",None,", ",,").replace(",M,", ",,") for line in lines[1:21]]
    (place / "people.csv").write_text("\n".join(lines))
    result = probe("audit", "--plan", "mine.toml", "--allow-code")
    assert result.exit_code in (0, 1)
    assert "mine: column 'sex' has 'None' in" in result.stderr
    assert "20 of 120 rows name no group by sex" in result.stdout
    manifest = read("runs/mine").manifest
    assert any("'None'" in notice for notice in manifest.data.notices)
    assert any("not compared" in notice for notice in manifest.model.notices)
    page = (place / "runs/mine/report.html").read_text()
    assert page.index("column &#39;sex&#39; has &#39;None&#39;") < page.index('class="tally"')
    assert page.index("20 of 120 rows name no group by sex") < page.index('class="tally"')
    assert {row["group"] for row in read("runs/mine").table("bias_groups").to_dict("records")} == {"None", "M"}
    probe("verify", "runs/mine", code=0)
