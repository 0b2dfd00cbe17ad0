"""The content of audit.json as typed dataclasses. Reading refuses everything that an audit does not write."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import PurePosixPath
from typing import Any, Literal

from probe.audit.canonical import digest, dump, parse
from probe.audit.readings import Reading
from probe.audit.strict import ADDED, plain, typed
from probe.errors import IntegrityError
from probe.finding import Finding
from probe.task import Task, from_json

SCHEMA = 4
# Arrays that reveal cells or pixels of a row. Values by coordinate reveal its categories, and outline an image.
# How near rows are to each other says which are twins.
OF_INPUTS = frozenset(
    {"inputs", "truth", "described", "values", "shown", "moved", "before", "after", "candidates"}
    | {"near", "near_far", "near_within", "near_among"}
)
VALUES = "values-"  # begins the names of an attack's arrays of values by coordinate, one for each explainer

Config = Mapping[str, Any]  # a method by its name, with settings


@dataclass(frozen=True, kw_only=True)
class PredictRecord:
    """The metrics of the answers to all rows."""

    metrics: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class ExplainRecord:
    """The explainers, and the number of rows to explain."""

    sample: int
    target: str  # the output to explain; "": the answer of each row
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class AttackRecord:
    """The attacks, the number of rows to attack, and the budgets as the plan writes them."""

    sample: int
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]
    labels: tuple[str, ...]  # labels that are also attacked alone
    eps: tuple[str, ...]
    until_decided: int = field(default=0, metadata=ADDED)  # rows between two looks; 0: all rows are attacked


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """The searches for counterfactuals, and their number of rows."""

    sample: int
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class CertifyRecord:
    """The certificates, their number of rows, and the radii."""

    sample: int
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]
    eps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SurveyRecord:
    """The surveys, and their number of rows."""

    sample: int
    methods: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class BiasRecord:
    """The comparison of groups."""

    groups: tuple[str, ...] | None  # None: all that the data name
    positive: str
    min_group_size: int
    order: int
    merge_spellings: bool


@dataclass(frozen=True, kw_only=True)
class AboutRecord:
    """What the plan's author says of the model's use; no measurement can tell."""

    use: str = ""
    users: str = ""
    people: str = ""
    out_of_scope: str = ""
    responsible: str = ""


@dataclass(frozen=True, kw_only=True)
class BundleRecord:
    """Whether people's rows may be kept."""

    inputs: Literal["shown", "none"]


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """The plan as it was run, with every default written out. It is made from a `Plan`, which needs torch."""

    name: str
    seed: int
    model: Config
    data: Config
    predict: PredictRecord
    explain: ExplainRecord
    attack: AttackRecord
    search: SearchRecord
    certify: CertifyRecord
    survey: SurveyRecord
    bias: BiasRecord
    bundle: BundleRecord
    checks: Mapping[str, Any]  # a threshold for each metric and gap, and `robust_eps`
    about: AboutRecord = field(default=AboutRecord(), metadata=ADDED)

    @property
    def keeps_inputs(self) -> bool:
        """Whether rows of inputs may be in the bundle."""
        return self.bundle.inputs == "shown"

    def threshold(self, name: str) -> float | None:
        """The threshold of a metric or gap; None if it has none."""
        found = self.checks.get(name)
        return None if found is None else float(found)


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The model's training rows, as far as they are known, and their overlap with the audited rows."""

    n: int
    sha256: str  # of inputs and labels
    shared: int  # audited rows whose inputs are among them


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """The model that was audited."""

    name: str
    sha256: str | None  # of the weights; None for a black box
    classes: tuple[str, ...]
    task: Mapping[str, Any]  # the meaning of its outputs
    training: TrainingRecord | None
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UnitsRecord:
    """What a radius is in other units than the space's scale."""

    level: float | None = None  # a level of a pixel of 8 bits as a radius; None where inputs are no such images
    scale: tuple[float, ...] = ()  # the least and the largest scale; empty where it is 1 everywhere


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The rows that were audited."""

    name: str
    sha256: str
    source: str
    role: str  # test, train or unknown
    n: int
    form: Mapping[str, Any]  # its name and its drawer, for readers without torch
    shape: tuple[int, ...]  # of an input
    groups: tuple[str, ...]  # attributes
    features: tuple[str, ...]
    kinds: tuple[str, ...]
    notices: tuple[str, ...]
    units: UnitsRecord = field(default=UnitsRecord(), metadata=ADDED)

    def __post_init__(self) -> None:
        level, scale = self.units.level, self.units.scale
        if len(scale) not in (0, 2) or not all(0 < each < inf for each in (*scale, 1.0 if level is None else level)):
            raise ValueError("its units are not a level above 0, and two scales")


@dataclass(frozen=True, kw_only=True)
class ThreatRecord:
    """The unit of the attacks' budgets."""

    unit: str
    counted: bool
    axis: str
    note: str


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step that ended, with its cost."""

    name: str  # of its arrays
    kind: str  # predictions, instances, explainer, attack, certificate, survey
    id: str
    aspect: str
    method: Config
    threat: ThreatRecord | None = None
    answer: Literal["wrong", "target", ""] = (
        ""  # of an attack: which answers reach its goal; "" if only the goal's code can tell
    )
    finds: str = ""  # of an attack: a weaker one, all of whose successes it must find
    title: str = ""
    label: str = ""  # of an attack: the one of several labels that it attacks; "": any of them
    caption: str = ""
    certifies: str = ""  # of a certificate: whose decision it certifies, if not the model's own
    readings: tuple[Reading, ...] = ()
    status: Literal["done", "not run", "error"]
    note: str
    seconds: float
    forward: int
    backward: int

    def __post_init__(self) -> None:
        if not isinstance(self.method.get("method", ""), str):
            raise ValueError(f"its method is {self.method['method']!r:.60}, which no audit writes")
        if not all(0 <= cost < 2**63 for cost in (self.seconds, self.forward, self.backward)):
            raise ValueError("its cost is not a number of seconds or examples")

    @property
    def done(self) -> bool:
        return self.status == "done"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An audit: plan, subject, steps and findings. Frozen: a change makes another manifest."""

    schema: int = SCHEMA
    name: str
    status: Literal["running", "interrupted", "complete"]
    created: str
    finished: str | None = None
    plan: PlanRecord
    model: ModelRecord
    data: DataRecord
    machine: Mapping[str, Any]
    steps: tuple[StepRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by name
    contents: Mapping[str, str] = field(
        default_factory=dict
    )  # digests of the arrays' contents, independent of their compression
    evidence_digest: str = ""
    digest: str = ""
    report_sha256: str | None = None

    def __post_init__(self) -> None:
        for file, sha in (*self.files.items(), *self.contents.items()):
            listed = re.fullmatch(r"(arrays/[^/]+\.npz|tables/[^/]+\.csv)", file)
            if not listed or not re.fullmatch("[0-9a-f]{64}", sha):
                raise ValueError(f"it lists the file {file!r:.60}, which no audit writes")

    @cached_property
    def task(self) -> Task:
        """The meaning of the model's outputs."""
        return from_json(self.model.task)

    def to_json(self) -> dict[str, Any]:
        """The JSON document of audit.json."""
        return plain(self)


def check_schema(document: Mapping[str, Any], shown: str) -> None:
    """Raise IntegrityError for a manifest of another schema, with what to do."""
    if "schema" in document and document["schema"] != SCHEMA:
        raise IntegrityError(
            f"{shown} has schema {str(document['schema'])[:20]}, and this version of probe reads {SCHEMA}: "
            "run the audit again, or read it with the version that wrote it"
        )


def read_manifest(data: bytes, shown: str) -> Manifest:
    """Read the manifest from the bytes of audit.json. Each manifest has only one valid sequence of bytes.

    Raises:
        IntegrityError: if they are damaged, changed since, of another schema, or not what an audit writes.
    """
    document = parse(data, shown)
    check_schema(document, shown)
    files = document.get("files")
    if isinstance(files, dict) and any(
        PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts for file in files
    ):
        raise IntegrityError(f"{shown} names files outside its folder; nothing was opened")
    if "digest" in document and digest(document) != document["digest"]:
        raise IntegrityError(f"{shown} was changed after the audit: its digest differs")
    manifest = typed(Manifest, document, shown)
    if data != dump(manifest.to_json()):
        raise IntegrityError(f"{shown} has the content of an audit but is not written as an audit writes it")
    return manifest


def tells_inputs(name: str, array: Any, shape: tuple[int, ...]) -> bool:
    """Whether an array of a bundle reveals cells or pixels of rows; `shape` is that of an input.

    Features of each row count: segments are the outlines of what is in the image.
    """
    told = name in OF_INPUTS or name.startswith(VALUES)
    return told or (name == "features" and array.ndim > len(shape))
