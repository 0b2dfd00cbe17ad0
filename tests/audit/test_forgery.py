"""A bundle that was changed, recomputed and signed anew is refused wherever it contradicts itself."""

import io
import json
import os
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from probe.audit import read, run, verify
from probe.audit.comparison import compare_findings, compare_runs
from probe.audit.expected import expected_steps
from probe.errors import IntegrityError
from probe.finding import Finding
from tests.audit.conftest import SMALL, images, small_plan, table
from tests.audit.forging import Forged, sign, without_step
from tests.processes import start


@pytest.fixture(scope="session")
def quick(once):
    """An audit that compares no groups, so that it is recomputed in a moment."""

    def make(folder):
        methods = [{"method": "integrated_gradients", "steps": 4}, {"method": "lime", "samples": 50}]
        metrics = ["deletion", "insertion", "completeness", "sufficiency", "sparseness", "infidelity"]
        attack = {**SMALL["attack"], "eps": ["0.1", "0.2"]}
        plan = small_plan(
            "quick", bias={"groups": []}, attack=attack, explain={"sample": 6, "methods": methods, "metrics": metrics}
        )
        run(plan, *table(), folder)
        Forged(folder).redraw()

    return read(once("audit/quick", make))


@pytest.fixture
def copy(quick, tmp_path):
    return shutil.copytree(quick.folder, tmp_path / "copy")


@pytest.mark.slow
def test_the_steps_of_an_audit_are_those_that_its_plan_asks_for(table_bundle, image_bundle, text_bundle):
    for bundle in (table_bundle, image_bundle, text_bundle):
        assert [step.name for step in bundle.manifest.steps] == expected_steps(bundle.manifest.plan)


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["explain-integrated_gradients", "attack-pgd", "instances", "predictions"])
def test_an_audit_whose_step_was_cut_out_is_refused(copy, cut):
    without_step(copy, cut, redraw=False)
    with pytest.raises(IntegrityError, match=f"the plan asks for the step {cut}"):
        verify(copy)


@pytest.mark.slow
def test_an_audit_cut_to_its_first_steps_or_to_none_is_refused(copy):
    names = [step.name for step in read(copy).manifest.steps]
    without_step(copy, *names[2:], redraw=False)
    with pytest.raises(IntegrityError, match="the plan asks for"):
        verify(copy)
    without_step(copy, *names, redraw=False)
    with pytest.raises(IntegrityError, match="the plan asks for"):
        verify(copy)


@pytest.mark.parametrize("change", [
    lambda m: m["steps"].append(m["steps"][-1]),
    lambda m: m["steps"].append(m["steps"][-1] | {"name": "attack-auto"}),
    lambda m: m["steps"].reverse(),
])  # fmt: skip
def test_duplicate_unplanned_or_reordered_steps_are_refused(copy, change):
    sign(copy, lambda bundle: change(bundle.manifest))
    with pytest.raises(IntegrityError, match=r"step"):
        verify(copy)


@pytest.mark.slow
def test_a_step_that_ran_with_unplanned_settings_is_refused(copy):
    def weaker(bundle):
        step = next(s for s in bundle.manifest["steps"] if s["name"] == "attack-pgd")
        step["method"]["steps"] = 1
        bundle.redraw()

    sign(copy, weaker)
    with pytest.raises(IntegrityError, match=r"attack-pgd ran with steps = 1, and the plan asks for 5"):
        verify(copy)


@pytest.mark.slow
def test_a_finding_that_one_of_two_runs_lacks_is_missed_in_both_directions(copy, quick):
    fewer = without_step(copy, "explain-lime")
    fewer.change(steps=quick.manifest.steps)
    for one, other in ((fewer, quick), (quick, fewer)):
        with pytest.raises(IntegrityError, match=r"not in the (bundle|second run)"):
            compare_runs(one, other, tolerance=0.02)
    compare_runs(quick, read(quick.folder), tolerance=0.02)


@pytest.mark.slow
def test_a_step_that_one_of_two_runs_lacks_is_missed(copy, quick):
    fewer = without_step(copy, "explain-lime")
    with pytest.raises(IntegrityError, match="the steps differ: explain-lime"):
        compare_runs(quick, fewer, tolerance=0.02)


@pytest.mark.parametrize(("low", "old", "new", "same"), [
    (0.79, "inconclusive", "pass", True),  # its low end is .01 from the threshold
    (0.70, "inconclusive", "pass", False),
    (0.70, "pass", "pass", True),
    (0.79, "not run", "pass", False),
    (0.79, "error", "fail", False),
])  # fmt: skip
def test_a_status_may_differ_between_runs_only_near_its_threshold(copy, low, old, new, same):
    one, other = read(copy), read(copy)
    for bundle, status in ((one, old), (other, new)):
        first, *others = bundle.manifest.findings
        first = replace(first, estimate=0.9, low=low, high=0.95, threshold=0.8, status=status)
        bundle.change(findings=(first, *others))
    if same:
        compare_runs(one, other, tolerance=0.02)
    else:
        with pytest.raises(IntegrityError, match="its status is"):
            compare_runs(one, other, tolerance=0.02)


@pytest.mark.parametrize("what", ["findings", "tables", "report"])
def test_an_audit_that_claims_to_be_running_has_no_findings(copy, what):
    def running(bundle):
        manifest = bundle.manifest
        manifest["status"] = "running"
        manifest["finished"] = None
        if what == "findings":
            for finding in manifest["findings"]:
                finding.update(status="pass", estimate=0.999)
        else:
            manifest["findings"] = []
        if what != "tables":
            manifest["files"] = {k: v for k, v in manifest["files"].items() if k[:6] == "arrays" or "groups" in k}
        if what == "report":
            bundle.write_report("<h1>9 pass</h1>")

    sign(copy, running)
    with pytest.raises(IntegrityError, match=r"is marked as running, but already has (findings or tables|a report)"):
        verify(copy)


def arrays_of(name, **change):
    """Change arrays of a step, each by a function of the old ones."""

    def forge(bundle):
        old = bundle.arrays(name)
        bundle.write_arrays(name, old | {key: make(old) for key, make in change.items()})

    return forge


def of_pgd(**change):
    """Change what audit.json says of a step; None takes a setting away."""

    def forge(bundle):
        step = next(step for step in bundle.manifest["steps"] if step["name"] == "attack-pgd")
        for part, entries in change.items():
            step[part] = {key: value for key, value in (step[part] | entries).items() if value is not None}

    return forge


def goal_gone(bundle):
    """Hide from verification what the attack was to reach, so that its successes can be taken away."""
    of_pgd(method={"goal": None})(bundle)
    next(step for step in bundle.manifest["steps"] if step["name"] == "attack-pgd")["answer"] = ""
    arrays_of("attack-pgd", success=lambda a: np.zeros_like(a["success"]))(bundle)


def other_radii(bundle):
    """Let one of two attacks of a norm have had radii of its own."""
    bundle.manifest["plan"]["attack"]["methods"][1]["eps"] = ["0.0001", "0.0002"]
    arrays_of("attack-pgd", eps=lambda a: np.array([0.0001, 0.0002]))(bundle)


ROBUST, RANKED, BINNED = (f"measured-{name}" for name in ("robust_accuracy", "area_under_roc", "calibration_error"))
DELETED = "measured-deletion"


def taken_from(*parts):
    """Show for each row that falls at the largest radius alone what the attack made of another such row."""

    def forge(bundle):
        arrays = bundle.arrays("attack-pgd")
        fallen = arrays["success"][:, : len(arrays["inputs"])]
        moved = np.flatnonzero(fallen[-1] & ~fallen[:-1].any(0))
        assert len(moved) > 1
        for part in parts:
            changed = arrays[part].copy()
            along = changed if changed.ndim < 3 else np.moveaxis(changed, 1, 0)
            along[moved] = along[moved[::-1]]
            arrays[part] = changed
        bundle.write_arrays("attack-pgd", arrays)

    return forge


def moved(metric, change):
    """Change curves of integrated gradients, from which the evidence is computed anew."""
    name = "explain-integrated_gradients"

    def forge(bundle):
        arrays = bundle.arrays(name)
        curves = change(arrays[f"curves-{metric}"].copy())
        areas = np.trapezoid(curves[:, :2], curves[:, 2:], axis=2)
        bundle.write_arrays(name, arrays | {f"curves-{metric}": curves, f"measured-{metric}": areas})

    return forge


def drop_at(points, curve=0, by=0.5):
    """Lower curves at some points."""

    def change(curves):
        curves[:, curve, points] -= by
        return curves

    return change


def righted(bundle):
    """Have an attack turn the rows that were wrong before it to their labels."""
    arrays = bundle.arrays("attack-pgd")
    labels = bundle.arrays("predictions")["labels"][arrays["rows"]]
    predicted = np.where(arrays["clean"], arrays["predicted"], labels)
    bundle.write_arrays("attack-pgd", arrays | {"predicted": predicted, ROBUST: (predicted == labels).astype(float)})


def fallen_and_risen(bundle):
    """Have the rows that fell at the first radius stand at the second."""
    arrays = bundle.arrays("attack-pgd")
    labels = bundle.arrays("predictions")["labels"][arrays["rows"]]
    stood = {"success": arrays["success"][::-1], "predicted": arrays["predicted"][::-1]}
    stood |= {part: arrays[part][::-1] for part in ("probability", "shown", "after", "moved") if part in arrays}
    bundle.write_arrays("attack-pgd", arrays | stood | {ROBUST: (stood["predicted"] == labels).astype(float)})


def promised(change):
    """Change how far integrated gradients are said to be from what they promise, and what they promise."""
    name = "explain-integrated_gradients"

    def forge(bundle):
        arrays = bundle.arrays(name)
        evidence = change(arrays["measured-completeness"], arrays["by_feature"].sum(1))
        bundle.write_arrays(name, arrays | {"measured-completeness": np.stack(evidence, 1)})

    return forge


SUFFICES, SPARSE = (f"measured-{name}" for name in ("sufficiency", "sparseness"))
OF_IG, OF_PGD = "explain-integrated_gradients", "attack-pgd"


@pytest.mark.parametrize(("forge", "why"), [
    (promised(lambda held, sums: [held[:, 0], 9 * held[:, 1]]), "from their sum does not follow from the values"),
    (promised(lambda held, sums: [held[:, 0] + 1, np.abs(sums) + 1]), "should sum to is not what the answers of their"),
    (arrays_of(OF_IG, **{SUFFICES: lambda a: a[SUFFICES] * [1, 2, 1]}), "what random orders give for sufficiency"),
    (arrays_of(OF_IG, **{SPARSE: lambda a: a[SPARSE] * 0.9}), "sparseness does not follow from the values"),
    (moved("deletion", drop_at(5, curve=1, by=-0.9)), "what random orders give for deletion"),
    (moved("deletion", drop_at(slice(12, 17))), "another answer to an input without features"),
    (moved("insertion", drop_at(0, by=-0.5)), "another answer to an input without features"),
    (moved("deletion", drop_at(slice(1, 12))), "another answer to features of row"),
    (moved("insertion", drop_at(slice(1, 12), by=-0.5)), "another answer to features of row"),
    (righted, "a row that it did not move has another answer than before"),
    (fallen_and_risen, "a row falls at a radius and stands at a larger one"),
    (arrays_of(OF_PGD, probability=lambda a: np.where(a["success"], a["probability"] / 2, a["probability"])), "less"),
    (arrays_of(OF_PGD, probability=lambda a: np.where(a["success"], a["probability"], 0.99)), "is not that of before"),
    (arrays_of(OF_PGD, probability=lambda a: np.where(a["success"], [[0.7], [0.9]], a["probability"])), "at a larger"),
])  # fmt: skip
def test_evidence_that_was_moved_together_is_refused_by_other_evidence(copy, forge, why):
    sign(copy, forge)
    with pytest.raises(IntegrityError, match=why):
        verify(copy)


@pytest.mark.parametrize("name", ["predictions", OF_IG, "explain-lime", "attack-pgd"])
def test_what_is_not_named_as_held_once_cannot_be_changed_alone(copy, quick, name):
    """A metric that says that its evidence follows from other evidence cannot have another; others are named."""
    (step,) = [step for step in quick.manifest.steps if step.name == name]
    once = verify(quick.folder).held_once
    for reading in (each for each in step.readings if each.status == "done"):
        shutil.copytree(quick.folder, copy, dirs_exist_ok=True)
        part, axis = f"measured-{reading.metric}", -1 if name == OF_PGD else 0
        sign(copy, arrays_of(name, **{part: lambda a, part=part, axis=axis: np.roll(a[part], 1, axis=axis)}))
        assert not np.array_equal(read(copy).arrays(name)[part], quick.arrays(name)[part]), reading.metric
        why = ""
        try:
            verify(copy)
        except IntegrityError as error:
            why = str(error)
        contradicted = why.startswith("the evidence contradicts itself")  # or its findings alone are others
        assert contradicted == (reading.metric not in once), (reading.metric, why)


def rows_swapped(name):
    """Give each row the explanation of another one."""
    return arrays_of(name, **{part: lambda a, part=part: a[part][::-1] for part in ("values", "by_feature")})


def drawn(change, *, follow=False):
    """Change the curves of insertion, and the evidence with them if it is to follow."""
    name, area = "explain-lime", "measured-insertion"

    def forge(bundle):
        arrays = bundle.arrays(name)
        curves = change(arrays["curves-insertion"])
        areas = np.trapezoid(curves[:, :2], curves[:, 2:], axis=2)
        bundle.write_arrays(name, arrays | {"curves-insertion": curves} | ({area: areas} if follow else {}))

    return forge


def undrawn(bundle):
    """Take the curves of insertion away."""
    arrays = bundle.arrays("explain-lime")
    arrays.pop("curves-insertion")
    bundle.write_arrays("explain-lime", arrays)


@pytest.mark.parametrize(("forge", "why"), [
    (goal_gone, "declares 'nothing' as what reaches the goal 'untargeted'"),
    (of_pgd(method={"steps": None}), "does not say with which steps it ran, and the plan asks for 5"),
    (of_pgd(threat={"axis": "l2"}), "it has the norm linf, and its radii another"),
    (of_pgd(threat={"note": "of words"}), "describe changes of one norm in different words"),
    (other_radii, "the norm of attack-fgsm and other radii"),
    (lambda b: b.manifest["data"].update(n=99_999), "99999 rows, and there are 300"),
    (arrays_of("attack-pgd", success=lambda a: np.zeros_like(a["success"])), "successes are not the rows"),
    (arrays_of("attack-pgd", clean=lambda a: ~a["clean"]), "right before the attack"),
    (arrays_of("attack-pgd", eps=lambda a: a["eps"] * 10), "radii are not those of the plan"),
    (arrays_of("attack-pgd", rows=lambda a: a["rows"] * 0), "a row is named twice"),
    (arrays_of("attack-pgd", moved=lambda a: a["moved"][:, :, :1]), "expected shape"),
    (arrays_of("attack-pgd", **{ROBUST: lambda a: a[ROBUST] * 0.9}), "withstood it do not follow"),
    (arrays_of("attack-pgd", **{ROBUST: lambda a: a[ROBUST] * 5.0}), "withstood it do not follow"),
    (arrays_of("attack-pgd", shown=lambda a: a["shown"] * 0.9), "shows a row that it did not move as another one"),
    (arrays_of("attack-pgd", after=lambda a: a["after"][:, :, ::-1]), "did not move as another one"),
    (taken_from("inputs", "shown", "before", "after"), "its input of row .* is not that of "),
    (arrays_of("explain-lime", by_feature=lambda a: a["by_feature"][:, ::-1]), "not the sums of its values"),
    (arrays_of("explain-lime", errors=lambda a: a["by_feature"] * 0 - 1), "a standard error is below 0"),
    (arrays_of("explain-lime", errors=lambda a: a["by_feature"][:, 1:]), "explain-lime"),
    (arrays_of("explain-lime", fidelity=lambda a: a["by_feature"][:, 0] * 0.0 + 1.1), "a fit is above 1"),
    (arrays_of("explain-lime", values=lambda a: -a["values"]), "not the sums of its values"),
    (rows_swapped("explain-integrated_gradients"), "do not sum to what the answers of their rows differ by"),
    (arrays_of("explain-lime", **{DELETED: lambda a: a[DELETED] - [1, 0]}), "deletion is not the area under its"),
    (drawn(lambda c: c * [[2], [1], [1]]), "insertion is not the area under its curves"),
    (drawn(lambda c: c * [[1], [1], [2]]), "the points of the curves of insertion are not in order"),
    (drawn(lambda c: c[:, :, :-1]), "expected shape"),
    (drawn(lambda c: c + [[1], [1], [0]] * np.eye(17)[-1], follow=True), "do not show the answers of their rows"),
    (drawn(lambda c: c[::-1], follow=True), "do not show the answers of their rows"),
    (undrawn, "it lacks the curves of insertion"),
    (arrays_of("explain-lime", targets=lambda a: 1 - a["targets"]), "not those that were predicted"),
    (arrays_of("explain-lime", rows=lambda a: a["rows"][::-1]), "not the rows of instances"),
    (arrays_of("instances", rows=lambda a: a["rows"] + 1000), "outside 0 to 300"),
    (arrays_of("instances", features=lambda a: a["features"] * 0), "not the sums of its values"),
    (arrays_of("predictions", **{RANKED: lambda a: a[RANKED] * [2, 1]}), "the ranks of the area under ROC do not"),
    (arrays_of("predictions", **{RANKED: lambda a: a[RANKED][::-1]}), "the ranks of the area under ROC do not"),
    (arrays_of("predictions", **{BINNED: lambda a: a[BINNED] * [1, 0]}), "whether the likeliest class is the label"),
    (arrays_of("predictions", rows=lambda a: a["rows"] // 2), "a row is named twice"),
    (arrays_of("predictions", logits=lambda a: np.full_like(a["logits"], np.nan)), "NaN or infinity"),
    (arrays_of("predictions", labels=lambda a: a["labels"] + 0.5), "classes"),
])  # fmt: skip
def test_evidence_that_contradicts_itself_is_refused(copy, forge, why):
    sign(copy, forge)
    with pytest.raises(IntegrityError, match=why):
        verify(copy)


def said(step, **facts):
    """Change what audit.json says of a step, or of one of its readings if `metric` names it."""

    def forge(bundle):
        (record,) = [each for each in bundle.manifest["steps"] if each["name"] == step]
        metric = facts.get("metric")
        told = record if metric is None else next(r for r in record["readings"] if r["metric"] == metric)
        told.update({key: value for key, value in facts.items() if key != "metric"})

    return forge


@pytest.mark.parametrize(("forge", "why"), [
    (said("predictions", metric="accuracy", direction="at most"), "accuracy has the direction 'at most'"),
    (said("predictions", metric="accuracy", reduction="mean"), "accuracy has the reduction 'mean'"),
    (said("predictions", metric="accuracy", title="accuracy, approved"), "accuracy has the title"),
    (said("explain-lime", metric="deletion", direction="at most"), "deletion has the direction"),
    (said("explain-lime", metric="deletion", unit="share"), "deletion has the unit"),
    (said("explain-lime", caption="Proven by the regulator."), "its caption is not that of Lime"),
    (said("attack-pgd", finds=""), "it says finds = '', and PGD says 'fgsm'"),
    (said("attack-fgsm", finds="pgd"), "it says finds = 'pgd', and FGSM says ''"),
    (said("attack-fgsm", title="AutoAttack"), "it is called 'AutoAttack', and its method FGSM"),
    (said("attack-fgsm", certifies="all"), "it says certifies = 'all'"),
])  # fmt: skip
def test_what_a_step_says_of_its_class_is_what_the_class_says(copy, forge, why):
    sign(copy, forge)
    with pytest.raises(IntegrityError, match=why):
        verify(copy)


@pytest.mark.parametrize("change", [
    lambda m: m.update(approved_by="the regulator"),
    lambda m: m["steps"][0].update(approved_by="the regulator"),
    lambda m: m["findings"][0].update(approved_by="the regulator"),
    lambda m: m["files"].update({"tables/approved.csv": "0" * 64}),
    lambda m: m["files"].update({"approved.txt": "0" * 64}),
    lambda m: m["contents"].update({"arrays/approved.npz": "0" * 64}),
    lambda m: m.update(status="approved"),
])  # fmt: skip
def test_a_bundle_with_values_that_no_audit_writes_is_refused(copy, change):
    (copy / "tables" / "approved.csv").write_text("by\nthe regulator\n")
    sign(copy, lambda bundle: change(bundle.manifest))
    with pytest.raises(IntegrityError):
        verify(copy)


def test_a_table_beside_those_that_follow_from_the_evidence_is_refused(copy):
    sign(copy, lambda bundle: bundle.write_table("approved", bundle.table("readings")))
    with pytest.raises(IntegrityError, match=r"tables/approved\.csv does not follow"):
        verify(copy)


@pytest.mark.parametrize("spell", [
    lambda text: text + "\n",
    lambda text: "\ufeff" + text,
    lambda text: text.encode("utf-16"),
    lambda text: text.replace("\n ", "\n  ", 1),
    lambda text: json.dumps(json.loads(text)),
    lambda text: '{"findings": [],' + text[1:],
    lambda text: text.replace('"seed": 0', '"seed": 1, "seed": 0', 1),
    lambda text: text.replace('"seed": 0', '"seed": -0', 1),
    lambda text: json.dumps(dict(reversed(json.loads(text).items())), indent=1, ensure_ascii=False),
    lambda text: text.replace('"created"', '"cre\\u0061ted"'),
])  # fmt: skip
def test_a_manifest_is_written_in_one_way_only(copy, spell):
    path = copy / "audit.json"
    spelt = spell(path.read_text())
    path.write_bytes(spelt if isinstance(spelt, bytes) else spelt.encode())
    with pytest.raises(IntegrityError):
        verify(copy)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, "9" * 5_000, "1e999", '"\\ud800"', "NaN"])
def test_a_hostile_manifest_is_refused_in_one_sentence(copy, text):
    path = copy / "audit.json"
    path.write_text(path.read_text().replace('"seed": 0', f'"seed": {text}', 1))
    with pytest.raises(IntegrityError):
        verify(copy)
    path.write_text(text)
    with pytest.raises(IntegrityError):
        verify(copy)


@pytest.mark.parametrize("radius", ["1/0", "1e400000000", "1e400", "9" * 10_000, "", "big", "nan"])
def test_a_hostile_radius_is_refused_in_one_sentence(copy, radius):
    def forge(bundle):
        bundle.manifest["plan"]["checks"]["robust_eps"] = radius
        bundle.manifest["plan"]["attack"]["eps"] = [radius]

    sign(copy, forge)
    with pytest.raises(IntegrityError):
        verify(copy)


def declared(shape: str, dtype: str = "<f8", data: bytes = b"") -> bytes:
    """An .npz with one array that declares a shape."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("logits.npy", array)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [
    declared("(1000000000000,)"), declared("(-1,)"), declared("(10**9,)"), declared("(1000000000000,)", "<U0"),
    declared("(2, 3)", data=b"x" * 47), declared("(" * 300 + ")" * 300), declared("(1,)", "|O", b"12345678"),
    declared("(1,)", "|V8", b"12345678"), b"PK", b"", declared("('a',)"), declared("()", "m8", b"12345678"),
])  # fmt: skip
def test_an_array_that_declares_more_than_it_holds_takes_no_memory(copy, data):
    sign(copy, lambda bundle: bundle._write("arrays/predictions.npz", data))
    with pytest.raises(IntegrityError, match=r"predictions\.npz"):
        verify(copy)


@pytest.mark.parametrize("file", ["report.html", "arrays/predictions.npz", "tables/groups.csv", "audit.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_of_a_bundle_are_read(copy, file, kind):
    path = copy / file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(IntegrityError):
        verify(copy)


def test_a_folder_of_the_bundle_that_is_a_link_is_not_followed(copy):
    (copy / "arrays").rename(copy.parent / "elsewhere")
    (copy / "arrays").symlink_to(copy.parent / "elsewhere")
    with pytest.raises(IntegrityError, match="points outside"):
        verify(copy)


@pytest.mark.slow
def test_a_bundle_larger_than_memory_is_refused_in_one_sentence(copy, tmp_path):
    """Where memory is short, whatever is read ends as a sentence: what packs into little."""
    sign(copy, lambda bundle: bundle._write("arrays/predictions.npz", large()))
    code = (
        "import sys, resource; from probe.audit import verify; from probe.errors import IntegrityError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))\n"
        "try: verify(sys.argv[1])\n"
        "except IntegrityError as error: sys.exit(str(error))\n"
    )
    start(code, copy, said=tmp_path / "said").join()
    (said,) = (tmp_path / "said").read_text().splitlines()
    assert "needs more memory than there is" in said


def large() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, logits=np.zeros(2**25))
    return buffer.getvalue()


@pytest.mark.slow
def test_evidence_that_contradicts_itself_is_not_continued(image_bundle, tmp_path):
    """Signed anew, and said to be interrupted, so that the same audit would take it up."""
    folder = shutil.copytree(image_bundle.folder, tmp_path / "pictures")

    def halved(bundle):
        arrays = bundle.arrays("predictions")
        bundle.write_arrays("predictions", {**arrays, "logits": arrays["logits"][:1]})
        bundle.manifest["status"] = "interrupted"

    sign(folder, halved)
    with pytest.raises(IntegrityError, match="it cannot be continued, so start again with --replace"):
        run(small_plan("pictures"), *images(), folder)


def test_findings_whose_numbers_are_written_with_a_power_of_ten_still_verify():
    now = Finding(aspect="bias", check="gap", status="fail", note="12,345 rows: a gap of 1,234 to 1,500,000 or more")
    stored = replace(now, note="12,345 rows: a gap of 1.23e+03 to 1.5e+06 or more")
    compare_findings(stored, now, 1e-9)
    for note in ("12,345 rows: a gap of 1.24e+03 to 1.5e+06 or more", "12,346 rows: a gap of 1,234 to 1.5e+06 or more"):
        with pytest.raises(IntegrityError, match="note is"):
            compare_findings(replace(now, note=note), now, 1e-9)


def shifted(name, part, row=slice(None)):
    """Move numbers, or texts to another row, of one array that no other array of the bundle contradicts."""

    def change(arrays):
        changed = arrays[part].copy()
        changed[row] = changed[row] * 2 + 1 if changed.dtype.kind == "f" else np.roll(changed[row], 1, axis=0)
        return changed

    return arrays_of(name, **{part: change})


@pytest.mark.parametrize(("forge", "why"), [
    (shifted("instances", "near_within"), r"6 of 6 rows of instances \(near_within\) differ"),
    (shifted("explain-lime", "fidelity"), r"6 of 6 rows of explain-lime \(fidelity\) differ"),
    (arrays_of("attack-pgd", movable=lambda a: ~a["movable"]), r"30 of 30 rows of attack-pgd \(movable\) differ"),
    (arrays_of("attack-pgd", after=lambda a: np.char.add(a["after"], "!")), r"24 of 30 rows of attack-pgd \(after\)"),
    (shifted("instances", "described"), "described of instances differ in the second run"),
    (arrays_of("explain-lime", fidelity=lambda a: a["fidelity"][:3]), "fidelity of explain-lime has another shape"),
    (lambda b: b.write_arrays("instances", b.arrays("instances") | {"more": np.ones(6)}), "the array more in one of"),
    (lambda b: b.manifest["data"].update(source="the official test set"), "source of the data differ"),
    (lambda b: b.manifest["data"]["notices"].append("The regulator approved it."), "notices of the data differ"),
    (lambda b: b.manifest["model"].update(name="another"), "name of the model differ"),
    (said("attack-pgd", note="The regulator approved it."), "what is said of the step attack-pgd differs"),
])  # fmt: skip
def test_a_second_run_tells_what_no_finding_shows(copy, quick, forge, why):
    """Values, texts and neighbours of rows are shown to readers; findings alone do not depend on them."""
    sign(copy, forge)
    with pytest.raises(IntegrityError, match=why):
        compare_runs(read(copy), quick, tolerance=0.02)


def test_single_rows_that_rounding_may_have_tipped_are_told(copy, quick):
    assert compare_runs(quick, read(quick.folder), tolerance=0.02) == ()
    sign(copy, shifted("explain-lime", "fidelity", slice(2, 3)))
    (told,) = compare_runs(read(copy), quick, tolerance=0.02)
    assert told.startswith("1 of 6 rows of explain-lime (fidelity) differ in the second run")
    sign(copy, arrays_of("explain-lime", fidelity=lambda a: a["fidelity"] * (1 + 1e-6)))  # another processor
    assert len(compare_runs(read(copy), quick, tolerance=0.02)) == 1
