"""Audits of a user's models from a plan: running code needs --allow-code; models never print to stdout."""

import json
import sys

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file

from probe.audit import plan_from, read
from probe.cli.sources import open_both
from probe.errors import ProbeError
from tests.adapters.conftest import bomb
from tests.adapters.huggingface import image, text
from tests.adapters.test_timm import stand_in
from tests.cli.conftest import PLAN
from tests.test_images import photos


def plan(place, source, extra=""):
    """The plan of the table of people with another model."""
    body = PLAN.replace('factory = "mine:build"\nweights = "weights.safetensors"', source)
    assert body != PLAN or source == 'factory = "mine:build"\nweights = "weights.safetensors"'
    (place / "mine.toml").write_text(body + extra)


def findings(bundle):
    return {(f.aspect, f.check): f.estimate for f in read(bundle).manifest.findings}


ESTIMATOR = """
import pandas
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

def build():
    table = pandas.read_csv("people.csv")
    onehot = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    return make_pipeline(onehot, LogisticRegression(max_iter=5000)).fit(table[["age", "score", "job"]], table["hired"])
"""
ANY = """
import numpy

class Mine:
    def predict_proba(self, rows):
        yes = 1 / (1 + numpy.exp(-8 * (rows[:, 1] - 0.5)))
        return numpy.stack([1 - yes, yes], 1)

def build():
    return Mine()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("code", "name"), [(ESTIMATOR, "fitted"), (ANY, "written")])
def test_a_factory_may_return_what_has_predict_proba(probe, place, code, name):
    (place / f"{name}.py").write_text(code)
    plan(place, f'factory = "{name}:build"')
    probe("audit", "--plan", "mine.toml", "--allow-code", code=1)
    assert findings("runs/mine")["performance", "accuracy"] > 0.9
    steps = {step.name: step.status for step in read("runs/mine").manifest.steps}
    assert steps["explain-kernel_shap"] == "done"
    assert steps["explain-integrated_gradients"] == "not run"
    probe("verify", "runs/mine", code=0)
    plan(place, f'factory = "{name}:build"\nweights = "weights.safetensors"')
    assert "leave weights out" in probe("audit", "--plan", "mine.toml", "--allow-code", "--replace", code=2).stderr


def test_a_factory_is_not_imported_without_allow_code(probe, place):
    (place / "mine.py").write_text("open('ran', 'w').close()\n" + (place / "mine.py").read_text())
    refused = probe("audit", "--plan", "mine.toml", code=2)
    assert "--allow-code" in refused.stderr
    assert "mine:build" in refused.stderr
    assert not (place / "ran").exists()
    assert json.loads(probe("audit", "--plan", "mine.toml", "--json", code=2).stdout)["error"]["kind"] == "PlanError"
    assert not (place / "ran").exists()


def test_a_plan_cannot_allow_its_own_code(probe, place):
    (place / "mine.toml").write_text("allow_code = true\n" + (place / "mine.toml").read_text())
    assert "the plan has no setting 'allow_code'" in probe("audit", "--plan", "mine.toml", code=2).stderr


def test_a_bundle_from_elsewhere_runs_nothing_when_it_is_rerun(probe, audited):
    (audited / "mine.py").write_text("open('ran', 'w').close()\n" + (audited / "mine.py").read_text())
    probe("verify", "runs/mine", code=0)
    assert "--allow-code" in probe("verify", "runs/mine", "--rerun", code=2).stderr
    assert not (audited / "ran").exists()


@pytest.mark.slow
def test_what_a_model_prints_does_not_reach_stdout(probe, place):
    (place / "talker.py").write_text(
        "print('imported')\nfrom torch import nn\nclass Net(nn.Linear):\n    def forward(self, x):\n"
        "        print('asked')\n        return super().forward(x)\n\ndef build():\n    print('built')\n"
        "    return Net(5, 2)\n"
    )
    plan(place, 'factory = "talker:build"\nweights = "weights.safetensors"')
    result = probe("audit", "--plan", "mine.toml", "--allow-code", "--json", code=1)
    (document,) = json.loads(result.stdout)
    assert document["status"] == "complete"
    assert all(word in result.stderr for word in ("imported", "built", "asked"))


def test_a_model_that_draws_at_random_is_not_audited(probe, place):
    (place / "dice.py").write_text(
        "import torch\nfrom torch import nn\nclass Net(nn.Linear):\n    def forward(self, x):\n"
        "        return super().forward(nn.functional.dropout(x, 0.5, training=True))\n\n"
        "def build():\n    return Net(5, 2)\n"
    )
    plan(place, 'factory = "dice:build"\nweights = "weights.safetensors"')
    assert "differently when asked again" in probe("audit", "--plan", "mine.toml", "--allow-code", code=2).stderr
    assert not (place / "runs").exists()


@pytest.mark.parametrize(("code", "message"), [
    ("import sys; sys.exit(0)", "it exits"),
    ("def build(:", "SyntaxError"),
    ("def build():\n    import sys; sys.exit(0)", "it exits"),
    ("from torch import nn\nclass Net(nn.Linear):\n    def forward(self, x): raise SystemExit(0)\n"
     "def build(): return Net(5, 2)", "SystemExit"),
])  # fmt: skip
def test_code_that_exits_or_does_not_parse_is_one_sentence(probe, place, monkeypatch, code, message):
    (place / "broken.py").write_text(code)
    monkeypatch.delitem(__import__("sys").modules, "broken", raising=False)
    plan(place, 'factory = "broken:build"\nweights = "weights.safetensors"')
    result = probe("audit", "--plan", "mine.toml", "--allow-code", code=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_state_dict_is_audited_as_the_same_weights_in_safetensors(probe, audited):
    torch.save({"model": {f"module.{k}": v for k, v in load_file(audited / "weights.safetensors").items()}}, "w.pt")
    before = findings("runs/mine")
    plan(audited, 'factory = "mine:build"\nweights = "w.pt"')
    probe("audit", "--plan", "mine.toml", "--allow-code", "--replace", code=1)
    assert findings("runs/mine") == before


def test_a_pickle_is_refused_as_unsafe(probe, place):
    (place / "w.pkl").write_bytes(bomb())
    plan(place, 'factory = "mine:build"\nweights = "w.pkl"')
    assert "not opened" in probe("audit", "--plan", "mine.toml", "--allow-code", code=3).stderr
    assert not (place / "exploded").exists()


@pytest.mark.slow
def test_an_onnx_file_needs_no_allow_code(probe, place):
    weights = load_file(place / "weights.safetensors")
    nodes = [helper.make_node("Gemm", ["x", "W", "b"], ["z"], transB=1)]
    body = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights[n].numpy(), k) for n, k in (("weight", "W"), ("bias", "b"))],
    )  # fmt: skip
    onnx.save(helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "m.onnx")
    plan(place, 'onnx = "m.onnx"')
    probe("audit", "--plan", "mine.toml", code=1)
    steps = {s.name: s.status for s in read("runs/mine").manifest.steps}
    assert steps["explain-kernel_shap"] == "done"
    assert steps["attack-fgsm"] == "not run"
    probe("verify", "runs/mine", "--rerun", code=0)


@pytest.mark.slow
def test_a_folder_of_our_own_architecture_needs_no_card(probe, place):
    from probe_models.networks import build

    kwargs = {"numbers": 2, "onehots": 3, "bins": 2, "widths": [4]}
    network = build("mlp", kwargs)
    random = torch.Generator().manual_seed(0)
    tensors = {k: torch.rand(v.shape, generator=random) for k, v in network.state_dict().items()}
    (place / "net").mkdir()
    save_file(tensors, place / "net" / "model.safetensors")
    config = {"architecture": "mlp", "kwargs": kwargs}
    (place / "net" / "config.json").write_text(json.dumps(config))
    plan(place, 'zoo = "./net"')
    probe("audit", "--plan", "mine.toml", code=1)
    (place / "net" / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}')
    assert "transformers = " in probe("audit", "--plan", "mine.toml", "--out", "again", code=2).stderr


REVIEWS = """
[model]
transformers = "reviews"

[data]
csv = "reviews.csv"
label = "opinion"
features = ["text"]
groups = ["author"]

[explain]
sample = 1

[attack]
sample = 2
"""


@pytest.mark.slow
def test_a_text_classifier_of_hugging_face_is_audited_end_to_end(probe, place):
    text(place / "reviews")
    rows = [("the film was very good", "positive", "F"), ("a bad film", "negative", "M"), ("not bad", "positive", "F"),
            ("the film was not good", "negative", "M")] * 5  # fmt: skip
    (place / "reviews.csv").write_text("text,opinion,author\n" + "".join(f"{','.join(row)}\n" for row in rows))
    (place / "texts.toml").write_text(REVIEWS)
    probe("audit", "--plan", "texts.toml", code=1)
    bundle = read("runs/texts")
    steps = {s.name: (s.status, s.note) for s in bundle.manifest.steps}
    assert steps["explain-integrated_gradients"] == steps["explain-kernel_shap"] == ("done", "")
    assert bundle.manifest.model.classes == ("negative", "positive")
    explained = findings("runs/texts")
    completeness = {
        check: value for (aspect, check), value in explained.items() if "add" in check or "complete" in check
    }
    assert completeness
    assert "[CLS] " in " ".join(bundle.arrays("instances")["described"][0])
    assert "film" in " ".join(bundle.arrays("instances")["described"][0])
    probe("verify", "runs/texts", "--rerun", code=0)


def test_texts_need_their_column(probe, place):
    text(place / "reviews")
    (place / "texts.toml").write_text(REVIEWS.replace('features = ["text"]\n', ""))
    assert 'features = ["text"]' in probe("audit", "--plan", "texts.toml", code=2).stderr


IMAGES = """
[data]
zoo = "fashion-mnist"
sample = 10

[explain]
sample = 2
methods = [{method = "input_x_gradient"}, {method = "integrated_gradients", steps = 8, pieces = 1}]

[attack]
sample = 4
eps = ["8/255"]
methods = [{method = "fgsm"}]
"""


@pytest.mark.slow
def test_an_image_classifier_of_hugging_face_is_audited_on_images_of_the_zoo(probe, place):
    image(place / "vit", classes=10)
    (place / "vit.toml").write_text('[model]\ntransformers = "vit"\n' + IMAGES)
    probe("audit", "--plan", "vit.toml", code=1)
    manifest = read("runs/vit").manifest
    assert [s.status for s in manifest.steps] == ["done"] * len(manifest.steps)
    assert manifest.model.classes[9] == "Ankle boot"
    image(place / "vit", classes=3)
    refused = probe("audit", "--plan", "vit.toml", "--out", "again", code=2)
    assert "the model's outputs are LABEL_0, LABEL_1, LABEL_2" in refused.stderr


def test_the_classes_of_a_network_of_timm_are_its_own_where_it_names_them_and_else_assumed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", stand_in())
    photos(tmp_path / "photos", size=(10, 10))
    (tmp_path / "net").mkdir()
    save_file({"fc.weight": torch.eye(3), "fc.bias": torch.zeros(3)}, tmp_path / "net" / "model.safetensors")
    config = {"architecture": "pooled", "num_classes": 3}
    (tmp_path / "net" / "config.json").write_text(json.dumps(config))

    def opened(**data):
        data = {"folder": str(tmp_path / "photos"), **data}
        return open_both(plan_from({"name": "p", "model": {"timm": f"local-dir:{tmp_path / 'net'}"}, "data": data}))

    assert "assumed to be, in this order: cat, dog, eel" in " ".join(opened()[0].notices)
    (tmp_path / "net" / "config.json").write_text(json.dumps(config | {"label_names": ["eel", "cat", "dog"]}))
    with pytest.raises(
        ProbeError, match=r"the model's outputs are eel, cat, dog, the data's are cat, dog, eel; name data\.classes"
    ):
        opened()
    model, data = opened(classes=["eel", "cat", "dog"])
    assert model.classes == data.classes == ("eel", "cat", "dog")
    assert not model.notices


@pytest.mark.slow
def test_a_network_of_timm_is_audited_on_images_of_the_zoo(probe, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", stand_in())
    random = torch.Generator().manual_seed(0)
    save_file({"fc.weight": torch.randn(10, 3, generator=random), "fc.bias": torch.zeros(10)}, "net.safetensors")
    (place / "pooled.toml").write_text('[model]\ntimm = "pooled"\nweights = "net.safetensors"\n' + IMAGES)
    probe("audit", "--plan", "pooled.toml", code=1)
    manifest = read("runs/pooled").manifest
    assert [s.status for s in manifest.steps] == ["done"] * len(manifest.steps)
