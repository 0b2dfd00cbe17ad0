"""What audit.json holds: read once, with a type for every part; nothing is there that no audit writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from probe.audit.canonical import digest, dump, parse
from probe.audit.readings import Reading
from probe.audit.strict import plain, typed
from probe.errors import IntegrityError
from probe.finding import Finding
from probe.task import Task, from_json

SCHEMA = 2
# The arrays that tell cells or pixels of a row; values by coordinate tell its category, and draw its picture.
OF_INPUTS = frozenset({"inputs", "described", "values", "shown", "moved", "before", "after", "candidates"})

Config = Mapping[str, Any]  # a method by its name, with settings


@dataclass(frozen=True, kw_only=True)
class PredictRecord:
    """What was asked of the answers to all rows."""

    metrics: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class ExplainRecord:
    """Which explainers were asked for, and on how many rows."""

    sample: int
    target: str  # what is explained; "": of each row its answer
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class AttackRecord:
    """Which attacks were asked for, on how many rows, with which budgets as the plan writes them."""

    sample: int
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]
    labels: tuple[str, ...]  # those that were attacked alone too
    eps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """Which counterfactuals were searched for, and for how many rows."""

    sample: int
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class CertifyRecord:
    """Which certificates were asked for, on how many rows, and at which radii."""

    sample: int
    methods: tuple[Config, ...]
    metrics: tuple[Config, ...]
    eps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SurveyRecord:
    """Which surveys were asked for, on how many rows."""

    sample: int
    methods: tuple[Config, ...]


@dataclass(frozen=True, kw_only=True)
class BiasRecord:
    """Whose outcomes were compared."""

    groups: tuple[str, ...] | None  # None: all that the data name
    positive: str
    min_group_size: int
    order: int
    merge_spellings: bool


@dataclass(frozen=True, kw_only=True)
class BundleRecord:
    """What may be kept of people's rows."""

    inputs: Literal["shown", "none"]


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """The plan as it was run, with every default written out. `Plan` is what makes one; it needs torch."""

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

    @property
    def keeps_inputs(self) -> bool:
        """Whether rows of inputs may be in the bundle."""
        return self.bundle.inputs == "shown"

    def threshold(self, name: str) -> float | None:
        """What is asked of a metric or gap; None if nothing is."""
        found = self.checks.get(name)
        return None if found is None else float(found)


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The rows that a model learned from, as far as they are known, beside those that were audited."""

    n: int
    sha256: str  # of inputs and labels
    shared: int  # audited rows whose inputs are among them


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """Whose answers were audited."""

    name: str
    sha256: str | None  # of the weights; None where they cannot be seen
    classes: tuple[str, ...]
    task: Mapping[str, Any]  # what its outputs mean
    training: TrainingRecord | None
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The rows that were audited."""

    name: str
    sha256: str
    source: str
    role: str  # test, train or unknown
    n: int
    form: Mapping[str, Any]  # what readers need of it: its name, how it is drawn
    shape: tuple[int, ...]  # of an input
    groups: tuple[str, ...]  # attributes
    features: tuple[str, ...]
    kinds: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ThreatRecord:
    """What the budget of an attack is a number of."""

    unit: str
    counted: bool
    axis: str
    note: str


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step that ended, and what it cost."""

    name: str  # of its arrays
    kind: str  # predictions, instances, explainer, attack, certificate, survey
    id: str
    aspect: str
    method: Config
    threat: ThreatRecord | None = None
    answer: Literal["wrong", "target", ""] = ""  # of an attack: what reaches its goal; "" where only the goal can tell
    finds: str = ""  # of an attack: the weaker one whose every success it must find
    title: str = ""
    label: str = ""  # of an attack: the one of several labels that it is of; "": any of them
    caption: str = ""
    certifies: str = ""  # of a certificate: whose decision it certifies, where it is not the model's own
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
            raise ValueError("what it cost is no number of seconds or examples")

    @property
    def done(self) -> bool:
        return self.status == "done"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An audit: what was asked, of what, what ran, and what was found. Frozen; a change is another manifest."""

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
    contents: Mapping[str, str] = field(default_factory=dict)  # fingerprints of arrays, however they are compressed
    evidence_digest: str = ""
    digest: str = ""
    report_sha256: str | None = None

    def __post_init__(self) -> None:
        for file, sha in (*self.files.items(), *self.contents.items()):
            listed = re.fullmatch(r"(arrays/[^/]+\.npz|tables/[^/]+\.csv)", file)
            if not listed or not re.fullmatch("[0-9a-f]{64}", sha):
                raise ValueError(f"it lists the file {file!r:.60}, which no audit writes")

    @property
    def task(self) -> Task:
        """What the outputs of the model mean."""
        return from_json(self.model.task)

    def to_json(self) -> dict[str, Any]:
        """The document that audit.json holds."""
        return plain(self)


def read_manifest(data: bytes, shown: str) -> Manifest:
    """The manifest in the bytes of audit.json, which are the only ones that say it.

    Raises:
        IntegrityError: if they are damaged, changed since, of another schema, or not what an audit writes.
    """
    document = parse(data, shown)
    if "schema" in document and document["schema"] != SCHEMA:
        raise IntegrityError(
            f"{shown} has schema {str(document['schema'])[:20]}, and this version of probe reads {SCHEMA}: "
            "run the audit again, or read it with the version that wrote it"
        )
    files = document.get("files")
    if isinstance(files, dict) and any(
        PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts for file in files
    ):
        raise IntegrityError(f"{shown} names files outside its folder; nothing was opened")
    if "digest" in document and digest(document) != document["digest"]:
        raise IntegrityError(f"{shown} was changed after the audit: its digest differs")
    manifest = typed(Manifest, document, shown)
    if data != dump(manifest.to_json()):
        raise IntegrityError(f"{shown} is not written as an audit writes it, though it says the same")
    return manifest


def tells_inputs(name: str, array: Any, shape: tuple[int, ...]) -> bool:
    """Whether an array of a bundle tells cells or pixels of rows; `shape` is that of an input.

    Features of each row are the outlines of what is in its picture.
    """
    return name in OF_INPUTS or (name == "features" and array.ndim > len(shape))
