"""`probe bias`: compare outcomes between groups, for a model's answers or any decisions in a CSV file."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from probe.cli.app import (
    AllowCode,
    Decimal,
    Device,
    Encoding,
    Json,
    PlanFile,
    Separator,
    Strict,
    command,
    emit_json,
    exit_code,
    print_out,
)
from probe.cli.said import Only, Outputs, Part, Said, TaskName, Tolerance
from probe.cli.summary import signed
from probe.errors import DataError, PlanError, RangeError
from probe.names import listed, nearest

TABLES = tuple(form + packed for form in (".csv", ".tsv") for packed in ("", ".gz", ".bz2", ".xz", ".zip"))


@command("bias")
def bias(
    source: Annotated[
        str, typer.Argument(help="A network of the zoo, a folder of `probe train`, or a CSV file with decisions.")
    ] = "",
    plan: PlanFile = None,
    label: Annotated[
        str,
        typer.Option(
            help="CSV: the column with the true outcome; `label` if there is one. Without it, only selection rates."
        ),
    ] = "",
    prediction: Annotated[str, typer.Option(help="CSV: the column with the decision.")] = "prediction",
    scores: Annotated[str, typer.Option(help="CSV: the column with the probability of the favourable outcome.")] = "",
    groups: Annotated[
        list[str] | None, typer.Option("--group", help="A column that names groups; repeat for more.")
    ] = None,
    favourable: Annotated[str, typer.Option(help="The favourable outcome: a value of the CSV, or a class.")] = "",
    numbers: Annotated[
        bool, typer.Option("--numbers", help="CSV: label and prediction are numbers (a regression).")
    ] = False,
    order: Annotated[int, typer.Option(min=1, help="The largest number of attributes in an intersection.")] = 2,
    min_group_size: Annotated[
        int, typer.Option(min=1, help="The minimum number of rows behind a rate for a group to be compared.")
    ] = 30,
    level: Annotated[float, typer.Option(help="The confidence level of the intervals, such as 0.95.")] = 0.95,
    thresholds: Annotated[
        list[str] | None,
        typer.Option("--threshold", help="A threshold, such as demographic_parity_ratio=0.8; repeat for more."),
    ] = None,
    missing: Annotated[
        list[str] | None, typer.Option(help="A group name that means unknown, such as ?; an empty one always does.")
    ] = None,
    merge_spellings: Annotated[
        bool, typer.Option("--merge-spellings", help="Count 'Male', 'male' and 'Male ' as one group.")
    ] = False,
    separator: Separator = "",
    decimal: Decimal = "",
    encoding: Encoding = "",
    task: TaskName = "",
    outputs: Outputs = "",
    part: Part = "",
    only: Only = "",
    tolerance: Tolerance = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the permutation tests.")] = 0,
    device: Device = "",
    allow_code: AllowCode = False,
    strict: Strict = False,
    as_json: Json = False,
) -> int:
    """Compare outcomes between groups, with intervals and tests.

    For a regression, or with --numbers for a CSV, means are compared: of the answers, of their errors and of their
    absolute errors; thresholds are shares of the outcome's standard deviation.
    """
    from probe.bias import audit, audit_numbers
    from probe.task import Regression

    if bool(source) == (plan is not None):
        raise PlanError("name one thing to compare: `probe bias adult-mlp`, `probe bias decisions.csv`, or --plan FILE")
    columns = _Columns(label, prediction, scores, tuple(groups or ()))
    of_model = Said(task=task, outputs=outputs, part=part, only=only, tolerance=tolerance)
    if plan is None and source.lower().endswith(TABLES):
        columns.refuse_for_numbers(favourable, numbers=numbers)
        of_model.refuse(source)
        data, said = columns.read(
            source, favourable, {"separator": separator, "decimal": decimal, "encoding": encoding}
        )
    else:
        columns.refuse_for_a_model(label, prediction, scores, numbers=numbers)
        from probe.cli.sources import open_both, plan_in, plan_of

        chosen = of_model.into(plan_of(source) if plan is None else plan_in(plan))
        model, rows = open_both(chosen, allow_code=allow_code, device=device)
        data, said = _answers(chosen, model, rows, columns.groups, favourable)
        numbers = isinstance(model.task, Regression)
    if numbers:
        data = {"labels": data["labels"], "answers": data["predictions"], "groups": data["groups"]}
    report = (audit_numbers if numbers else audit)(
        **data,
        order=order,
        min_group_size=min_group_size,
        level=level,
        thresholds=_thresholds(thresholds),
        missing=tuple(missing or ()),
        merge_spellings=merge_spellings,
        seed=seed,
    )
    if as_json:
        document = report.to_json()
        emit_json(document | {"notices": [*said, *document["notices"]]})
    else:
        _say(report, said)
    return exit_code((finding.status for finding in report.findings), strict)


def _say(report: Any, said: list[str]) -> None:
    if report.favourable is not None:
        print_out(f"favourable outcome: {report.favourable}")
    for notice in (*said, *report.notices):
        print_out(f"note: {notice}")
    for row in report.row_accounting.to_dict("records"):
        left = [f"{row[name]:,} {word}" for name, word in (("unknown", "unknown"), ("not_run", "not run")) if row[name]]
        print_out(
            f"{row['attribute']}: {row['used']:,} of {row['rows']:,} rows" + "".join(f", {part}" for part in left)
        )
    for f in report.findings:
        value = "" if f.estimate is None else f": {f.written().estimate}"
        print_out(f"{signed(f.status):15} {f.check}{value}  {f.note}")


@dataclass(frozen=True)
class _Columns:
    """Which columns of a CSV file hold what."""

    label: str
    prediction: str
    scores: str
    groups: tuple[str, ...]

    def read(self, path: str, favourable: str, written: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The arguments of `bias.audit`, and notices about the file."""
        from probe.csvfile import Reading, read_csv

        if not self.groups:
            raise DataError("name the columns that hold groups: --group sex --group race")
        table, notices = read_csv(path, self.groups, Reading(**written))
        label = self.label or ("label" if "label" in table and self.prediction != "label" else "")
        for column in filter(None, (label, self.prediction, self.scores, *self.groups)):
            if column not in table:
                there = list(map(str, table.columns))
                raise DataError(f"{path} has no column {column!r}{nearest(column, there)}; it has {listed(there)}")
        self._refuse_twice(label)
        return {
            "labels": table[label] if label else None,
            "predictions": table[self.prediction],
            "groups": table[list(dict.fromkeys(self.groups))],
            "scores": table[self.scores] if self.scores else None,
            "favourable": favourable or None,
        }, list(notices)

    def _refuse_twice(self, label: str) -> None:
        """Refuse a column that would be compared with itself."""
        given = [("--label", label), ("--prediction", self.prediction), ("--scores", self.scores)]
        roles: dict[str, str] = {}
        for option, column in (*given, *(("--group", group) for group in self.groups)):
            first = roles.setdefault(column, option)
            if column and first != option:
                alone = "; without --label its rates are compared alone" * (first == "--label")
                raise PlanError(
                    f"column {column!r} is both {first} and {option}, so it would be compared with itself; name "
                    f"another column, or leave one of the two out{alone}"
                )

    def refuse_for_a_model(self, label: str, prediction: str, scores: str, *, numbers: bool) -> None:
        """Refuse options that name columns of a CSV file."""
        if label or scores or prediction != "prediction":
            raise PlanError("--label, --prediction and --scores name columns of a CSV file; a model needs none of them")
        if numbers:
            raise PlanError("--numbers is for a CSV file, and the task of a model is known; leave it out")

    def refuse_for_numbers(self, favourable: str, *, numbers: bool) -> None:
        """Refuse options that only classes have: a favourable outcome and scores."""
        if numbers and (favourable or self.scores):
            option = "--favourable" if favourable else "--scores"
            raise PlanError(f"{option} is for classes, and --numbers compares numbers; leave one of the two out")


def _answers(
    plan: Any, model: Any, data: Any, groups: tuple[str, ...], favourable: str
) -> tuple[dict[str, Any], list[str]]:
    """The labels and answers of a model on its data, for the favourable class."""
    from probe.bias import Favourable
    from probe.cli.sources import one_answer
    from probe.task import MultiLabel, Regression

    if data.groups is None:
        raise DataError(f"{plan.name} has no groups to compare; adult-mlp has")
    chosen = groups or plan.bias.groups or tuple(map(str, data.groups.columns))
    if missing := sorted(set(chosen) - set(data.groups.columns)):
        raise DataError(f"{plan.name} has no groups {missing[0]!r}; it has {', '.join(data.groups.columns)}")
    said = [*data.notices, *model.notices]
    if isinstance(model.task, Regression):
        return _numbers(plan, model, data, chosen, favourable), said
    named = favourable or plan.bias.positive
    if isinstance(model.task, MultiLabel):
        outcomes = {name: label for label in model.task.labels for name in model.task.only(label).classes}
        if named not in outcomes:
            raise DataError(
                f"{plan.name} has several labels; name the favourable outcome of one: --favourable "
                f"{list(outcomes)[-1]!r}, of {', '.join(outcomes)}; `probe audit` compares groups by each label"
            )
        model, data = one_answer(model, data, outcomes[named])
    classes = list(model.classes or data.classes)
    if named and named not in classes:
        raise DataError(f"--favourable {named!r} is not a class of {plan.name}; there are {', '.join(classes)}")
    if not named and len(classes) != 2:
        raise DataError(f"{plan.name} has {len(classes)} classes; name the favourable one: --favourable {classes[0]!r}")
    index = classes.index(named) if named else 1
    return {
        "labels": (data.labels.numpy() == index).astype(int),
        "predictions": (model.predict(data.inputs).cpu().numpy() == index).astype(int),
        "groups": data.groups[list(chosen)],
        "favourable": Favourable(classes[index], assumed=not named),
    }, said


def _numbers(plan: Any, model: Any, data: Any, groups: tuple[str, ...], favourable: str) -> dict[str, Any]:
    """The labels and answers of a regression."""
    if favourable:
        raise DataError(f"--favourable {favourable!r} is a class, and {plan.name} answers with numbers; leave it out")
    if len(model.task.outputs) > 1:
        raise DataError(
            f"{plan.name} answers with {len(model.task.outputs)} numbers: {', '.join(model.task.outputs)}; "
            "`probe audit` compares groups by each of them"
        )
    answers = model.predict(model.check(data.inputs)).cpu().numpy()
    return {"labels": data.labels.reshape(-1).numpy(), "predictions": answers, "groups": data.groups[list(groups)]}


def _thresholds(given: list[str] | None) -> dict[str, float]:
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise RangeError(f"--threshold {text!r}, expected NAME=VALUE such as demographic_parity_ratio=0.8")
    return found
