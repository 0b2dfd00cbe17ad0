"""Bundles as an audit leaves them, written without a model: the arrays are made up, the findings follow from them."""

import shutil
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import torch
from scipy.special import softmax
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import local_script_runner

from probe import Dataset, Model, Space, plots
from probe.audit import Bundle, read
from probe.audit.assessment import assess
from probe.audit.neighbours import neighbours
from probe.formatting import SUMS
from probe.plots import canvas
from probe.registry import declared, discover
from probe.report import blocks
from tests.audit.forging import Forged, curves
from tests.dashboards.browsers import address, browser, context, page, tab, viewer

__all__ = ["address", "browser", "context", "page", "tab", "viewer"]

HOSTILE = (
    "</script><script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    r"$\frac{1}{0}$",
    "[click](javascript:alert(1)) https://evil.example www.evil.example a@evil.example",
    ":material/delete: :red[trust me] :smile: # big",
    "=cmd()|'/c calc'!A1",
    "\N{RIGHT-TO-LEFT OVERRIDE}drowssap",
    "x" * 10_000,
)
EXPLAINERS, ATTACKS, EPS = ("saliency", "lime"), ("fgsm", "pgd"), ("0.1", "0.2", "0.4")


def image(folder: Path) -> Bundle:
    """An audit of 40 images of 6 by 6 pixels in three classes, without groups."""
    names = [f"feature {i}" for i in range(36)]
    return _finish(_start(folder, shape=(1, 6, 6), classes=("disc", "ring", "bar"), features=names))


def table(folder: Path) -> Bundle:
    """An audit of 200 people in two classes, with sex and race; one race has five people."""
    return _finish(_start(folder, shape=(4,), classes=("<=50K", ">50K"), features=PEOPLE, groups=_people(200), n=200))


def better(folder: Path) -> Bundle:
    """An audit of the same people by a model that is right more often, with one explainer of the two."""
    settings = {"shape": (4,), "classes": ("<=50K", ">50K"), "features": PEOPLE, "groups": _people(200), "n": 200}
    bundle = _start(folder, **settings, name="demo two", lead=5.0, explainers=EXPLAINERS[:1])
    bundle.manifest["created"] = "2026-11-20T10:00:00+00:00"
    return _finish(bundle)


def hostile(folder: Path) -> Bundle:
    """The same with names that attack whoever shows them."""
    people = _people(200)
    people.columns = list(HOSTILE[:2])
    people.iloc[:, 1] = people.iloc[:, 1].replace({"Other": HOSTILE[6], "White": HOSTILE[2]})
    settings = {"features": HOSTILE[2:6], "classes": HOSTILE[4:6], "groups": people, "n": 200, "name": HOSTILE[1]}
    bundle = _start(folder, shape=(4,), **settings)
    settings = {"method": "none", "norm": HOSTILE[0]}
    bundle.manifest["plan"]["attack"]["methods"].append({"method": "none"})
    bundle.manifest["steps"].append(_step("attack-none", "robustness", settings, "not run", HOSTILE[3]))
    return _finish(bundle)


def prose(folder: Path) -> Bundle:
    """An audit of 40 texts of up to six words."""
    return _finish(_prose(folder, VOCABULARY))


def graph(folder: Path) -> Bundle:
    """An audit of 40 graphs of five nodes."""
    return _finish(_graph(folder))


def hostile_prose(folder: Path) -> Bundle:
    """The same with words that attack whoever shows them."""
    return _finish(_prose(folder, HOSTILE))


def interrupted(folder: Path) -> Bundle:
    """An audit that ended before its attacks."""
    bundle = _start(folder, shape=(1, 6, 6), classes=("disc", "ring", "bar"), features=["f"] * 36, attacks=())
    bundle.manifest["plan"]["attack"]["methods"] = [{"method": "fgsm"}]
    return _finish(bundle, "interrupted")


def tampered(folder: Path) -> Bundle:
    """An audit of which one table was changed by hand."""
    bundle = image(folder)
    path = folder / "tables" / "robustness.csv"
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    return bundle


def bare(folder: Path) -> Bundle:
    """An audit whose plan asks for predictions only."""
    settings = {"shape": (4,), "classes": ("<=50K", ">50K"), "features": PEOPLE}
    return _finish(_start(folder, **settings, explainers=(), attacks=()))


def proofs(folder: Path) -> Bundle:
    """An audit of 40 people with a certificate and four surveys: of features, of names that attack, values, bins."""
    settings = {"shape": (4,), "classes": ("<=50K", ">50K"), "features": PEOPLE, "explainers": (), "attacks": ()}
    bundle, rng, rows = _start(folder, **settings), np.random.default_rng(4), np.arange(40)
    plan, predictions = bundle.manifest["plan"], bundle.arrays("predictions")
    plan["certify"] |= {"methods": [{"method": "randomized_smoothing"}], "metrics": [{"method": "certified_accuracy"}]}
    plan["checks"]["certified_accuracy"] = 0.5
    decided = np.where(rng.random(40) < 0.2, -1, predictions["logits"].argmax(1))
    radius, eps = np.where(decided < 0, 0.0, rng.random(40)), np.array([0.1, 0.25])
    held = (decided == predictions["labels"]) & (radius > eps[:, None])
    proved = {"rows": rows, "predicted": decided, "radius": radius, "eps": eps, "measured-certified_accuracy": held}
    _record(bundle, "certificate-randomized_smoothing", "robustness", {"method": "randomized_smoothing"}, proved)
    vote = "of the vote under noise, not of the model alone; each radius holds with probability 0.999"
    ball = {"unit": "radius", "counted": False, "axis": "l2", "note": ""}
    bundle.manifest["steps"][-1] |= {"kind": "certificate", "threat": ball, "answer": "", "caption": vote}
    bundle.manifest["steps"][-1] |= {"certifies": "the vote under noise", "title": "RandomizedSmoothing"}
    surveyed = ("importance", PEOPLE, "points"), ("odd", HOSTILE, "signed"), ("course", PLACES, "share")
    for name, items, unit in (*surveyed, ("sureness", HOSTILE[:2], "points")):
        binned = {"bins": 4} if name == "sureness" else {}
        plan["survey"]["methods"].append({"method": name, **binned})
        found = rng.normal(size=(40, len(items))) / 10 + np.linspace(0, 0.5, len(items))
        found = np.stack([found.clip(0, 1), found > 0.2], 2) if binned else found
        stored = {"rows": rows, "items": np.array(items), f"measured-{name}": found}
        bundle.write_arrays(f"survey-{name}", stored)
        reading = {
            "metric": name,
            "settings": {"method": name, **binned},
            "reduction": "debiased calibration error" if binned else "mean",
            "unit": unit,
            "notes": {"item": "feature"} if items is not PLACES else {"item": "value", "along": HOSTILE[1]},
        }
        reading |= {"direction": "at most", "threshold": None, "title": "fall of accuracy", "status": "done"}
        reading |= {"why": "", "apart": False}
        step = _step(f"survey-{name}", "explanation", {"method": name, **binned}) | {
            "kind": "survey",
            "readings": [reading],
        }
        bundle.manifest["steps"].append(step | {"caption": "What a feature is worth."})
    return _finish(bundle)


BUNDLES = {
    f.__name__: f
    for f in (image, table, better, prose, graph, hostile, hostile_prose, interrupted, tampered, bare, proofs)
}
VOCABULARY = ("a", "good", "dull", "film", "by", "nobody", "ever")
PEOPLE = ("age", "hours", "education", "sex")
PLACES = ("60", "-2.5", "20", "1e+03")


@pytest.fixture(scope="session", autouse=True)
def _server_started_once():
    """Have AppTest share what a server does once.

    Each run of a page would read the metadata of every installed package and compile the script anew, which takes
    longer than to run it.
    """
    scripts = ScriptCache()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        patch.setattr(local_script_runner, "ScriptCache", lambda: scripts)
        yield


@pytest.fixture(scope="session", autouse=True)
def unfolded():
    """What the pages fold away is open from the start, so that tests see what a reader sees who opens everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "expander", partial(st.expander, expanded=True))
        yield


@pytest.fixture(scope="package", autouse=True)
def _figures_not_written():
    """Have figures of viewer and report made and not laid out and written, which takes most of the time of a page."""
    blank = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9"></svg>'
    with pytest.MonkeyPatch.context() as patch:
        for drawing in (plots, blocks):
            patch.setattr(drawing, "to_svg", lambda ax, **how: blank if ax.get_children() else "")
        yield


@pytest.fixture
def written(monkeypatch):
    """Figures are written in this test."""
    for drawing in (plots, blocks):
        monkeypatch.setattr(drawing, "to_svg", canvas.to_svg)


@pytest.fixture(scope="session")
def bundles(once: Callable[..., Path]) -> SimpleNamespace:
    """Each kind of bundle, in a folder of runs of its own."""
    made = {
        name: once(f"dashboards/{name}", lambda folder, make=make: make(folder / "demo"))
        for name, make in BUNDLES.items()
    }
    return SimpleNamespace(**{name: read(folder / "demo") for name, folder in made.items()})


@pytest.fixture
def copied(bundles: SimpleNamespace, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return Path(shutil.copytree(bundles.image.folder, tmp_path / "demo"))


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch):
    """Set what follows `--` on the command line of the viewer."""
    return lambda *values: monkeypatch.setattr(sys, "argv", ["app.py", *map(str, values)])


def _start(
    folder, *, shape, classes, features, groups=None, n=40, name="demo", explainers=EXPLAINERS, attacks=ATTACKS,
    eps=EPS, lead=2.0,
) -> Forged:  # fmt: skip
    rng = np.random.default_rng(0)
    plan = {
        "name": name,
        "seed": 0,
        "model": {"zoo": "demo", "factory": "", "weights": ""},
        "data": {},
        "predict": {"metrics": [{"method": "accuracy"}, {"method": "calibration_error"}]},
        "explain": {
            "sample": 8, "target": "", "methods": [{"method": m} for m in explainers],
            "metrics": [{"method": "deletion"}, {"method": "insertion"}],
        },
        "attack": {
            "metrics": [{"method": "robust_accuracy"}], "sample": 30, "methods": [{"method": m} for m in attacks],
            "labels": [], "eps": list(eps),
        },
        "certify": {"sample": 100, "methods": [], "metrics": [], "eps": ["0.1", "0.25"]},
        "search": {"sample": 100, "methods": [], "metrics": []},
        "survey": {"sample": 1000, "methods": []},
        "bias": {"groups": None, "positive": "", "min_group_size": 30, "order": 2, "merge_spellings": False},
        "bundle": {"inputs": "shown"},
        "checks": {
            "accuracy": 0.6, "calibration_error": 0.5, "robust_accuracy": 0.5, "robust_eps": eps[0],
            "deletion": 0.0, "insertion": 0.0, "demographic_parity_difference": 0.1,
            "demographic_parity_ratio": 0.8, "equalized_odds_difference": 0.1,
        },
    }  # fmt: skip
    attributes = [] if groups is None else list(groups.columns)
    data = {"name": "made up", "sha256": "d" * 64, "source": "a test", "n": n, "shape": list(shape), "kinds": []}
    data |= {"form": {"name": "image" if len(shape) == 3 else "table"}, "role": "unknown", "notices": []}
    model = {"name": name, "sha256": "e" * 64, "classes": list(classes), "training": None, "notices": []}
    model["task"] = {"kind": "classification", "classes": list(classes), "threshold": None, "outputs": "logits"}
    for part in ("arrays", "tables"):
        (folder / part).mkdir(parents=True)
    manifest = {"schema": 4, "name": name, "status": "running", "created": "", "finished": None, "plan": plan}
    manifest |= {"model": model, "data": data | {"groups": attributes, "features": list(features)}}
    manifest |= {"machine": {"device": "cpu", "probe": "0"}, "steps": [], "findings": [], "files": {}, "contents": {}}
    bundle = Forged(folder, manifest | {"evidence_digest": "", "digest": "", "report_sha256": None})
    if groups is not None:
        bundle.write_table("groups", groups)
    labels = rng.integers(len(classes), size=n)
    logits = rng.normal(size=(n, len(classes))) + lead * np.eye(len(classes))[labels]
    rows, inputs = np.sort(rng.choice(n, 30, replace=False)), rng.random((n, *shape))
    stored = {"rows": np.arange(n), "labels": labels, "logits": logits}
    _record(bundle, "predictions", "performance", {}, stored | _measured(logits, labels))
    if explainers:
        shown = {"rows": rows[::4], "inputs": inputs[rows[::4]]}
        words = {"described": np.vectorize("{:.3g}".format)(shown["inputs"])} if len(shape) == 1 else {}
        data = Dataset(torch.tensor(inputs), torch.tensor(labels), space=Space(bounds=(0.0, 1.0)), classes=classes)
        near = neighbours(data.space, data, torch.tensor(rows[::4]), 8, 0)
        _record(bundle, "instances", "explanation", {}, shown | words | near)
    for better, method in enumerate(explainers):
        _record(
            bundle,
            f"explain-{method}",
            "explanation",
            {"method": method},
            _explained(rng, rows[::4], logits, shape, better),
        )
    for strength, method in enumerate(attacks):
        attacked = _attacked(rng, rows, logits, labels, inputs, 0.2 + 0.1 * strength)
        attacked["eps"] = np.array([float(e) for e in eps])
        _record(bundle, f"attack-{method}", "robustness", {"method": method, "norm": "linf"}, attacked)
    return bundle


def _prose(folder: Path, vocabulary) -> Forged:
    settings = {"shape": (6,), "classes": ("against", "for"), "features": [f"word {i}" for i in range(6)]}
    bundle = _start(folder, **settings, attacks=("hot_flip",), eps=("1", "2", "3"))
    bundle.manifest["data"]["form"] = {"name": "tokens"}
    rng, words = np.random.default_rng(2), np.array(["", *vocabulary])
    shown = bundle.arrays("instances")
    described = words[rng.integers(1, len(words), shown["inputs"].shape)]
    described[:, 4:] = ""
    bundle.write_arrays("instances", shown | {"described": described})
    attacked = bundle.arrays("attack-hot_flip")
    before = words[rng.integers(1, len(words), attacked["inputs"].shape)]
    place = {row: at for at, row in enumerate(shown["rows"].tolist())}
    for at, row in enumerate(attacked["rows"][: len(before)].tolist()):
        before[at] = described[place[row]] if row in place else before[at]
    after = np.stack([before] * 3)
    after[1:, :, 2] = words[1]
    after = np.where(attacked["success"][:, : len(before), None], after, before)
    bundle.write_arrays("attack-hot_flip", attacked | {"before": before, "after": after})
    return bundle


def _graph(folder: Path) -> Forged:
    names = [f"place {i}" for i in range(30)]
    settings = {"shape": (5, 6), "classes": ("tree", "ring"), "features": names}
    bundle = _start(folder, **settings, attacks=("grad_argmax",), eps=("1", "2", "3"))
    bundle.manifest["data"]["form"] = {"name": "graph"}
    ring = np.roll(np.eye(5), 1, 0) + np.roll(np.eye(5), -1, 0)
    drawn = np.concatenate([ring, np.ones((5, 1))], 1)
    cut = drawn.copy()
    cut[0, 1] = cut[1, 0] = 0
    for name in ("instances", "attack-grad_argmax"):
        arrays = bundle.arrays(name)
        arrays["inputs"] = np.broadcast_to(drawn, arrays["inputs"].shape)
        if "shown" in arrays:
            broken = arrays["success"][:, : len(arrays["inputs"]), None, None]
            arrays["shown"] = np.where(broken, cut, drawn)
            arrays["moved"] = (arrays["shown"] - arrays["inputs"]).reshape(arrays["moved"].shape)
        bundle.write_arrays(name, arrays)
    return bundle


def _explained(rng, rows, logits, shape, better):
    values = rng.normal(size=(len(rows), *shape))
    chance = np.random.default_rng(2).random(len(rows))  # the same for all methods
    # The first method orders features as chance does, the second better.
    gap = 0.3 * better + 0.05 * rng.normal(size=len(rows))
    return {
        "rows": rows, "targets": logits[rows].argmax(1), "values": values, "by_feature": values.reshape(len(rows), -1),
        "measured-deletion": np.stack([chance - gap, chance], axis=1),
        "measured-insertion": np.stack([chance + gap, chance], axis=1),
        "curves-deletion": curves(np.stack([chance - gap, chance], axis=1), logits[rows].max(1)),
        "curves-insertion": curves(np.stack([chance + gap, chance], axis=1), logits[rows].max(1), at=-1),
    }  # fmt: skip


def _attacked(rng, rows, logits, labels, inputs, share):
    chances = np.exp(logits[rows]) / np.exp(logits[rows]).sum(1, keepdims=True)
    right = logits[rows].argmax(1) == labels[rows]
    fallen = (np.cumsum(rng.random((len(EPS), len(rows))) < share, axis=0) > 0) & right
    predicted = np.where(fallen, (labels[rows] + 1) % logits.shape[1], logits[rows].argmax(1))
    kept = inputs[rows][:24]
    moved = np.array([float(e) for e in EPS]).reshape(-1, *[1] * kept.ndim) * np.sign(rng.normal(size=kept.shape))
    moved = moved * fallen[:, : len(kept)].reshape(len(EPS), len(kept), *[1] * (kept.ndim - 1))
    return {
        "rows": rows, "inputs": kept, "eps": np.array([float(e) for e in EPS]), "clean": right,
        "measured-robust_accuracy": (predicted == labels[rows]).astype(float),
        "success": fallen, "probability": np.where(fallen, 0.625, chances.max(1)), "predicted": predicted,
        "shown": kept + moved,
        "moved": moved.reshape(len(EPS), len(kept), -1), "movable": np.ones((len(EPS), len(rows)), bool),
    }  # fmt: skip


def _measured(logits, labels):
    sure, answers = softmax(logits, axis=1).max(1), logits.argmax(1)
    right = (answers == labels).astype(float)
    return {"measured-accuracy": right, "measured-calibration_error": np.stack([sure, right], axis=1)}


def _record(bundle: Forged, name, aspect, method, arrays) -> None:
    bundle.write_arrays(name, arrays)
    readings = [_reading(bundle, part.removeprefix("measured-")) for part in arrays if part.startswith("measured-")]
    bundle.manifest["steps"].append(_step(name, aspect, method) | {"readings": readings})


def _reading(bundle: Forged, name: str) -> dict[str, object]:
    metric, model = discover("metric")[name](), Model(forward=lambda x: x, space=Space())
    return {
        "metric": name, "settings": metric.config(), "reduction": metric.reduction, "unit": metric.unit,
        "direction": metric.direction, "threshold": bundle.manifest["plan"]["checks"][name],
        "title": metric.title or name.replace("_", " "), "notes": dict(metric.notes(model)),
        "status": "done", "why": "", "apart": False,
    }  # fmt: skip


def _step(name, aspect, method, status="done", note=""):
    cost = {"seconds": 0.1, "forward": 10, "backward": 0}
    ball = {"unit": "radius", "counted": False, "axis": method.get("norm", ""), "note": ""}
    counted = {"hot_flip": ("word", "words replaced"), "grad_argmax": ("edge", "edges flipped")}
    unit, axis = counted.get(method.get("method"), ("", ""))
    threat = ball | ({"unit": unit, "counted": True, "axis": axis} if unit else {})
    kind = {"explanation": "explainer", "robustness": "attack"}.get(aspect, "predictions") if method else name
    step = {
        "name": name,
        "kind": kind,
        "id": method.get("method", ""),
        "aspect": aspect,
        "method": method,
        "readings": [],
    }
    step |= {"status": status, "note": note, "certifies": "", "label": ""} | cost
    title = {"fgsm": "FGSM", "pgd": "PGD", "hot_flip": "HotFlip", "grad_argmax": "GradArgmax"}.get(method.get("method"))
    if aspect == "robustness":
        weaker = {"pgd": "fgsm"}.get(method["method"], "")
        return step | {"threat": threat, "title": title or "", "caption": "", "answer": "wrong", "finds": weaker}
    said = {name: declared("explainer")[name].said["reads_as"].format(output="logit") for name in EXPLAINERS}
    step |= {"threat": None, "title": "", "answer": "", "finds": ""}
    return step | {"caption": f"{said[method['method']]} {SUMS[None]}" if method.get("method") in said else ""}


def _finish(bundle: Forged, status: str = "complete") -> Bundle:
    bundle.save()
    assessment = assess(read(bundle.folder))
    for name, frame in assessment.tables.items():
        bundle.write_table(name, frame)
    bundle.manifest.update(findings=[f.to_json() for f in assessment.findings], status=status)
    bundle.save()
    return read(bundle.folder)


def _people(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    race = np.where(np.arange(n) < 5, "Other", np.where(rng.random(n) < 0.3, "Black", "White"))
    return pd.DataFrame({"sex": np.where(rng.random(n) < 0.5, "Female", "Male"), "race": race})
