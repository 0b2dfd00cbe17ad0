"""`probe train` and `probe models`: networks of the zoo, from the shell."""

import json
import re
import subprocess
import sys

import pytest
from probe_models.training.settings import Adversary, Settings
from probe_models.zoo import recipes

from probe import zoo
from probe.formatting import estimate


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A recipe that trains in a moment."""
    recipe = recipes.Recipe(
        architecture="mlp",
        kwargs={"numbers": 5, "onehots": 4, "bins": 4, "widths": [4], "classes": 2},
        data="compas",
        settings=Settings(epochs=1, batch_size=2048, learning_rate=1e-2),
        preprocessing="none",
    )
    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    monkeypatch.chdir(tmp_path)
    return recipe


def trained(folder="trained/tiny"):
    return zoo.card(folder)["training"]


def test_training_prints_the_fit_and_the_path_of_the_curve(probe, tiny, tmp_path):
    said = probe("train", "tiny", "--device", "cpu", code=0).stdout
    fitting = trained()["fitting"]
    assert f"{fitting['verdict']}: {fitting['reason']}; see trained/tiny/learning_curve.png" in said
    assert (tmp_path / "trained/tiny/learning_curve.png").exists()
    assert re.search(r"accuracy: \d\d\.\d\u202f% \[\d\d", said)


def test_settings_come_from_the_recipe_a_file_and_the_line_in_this_order(probe, tiny, tmp_path):
    (tmp_path / "run.toml").write_text('learning_rate = 0.02\nepochs = 3\noptimiser = "sgd"\n')
    options = ("--settings", "run.toml", "--set", "epochs=2", "--set", "schedule=one-cycle", "--arch", "widths=[8, 4]")
    probe("train", "tiny", "--device", "cpu", *options, code=0)
    settings = trained()["settings"]
    assert (settings["learning_rate"], settings["epochs"], settings["optimiser"]) == (0.02, 2, "sgd")
    assert (settings["schedule"], settings["batch_size"]) == ("one-cycle", 2048)
    assert trained()["epochs"] == 2
    assert zoo.card("trained/tiny")["architecture"]["kwargs"]["widths"] == [8, 4]
    assert tiny.settings.epochs == 1


@pytest.mark.slow
def test_nested_settings_are_changed_key_by_key(probe, tiny):
    options = ("--set", 'balance.method="reweight"', "--set", 'balance.groups=["sex"]', "--set", 'freeze={"edges"=1}')
    assert "Settings.freeze: 'edges' matches no weight" in probe("train", "tiny", *options, code=2).stderr
    probe("train", "tiny", "--device", "cpu", *options[:4], code=0)
    assert trained()["settings"]["balance"] == {"method": "reweight", "groups": ["sex"], "step": 0.01}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "epoch=3"], "Settings has no setting 'epoch' (did you mean 'epochs'?)"),
        (["--set", "epochs"], "--set 'epochs', expected a setting and its value"),
        (["--set", "epochs=1.5"], "Settings.epochs = 1.5, expected a whole number"),
        (["--set", "optimiser=adm"], "did you mean 'adam'"),
        (["--set", "learning_rate=-1"], "Settings.learning_rate = -1, expected a number above 0"),
        (["--set", "a b=1"], "--set a b=1: not valid TOML"),
        (["--settings", "no.toml"], "cannot read the settings no.toml"),
        (["--arch", "widhts=[4]"], "mlp has no argument 'widhts', did you mean 'widths'"),
        (["--arch", "widths=16"], "mlp has widths=16, expected whole numbers"),
        (["--arch", "bins=0"], "mlp has bins=0, expected whole numbers"),
    ],
    ids=str,
)
def test_invalid_settings_are_refused_before_training(options, message, probe, tiny, tmp_path):
    result = probe("train", "tiny", *options, code=2)
    assert message in result.stderr
    assert "epoch 1" not in result.stderr
    assert not (tmp_path / "trained/tiny/card.json").exists()


@pytest.mark.slow
def test_seeds_trained_with_other_settings_are_not_counted_as_done(probe, tiny):
    probe("train", "tiny", "--device", "cpu", "--seeds", "2", code=0)
    assert "epoch 1/" not in probe("train", "tiny", "--device", "cpu", "--seeds", "2", code=0).stderr
    again = probe("train", "tiny", "--device", "cpu", "--seeds", "2", "--set", "learning_rate=0.02", code=2)
    assert "exists and is left as it is" in again.stderr


def test_changing_settings_keeps_the_others():
    robust = Settings(epochs=3, augment={"flip": 0.5}, adversary=Adversary(method="pgd", eps=0.1), freeze={"a.*": 0.5})
    assert robust.changed({}) == robust
    changed = robust.changed({"adversary": {"eps": 0.2}, "augment": {"shift": 2}})
    assert changed.adversary == Adversary(method="pgd", eps=0.2)
    # A mix of augmentations is one setting.
    assert (changed.augment, changed.freeze) == ({"shift": 2}, {"a.*": 0.5})
    assert Settings(epochs=3, class_weights=(1.0, 2.0)).changed({"epochs": 4}).class_weights == (1.0, 2.0)


def test_models_are_listed_with_what_their_cards_say(probe, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "later", recipes.RECIPES["adult-mlp"])
    lines = {line.split()[0]: line for line in probe("models", code=0).stdout.splitlines()}
    assert list(lines)[1:] == list(zoo.names())
    metrics = zoo.card("fashion-cnn")["metrics"]
    low, high = metrics["accuracy_interval_95"]
    assert lines["fashion-cnn"].endswith(f"accuracy {estimate(metrics['accuracy'], low, high, 'share')}")
    assert "area under roc 0.9" in lines["adult-mlp"]
    assert lines["later"].endswith("not trained yet: probe train later")
    listed = {entry["name"]: entry for entry in json.loads(probe("models", "--json", code=0).stdout)}
    assert listed["fashion-cnn"]["metrics"] == metrics
    assert listed["later"]["trained"] is False


def test_listing_models_needs_no_torch():
    code = "import sys; from probe.cli.zoo import list_models\ntry: list_models()\nexcept BaseException: pass\n"
    code += "print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "False"
    assert "fashion-cnn" in answer.stdout
