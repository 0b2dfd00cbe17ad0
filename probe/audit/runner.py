"""Run a plan step by step and write a bundle; finished steps are never lost."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from probe import lock
from probe.adapters import check_fit
from probe.audit.assessment import conclude
from probe.audit.bundle import Bundle, create
from probe.audit.continuing import check_answers, existing, reopen
from probe.audit.crewed import Workers, asked_of
from probe.audit.describing import describe
from probe.audit.evidence import Step, steps
from probe.audit.expected import expected_steps
from probe.audit.naming import check_names
from probe.audit.plan import Plan
from probe.audit.preparing import prepared
from probe.audit.shared import Shared
from probe.audit.shelf import Shelf
from probe.contracts import suited
from probe.dataset import Dataset
from probe.model import Model
from probe.study.steps import Progress, carry_out


def run(
    plan: Plan,
    model: Model,
    data: Dataset,
    folder: str | Path,
    *,
    progress: Progress = lambda step, done, total: None,
    workers: Workers | None = None,
) -> Bundle:
    """Audit a model and return its bundle. An unfinished audit in the folder is continued if it is the same.

    With `workers`, the batches of its steps are asked by them; with as many threads, the evidence has the same bits.
    On Ctrl-C or a full disk the finished steps are assessed and the bundle is marked as interrupted; then the exception
    is raised again.

    Raises:
        ExistsError: if the folder holds something else, or an audit whose answers the model does not reproduce.
    """
    with begun(plan, model, data, folder, workers=workers) as finish:
        return finish(progress)


@contextmanager
def begun(
    plan: Plan, model: Model, data: Dataset, folder: str | Path, *, workers: Workers | None = None
) -> Iterator[Callable[[Progress], Bundle]]:
    """An audit whose batches the workers, if there are any, are asked from here on; gives what brings it to its end.

    Within the block nobody else writes into the folder. An audit that did not end is left as interrupted.
    """
    plan, model, data = prepared(plan, model, data)
    manifest = describe(plan, model, data)
    folder = Path(folder)
    if (bundle := existing(folder, manifest)) and bundle.complete:
        there = bundle
        check_answers(there, model, data)
        yield lambda progress: there
        return
    check_fit(model, data)
    with lock.writing(folder):
        # Another process may have written before it released the lock.
        bundle = existing(folder, manifest)
        if bundle:
            check_answers(bundle, model, data)
        if bundle and bundle.complete:
            there = bundle
            yield lambda progress: there
            return
        with _interruptible(reopen(bundle) if bundle else create(folder, manifest)) as going:
            if data.groups is not None and not going.has("tables/groups.csv"):
                going.write_table("groups", data.groups)
            shared = Shared(folder)
            shelf = Shelf(going, shared)
            every: Iterable[Step] = _planned(plan, model, data, going, shared)
            with ExitStack() as asked:
                if workers is not None:
                    todo = [step for step in every if not shelf.has(step)]
                    every = asked.enter_context(asked_of(workers, todo, manifest, model))

                def finish(progress: Progress) -> Bundle:
                    carry_out(every, model, shelf, progress)
                    conclude(going, "complete")
                    shared.forget()
                    return going

                yield finish


@contextmanager
def _interruptible(bundle: Bundle) -> Iterator[Bundle]:
    """Assess what is there of a bundle if it is left before its end."""

    def leave() -> None:
        # On a full disk this cannot be written either; the last complete manifest stays, marked as running.
        with suppress(OSError, MemoryError):
            conclude(bundle, "interrupted")

    try:
        yield bundle
    except (KeyboardInterrupt, OSError, MemoryError):
        leave()
        raise
    if not bundle.complete:
        leave()


def check(plan: Plan, model: Model, data: Dataset) -> None:
    """Raise PlanError or ShapeError if the plan cannot be run."""
    check_names(plan.resolved(model, data), model, data)
    check_fit(model, suited(model, data))


def _planned(plan: Plan, model: Model, data: Dataset, bundle: Bundle, shared: Shared) -> Iterator[Step]:
    """The steps of a plan, the same that a verifier expects."""
    for name, step in zip(expected_steps(bundle.manifest.plan), steps(plan, model, data, shared=shared), strict=True):
        assert name == step.name, f"{step.name} runs where a verifier expects {name}"
        yield step
