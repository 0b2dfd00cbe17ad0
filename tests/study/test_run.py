"""A study: methods x budgets x seeds over a dataset, kept as they are done."""

import os
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from probe import Dataset, Explainer, Metric, Model, Space, lock, study, sweep
from probe.attacks import DDN, FGSM, PGD
from probe.certificates import RandomizedSmoothing
from probe.counterfactuals import NearestReference
from probe.errors import DataError, ExistsError, ForwardError, RangeError
from probe.explainers import InputXGradient, IntegratedGradients, KernelShap
from probe.goals import Custom, Targeted
from probe.method import param
from probe.metrics import Accuracy, Completeness, Deletion, RobustAccuracy, Sparseness
from probe.results import Attribution
from probe.surveys import PermutationImportance
from tests.audit.conftest import table


@pytest.fixture(scope="module")
def people() -> tuple[Model, Dataset]:
    model, data = table()
    return model, replace(data[:60], groups=None)


def run(methods, people, **how) -> pd.DataFrame:
    return study.run(methods, *people, **{"progress": None, **how})


def evidence(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="seconds")


def test_a_study_of_attacks_gives_the_numbers_by_hand(people):
    model, data = people
    found = run([PGD(steps=s) for s in (1, 3)], people, eps=["1/10", 0.5])
    assert list(found["settings"]) == ["steps=1", "steps=1", "steps=3", "steps=3"]
    assert list(found["eps"]) == [0.1, 0.5, 0.1, 0.5]
    for _, row in found.iterrows():
        steps = int(row["settings"].removeprefix("steps="))
        attacked = PGD(steps=steps, eps=row["eps"])(model, data.inputs, data.labels)
        scores = RobustAccuracy()(model, attacked)
        assert (row["value"], row["low"], row["high"]) == (scores.value, *scores.interval())
        assert (row["forwards"], row["backwards"]) == (attacked.cost.forward, attacked.cost.backward)
        assert (row["method"], row["metric"], row["n"], row["status"]) == ("pgd", "robust_accuracy", 60, "done")
    assert (found["seconds"] > 0).all()


def test_every_kind_of_method_is_in_one_table_of_a_study(people):
    model, data = people
    methods = [
        InputXGradient(),
        FGSM(),
        DDN(steps=5),
        RandomizedSmoothing(draws=50, chosen=10),
        NearestReference(),
        PermutationImportance(),
        Accuracy(),
    ]
    found = run(methods, people, eps=[0.05, 0.2]).set_index("method")
    assert list(found.loc["input_x_gradient"]["metric"]) == ["deletion", "insertion"]  # its values promise no sum
    assert list(found.loc["fgsm"]["eps"]) == list(found.loc["ddn"]["eps"]) == [0.05, 0.2]
    assert list(found.loc["randomized_smoothing"]["metric"]) == ["certified_accuracy"] * 2
    assert list(found.loc["nearest_reference"]["metric"]) == ["validity", "changed_features"]
    assert list(found.loc["permutation_importance"]["item"]) == ["age", "hours", "job"]
    assert found.loc["accuracy"]["value"] == (model.predict(data.inputs) == data.labels).double().mean().item()
    assert found.loc["ddn"]["forwards"].nunique() == 1  # run once, read at each
    minimal = DDN(steps=5)(model, data.inputs, data.labels)
    by_hand = [RobustAccuracy()(model, minimal.within(eps)).value for eps in (0.05, 0.2)]
    assert list(found.loc["ddn"]["value"]) == by_hand
    assert list(found.columns[:4]) == ["settings", "seed", "eps", "metric"]


def test_seeds_are_those_of_methods_that_draw(people):
    found = run([KernelShap(coalitions=20), InputXGradient()], people, metrics=Sparseness(), seeds=range(2))
    assert list(found["method"]) == ["kernel_shap", "kernel_shap", "input_x_gradient"]
    assert list(found["seed"].fillna(-1)) == [0, 1, -1]
    assert list(found["settings"]) == ["coalitions=20", "coalitions=20", ""]


def test_a_resumed_study_gives_the_bits_of_an_uninterrupted_one(people, tmp_path):
    methods, how = [PGD(steps=3, restarts=2), IntegratedGradients()], {"eps": [0.1, 0.3], "seeds": [0, 1]}
    whole = run(methods, people, **how)
    ended: list[str] = []

    def stop(standing) -> None:
        if standing.done == 0:
            ended.append(standing.cell)
        if len(ended) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(methods, people, **how, out=tmp_path / "sweep", progress=stop)
    assert len(study.read(tmp_path / "sweep")) == 2
    begun: list[str] = []
    again = run(methods, people, **how, out=tmp_path / "sweep", progress=lambda s: begun.append(s.cell))
    assert len(set(begun)) == 3  # of five cells
    pd.testing.assert_frame_equal(evidence(again), evidence(whole))
    pd.testing.assert_frame_equal(evidence(study.read(tmp_path / "sweep")), evidence(whole))


@pytest.mark.parametrize("method", [PGD(steps=3), InputXGradient(), NearestReference(count=2)])
def test_a_study_that_is_ended_within_a_cell_loses_one_batch_at_most(people, tmp_path, method, monkeypatch):
    plain = run([method], people, batch_size=20)
    calls: list[int] = []
    whole = type(method).__call__

    def counted(self, model, inputs, *rest, **named):
        calls.append(len(inputs))
        return whole(self, model, inputs, *rest, **named)

    monkeypatch.setattr(type(method), "__call__", counted)

    def stop(standing) -> None:
        if standing.done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([method], people, batch_size=20, out=tmp_path, progress=stop)
    (damaged,) = tmp_path.glob("cells/*.parts/0-20.npz")
    damaged.write_bytes(damaged.read_bytes()[:50])  # and what is damaged is asked again
    found = run([method], people, batch_size=20, out=tmp_path)
    assert calls == [20] * 4
    pd.testing.assert_frame_equal(evidence(found), evidence(plain))
    assert not list((tmp_path / "cells").glob("*.parts"))


def test_ctrl_c_without_a_folder_ends_the_study_whose_rows_say_so(people):
    def stop(standing) -> None:
        if standing.number == 2:
            raise KeyboardInterrupt

    found = run([FGSM()], people, eps=[0.1, 0.2, 0.3], progress=stop)
    assert list(found["status"]) == ["done", "not run", "not run"]
    assert list(found["note"]) == ["", "interrupted", "interrupted"]
    assert list(found["eps"]) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    "method", [PGD(steps=3, restarts=3), KernelShap(coalitions=16), RandomizedSmoothing(draws=50, chosen=10)]
)
def test_a_batch_of_another_size_gives_the_same_numbers(people, method):
    metrics = None if not isinstance(method, Explainer) else [Deletion(), Completeness()]
    one, other = (run([method], people, metrics=metrics, batch_size=batch) for batch in (7, 60))
    pd.testing.assert_frame_equal(one[["value", "low", "high", "n"]], other[["value", "low", "high", "n"]], rtol=1e-5)


def test_a_folder_takes_further_cells_and_runs_no_cell_twice(people, tmp_path):
    run([FGSM()], people, eps=[0.1], out=tmp_path)
    told: list[str] = []
    found = run([FGSM()], people, eps=[0.1, 0.2], out=tmp_path, progress=lambda s: told.append(s.cell))
    assert set(told) == {"fgsm eps=0.2"}
    assert list(found["eps"]) == [0.1, 0.2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m, d: (m, d[:59]), "other data"),
        (lambda m, d: (m, replace(d, labels=1 - d.labels)), "other data"),
        (lambda m, d: (replace(m, forward=nn.Linear(5, 2).eval()), d), "a model with other weights"),
        (lambda m, d: (replace(m, space=replace(m.space, scale=torch.full((5,), 2.0))), d), "another space"),
        (lambda m, d: (replace(m, task=m.task.short(threshold=0.9)), d), "another task"),
    ],
)
def test_a_folder_of_another_model_or_other_data_is_refused_in_words(people, tmp_path, change, said):
    run([FGSM()], people, out=tmp_path)
    with pytest.raises(ExistsError, match=f"holds a study of .*{said}, and is left as it is; choose another out"):
        run([FGSM()], change(*people), out=tmp_path)


def test_a_black_box_is_recognised_by_its_answers(people, tmp_path):
    weight = torch.randn(5, 2)
    box = replace(people[0], forward=lambda x: x @ weight)
    run([FGSM()], (box, people[1]), out=tmp_path)
    run([FGSM()], (replace(box, forward=lambda x: x @ weight), people[1]), out=tmp_path)
    with pytest.raises(ExistsError, match="a study of a model with other answers"):
        run([FGSM()], (replace(box, forward=lambda x: x @ -weight), people[1]), out=tmp_path)


@dataclass(frozen=True, kw_only=True)
class Breaks(Explainer):
    """An explainer of somebody's own that fails until it is mended."""

    times: int = param(1, "which is not read")
    mended: ClassVar[bool] = False

    def attribute(self, model, inputs, targets):
        if not self.mended:
            raise ForwardError("it broke")
        return inputs * self.times


def test_a_failed_cell_records_its_error_and_is_run_again(people, tmp_path, monkeypatch):
    found = run([Breaks(), InputXGradient()], people, metrics=[Sparseness()], out=tmp_path)
    assert list(found["status"]) == ["error", "done"]
    assert found["note"][0] == "it broke"
    assert np.isnan(found["value"][0])
    monkeypatch.setattr(Breaks, "mended", True)
    assert (
        list(run([Breaks(), InputXGradient()], people, metrics=[Sparseness()], out=tmp_path)["status"]) == ["done"] * 2
    )


def test_what_a_model_lacks_for_a_metric_is_said_in_its_row(people):
    bare = replace(people[0], space=Space(bounds=(-4.0, 4.0)))
    found = run([InputXGradient()], (bare, people[1]))
    assert list(found["status"]) == ["not run", "not run"]
    assert all("reference" in note for note in found["note"])


def test_targets_are_explained_and_aimed_at(people):
    targets = torch.zeros(60, dtype=torch.long)
    found = run([FGSM(goal=Targeted())], people, eps=[0.3], targets=targets)
    by_hand = FGSM(goal=Targeted(), eps=0.3)(*people[:1], people[1].inputs, people[1].labels, targets=targets)
    assert found["value"][0] == RobustAccuracy()(people[0], by_hand).value


@pytest.mark.parametrize(
    ("methods", "how", "error", "said"),
    [
        ([], {}, DataError, "methods is empty; name one at least"),
        ([PGD], {}, DataError, r"the class PGD; write PGD\(\)"),
        (
            [Targeted()],
            {},
            DataError,
            "expected explainers, attacks, certificates, counterfactuals, surveys or metrics",
        ),
        (["pgd"], {}, DataError, "expected explainers"),
        ([Deletion()], {}, DataError, r"measures what a method returns; write metrics=\[Deletion"),
        ([InputXGradient()], {"eps": 0.1}, DataError, "no attack or certificate is among the methods; leave it out"),
        ([InputXGradient()], {"seeds": 3}, DataError, "none of the methods draws at random; leave them out"),
        (
            [FGSM()],
            {"metrics": [Deletion()]},
            DataError,
            "measures Attribution, which none of the methods returns; leave it out",
        ),
        ([FGSM()], {"eps": []}, DataError, "eps is empty; name one at least, or leave it out"),
        ([FGSM()], {"eps": ["much"]}, RangeError, "much"),
        ([DDN()], {"eps": [-1.0]}, RangeError, "eps holds -1.0, expected numbers of at least 0"),
        ([FGSM()], {"batch_size": 0}, RangeError, "batch_size = 0, expected a whole number of examples, at least 1"),
    ],
)
def test_what_cannot_be_studied_is_refused_before_anything_runs(people, methods, how, error, said):
    before = people[0].usage.forward
    with pytest.raises(error, match=said):
        run(methods, people, **how)
    assert people[0].usage.forward == before


def test_a_goal_of_a_function_is_kept_in_no_folder(people, tmp_path):
    goal = Custom(score=lambda logits, labels, targets: logits[:, 0])
    with pytest.raises(DataError, match=r"holds the function .*run without out=, or write it as a class"):
        run([FGSM(goal=goal)], people, out=tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
    assert len(run([FGSM(goal=goal)], people)) == 1


def test_a_folder_without_a_study_is_left_unchanged(people, tmp_path):
    (tmp_path / "thesis.txt").write_text("five years")
    with pytest.raises(ExistsError, match="exists and is not a study, so it is not changed"):
        run([FGSM()], people, out=tmp_path)
    with pytest.raises(DataError, match=r"holds no study; study.run\(..., out="):
        study.read(tmp_path)


def test_a_folder_takes_one_study_at_a_time_and_resumes_a_killed_one(people, tmp_path, capsys):
    with lock.writing(tmp_path), pytest.raises(ExistsError, match=f"process {os.getpid()} is writing into"):
        run([FGSM()], people, out=tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / lock.NAME).write_text("12345\n")  # what a process leaves that was killed
    told: list[study.Standing] = []
    found = run([FGSM()], people, out=tmp_path, progress=told.append)
    assert list(found["status"]) == ["done"]
    assert "process 12345 ended before its study in" in capsys.readouterr().err
    run([FGSM()], people, out=tmp_path, progress=told.append)
    assert capsys.readouterr().err == ""
    assert not (tmp_path / lock.NAME).exists()


def test_a_damaged_cell_is_named_with_what_to_delete(people, tmp_path):
    run([FGSM()], people, out=tmp_path)
    (cell,) = (tmp_path / "cells").glob("*.npz")
    cell.write_bytes(cell.read_bytes()[:50])
    with pytest.raises(DataError, match=r"delete .*\.json, and it is made again"):
        run([FGSM()], people, out=tmp_path)
    cell.with_suffix(".json").unlink()
    assert list(run([FGSM()], people, out=tmp_path)["status"]) == ["done"]


def test_the_remaining_time_follows_from_the_pace_so_far(people):
    from probe.study.asking import Subject
    from probe.study.cells import planned
    from probe.study.progress import Clock

    cells = planned([FGSM()], Subject(*people, None, 100), [0.1, 0.2, 0.3], None, None)
    time, told = [0.0], []
    clock = Clock(cells, told.append, lambda: time[0])
    clock(cells[0].name, 0, 60)
    time[0] = 4.0
    clock(cells[0].name, 30, 60)
    clock.ended(cells[0], 8.0)
    time[0] = 8.0
    clock(cells[0].name, 60, 60)
    clock(cells[1].name, 0, 60)
    assert [standing.left for standing in told] == [None, 4 + 8 + 8, 16, 16]
    assert str(told[1]) == "1 of 3: fgsm eps=0.1, 30 of 60 examples, about 20 s left"


@dataclass(frozen=True, kw_only=True)
class Half(Metric[Attribution]):
    """A metric of somebody's own."""

    aspect = "explanation"

    def measure(self, model, result: Attribution):
        return torch.full((len(result),), 0.5)


def test_methods_and_metrics_without_registration_are_studied(people, tmp_path, monkeypatch):
    monkeypatch.setattr(Breaks, "mended", True)
    found = run(sweep(Breaks(), times=[1, 2]), people, metrics=[Half()], out=tmp_path)
    assert list(found["settings"]) == ["", "times=2"]
    assert list(study.read(tmp_path)["value"]) == [0.5, 0.5]
