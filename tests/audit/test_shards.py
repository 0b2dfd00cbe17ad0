"""An audit in parts: the parts together are the audit of one machine, and anything else is refused by name."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from probe import Dataset, Model, lock
from probe.audit import merge, read, run, run_shard, sharding, verify
from probe.audit import units as cutting
from probe.audit.merging import found_parts
from probe.audit.part import NAME, Shard, read_part
from probe.errors import DataError, ExistsError, ForwardError, IntegrityError, PlanError
from probe.task import Regression
from tests.audit.conftest import SMALL, _seeded, images, small_plan, table, texts


def numbers(n: int = 40) -> tuple[Model, Dataset]:
    inputs = torch.rand(n, 3, generator=torch.Generator().manual_seed(5))
    model = Model(forward=_seeded(torch.nn.Linear(3, 1)), task=Regression(("price",), tolerance=0.2), name="line")
    with torch.no_grad():
        labels = model.forward(inputs)[:, 0] + 0.1
    return model, Dataset(inputs, labels, name="prices")


FEW = {"metrics": [{"method": "deletion", "steps": 4, "random_orders": 2}]}
ASKING = [{"method": "kernel_shap", "coalitions": 20}, {"method": "lime", "samples": 20}]
LIGHT = {**FEW, "methods": [{"method": "saliency"}, *ASKING]}
MANY = {
    "explain": {"sample": 25, **LIGHT},
    "attack": {**SMALL["attack"], "sample": 40},
    "certify": {"sample": 40, "eps": ["0.1"], "methods": [{"method": "randomized_smoothing", "draws": 100}]},
    "survey": {"sample": 30, "methods": [{"method": "permutation_importance"}]},
    "search": {"sample": 40, "methods": [{"method": "nearest_reference"}]},
}
PLANS = {
    "table": (lambda: table(60), MANY),
    "images": (images, {"explain": {"sample": 25, **LIGHT}, "attack": {**SMALL["attack"], "sample": 40}}),
    "tokens": (texts, {"explain": {"sample": 12, **FEW}, "attack": {"sample": 40, "eps": ["1", "2"]}}),
    "numbers": (numbers, {"explain": {"sample": 12, **FEW}}),
}


@pytest.fixture(autouse=True)
def _small_units(monkeypatch):
    monkeypatch.setattr(cutting, "FEWEST", 16)
    monkeypatch.setitem(cutting.MOST, "cpu", 16)
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 1024})
    monkeypatch.setattr("probe.audit.evidence.RECALLED", 100)  # less than the explainers ask about


def plan_of(form: str, **changes):
    return small_plan("mine", **(PLANS[form][1] | changes))


def parts_of(form: str, count: int, folder, **changes):
    for number in range(1, count + 1):
        run_shard(plan_of(form, **changes), *PLANS[form][0](), folder / f"part{number}", f"{number}/{count}")
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "FEWEST", 16)
        patch.setitem(cutting.MOST, "cpu", 16)
        return parts_of("images", 3, tmp_path_factory.mktemp("three"))


@pytest.fixture
def parts(three, tmp_path):
    shutil.copytree(three, tmp_path / "parts")
    return tmp_path / "parts"


@pytest.mark.slow
@pytest.mark.parametrize(("form", "counts"), [("table", (3, 24)), ("tokens", (2,)), ("numbers", (1, 9))])
def test_the_parts_of_any_number_of_shards_are_the_audit_of_one_machine_bit_by_bit(form, counts, tmp_path):
    whole = run(plan_of(form), *PLANS[form][0](), tmp_path / "whole")
    assert any(step.status == "done" and step.kind == "explainer" for step in whole.manifest.steps)
    assert "error" not in {step.status for step in whole.manifest.steps}
    for count in counts:
        merged = merge(parts_of(form, count, tmp_path / f"{count}"), tmp_path / f"of{count}")
        assert merged.manifest.contents == whole.manifest.contents
        assert merged.manifest.files.keys() == whole.manifest.files.keys()
        tables = [file for file in whole.manifest.files if file.startswith("tables/")]
        assert all(merged.manifest.files[file] == whole.manifest.files[file] for file in tables)
        assert merged.manifest.evidence_digest == whole.manifest.evidence_digest
        assert verify(merged.folder).status == "complete"
        idle = [
            not any(step.units for step in read_part(path).record.steps) for path in (tmp_path / f"{count}").iterdir()
        ]
        assert any(idle) == (count > 3), "with more shards than units some have nothing to do"


@pytest.mark.slow
def test_each_unit_of_a_step_is_one_shards_whatever_their_number(tmp_path):
    one, many = (
        {
            (step.record.name, unit.start, unit.stop)
            for path in parts_of("images", count, tmp_path / str(count)).iterdir()
            for step in read_part(path).record.steps
            for unit in step.units
        }
        for count in (1, 3)
    )
    assert one == many
    assert ("attack-pgd", 16, 32) in one


@pytest.mark.slow
def test_an_interrupted_part_is_continued_where_it_ended(tmp_path):
    done = []

    def stop(step: str, at: int, total: int) -> None:
        if step == "attack-fgsm":
            raise KeyboardInterrupt
        done.append(step)

    subject = plan_of("images"), *images()
    with pytest.raises(KeyboardInterrupt):
        run_shard(*subject, tmp_path / "parts" / "a", "1/2", progress=stop)
    assert "predictions" in done
    with pytest.raises(DataError, match="a is unfinished; run its shard 1/2 again"):
        merge(tmp_path / "parts", tmp_path / "run")
    done.clear()
    run_shard(*subject, tmp_path / "parts" / "a", "1/2", progress=lambda step, *_: done.append(step))
    assert "predictions" not in done
    assert "attack-fgsm" in done
    run_shard(*subject, tmp_path / "parts" / "b", "2/2")
    merged = merge(tmp_path / "parts", tmp_path / "run")
    assert merged.manifest.evidence_digest == run(*subject, tmp_path / "whole").manifest.evidence_digest


@pytest.mark.slow
def test_a_missing_part_is_named(parts, tmp_path):
    shutil.rmtree(parts / "part2")
    with pytest.raises(DataError, match="the part of shard 2/3 is missing; run it with --shard 2/3"):
        merge(parts, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_part_that_is_there_twice_is_named(parts, tmp_path):
    shutil.copytree(parts / "part2", parts / "part4")
    with pytest.raises(DataError, match="part2 and part4 are both shard 2/3"):
        merge(parts, tmp_path / "run")


def test_a_part_that_is_named_in_two_ways_is_one_and_has_its_name(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(parts / "part2")
    assert found_parts([parts, ".", "../part2", parts / "part1" / ".." / "part3"]) == sorted(parts.iterdir())
    (parts / "part1" / NAME).unlink()
    with pytest.raises(DataError, match="the part of shard 1/3 is missing"):
        merge([".", parts], tmp_path / "run")
    file = parts / "part2" / NAME
    file.write_text(file.read_text().replace('"2/3"', '"1/3"'))
    with pytest.raises(IntegrityError, match=f"{NAME} of part2 was changed"):
        merge(".", tmp_path / "run")


def test_a_part_of_another_plan_is_named(parts, tmp_path):
    shutil.rmtree(parts / "part3")
    run_shard(plan_of("images", seed=1), *images(), parts / "part3", "3/3")
    with pytest.raises(DataError, match=r"part3 is a part of another audit than part1 \(plan.seed was 0, now 1\)"):
        merge(parts, tmp_path / "run")


def test_a_part_of_another_number_of_shards_is_named(parts, tmp_path):
    shutil.rmtree(parts / "part3")
    run_shard(plan_of("images"), *images(), parts / "part3", "3/4")
    with pytest.raises(DataError, match=r"part3 is a part of another audit than part1 \(3 shards, and here 4\)"):
        merge(parts, tmp_path / "run")


def test_a_changed_file_of_a_part_is_named_and_nothing_is_left(parts, tmp_path):
    file = parts / "part2" / "arrays" / "attack-pgd.npz"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"arrays/attack-pgd\.npz of part2 is not the file that its shard wrote"):
        merge(parts, tmp_path / "run")
    assert not any(path.is_file() for path in (tmp_path / "run").rglob("*"))


def test_a_changed_record_of_a_part_is_named(parts, tmp_path):
    file = parts / "part2" / NAME
    document = json.loads(file.read_text())
    document["steps"][0]["rows"] += 1
    file.write_text(json.dumps(document, indent=1))
    with pytest.raises(IntegrityError, match=r"part\.json of part2 was changed after its shard was run"):
        merge(parts, tmp_path / "run")


def test_rows_that_no_part_holds_are_named(parts, tmp_path):
    part = read_part(parts / "part2")
    at = next(at for at, step in enumerate(part.record.steps) if step.units)
    steps = list(part.record.steps)
    steps[at] = replace(steps[at], units=())
    part.change(steps=tuple(steps))
    part.save()
    with pytest.raises(IntegrityError, match=r"are missing|ends at row"):
        merge(parts, tmp_path / "run")


@pytest.mark.parametrize(("change", "said"), [
    (lambda readings: (*readings, readings[0]), "part2 has other measurements of .* than part1"),
    (lambda readings: tuple(replace(each, threshold=9.0) for each in readings), "part2 has other measurements"),
    (lambda readings: tuple(replace(each, settings={}) for each in readings), "part2 has other measurements"),
])  # fmt: skip
def test_a_part_whose_metrics_are_others_is_named(parts, tmp_path, change, said):
    part = read_part(parts / "part2")
    steps = [
        replace(step, units=tuple(replace(unit, readings=change(unit.readings)) for unit in step.units))
        if any(unit.readings for unit in step.units)
        else step
        for step in part.record.steps
    ]
    part.change(steps=tuple(steps))
    part.save()
    with pytest.raises(IntegrityError, match=said):
        merge(parts, tmp_path / "run")


def test_a_part_without_the_evidence_of_a_metric_is_named(parts, tmp_path):
    part = read_part(parts / "part2")
    step = next(step for step in part.record.steps if any(unit.readings for unit in step.units))
    bare = [replace(piece, arrays={}) for piece in part.pieces(step)]
    part.write_pieces(step.record.name, bare)
    part.save()
    with pytest.raises(IntegrityError, match=r"part2 has no evidence of \w+ of .*; run that shard again"):
        merge(parts, tmp_path / "run")


@pytest.mark.parametrize("kind", ["explainer", "attack"])
def test_a_step_with_another_title_than_its_method_is_refused(parts, tmp_path, kind):
    for each in sorted(parts.iterdir()):  # all parts agree, as where one alone holds the step
        part = read_part(each)
        named = [
            replace(step, record=replace(step.record, title="Proof")) if step.record.kind == kind else step
            for step in part.record.steps
        ]
        part.change(steps=tuple(named))
        part.save()
    with pytest.raises(IntegrityError, match=rf"part1 calls {kind[:5]}\S* 'Proof', and its method is called '\w*'"):
        merge(parts, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.json"))


def test_a_folder_that_holds_something_is_left_alone(parts, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(ExistsError, match="left as it is"):
        merge(parts, tmp_path / "run")
    with pytest.raises(ExistsError, match="shard was 1/3, now 2/3"):
        run_shard(plan_of("images"), *images(), parts / "part1", "2/3")
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_an_audit_that_another_process_merged_meanwhile_is_left_alone(parts, tmp_path, monkeypatch):
    writing, others = lock.writing, [lambda: merge(parts, tmp_path / "run")]

    def late(folder):
        while others:
            others.pop()()
        return writing(folder)

    monkeypatch.setattr(lock, "writing", late)
    with pytest.raises(ExistsError, match="left as it is"):
        merge(parts, tmp_path / "run")
    assert read(tmp_path / "run").complete


def test_a_part_of_a_black_box_that_gave_no_first_answers_is_merged(tmp_path, monkeypatch):
    def busy(model, data):
        raise ForwardError("busy")

    plan = plan_of("numbers", explain={"sample": 0}, attack={"sample": 0, "eps": ["0.1"]})
    data = Dataset(torch.rand(40, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(40, dtype=torch.long))
    for number, first in ((1, busy), (2, sharding.first_answers)):
        monkeypatch.setattr(sharding, "first_answers", first)
        run_shard(
            plan, Model(forward=lambda x: 4 * x, name="box"), data, tmp_path / "parts" / f"{number}", f"{number}/2"
        )
    bundle = merge(tmp_path / "parts", tmp_path / "run")
    assert bundle.complete
    assert repr(bundle) == f"Bundle('{tmp_path}/run', complete, digest {bundle.manifest.digest})"


def test_parts_of_black_boxes_with_other_answers_are_refused(tmp_path):
    plan = plan_of("numbers", explain={"sample": 0}, attack={"sample": 0, "eps": ["0.1"]})
    data = Dataset(torch.rand(40, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(40, dtype=torch.long))
    for number, factor in ((1, 4.0), (2, 5.0)):
        model = Model(forward=lambda x, by=factor: by * x, name="box")
        run_shard(plan, model, data, tmp_path / "parts" / f"{number}", f"{number}/2")
    with pytest.raises(DataError, match="2 is of a model with other answers than 1"):
        merge(tmp_path / "parts", tmp_path / "run")


def test_a_step_that_fails_on_some_rows_fails_as_on_one_machine(tmp_path):
    model, data = images()

    def fails(inputs):
        if len(inputs) > 1 and (inputs == data.inputs[20]).flatten(1).all(1).any():
            raise ValueError(f"cannot read {len(inputs)} images")
        return model.forward(inputs)

    subject = plan_of("images", explain={"sample": 0}), replace(model, forward=fails), data
    whole = run(*subject, tmp_path / "whole")
    for number in (1, 2):
        run_shard(*subject, tmp_path / "parts" / f"{number}", f"{number}/2")
    merged = merge(tmp_path / "parts", tmp_path / "run")
    assert [step.status for step in whole.manifest.steps] == ["error"] * 3
    assert merged.manifest.evidence_digest == whole.manifest.evidence_digest


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/2", "1/2/3", "٣/٤"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(PlanError, match="such as 3/16"):
        Shard.read(text)


def test_a_bundle_is_no_part(tmp_path):
    with pytest.raises(DataError, match="holds no part of an audit"):
        merge(tmp_path, tmp_path / "run")
    with pytest.raises(IntegrityError, match="is not a bundle"):
        read(parts_of("numbers", 1, tmp_path) / "part1")
