"""Run or read a study."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from probe.adapters import check_fit
from probe.arrays import Wanted
from probe.contracts import Explainer, Metric, suited
from probe.dataset import Dataset
from probe.engines import crew_of, threads_of
from probe.errors import DataError, RangeError
from probe.method import Method
from probe.model import Model
from probe.study.asking import Subject
from probe.study.batches import together
from probe.study.cells import Budget, Cell, planned
from probe.study.crewed import ask_crew
from probe.study.dealing import check_workers, deal, part_of, share, takes_part, threads_set
from probe.study.progress import Clock, Told, to_stderr
from probe.study.record import Folder, Record
from probe.study.steps import Ended, carry_out
from probe.study.table import rows_of, table


def run(  # noqa: PLR0913  three that a study is of, and by name: what is asked, how, and who keeps and hears it
    methods: Method | Sequence[Any],
    model: Model,
    data: Dataset,
    *,
    eps: Budget | Sequence[Budget] | None = None,
    targets: Wanted | None = None,
    metrics: Metric[Any] | Sequence[Metric[Any]] | None = None,
    seeds: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    out: str | Path | None = None,
    progress: Told | None = to_stderr,
    engine: str | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Run methods x budgets x seeds over all examples, in batches that fit, and return one row per number.

    Every combination of method, budget and seed is a cell. With `out`, each finished cell is saved in that folder, and
    the same call, or one with more methods, budgets or seeds, runs only what is missing; the same seed gives the same
    bits. Ctrl-C is passed on to the caller: finished cells and batches are saved, and `study.read(out)` returns the
    cells. Without `out`, Ctrl-C ends the study, and missing rows say so. A failed cell has a row with the reason, and
    the next call runs it again.

    Args:
        methods: explainers, attacks, certificates, surveys, and metrics of predictions such as Accuracy(), of any
            package. `probe.sweep` makes one method per setting.
        model: the model to study.
        data: the examples; `data[:500]` selects the first 500.
        eps: budgets of attacks, or radii of certificates, as numbers or texts such as "8/255". An attack that minimises
            its change runs once and is read at each budget.
        targets: the class to explain for each example, and the target of targeted attacks, by index or name.
        metrics: metrics of the results; by default Deletion, Insertion and Completeness for explainers and
            RobustAccuracy for attacks.
        seeds: seeds of random methods; by default each method's own.
        batch_size: examples per batch; by default what suits the device.
        out: the folder, which is created. A folder with a study of another model or other data is refused.
        progress: called with the progress of the study; None: not called.
        engine: run the batches by several workers; the table has the bits of one process with as many threads. "ray"
            sends them to actors that hold the model and the rows. A worker of "processes", on this machine, or "slurm"
            runs this script again up to this call, and no further, and shares the folder `out`; with "processes" this
            process is the first of them.
        workers: how many, with `engine`; by default one for each core.

    Returns:
        A DataFrame with the columns method, settings (those that differ from the defaults), seed, eps, metric, item (of
        a survey), value, low and high (the 95 % interval), n, the seconds and the forward and backward evaluations of
        the method without its metrics, status ("done", "not run" or "error"), and a note with the reason.

    Raises:
        DataError: if there is nothing to run, or an argument has no effect.
        ExistsError: if `out` holds something else, or another process writes into it.

    >>> import torch
    >>> from probe import Dataset, Model, study, sweep
    >>> from probe.attacks import PGD
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1))
    >>> data = Dataset(torch.tensor([[0.9], [0.6]]), torch.tensor([0, 0]))
    >>> found = study.run(sweep(PGD(), steps=[1, 5]), model, data, eps=[0.05, 0.2], progress=None)
    >>> found[["settings", "eps", "value", "n"]].values.tolist()
    [['steps=1', 0.05, 1.0, 2], ['steps=1', 0.2, 0.5, 2], ['steps=5', 0.05, 1.0, 2], ['steps=5', 0.2, 0.5, 2]]
    """
    Model.require(model)
    Dataset.require(data)
    if len(data) == 0:
        raise DataError(f"{data.name} holds no examples; give one at least")
    if batch_size is not None and (isinstance(batch_size, bool) or not batch_size >= 1):
        raise RangeError(f"batch_size = {batch_size!r}, expected a whole number of examples, at least 1")
    data = suited(model, data)
    checked = None
    if targets is not None:
        # An explainer explains one output of a row, an attack wants an answer, which may be several labels.
        explains = any(isinstance(each, Explainer) for each in _listed(methods, "methods") or [])
        inputs = model.check(data.inputs)
        if explains:
            checked = model.check_targets(targets, inputs).cpu()
        else:
            checked = model.check_labels(targets, inputs, "targets").cpu()
    subject = Subject(model, data, checked, batch_size or together(data.inputs))
    cells = planned(
        _listed(methods, "methods") or [],
        subject,
        _listed(eps, "eps"),
        _listed(metrics, "metrics"),
        _listed(seeds, "seeds"),
    )
    check_fit(model, data)
    workers = check_workers(engine, workers, out)
    if out is None:
        return _carried_out(cells, model, None, progress)
    mine = part_of(Path(out))
    if mine is False:  # a worker of another study of the same script
        return _found(cells, Folder(out))
    for cell in cells:
        _refuse_functions(cell)
    folder = Folder(out)
    if mine:
        folder.begin(model, data, checked)
        cells = [replace(cell, subject=replace(subject, parts=folder.parts(cell.name))) for cell in cells]
        with threads_set(int(os.environ["OMP_NUM_THREADS"])):  # those of the caller, whatever the script sets
            _share(cells, folder)
        raise SystemExit(0)
    with folder.writing(_said if progress else _nothing):
        folder.begin(model, data, checked)
        cells = [replace(cell, subject=replace(subject, parts=folder.parts(cell.name))) for cell in cells]
        if engine and not all(folder.has(cell.name) for cell in cells):
            _dealt(cells, folder, engine, workers, progress)
        return _carried_out(cells, model, folder, progress)


def _dealt(cells: list[Cell], folder: Folder, engine: str, workers: int, progress: Told | None) -> None:
    """Let workers run the cells that the folder lacks. Those that fail are run once more by the caller, who says why.

    Raises:
        DataError: if workers ended before they were done.
    """
    told = progress or (lambda standing: None)
    clock = Clock(cells, told)
    shelf = _Shelf(folder, clock)
    left = [cell for cell in cells if not shelf.has(cell)]

    def watch() -> None:
        for cell in tuple(left):
            if folder.has(cell.name) and shelf.has(cell):
                left.remove(cell)
                clock(cell.name, cell.total, cell.total)

    say = _said if progress else _nothing
    crew = crew_of(engine, workers, say, gpu=cells[0].subject.model.device.type != "cpu")
    if crew is not None:
        with closing(crew):
            ask_crew(cells, crew, int(threads_of(workers)["OMP_NUM_THREADS"]), shelf, clock)
        return
    own = partial(_share, cells, folder, watch) if takes_part(engine) else watch
    try:
        failed = deal(folder.path, engine, workers, say, own, partial(_share, cells, folder))
    finally:
        folder.unclaim()
    if failed and not all(folder.has(cell.name) for cell in cells):
        raise DataError(f"{failed}; the same call continues the study in {folder.path}")


def _share(cells: list[Cell], folder: Folder, watch: Callable[[], None] = lambda: None) -> None:
    share(cells, folder, _Shelf(folder, Clock(cells, lambda standing: None)), watch)


def _found(cells: list[Cell], folder: Folder) -> pd.DataFrame:
    """The table of the cells that a folder has."""
    shelf = _Shelf(folder, Clock(cells, lambda standing: None))
    return table(row for cell in cells if shelf.has(cell) for row in shelf.rows(cell))


def _carried_out(cells: list[Cell], model: Model, folder: Folder | None, progress: Told | None) -> pd.DataFrame:
    """Run the cells that the folder lacks, and return the table of all."""
    clock = Clock(cells, progress or (lambda standing: None))
    shelf = _Shelf(folder, clock)
    for cell in cells:  # so that the clock knows from the start what is already done
        shelf.has(cell)
    try:
        carry_out(cells, model, shelf, clock)
    except KeyboardInterrupt:
        if folder is not None:
            raise
    return table(row for cell in cells for row in shelf.rows(cell))


def read(out: str | Path) -> pd.DataFrame:
    """The table of all cells in a folder, in the order in which they finished.

    Raises:
        DataError: if the folder holds no study, or a damaged one.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from probe import Dataset, Model, study
    >>> from probe.attacks import FGSM
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1))
    >>> data = Dataset(torch.tensor([[0.9], [0.6]]), torch.tensor([0, 0]))
    >>> with TemporaryDirectory() as folder:
    ...     _ = study.run(FGSM(), model, data, eps=[0.05, 0.2], out=f"{folder}/sweep", progress=None)
    ...     found = study.read(f"{folder}/sweep")
    >>> found[["method", "eps", "value"]].values.tolist()
    [['fgsm', 0.05, 1.0], ['fgsm', 0.2, 0.5]]
    """
    return table(row for record in Folder(out).records() for row in rows_of(record))


class _Shelf:
    """The finished cells, in memory and in the folder if there is one."""

    def __init__(self, folder: Folder | None, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._records, self._failed = dict[str, Record](), dict[str, Ended]()

    def has(self, cell: Cell) -> bool:
        if cell.name not in self._records and self._folder and (kept := self._folder.get(cell.name, cell.identity)):
            self._records[cell.name] = kept
            self._clock.ended(cell, kept.seconds)
        return cell.name in self._records

    def keep(self, cell: Cell, made: Record) -> None:
        if self._folder:
            self._folder.put(cell.name, made)
        self._records[cell.name] = made

    def ended(self, cell: Cell, how: Ended) -> None:
        self._clock.ended(cell, how.seconds)
        if how.status != "done":
            self._failed[cell.name] = how

    def rows(self, cell: Cell) -> list[dict[str, Any]]:
        """The rows of a cell, or one row that says why there are none."""
        if cell.name in self._records:
            return rows_of(self._records[cell.name])
        how = self._failed.get(cell.name)
        said = {"status": how.status, "note": how.note} if how else {"status": "not run", "note": "interrupted"}
        return [{**cell.head, "eps": cell.budget, "metric": "", "item": "", **said}]


def _nothing(line: str) -> None:
    pass


def _said(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _listed(given: Any, what: str) -> list[Any] | None:
    """One or several values as a list; None if not given."""
    if given is None:
        return None
    if isinstance(given, str | int | float | Method | type):
        return [given]
    found = list(given)
    if not found:
        raise DataError(f"{what} is empty; name one at least" + (", or leave it out" if what != "methods" else ""))
    return found


def _refuse_functions(cell: Cell) -> None:
    """Raise DataError if a setting is a function: two of the same name cannot be distinguished."""
    for method in (cell.method, *cell.metrics):
        if named := _function(method):
            raise DataError(
                f"{method} holds the function {named}, and a later call cannot tell whether it has changed; run "
                "without out=, or write it as a class, such as a Goal"
            )


def _function(method: Method) -> str:
    for field in fields(method):
        value = getattr(method, field.name)
        if isinstance(value, Method):
            if named := _function(value):
                return named
        elif callable(value):
            return str(getattr(value, "__qualname__", type(value).__name__))
    return ""
