"""What a command says of a model's answers and of images: the keys of a plan, once for all commands."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import typer

from probe.errors import PlanError

TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        help="The task: classification, multilabel, regression or places; that of the model or plan unless given.",
    ),
]
Outputs = Annotated[
    str,
    typer.Option("--outputs", help="What the outputs are: logits, one logit, probabilities or one probability."),
]
Part = Annotated[
    str, typer.Option("--part", help="Which part of the model's return value is its outputs, such as logits or 0.")
]
Only = Annotated[str, typer.Option("--only", help="One of several labels by its name, or a place, to study alone.")]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", min=0, help="Regression: the largest error of a right answer, in the label's unit."),
]
Segments = Annotated[
    int,
    typer.Option(
        "--segments", min=0, help="Images: the approximate number of segments that are the features of an image."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command says besides its plan, or in place of it."""

    task: str = ""
    outputs: str = ""
    part: str = ""
    only: str = ""
    tolerance: float | None = None
    segments: int = 0

    @property
    def keys(self) -> dict[str, Any]:
        """What is said of the model, as [model] of a plan has it."""
        given = {key: value for key, value in asdict(self).items() if key != "segments" and value not in ("", None)}
        place = self.part.isdecimal() and self.part.isascii()
        return given | ({"part": int(self.part)} if place else {})

    def arguments(self) -> list[str]:
        """The same as arguments of a command."""
        given = {key: value for key, value in asdict(self).items() if value is not None and value != vars(Said())[key]}
        return [word for key, value in given.items() for word in (f"--{key}", str(value))]

    def into(self, plan: Any) -> Any:
        """The plan with what is said.

        Raises:
            PlanError: where it does not go with the model or the data.
        """
        from probe.audit.sources import ModelSource

        if self.keys:
            model = ModelSource.read({**asdict(plan.model), **self.keys}, "model")
            model.check()
            plan = replace(plan, model=model)
        if self.segments:
            plan = replace(plan, data=replace(plan.data, squares=0, segments=self.segments))
            plan.data.check()
        return plan

    def refuse(self, source: str) -> None:
        """Raise PlanError where something is said of a model, and there is none."""
        for key in self.keys:
            raise PlanError(f"--{key} is for a model, and {source} holds answers; leave it out")
