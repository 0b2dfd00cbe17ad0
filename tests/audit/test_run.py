import errno
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from probe import npz
from probe.audit import Bundle, find, read, run, verify
from probe.audit.estimate import estimate
from probe.errors import ExistsError, IntegrityError, PlanError
from probe.report import render
from tests.audit.conftest import images, small_plan, table
from tests.audit.forging import Forged


def statuses(bundle: Bundle) -> Counter:
    return Counter(f.status for f in bundle.manifest.findings)


def test_every_aspect_has_findings(table_bundle):
    assert {f.aspect for f in table_bundle.manifest.findings} == {
        "performance",
        "explanation",
        "robustness",
        "bias",
    }
    assert table_bundle.complete
    for finding in table_bundle.manifest.findings:
        if finding.status in ("pass", "fail") and finding.check != "PGD finds what FGSM finds":
            assert finding.low <= finding.estimate <= finding.high
            assert finding.n > 0
            assert finding.threshold is not None


def test_a_metric_that_does_not_apply_is_not_run_with_its_reason(image_bundle):
    absent = {f.check: f.note for f in image_bundle.manifest.findings if f.status == "not run"}
    assert absent == {"differences between groups": "the data declares no groups"}


def test_a_method_that_refuses_becomes_a_finding(tmp_path):
    methods = {"explain": {"sample": 3, "methods": [{"method": "saliency"}]}}
    bundle = run(small_plan("t", **methods), *table(), tmp_path / "t")
    (finding,) = [f for f in bundle.manifest.findings if f.check == "explain-saliency"]
    assert finding.status == "not run"
    assert "integrated" in finding.note.lower()


def test_attacks_at_a_larger_radius_succeed_at_least_as_often(table_bundle):
    for name in ("attack-fgsm", "attack-pgd"):
        success = table_bundle.arrays(name)["success"]
        assert (success[0] <= success[1]).all()
    curve = table_bundle.table("robustness").set_index(["attack", "eps"]).robust_accuracy
    assert curve["all attacks", 0.1] == min(curve["fgsm", 0.1], curve["pgd", 0.1], curve["all attacks", 0.1])


def test_robust_accuracy_equals_that_of_the_arrays(table_bundle):
    arrays = table_bundle.arrays("attack-pgd")
    labels = table_bundle.arrays("predictions")["labels"][arrays["rows"]]
    curve = table_bundle.table("robustness").set_index(["attack", "eps"]).robust_accuracy
    assert curve["pgd", 0.1] == pytest.approx((arrays["predicted"][1] == labels).mean())


@pytest.mark.slow
def test_texts_are_audited_by_default_from_end_to_end(text_bundle):
    steps = {step.name: step.status for step in text_bundle.manifest.steps}
    explained = [f"explain-{m}" for m in ("input_x_gradient", "integrated_gradients", "kernel_shap", "lime")]
    assert list(steps) == ["predictions", "instances", *explained, "attack-hot_flip"]
    assert set(steps.values()) == {"done"}
    assert text_bundle.manifest.data.form == {"name": "tokens"}
    checks = {finding.check: finding.status for finding in text_bundle.manifest.findings}
    assert "withstands HotFlip at 3 words" in checks
    assert checks["integrated_gradients: adds up"] == "pass"
    assert verify(text_bundle.folder).status == "complete"


def test_attacked_texts_are_kept_in_words_and_differ_by_no_more_than_the_radius(text_bundle):
    arrays, shown = text_bundle.arrays("attack-hot_flip"), text_bundle.arrays("instances")
    changed = arrays["before"][None] != arrays["after"]
    assert arrays["eps"].tolist() == [1, 2, 3, 5]
    assert (changed.sum(2) <= arrays["eps"][:, None]).all()
    assert (changed == arrays["moved"]).all()
    assert changed[0].any()
    assert not changed[:, arrays["before"] == ""].any()
    assert ((shown["inputs"] == 0) == (shown["described"] == "")).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bundle(table_bundle, tmp_path):
    again = run(small_plan("people"), *table(), tmp_path / "people")
    assert again.manifest.findings == table_bundle.manifest.findings
    assert again.manifest.files == table_bundle.manifest.files


def test_a_finished_audit_is_not_run_again(table_bundle):
    model, data = table()
    before = model.usage.forward
    assert run(small_plan("people"), model, data, table_bundle.folder).manifest == table_bundle.manifest
    assert model.usage.forward == before


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_a_function_that_answers_otherwise_is_not_shown_the_audit_of_an_earlier_one(tmp_path, whole):
    model, data = table()
    plan = small_plan("t", explain={"sample": 0}, attack={"sample": 0})
    earlier = replace(model, forward=lambda x: model.forward(x))
    bundle = run(plan, earlier, data, tmp_path / "t")
    bundle.change(status="complete" if whole else "interrupted")
    bundle.save()
    later = replace(model, forward=lambda x: model.forward(x).flip(1))
    with pytest.raises(ExistsError, match="with other answers"):
        run(plan, later, data, tmp_path / "t")
    again = run(plan, earlier, data, tmp_path / "t")
    assert again.manifest.findings[0].estimate == bundle.manifest.findings[0].estimate


def test_another_audit_is_not_overwritten(table_bundle):
    with pytest.raises(ExistsError, match=r"holds another audit \(plan\.seed was 0, now 1\)"):
        run(small_plan("people", seed=1), *table(), table_bundle.folder)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(ExistsError, match="left as it is"):
        run(small_plan("x"), *table(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["diary.txt"]


def interrupt_at(step: str, error: BaseException):
    def progress(name: str, done: int, total: int) -> None:
        if name == step:
            raise error

    return progress


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_an_interrupted_audit_keeps_what_is_done_and_is_continued(tmp_path, table_bundle, error):
    folder = tmp_path / "people"
    with pytest.raises(type(error)):
        run(small_plan("people"), *table(), folder, progress=interrupt_at("attack-pgd", error))
    partial = read(folder)
    assert partial.manifest.status == "interrupted"
    assert [s.name for s in partial.manifest.steps][-1] == "attack-fgsm"
    assert partial.manifest.findings
    verify(folder)
    done = {step.name: step.seconds for step in partial.manifest.steps}
    whole = run(small_plan("people"), *table(), folder)
    assert whole.complete
    assert whole.manifest.findings == table_bundle.manifest.findings
    assert {s.name: s.seconds for s in whole.manifest.steps if s.name in done} == done, "not done again"


SHARING = {
    "predict": {"metrics": []},
    "explain": {"sample": 4, "methods": ["kernel_shap", "lime"], "metrics": ["deletion"]},
    "attack": {"sample": 0},
}


@pytest.mark.slow
def test_a_continued_audit_asks_what_an_uninterrupted_one_asks(tmp_path):
    plan, subject, stop = small_plan("p", **SHARING), table(30), interrupt_at("explain-lime", KeyboardInterrupt())
    whole = run(plan, *subject, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(plan, *subject, tmp_path / "kept", progress=stop)
    assert not verify(tmp_path / "kept").unlisted
    for other in ("broken", "foreign"):
        shutil.copytree(tmp_path / "kept", tmp_path / other)
    (tmp_path / "broken" / "asked.npz").write_bytes(b"PK")
    foreign = {"recall.0.keys": np.zeros(3), "memory.0.keys": np.zeros(3), "other": np.zeros(3)}
    (tmp_path / "foreign" / "asked.npz").write_bytes(npz.pack(foreign))
    for left in ("kept", "broken", "foreign"):
        again = run(plan, *subject, tmp_path / left)
        asked, before = ([step.forward for step in each.manifest.steps] for each in (again, whole))
        assert (asked == before) == (left == "kept")
        assert not (tmp_path / left / "asked.npz").exists()
        if left == "kept":
            assert again.manifest.evidence_digest == whole.manifest.evidence_digest


def test_an_audit_that_was_killed_is_verified_as_far_as_it_goes(table_bundle, tmp_path):
    folder = shutil.copytree(table_bundle.folder, tmp_path / "killed")
    bundle = read(folder)
    files = {n: sha for n, sha in bundle.manifest.files.items() if n[:7] != "tables/" or n == "tables/groups.csv"}
    bundle.change(status="running", findings=(), steps=bundle.manifest.steps[:3], files=files)
    bundle.save()
    result = verify(folder)
    assert result.status == "running"
    assert result.numbers == 0


def test_an_audit_interrupted_before_its_first_step_is_continued(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(small_plan("p"), *table(), tmp_path / "p", progress=interrupt_at("predictions", KeyboardInterrupt()))
    assert statuses(read(tmp_path / "p"))["not run"] == 1
    verify(tmp_path / "p")


@pytest.mark.slow
def test_each_step_is_announced_once(tmp_path):
    begun = []

    def progress(name: str, done: int, total: int) -> None:
        begun.extend([name] * (done == 0))
        assert total > 0

    bundle = run(small_plan("p", attack={"sample": 10, "eps": ["0.1"]}), *images(), tmp_path / "p", progress=progress)
    assert begun == [step.name for step in bundle.manifest.steps]


@pytest.mark.slow
def test_one_row_is_enough_to_be_inconclusive(tmp_path):
    model, data = table()
    bundle = run(small_plan("one"), model, data[:1], tmp_path / "one")
    assert bundle.complete
    assert statuses(bundle)["inconclusive"] > 0
    verify(bundle.folder)


def test_an_estimate_comes_before_the_audit_and_is_not_counted():
    model, data = images()
    before = model.usage.forward
    assert estimate(small_plan("p"), model, data) > 0
    assert model.usage.forward == before


@pytest.mark.slow
def test_verification_passes_and_needs_no_torch(table_bundle):
    code = (
        "import sys; from probe.audit import verify; print(verify(sys.argv[1]).numbers); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(table_bundle.folder)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 100


@pytest.fixture
def copy(table_bundle, tmp_path):
    return shutil.copytree(table_bundle.folder, tmp_path / "copy")


@pytest.mark.slow
def test_a_changed_file_is_found(copy):
    for path in sorted([*copy.glob("arrays/*"), *copy.glob("tables/*")]):
        kept = path.read_bytes()
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.raises(IntegrityError, match=re.escape(path.name)):
            verify(copy)
        path.write_bytes(kept)
    verify(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["findings"][0].update(status="pass", estimate=0.99),
        lambda m: m["plan"]["checks"].update(accuracy=0.1),
        lambda m: m["model"].update(sha256="0" * 64),
        lambda m: m.update(status="complete", created="2020-01-01"),
    ],
)
def test_a_changed_manifest_is_found(copy, change):
    manifest = json.loads((copy / "audit.json").read_text())
    change(manifest)
    (copy / "audit.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match="changed after the audit"):
        verify(copy)


def test_a_number_that_does_not_follow_from_the_evidence_is_found_even_if_rehashed(copy):
    bundle = Forged(copy)
    bundle.manifest["findings"][0]["estimate"] = 0.99
    bundle.save()
    with pytest.raises(IntegrityError, match="the evidence gives"):
        verify(copy)


def test_a_table_that_does_not_follow_from_the_evidence_is_found_even_if_rehashed(copy):
    bundle = read(copy)
    curve = bundle.table("robustness")
    curve.loc[0, "robust_accuracy"] = 1.0
    bundle.write_table("robustness", curve)
    bundle.save()
    with pytest.raises(IntegrityError, match=r"robustness\.csv does not follow"):
        verify(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(steps=5),
        lambda m: m.update(findings=[True]),
        lambda m: m["steps"][2].pop("method"),
        lambda m: m["steps"].append("x"),
        lambda m: m["plan"].pop("checks"),
        lambda m: m.update(plan=[]),
    ],
)
def test_a_foreign_manifest_is_refused_in_one_sentence(copy, change):
    bundle = Forged(copy)
    change(bundle.manifest)
    bundle.save()
    with pytest.raises(IntegrityError):
        verify(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', "\x00\x01"])
def test_a_damaged_manifest_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "audit.json").write_text(text)
    with pytest.raises(IntegrityError):
        read(tmp_path)


def test_a_folder_without_an_audit_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(IntegrityError, match=r"no audit\.json"):
        read(tmp_path)


def test_a_folder_above_or_inside_an_audit_names_the_audit(tmp_path):
    for name in ("one", "two"):
        (tmp_path / "runs" / name / "arrays").mkdir(parents=True)
    for holds, words in ((("one",), "runs/one$"), (("one", "two"), r"runs/(one|two), one of 2 in it$")):
        for name in holds:
            (tmp_path / "runs" / name / "audit.json").touch()
        with pytest.raises(IntegrityError, match=rf"is not a bundle: it has no audit.json; give .*{words}"):
            read(tmp_path / "runs")
    with pytest.raises(IntegrityError, match=r"give .*runs/one, which it is part of$"):
        read(tmp_path / "runs" / "one" / "arrays")


def test_files_outside_the_bundle_are_not_opened(copy):
    manifest = json.loads((copy / "audit.json").read_text())
    (copy / "audit.json").write_text(json.dumps(manifest | {"files": {"../../etc/passwd": "0"}}))
    with pytest.raises(IntegrityError, match="outside its folder"):
        read(copy)


def test_a_link_out_of_the_bundle_is_not_followed(copy):
    target = copy / "arrays" / "predictions.npz"
    target.rename(copy.parent / "elsewhere.npz")
    target.symlink_to(copy.parent / "elsewhere.npz")
    with pytest.raises(IntegrityError, match="points outside"):
        verify(copy)


def test_a_pickle_inside_arrays_is_not_opened(copy):
    bundle = read(copy)
    np.savez(copy / "arrays" / "predictions.npz", labels=np.array([{}], dtype=object))
    bundle._write("arrays/predictions.npz", (copy / "arrays" / "predictions.npz").read_bytes())
    with pytest.raises(IntegrityError, match="cannot be read"):
        bundle.arrays("predictions")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"groups": ["age"]}, "names 'age', which is not a group of people; it has sex, race"),
        ({"positive": "maybe"}, "there are no, yes"),
    ],
)
def test_a_plan_that_names_what_is_not_there_ends_before_the_run(tmp_path, settings, message):
    with pytest.raises(PlanError, match=message):
        run(small_plan("t", bias=settings), *table(), tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.slow
def test_groups_that_are_blank_or_unknown_keep_their_rows(tmp_path):
    model, data = table()
    names = ["  ", "NA", "01", None, "\t", "=cmd()"] * 50
    bundle = run(small_plan("b"), model, replace(data, groups=pd.DataFrame({"g": names})), tmp_path / "b")
    assert bundle.groups()["g"].isna().sum() == 50
    assert set(bundle.groups()["g"].dropna()) == {"  ", "NA", "01", "\t", "=cmd()"}
    verify(bundle.folder)
    assert "=cmd()" in render(bundle)


def test_bundles_below_a_folder_are_found(table_bundle, image_bundle, tmp_path):
    for bundle in (table_bundle, image_bundle):
        shutil.copytree(bundle.folder, tmp_path / bundle.name)
    assert {path.name for path in find(tmp_path)} == {"people", "pictures"}
    assert find(table_bundle.folder) == [table_bundle.folder]
    assert find(tmp_path / "nothing") == []


@pytest.mark.slow
def test_an_audit_of_a_model_without_an_answer_for_a_row_says_which(tmp_path):
    model, data = table()

    def forward(x):
        return torch.where(x[:, :1] == data.inputs[200, 0], torch.nan, model.forward(x))

    run(small_plan("t"), replace(model, forward=forward), data, tmp_path / "t")
    with pytest.raises(IntegrityError, match=r"no predictions: .*the first of these rows is 200; leave such rows out"):
        verify(tmp_path / "t")
