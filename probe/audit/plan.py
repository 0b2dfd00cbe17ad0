"""The plan of an audit, in TOML: unknown keys are refused, and `resolve` writes out every default."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from probe.audit.asked import PLANTED, READ, Asked, Checks, Judged, asked, measures, surveyed
from probe.audit.expected import SECTIONS, ids
from probe.audit.manifest import PlanRecord
from probe.audit.radii import check_attacks, check_radii, own_radii
from probe.audit.sections import (
    AboutPlan,
    AttackPlan,
    BiasPlan,
    BundlePlan,
    CertifyPlan,
    Config,
    ExplainPlan,
    PredictPlan,
    SearchPlan,
    Section,
    SurveyPlan,
)
from probe.audit.sources import SOURCES, DataSource, ModelSource
from probe.audit.strict import typed
from probe.contracts import Metric, Survey, usual_attacks
from probe.dataset import Dataset
from probe.declared import param, required
from probe.errors import PlanError, ProbeError
from probe.forms import Form, named
from probe.metrics import Withstood
from probe.model import Model
from probe.numbers import fraction
from probe.registry import build, discover, methods
from probe.task import Task

UNUSUAL = {"search": "counterfactual", "certify": "certificate"}  # sections that run only the methods that they name
ADVISED = {"search": "nearest_reference", "certify": "randomized_smoothing"}  # methods of these for black boxes too


@dataclass(frozen=True, kw_only=True)
class Plan(Section):
    """One audit: a model, its data, and the methods and checks to run."""

    name: str = required("the folder of the audit")
    seed: int = param(0, "the seed of all random numbers", low=0)
    model: ModelSource = field(default_factory=ModelSource)
    data: DataSource = field(default_factory=DataSource)
    predict: PredictPlan = field(default_factory=PredictPlan)
    explain: ExplainPlan = field(default_factory=ExplainPlan)
    attack: AttackPlan = field(default_factory=AttackPlan)
    search: SearchPlan = field(default_factory=SearchPlan)
    certify: CertifyPlan = field(default_factory=CertifyPlan)
    survey: SurveyPlan = field(default_factory=SurveyPlan)
    bias: BiasPlan = field(default_factory=BiasPlan)
    bundle: BundlePlan = field(default_factory=BundlePlan)
    checks: Checks = field(default_factory=Checks)
    about: AboutPlan = field(default_factory=AboutPlan)

    @property
    def sourced(self) -> bool:
        """Whether the plan names a model."""
        return any(getattr(self.model, key) for key in SOURCES)

    @property
    def keeps_inputs(self) -> bool:
        """Whether rows of inputs may be in the bundle."""
        return self.bundle.inputs == "shown"

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data; `plan_from` reads it again."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain | {"checks": self.checks.to_json()}

    def resolved(self, model: Model, data: Dataset) -> "Plan":
        """The same plan with the defaults for a model and its data filled in.

        Raises:
            PlanError: if a metric asks where the truth lies, and the data do not say.
        """
        unnamed = self.attack.methods is None
        plan = self.resolve(
            form=model.space.form_of(data.inputs),
            attacks=usual_attacks(model, data.inputs) if unnamed else None,
            task=model.task,
            planted=data.truth is not None,
        )
        for name in (config["method"] for config in plan.explain.metrics or ()):
            if name in PLANTED and data.truth is None:
                raise PlanError(
                    f"{name} measures whether explanations find what decides, and {data.name} does not say what does; "
                    "name it by [data] truth or patch, in Python by Dataset(truth=), or leave the metric out"
                )
        return plan

    def resolve(
        self,
        *,
        form: Form | str,
        attacks: tuple[Config, ...] | None = None,
        task: Task | None = None,
        planted: bool = False,
    ) -> "Plan":
        """The same plan with the defaults of a form of input filled in.

        Args:
            form: the form or its name.
            attacks: those of a plan that names none, instead of the form's.
            task: that of the model, which tells whether answers can be right or wrong.
            planted: whether the data say where the truth lies.
        """
        default = named(form).defaults
        explainers = self.explain.methods
        explainers = tuple({"method": m} for m in default.explainers) if explainers is None else explainers
        usual = default.attacks if attacks is None else attacks
        usual = usual[-1:] if self.attack.until_decided else usual  # the strongest
        attacks = usual if self.attack.methods is None else self.attack.methods
        eps = default.eps if self.attack.eps is None else self.attack.eps
        checks = replace(self.checks, robust_eps=self.checks.robust_eps or (eps[len(eps) // 2] if eps else ""))
        if eps and checks.robust_eps not in eps:
            raise PlanError(f"checks.robust_eps = {checks.robust_eps!r} is not among attack.eps = {', '.join(eps)}")
        plan = replace(
            self._with_metrics(planted=planted),
            data=replace(self.data, sample=default.sample if self.data.sample is None else self.data.sample),
            checks=checks,
        )
        plan = replace(
            plan,
            explain=replace(plan.explain, methods=explainers),
            attack=replace(plan.attack, methods=attacks, eps=eps),
        )
        plan = replace(
            plan,
            attack=replace(plan.attack, metrics=_with_withstood(plan, task)),
            survey=replace(plan.survey, methods=surveyed(plan.survey.methods, plan.checks)),
        )
        plan = replace(plan, survey=replace(plan.survey, methods=tuple(plan._of_attacks())))
        plan = replace(plan, checks=plan.checks.over(plan._judged()))
        _check_methods(plan)
        return plan

    def explainers(self) -> list[Any]:
        """The explainers that the plan names."""
        return self._built("explainer", self.explain.methods)

    def attacks(self) -> list[Any]:
        """The attacks that the plan names; one whose budget has no default has the first of the plan."""
        return self._built("attack", [self._sized(config) for config in self.attack.methods or ()])

    def radii(self) -> list[tuple[str, ...]]:
        """The radii of each attack that the plan names, ascending: its own, or those of all."""
        each = [own_radii(config) or self.attack.eps or () for config in self.attack.methods or ()]
        return [tuple(sorted(radii, key=fraction)) for radii in each]

    def counterfactuals(self) -> list[Any]:
        """The counterfactual methods that the plan names."""
        return self._built("counterfactual", self.search.methods)

    def _of_attacks(self) -> Iterator[Config]:
        """The surveys that the plan names; one that asks about an attack is of each of the plan's, at each radius."""
        attacks, surveys = self.attacks(), discover("survey")
        known = {attack.finds for attack in attacks}  # by a stronger one, which is asked about
        for config in self.survey.methods:
            kind: type[Survey] = surveys[str(config["method"])]
            asked = [
                (own, attack.budget, radii)
                for own, attack, radii in zip(self.attack.methods or (), attacks, self.radii(), strict=True)
                if kind.each and kind.each not in config and attack.name() not in known and kind.suits(attack)
            ]
            for own, budget, radii in asked:
                settings = {key: value for key, value in self._seeded(own).items() if key != "eps"}
                yield from ({**config, kind.each: {**settings, budget: eps}} for eps in radii)
            if not asked:
                yield config

    def certificates(self) -> list[Any]:
        """The certificates that the plan names."""
        return self._built("certificate", self.certify.methods)

    def surveys(self) -> list[Any]:
        """The surveys that the plan names."""
        return self._built("survey", self.survey.methods)

    def metrics(self, section: str) -> list[Asked]:
        """The metrics that a section of the plan names, each with its name in the audit and its threshold."""
        configs = getattr(self, section).metrics or ()
        built = zip(ids(configs), self._built("metric", configs), strict=True)
        return [(id_, metric, self.threshold(metric)) for id_, metric in built]

    def threshold(self, method: Metric[Any] | Survey) -> float | None:
        """The threshold of a metric or survey; None if it has none."""
        return self.checks.thresholds.get(method.name(), method.threshold)

    def _judged(self) -> list[Judged]:
        """The metrics and surveys of the plan by name, with their default thresholds."""
        sections = [
            section for section in SECTIONS.values() if section not in UNUSUAL or getattr(self, section).methods
        ]
        every = [metric for section in sections for _, metric, _ in self.metrics(section)]
        return [(each.name(), each.threshold) for each in [*every, *self.surveys()]]

    def _with_metrics(self, *, planted: bool) -> "Plan":
        """The metrics of each section: those that the plan names, or the default ones, and those that a check needs."""
        named = {section: getattr(self, section) for section in SECTIONS.values()}
        sections = {
            section: replace(each, metrics=asked(section, each.metrics, self.checks, planted=planted))
            for section, each in named.items()
        }
        return replace(self, **sections)

    def _built(self, kind: str, configs: Sequence[Config] | None) -> list[Any]:
        """Methods of a kind, by their settings."""
        return [build(discover(kind), self._seeded(config)) for config in configs or ()]

    def _sized(self, config: Config) -> Config:
        kind, radii = discover("attack").get(str(config.get("method"))), own_radii(config) or self.attack.eps
        config = {key: value for key, value in config.items() if key != "eps"} if own_radii(config) else config
        if kind is None or not radii or kind.budget in config:
            return config
        lacks = any(f.name == kind.budget and f.default is f.default_factory is MISSING for f in fields(kind))
        return {**config, kind.budget: radii[0]} if lacks else config

    def _seeded(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Set the plan's seed for a method that has a seed and is given none."""
        kind = methods().get(str(config.get("method")))
        takes = kind is not None and "seed" in {f.name for f in fields(kind)}
        return {**config, "seed": self.seed} if takes and "seed" not in config else config


def _with_withstood(plan: Plan, task: Task | None) -> tuple[Config, ...]:
    """The metrics of attacks, with the one of goals that are not about right and wrong answers, if there are such."""
    metrics, goals = plan.attack.metrics or (), [attack.goal for attack in plan.attacks()]
    apart = any(not goal.errs if task is None else goal.counted_alone(task) for goal in goals)
    there = any(config["method"] == Withstood.name() for config in metrics)
    return (*metrics, {"method": Withstood.name()}) if apart and not there else metrics


def record_of(plan: Plan) -> PlanRecord:
    """A resolved plan as the manifest holds it, which can be read without torch."""
    return typed(PlanRecord, plan.to_json(), "the plan")


LARGEST = 2**24  # bytes of a plan
LONGEST = 200  # bytes of a name, which folders and files are called by


def read_plan(path: str | Path) -> Plan:
    """Read a plan file; file names in it are relative to its folder.

    Raises:
        PlanError: if it cannot be read, or a key is unknown (with the nearest that exists) or of the wrong type.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise PlanError(f"cannot read the plan {path}: {error.strerror or error}") from None
    if len(text) > LARGEST:
        raise PlanError(f"{path} is larger than {LARGEST >> 20} MiB, too large for a plan")
    with _one_sentence(path.name):
        plan = plan_from({"name": path.stem, **table_in(text, path.name)})
    return replace(plan, data=plan.data.within(path.parent), model=plan.model.within(path.parent))


def table_in(text: bytes, shown: str) -> dict[str, Any]:
    """The table of a plan in TOML; `shown` is what it is called in messages.

    Raises:
        PlanError: if it cannot be read.
    """
    with _one_sentence(shown):
        return tomllib.loads(text.decode("utf-8-sig"))


@contextmanager
def _one_sentence(shown: str) -> Iterator[None]:
    """Around whatever reads a text of a stranger's."""
    try:
        yield
    except RecursionError:
        raise PlanError(f"{shown} is nested too deeply; a plan has tables, and lists of settings in them") from None
    except ProbeError:
        raise
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{shown} is not TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{shown} is not TOML, which is text in UTF-8: {error}; save it as UTF-8") from None
    except ValueError as error:  # a number of thousands of digits, which Python does not read
        raise PlanError(f"{shown} cannot be read: {str(error).partition(';')[0]}") from None


def plan_from(table: Mapping[str, Any], *, sources: bool = True) -> Plan:
    """Make a plan from plain data, checking every key, type and method.

    With `sources=False` it need not name model and data: they are passed to `run`.
    """
    plan = Plan.read(table, whole="the plan")
    if sources or plan.sourced:
        plan.model.check()
    plan.data.check()
    if (sources or plan.sourced) and not plan.model.zoo and not (plan.data.own or plan.data.zoo):
        raise PlanError(
            '[data] needs csv = "file.csv" (with label), folder = "photos", npz = "file.npz" or zoo = "adult" '
            "for a model of your own"
        )
    if not plan.name or not all(c.isalnum() or c in "-_." for c in plan.name) or plan.name.startswith("."):
        raise PlanError(f"name = {plan.name!r} becomes a folder; use letters, digits, '-', '_' and '.'")
    if len(plan.name.encode()) > LONGEST:
        raise PlanError(f"name = {plan.name[:20]!r}... becomes a folder; give it at most {LONGEST} bytes")
    _check_methods(plan)
    return plan


def _check_methods(plan: Plan) -> None:
    """Build every method, so that a wrong setting is found at once, and refuse duplicates."""
    attacks = plan.attacks()
    every = [("explain.methods", plan.explainers()), ("attack.methods", attacks)]
    every += [("search.methods", plan.counterfactuals())]
    every += [("certify.methods", plan.certificates()), ("survey.methods", plan.surveys())]
    every += [(f"{section}.metrics", [m for _, m, _ in plan.metrics(section)]) for section in SECTIONS.values()]
    for where, built in every:
        if twice := [method for method in built if built.count(method) > 1]:
            raise PlanError(f"{where} names {twice[0].name()} twice with the same settings; leave one of them out")
    for section in SECTIONS.values():
        if foreign := [metric for _, metric, _ in plan.metrics(section) if not measures(type(metric), section)]:
            homes = " or ".join(f"[{home}] metrics" for home in READ if measures(type(foreign[0]), home))
            raise PlanError(f"{section}.metrics names {foreign[0].name()}, which belongs to {homes or 'no plan'}")
    _check_asked(plan)
    check_attacks(plan.attack, attacks)
    check_radii("certify.eps", plan.certify.eps)


def _check_asked(plan: Plan) -> None:
    """Raise PlanError if a check needs methods that the plan does not run."""
    metrics = discover("metric")
    for name in (name for name in plan.checks.thresholds if name in metrics):
        homes = [section for section in SECTIONS.values() if measures(metrics[name], section)]
        if homes and all(home in UNUSUAL and not getattr(plan, home).methods for home in homes):
            kind = UNUSUAL[homes[0]]
            raise PlanError(
                f"checks.{name} is a check of {kind}s, and the plan names none; add [{homes[0]}] methods = "
                f'["{ADVISED[homes[0]]}"], or leave that check out'
            )
