"""Where a plan says that its model comes from: one source, whose files are found from the plan's folder."""

import pytest

from probe.audit.plan import plan_from, read_plan
from probe.cli.sources import plan_in, plan_of
from probe.errors import PlanError

DATA = {"csv": "d.csv", "label": "y"}


@pytest.mark.parametrize("source", [{"zoo": "adult-mlp"}, {"factory": "a:b"}, {"factory": "a:b", "weights": "w.pt"},
                                    {"onnx": "m.onnx"}, {"transformers": "bert"}, {"timm": "resnet18", "weights": "w"},
                                    {"timm": "local-dir:net"}])  # fmt: skip
def test_each_model_source_alone_makes_a_valid_plan(source):
    plan = plan_from({"name": "p", "model": source, "data": DATA})
    assert plan_from(plan.to_json()) == plan


@pytest.mark.parametrize(("source", "message"), [
    ({}, "it names none"),
    ({"onnx": "m.onnx", "transformers": "bert"}, "it names onnx and transformers"),
    ({"zoo": "adult-mlp", "timm": "resnet18"}, "it names zoo and timm"),
    ({"weights": "w.pt"}, "it names none"),
    ({"onnx": "m.onnx", "weights": "w.pt"}, "weights, which only a factory and timm take; onnx has its own"),
    ({"onxx": "m.onnx"}, "did you mean 'onnx'"),
])  # fmt: skip
def test_invalid_model_sources_are_refused(source, message):
    with pytest.raises(PlanError, match=message):
        plan_from({"name": "p", "model": source, "data": DATA})


@pytest.mark.parametrize("source", ["factory", "onnx", "transformers", "timm"])
def test_a_plan_with_a_users_model_needs_data(source):
    with pytest.raises(PlanError, match=r"\[data\] needs csv"):
        plan_from({"name": "p", "model": {source: "x"}})


@pytest.mark.parametrize(("key", "value", "found"), [
    ("onnx", "m.onnx", "{}/m.onnx"),
    ("transformers", "../bert", "{}/../bert"),
    ("timm", "local-dir:net", "local-dir:{}/net"),
    ("timm", "resnet18", "resnet18"),
    ("zoo", "./net", "{}/net"),
    ("zoo", "adult-mlp", "adult-mlp"),
    ("onnx", "/models/m.onnx", "/models/m.onnx"),
])  # fmt: skip
def test_files_are_found_from_the_folder_of_the_plan(tmp_path, key, value, found):
    path = tmp_path / "p.toml"
    path.write_text(f'[model]\n{key} = "{value}"\n[data]\ncsv = "d.csv"\nlabel = "y"\n')
    folder = tmp_path.parent if ".." in value else tmp_path
    expected = found.format(folder).replace("/..", "") if ".." in value else found.format(folder)
    assert getattr(read_plan(path).model, key) == expected


@pytest.mark.parametrize(("data", "message"), [
    ({"csv": "a.csv", "label": "y", "folder": "photos"}, "names csv and folder; name one"),
    ({"zoo": "adult", "npz": "x.npz"}, "names zoo and npz; name one"),
    ({"folder": "photos", "size": [224]}, r"size = \[224, 224\]"),
    ({"folder": "photos", "size": [0, 224]}, r"size = \[224, 224\]"),
    ({"folder": "photos", "size": ["a", "b"]}, "expected whole numbers"),
    ({"folder": "photos", "channels": 4}, "3 for colour or 1 for grey"),
    ({"zoo": "adult", "squares": 4}, "squares, which is for images"),
    ({"csv": "a.csv", "label": "y", "categories": {"job": [["clerk"]]}}, "data.categories holds .+, expected names"),
    ({"csv": "a.csv", "label": "y", "groups": [True]}, "data.groups holds True, expected names"),
])  # fmt: skip
def test_invalid_data_sources_are_refused(data, message):
    with pytest.raises(PlanError, match=message):
        plan_from({"name": "p", "model": {"factory": "a:b"}, "data": data})


@pytest.mark.parametrize("key", ["csv", "folder", "npz"])
def test_files_of_examples_are_found_from_the_plan(tmp_path, key):
    path = tmp_path / "p.toml"
    label = "" if key == "folder" else 'label = "y"\n'
    path.write_text(f'[model]\nfactory = "a:b"\n[data]\n{label}{key} = "../there"\n')
    assert getattr(read_plan(path).data, key) == str((tmp_path / "../there").resolve())


@pytest.mark.parametrize(("name", "favourable"), [("compas-mlp", "no"), ("adult-mlp", ">50K"), ("fashion-mlp", "")])
def test_a_network_of_the_zoo_has_one_favourable_class_by_name_and_by_plan(tmp_path, name, favourable):
    path = tmp_path / f"{name}.toml"
    path.write_text(f'[model]\nzoo = "{name}"\n')
    assert plan_in(path) == plan_of(name)
    assert plan_of(name).bias.positive == favourable
    path.write_text(f'[model]\nzoo = "{name}"\n[bias]\npositive = "yes"\n')
    assert plan_in(path).bias.positive == "yes"
